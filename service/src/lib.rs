//! What every Votestream service starts with; knows nothing of votes.
//!
//! A service parses its flags with the groups of [`config`] and works inside [`process::run`], which
//! starts [`telemetry`] and the [`admin`] port and stops as [`shutdown`] says. It connects through
//! [`redis`] and [`postgres`], reports to [`health`], and serves through [`listener`].

pub mod admin;
pub mod backoff;
pub mod certificates;
pub mod config;
pub mod handles;
pub mod health;
pub mod healthcheck;
pub mod http;
pub mod listener;
pub mod metric;
pub mod metrics;
pub mod page;
pub mod postgres;
pub mod problem;
pub mod process;
pub mod redis;
pub mod renewed;
pub mod replay;
mod seldom;
pub mod shutdown;
mod socket;
mod sslmode;
pub mod telemetry;
mod timer;
pub mod tls;
pub mod trace;

pub use tokio_util::sync::CancellationToken;

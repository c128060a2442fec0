//! What every Votestream service starts with; knows nothing of votes.
//!
//! A service parses its flags with the groups of [`config`], calls [`telemetry::start`], connects
//! through [`redis`] and [`postgres`], reports to [`health`], serves through [`listener`] and
//! [`admin`], and stops as [`shutdown`] says.

pub mod admin;
pub mod backoff;
pub mod config;
pub mod health;
pub mod http;
pub mod listener;
pub mod postgres;
pub mod problem;
pub mod redis;
pub mod shutdown;
pub mod telemetry;
pub mod tls;

pub use tokio_util::sync::CancellationToken;

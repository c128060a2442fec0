//! The start-up and infrastructure that every Votestream service shares. It knows nothing of votes.
//!
//! A service parses its flags with the groups of [`config`] and works inside [`process::run`], which
//! starts [`telemetry`] and the admin port and stops at a signal. It declares its metrics with
//! [`metrics!`] as [`metric`] describes, connects through [`redis`] and [`postgres`], reports to
//! [`health`], and serves HTTP through [`listener`].

pub mod backoff;
pub mod certificates;
pub mod config;
mod fd_limit;
pub mod health;
pub mod http;
pub mod language;
pub mod listener;
pub mod metric;
pub mod metrics;
pub mod page;
pub mod postgres;
pub mod problem;
pub mod process;
pub mod redis;
pub mod reloadable;
pub mod telemetry;
pub mod tls;
pub mod trace;

pub use process::{admin, healthcheck};
pub use redis::replay;
pub use tokio_util::sync::CancellationToken;

//! Tools for tests of HTTP interfaces: a client that sends exact bytes, and a check of every reply against the
//! service's OpenAPI document.

mod admin;
mod client;
mod contract;
mod document;
mod reply;

pub use admin::check_metrics;
pub use client::{Client, Request};
pub use contract::Contract;
pub use document::problem_types;
pub use reply::{Reply, first_chunk};

//! What tests of HTTP interfaces share: a client that sends exact bytes, and the OpenAPI document
//! that every reply is held against.

mod admin;
mod client;
mod contract;
mod document;

pub use admin::check_metrics;
pub use client::{Client, Reply, Request, first_chunk};
pub use contract::Contract;

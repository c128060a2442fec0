//! The dashboard's HTTP interface, on a real Postgres.
//!
//! Each test has a service and a database of its own. Every reply and every event that any of them
//! sees is held against the OpenAPI document ([`contract`]).

#![expect(clippy::unwrap_used, reason = "a helper of a test may fail as the test may")]

// The same client and the same checks as the producer's tests have.
#[path = "../../../producer/tests/api/client.rs"]
#[expect(dead_code, reason = "nobody posts to a dashboard, and it knows no cookies")]
mod client;
#[path = "../../../producer/tests/api/contract.rs"]
mod contract;
#[path = "../../../producer/tests/api/document.rs"]
mod document;
mod harness;
mod stream;

mod admin;
mod events;
mod outage;
mod pages;
mod results;
mod viewers;
mod visibility;

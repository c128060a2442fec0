//! The dashboard's HTTP interface, on a real Postgres.
//!
//! Each test has a service and a database of its own. Every reply and every event that any of them
//! sees is held against the OpenAPI document ([`harness::contract`]).

#![expect(clippy::unwrap_used, reason = "a helper of a test may fail as the test may")]

mod document;
mod harness;
mod stream;

mod admin;
mod browser;
mod events;
mod outage;
mod pages;
mod results;
mod viewers;
mod visibility;

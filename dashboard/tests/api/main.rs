//! The dashboard's HTTP interface on a real Postgres server.
//!
//! Each test has its own service and database. Every reply and every event in any test is checked against the OpenAPI
//! document ([`harness::contract`]).

#![expect(clippy::unwrap_used, reason = "a helper of a test may fail as the test may")]

mod document;
mod harness;
mod stream;

mod accounts;
mod admin;
mod browser;
mod events;
mod language;
mod log;
mod nginx;
mod outage;
mod pages;
mod present;
mod results;
mod sharing;
mod viewers;
mod visibility;
mod voters;

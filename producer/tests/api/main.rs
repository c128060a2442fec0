//! The producer's HTTP interface, on a real Redis.
//!
//! Each test has a service and a key prefix of its own. Every reply that any of them sees is held
//! against the OpenAPI document ([`harness::contract`]).

#![expect(clippy::unwrap_used, reason = "a helper of a test may fail as the test may")]

mod harness;
mod proxy;

mod admin;
mod ballots;
mod browser;
mod browser_codes;
mod clients;
mod closing;
mod codes;
mod cookies;
mod cross_origin;
mod document;
mod form;
mod hostile;
mod identity;
mod pages;
mod policies;
mod seed;
mod storing;

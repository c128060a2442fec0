//! The host's service on real servers, with the rights that its users have in a deployment.
//!
//! Each test has its own database and key prefix. Every reply is checked against the OpenAPI document
//! ([`harness::contract`]).

#![expect(clippy::unwrap_used, reason = "a helper of a test may fail as the test may")]

mod harness;

mod browser;
mod codes;
mod document;
mod language;
mod programs;
mod rights;
mod sessions;

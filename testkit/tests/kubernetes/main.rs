//! What `k8s/` ships, run for real: its Redis configuration and users, its Postgres configuration and
//! roles, its secrets, its scripts; without a cluster.

#![expect(clippy::unwrap_used, reason = "a helper of a test may fail as the test may")]

mod cluster;
mod deployment;
mod pipeline;
mod pods;
mod postgres_roles;
mod probes;
mod redis_users;
mod restart;

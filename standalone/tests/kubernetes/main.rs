//! Runs the files of `k8s/` on this machine, without a Kubernetes cluster: the configuration and users of Redis, the
//! configuration and roles of Postgres, the secrets, and the scripts.

#![expect(clippy::unwrap_used, reason = "a helper of a test may fail as the test may")]

mod cluster;
mod deployment;
mod pipeline;
mod pods;
mod postgres_roles;
mod probes;
mod redis_users;
mod restart;
mod waits;

//! Runs the whole pipeline on one machine: a supervisor with the servers and services as child processes.
//!
//! [`servers`] runs private Redis and Postgres servers; the test kit, `chaos` and `bench` use it too. [`supervisor`]
//! starts these servers and the services, restarts those that die, and stops all of them in order.
//!
//! Invariant: this crate never touches a server, file or port that it did not create itself.
//! Absent on purpose: the services' code. They are programs in the same folder as this one, and read their settings
//! from the environment as they do in containers.

pub mod servers;
pub mod supervisor;

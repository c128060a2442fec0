//! The whole pipeline on one machine, as one supervisor and its child processes.
//!
//! [`servers`] runs real Redis and Postgres servers privately (the test kit uses it too);
//! [`supervisor`] starts them and the services, watches over them, and stops them in order.
//!
//! Invariant: nothing here touches a server, a file or a port that it did not make itself.
//! Absent on purpose: the services' code. They are programs beside this one, set up by their
//! environment as they are in containers.

pub mod servers;
pub mod supervisor;

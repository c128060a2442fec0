//! The way from delivered entries to counted votes.
//!
//! `worker` is the loop; [`batch`] sorts what it read, [`store`] counts it in Postgres and queues it for the public log
//! (`log_queue`), `spans` traces it, and `read_size` decides how much to read next. Imports run one way: `worker` uses the others, and `store` and `spans`
//! use the types of [`batch`].

pub mod batch;
pub mod last_failure;
mod log_queue;
pub mod log_record;
mod read_size;
mod spans;
pub mod store;
pub(crate) mod worker;

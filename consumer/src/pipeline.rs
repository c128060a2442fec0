//! From delivered entries to counted votes: the worker's loop and the steps that it takes.
//!
//! Arrows run one way: `worker` uses `batch`, `store`, `spans` and `read_size`; `store` and `spans` use
//! the types of `batch`.

pub mod batch;
mod read_size;
mod spans;
pub mod store;
pub(crate) mod worker;

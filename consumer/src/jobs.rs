//! Background jobs that every replica runs beside the pipeline. No job uses another.

pub(crate) mod auditor;
pub(crate) mod monitor;
pub(crate) mod positions;
pub(crate) mod projector;
pub(crate) mod register_expiry;
pub(crate) mod server_capacity;

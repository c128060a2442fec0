//! Background jobs that every replica runs beside the pipeline.
//!
//! Absent on purpose: coordination between jobs. None uses another, and each tolerates that other replicas run the
//! same job at the same time.

pub(crate) mod accounts;
pub(crate) mod audit_cut;
pub(crate) mod auditor;
pub(crate) mod code_repair;
pub(crate) mod epoch;
pub(crate) mod monitor;
pub(crate) mod positions;
pub(crate) mod projector;
pub(crate) mod register_audit;
pub(crate) mod register_expiry;
pub(crate) mod sealer;
pub(crate) mod server_capacity;
pub(crate) mod witnesses;

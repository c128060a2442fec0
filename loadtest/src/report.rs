//! The report of a run: its data, its verdict, and how it is shown, merged and compared.

pub(crate) mod chart;
pub(crate) mod charts;
pub(crate) mod compare;
pub(crate) mod csv;
pub(crate) mod data;
pub(crate) mod facts;
pub(crate) mod html;
pub(crate) mod junit;
pub(crate) mod merge;
pub(crate) mod outcomes;
pub(crate) mod schema;
pub(crate) mod slo;
pub(crate) mod summary;
pub(crate) mod tables;
pub(crate) mod verdict;

//! Clocks, histograms, and the resources that the load tester itself uses.

pub(crate) mod clock;
pub(crate) mod histogram;
pub(crate) mod intervals;
pub(crate) mod machine;

//! Viewers of the live results: event streams held open by the thousand, and the figures about them.

pub(crate) mod audience;
pub(crate) mod click_to_screen;
pub(crate) mod sse;
pub(crate) mod stats;
pub(crate) mod stream;
pub(crate) mod thread;

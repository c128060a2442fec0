//! Which row of the database belongs to the voter of a cookie.
//!
//! This is the only place that knows it. A deployment that stores voters under another key than the
//! id in their cookie is supported by changing [`RowKeys::of`].

use crate::poll::{Poll, VoterPolicy};

/// Finds the rows of the voters of one poll.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RowKeys {
    by_cookie: bool,
}

impl RowKeys {
    /// Returns the keys of this poll.
    pub(crate) fn new(poll: &Poll) -> Self {
        Self { by_cookie: poll.voter_policy == VoterPolicy::Open }
    }

    /// Returns the key of the row of the voter whose cookie has this id. `None` if the row cannot be
    /// known: in a poll with voting codes the row belongs to the code, of which only a hash with a
    /// secret of the deployment is stored.
    pub(crate) fn of(self, cookie_id: u128) -> Option<u128> {
        self.by_cookie.then_some(cookie_id)
    }
}

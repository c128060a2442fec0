//! Lets a poll close later than it would.

use std::time::Duration;

use votestream_schema::Slug;

use super::close::set_later_end;
use super::stored::PollNow;
use crate::error::Error;
use crate::moment::Moment;
use crate::servers::Servers;

/// The new closing time of a poll.
#[derive(Clone, Copy, Debug)]
pub enum Extension {
    /// So much later than its closing time now.
    By(Duration),
    /// At this moment, which must be later than its closing time now.
    To(Moment),
}

impl Extension {
    /// Milliseconds since the Unix epoch, for a poll that would close at `closes_at_ms`, where the operation began at `now_ms`.
    fn ms(self, closes_at_ms: i64, now_ms: i64) -> i64 {
        match self {
            Self::By(by) => {
                closes_at_ms.saturating_add(i64::try_from(by.as_millis()).unwrap_or(i64::MAX))
            }
            Self::To(moment) => moment.ms(now_ms),
        }
    }
}

/// Sets a later closing time for a scheduled or an open poll.
///
/// # Errors
/// Returns [`Error::NoSuchPoll`], [`Error::PollRefuses`] for a poll that has no closing time, is over, closes within five
/// seconds, or would close earlier, or the error of the server that failed. After an error of Redis, Postgres has the time, and
/// the consumers copy it.
pub async fn extend(
    servers: &Servers,
    slug: &Slug,
    extension: Extension,
) -> Result<PollNow, Error> {
    set_later_end(servers, slug, |closes_at_ms, now_ms| extension.ms(closes_at_ms, now_ms)).await
}

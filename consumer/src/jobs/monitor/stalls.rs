//! Notices that entries wait and none is counted.
//!
//! It does not matter which replica counts: the count of removed entries in Redis says whether any does.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::metrics;

/// After this time without a counted entry a partition stands still. Claiming the entries of a dead consumer takes as long.
const STALLED_AFTER: Duration = Duration::from_secs(30);

/// When each partition was last seen to move; clones share it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Stalls {
    partitions: Arc<Mutex<BTreeMap<u16, Stand>>>,
}

/// One partition as it was last seen.
#[derive(Clone, Copy, Debug)]
struct Stand {
    removed: i64,
    waiting: i64,
    since: Instant,
}

/// Entries wait, and none of them is counted.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "nothing was counted for {seconds} s though {waiting} entries wait in partition {partition}: {reason}"
)]
pub(crate) struct NothingCounted {
    partition: u16,
    waiting: i64,
    seconds: u64,
    reason: String,
}

impl Stalls {
    /// Notes how many entries of a partition wait, and how many were ever removed.
    pub(super) fn note(&self, partition: u16, waiting: i64, removed: i64) {
        let now = Instant::now();
        let mut partitions = self.partitions.lock().unwrap_or_else(PoisonError::into_inner);
        let stand = partitions.entry(partition).or_insert(Stand { removed, waiting, since: now });
        if stand.removed != removed || waiting == 0 {
            stand.since = now;
        }
        (stand.removed, stand.waiting) = (removed, waiting);
        let stands_s = stand.since.elapsed().as_secs_f64();
        metrics::STREAM_STALLED_SECONDS.with([partition.to_string()]).set(stands_s);
    }

    /// Returns the partition that has stood still for longest, if it is for too long. `reason` is the last failure of this
    /// replica, if there was one.
    pub(crate) fn check(&self, reason: Option<String>) -> Result<(), NothingCounted> {
        let partitions = self.partitions.lock().unwrap_or_else(PoisonError::into_inner);
        let longest = partitions.iter().min_by_key(|(_, stand)| stand.since);
        let Some((partition, stand)) =
            longest.filter(|(_, stand)| stand.since.elapsed() >= STALLED_AFTER)
        else {
            return Ok(());
        };
        Err(NothingCounted {
            partition: *partition,
            waiting: stand.waiting,
            seconds: stand.since.elapsed().as_secs(),
            reason: reason.unwrap_or_else(|| "this replica has met no error".to_owned()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_partition_stands_still_when_entries_wait_and_none_is_removed() {
        let stalls = Stalls::default();
        let after = async |seconds| tokio::time::advance(Duration::from_secs(seconds)).await;
        stalls.note(0, 5, 10);
        stalls.note(1, 0, 10);
        after(29).await;
        stalls.note(0, 9, 10);
        stalls.note(1, 0, 10);
        assert_eq!(stalls.check(None), Ok(()));
        after(2).await;
        stalls.note(0, 9, 10);
        stalls.note(1, 7, 10);
        let told = stalls.check(Some("postgres is away".to_owned())).unwrap_err().to_string();
        let expected =
            "nothing was counted for 31 s though 9 entries wait in partition 0: postgres is away";
        assert_eq!(told, expected);
        stalls.note(0, 8, 11);
        assert_eq!(stalls.check(None), Ok(()), "slow is not still");
    }
}

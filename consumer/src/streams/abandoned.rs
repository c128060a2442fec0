//! Abandoned entries: those that the group has passed, and that no consumer holds.
//!
//! Redis delivers them to nobody, and no claim finds them. They come from `XGROUP DELCONSUMER` or `XGROUP SETID` by hand,
//! and from an entry that was acknowledged while its removal was refused. Counting an entry again changes nothing, so
//! whoever finds one simply counts it.

use redis::{RedisError, Script};
use votestream_schema::keys::GROUP;
use votestream_service::redis::Connection;

use super::Streams;

/// Entries that one call looks at, and bytes of entries after which it ends: Redis serves nobody else meanwhile.
const ENTRIES_AT_ONCE: usize = 250;
const BYTES_AT_ONCE: usize = 256 * 1_024;

impl Streams {
    /// Searches a partition for abandoned entries, and makes up to `most` or somewhat more of them pending under this
    /// consumer's name; read them with [`Streams::read_pending`]. Returns how many it took.
    ///
    /// # Errors
    /// Returns the Redis error; entries that were taken before it are pending under this consumer's name.
    pub async fn take_abandoned(
        &self,
        connection: &mut Connection,
        partition: u16,
        most: usize,
    ) -> Result<u64, RedisError> {
        let script = Script::new(include_str!("abandoned.lua"));
        let (mut taken, mut from) = (0, "-".to_owned());
        while taken < most as u64 {
            let mut call = script.key(self.keys.stream(partition));
            call.arg(GROUP).arg(&self.consumer).arg(&from);
            call.arg(ENTRIES_AT_ONCE).arg(BYTES_AT_ONCE);
            let (found, next, repaired): (u64, String, u8) = call.invoke_async(connection).await?;
            taken += found;
            if repaired == 1 {
                tracing::warn!(
                    partition,
                    "the group's position in the stream of partition {partition} was beyond the last entry, where \
                     somebody had set it with XGROUP SETID; it was set to the last entry, and all entries before are \
                     counted"
                );
            }
            if next.is_empty() {
                break;
            }
            from = next;
        }
        Ok(taken)
    }
}

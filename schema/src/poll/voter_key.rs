//! How a poll names its voters where votes are stored.
//!
//! A [`VoterId`] identifies a browser, a voting code or an idempotency key. It never leaves the producer: Redis and
//! Postgres know a voter of a poll only by a [`VoterKey`], which is an HMAC of that id under a secret of the poll
//! ([`PollSecret`]). So the votes of one person in two polls have nothing in common, and neither a list of voting codes
//! nor a cookie tells which vote is whose without the secret. `votectl poll seal` destroys the secret.
//!
//! Polls that were created before there were secrets use the id itself as the key.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use uuid::Uuid;

use crate::{VoterId, VoterKey};

/// The length of a poll's secret, in bytes.
pub const SECRET_BYTES: usize = 32;

/// The low bits of the time in a voter id that its key does not keep. 14 of them make units of 16.4 seconds.
///
/// The rest of the time stands in front of the key, because Postgres inserts nearly twice as fast where new rows
/// lie close together in the index.
const TIME_BITS_DROPPED: u32 = 14;

/// The bits of the Unix time in milliseconds at the front of a UUIDv7 (RFC 9562, section 5.7).
const TIME_BITS: u32 = 48;

/// The secret under which a poll turns the ids of its voters into keys. `Debug` does not show it.
#[derive(Clone)]
pub struct PollSecret {
    bytes: [u8; SECRET_BYTES],
    /// The HMAC with the secret already in it: the first half of the work of each key.
    mac: Hmac<Sha256>,
}

impl PollSecret {
    /// Makes a new secret with a generator that the operating system seeded.
    pub fn generate() -> Self {
        Self::from_bytes(rand::random())
    }

    /// The secret with these bytes.
    pub fn from_bytes(bytes: [u8; SECRET_BYTES]) -> Self {
        let mac = Hmac::new_from_slice(&bytes).expect("HMAC takes keys of any length");
        Self { bytes, mac }
    }

    /// Reads the secret as Postgres stores it. Returns `None` if it has another length.
    pub fn read(bytes: &[u8]) -> Option<Self> {
        Some(Self::from_bytes(bytes.try_into().ok()?))
    }

    /// The secret as Postgres stores it.
    pub fn as_bytes(&self) -> &[u8; SECRET_BYTES] {
        &self.bytes
    }

    /// Reads 64 hexadecimal digits, as the copy in Redis has them. Returns `None` for any other text.
    pub fn from_hex(text: &str) -> Option<Self> {
        let digit = |byte: u8| char::from(byte).to_digit(16).map(|digit| digit as u8);
        let pair = |pair: &[u8]| Some(digit(pair[0])? << 4 | digit(pair[1])?);
        let even = text.len() == 2 * SECRET_BYTES;
        let bytes = even.then(|| text.as_bytes().chunks_exact(2).map(pair).collect::<Option<_>>());
        Self::read(&bytes.flatten().unwrap_or(Vec::new()))
    }

    /// The secret as 64 hexadecimal digits.
    pub fn to_hex(&self) -> String {
        self.bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// HMAC-SHA256 over a text. It must not have 16 bytes: those are the ids of voters.
    pub(crate) fn hmac(&self, text: &[u8]) -> [u8; 32] {
        debug_assert_ne!(text.len(), 16, "a text like the id of a voter");
        self.mac.clone().chain_update(text).finalize().into_bytes().into()
    }

    /// The number that hides the choices of a log entry, named by partition, milliseconds and sequence: the first 16 bytes
    /// of an HMAC-SHA256 (RFC 2104).
    pub fn log_nonce(&self, stream_entry: &str) -> [u8; 16] {
        let hash = self.hmac(format!("votestream log nonce 1 {stream_entry}").as_bytes());
        std::array::from_fn(|i| hash[i])
    }

    /// The key of a voter: a UUIDv8 (RFC 9562, section 5.8) made of HMAC-SHA256 (RFC 2104) over the id.
    ///
    /// The key of a UUIDv7 begins with its time, in units of 16.4 seconds. That is the time of the first visit of a
    /// browser, and not that of its vote.
    pub fn key_of(&self, voter: VoterId) -> VoterKey {
        let hash = self.mac.clone().chain_update(voter.0.as_bytes()).finalize().into_bytes();
        let hash: [u8; 16] = std::array::from_fn(|i| hash[i]);
        let mut key = u128::from_be_bytes(hash);
        if voter.0.get_version_num() == 7 {
            let time_bits = u128::MAX << (128 - TIME_BITS + TIME_BITS_DROPPED);
            key = voter.0.as_u128() & time_bits | key & !time_bits;
        }
        VoterKey(Uuid::new_v8(key.to_be_bytes()))
    }
}

impl std::fmt::Debug for PollSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PollSecret(***)")
    }
}

impl PartialEq for PollSecret {
    fn eq(&self, other: &Self) -> bool {
        self.bytes == other.bytes
    }
}

impl Eq for PollSecret {}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(byte: u8) -> PollSecret {
        PollSecret::from_bytes([byte; SECRET_BYTES])
    }

    #[test]
    fn a_voter_has_one_key_in_each_poll() {
        let voter = VoterId::new();
        assert_eq!(secret(1).key_of(voter), secret(1).key_of(voter));
        assert_ne!(secret(1).key_of(voter), secret(2).key_of(voter));
        assert_ne!(secret(1).key_of(voter), secret(1).key_of(VoterId::new()));
    }

    /// Keys are stored, so the computation never changes. Computed with Python's `hmac`.
    #[test]
    fn the_keys_are_those_of_another_implementation() {
        let key = |id: &str| secret(0x0b).key_of(VoterId(id.parse().unwrap())).0.to_string();
        assert_eq!(
            key("0190c42a-b6f8-7abc-8def-0123456789ab"),
            "0190c42a-804c-8d0c-bc30-ef6b9386d2c2"
        );
        assert_eq!(
            key("0190c42a-b6f8-8abc-8def-0123456789ab"),
            "cf72efd1-e5a0-8088-afdc-e90c6f37258a"
        );
    }

    #[test]
    fn a_key_keeps_the_time_in_units_of_sixteen_seconds_and_nothing_else_of_the_id() {
        let id =
            |ms: u64| VoterId(uuid::Builder::from_unix_timestamp_millis(ms, &[7; 10]).into_uuid());
        let time = |key: VoterKey| (key.0.as_u128() >> 94) as u64;
        let unit_ms = 1 << TIME_BITS_DROPPED;
        let ms = 104_000_000 * unit_ms;
        let secret = secret(9);
        assert_eq!(time(secret.key_of(id(ms))), ms / unit_ms);
        assert_eq!(time(secret.key_of(id(ms + unit_ms - 1))), ms / unit_ms);
        assert_eq!(time(secret.key_of(id(ms + unit_ms))), ms / unit_ms + 1);
        let (one, next) = (secret.key_of(id(ms)), secret.key_of(id(ms + 1)));
        assert_ne!(one.0.as_u128() << 66, next.0.as_u128() << 66);
        // A code's id has no time.
        let of_code = VoterId(Uuid::new_v8([0; 16]));
        assert_ne!(time(secret.key_of(of_code)), 0);
    }

    #[test]
    fn keys_spread_evenly_over_partitions_and_buckets() {
        let (mut partitions, mut buckets) = ([0; 4], [0; 4]);
        for _ in 0..4_000 {
            let key = secret(3).key_of(VoterId::new());
            partitions[usize::from(key.partition(4))] += 1;
            buckets[usize::from(key.bucket(4))] += 1;
        }
        for counts in [partitions, buckets] {
            assert!(counts.iter().all(|n| (800..1_200).contains(n)), "{counts:?}");
        }
    }

    #[test]
    fn a_secret_survives_being_written_and_shows_nothing() {
        let secret = PollSecret::generate();
        assert_eq!(PollSecret::from_hex(&secret.to_hex()), Some(secret.clone()));
        assert_eq!(PollSecret::read(secret.as_bytes()), Some(secret.clone()));
        for bad in ["", "00", &"0".repeat(63), &"g".repeat(64), &"é".repeat(32)] {
            assert_eq!(PollSecret::from_hex(bad), None, "{bad}");
        }
        assert_eq!(format!("{secret:?}"), "PollSecret(***)");
    }
}

//! The key with which a poll proves to the dashboard that somebody has voted (visibility `after_vote`).
//!
//! The producer knows voters, and the dashboard shows results and knows none. Both know this key of the poll. The producer signs a
//! proof for a voter whose vote stands, and the browser carries it to the dashboard. A proof names the poll and its own end, and
//! no voter: whoever has it sees the results of this poll until then, and can do nothing else with it.
//!
//! Invariant: a proof of one use is not accepted for the other. The one in an address lives for minutes, because addresses
//! are shared; the one in a cookie lives for hours.

use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::PollId;

/// The length of a key, in bytes.
pub const KEY_BYTES: usize = 32;
/// How long a proof in an address is good, in seconds: from the click of a link until the dashboard answers.
pub const IN_ADDRESS_S: i64 = 120;
/// How long a proof in a cookie is good, in seconds.
pub const IN_COOKIE_S: i64 = 12 * 60 * 60;
const SIGNATURE_BYTES: usize = 16;

/// What carries a proof.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Carrier {
    /// The address to which the producer sends a browser.
    Address,
    /// The cookie that the dashboard sets in return.
    Cookie,
}

impl Carrier {
    fn word(self) -> &'static str {
        match self {
            Self::Address => "address",
            Self::Cookie => "cookie",
        }
    }
}

/// The key of one poll. `Debug` does not show it.
#[derive(Clone, PartialEq, Eq)]
pub struct ResultsKey([u8; KEY_BYTES]);

impl fmt::Debug for ResultsKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ResultsKey(***)")
    }
}

impl ResultsKey {
    /// Reads the key as Postgres stores it. Returns `None` if it has another length.
    pub fn read(bytes: &[u8]) -> Option<Self> {
        Some(Self(bytes.try_into().ok()?))
    }

    /// Reads 64 hexadecimal digits, as the copy in Redis has them. Returns `None` for any other text.
    pub fn from_hex(text: &str) -> Option<Self> {
        let digits: Option<Vec<u8>> =
            text.chars().map(|digit| digit.to_digit(16).map(|digit| digit as u8)).collect();
        let bytes: Vec<u8> =
            digits?.chunks(2).map(|pair| pair.iter().fold(0, |all, it| all << 4 | it)).collect();
        Self::read(&bytes).filter(|_| text.len() == 2 * KEY_BYTES)
    }

    /// The key as 64 hexadecimal digits.
    pub fn to_hex(&self) -> String {
        self.0.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// Makes a proof that opens the results of this poll from now on; `now_s` is the Unix time in seconds.
    pub fn prove(&self, poll: PollId, carrier: Carrier, now_s: i64) -> String {
        let lives_s = match carrier {
            Carrier::Address => IN_ADDRESS_S,
            Carrier::Cookie => IN_COOKIE_S,
        };
        let ends_s = now_s + lives_s;
        let signature = self.mac(poll, carrier, ends_s).finalize().into_bytes();
        let signature = signature[..SIGNATURE_BYTES].iter();
        let signature: String = signature.map(|byte| format!("{byte:02x}")).collect();
        format!("{ends_s}.{signature}")
    }

    /// Whether a text is a proof for this poll that is still good at `now_s`, in seconds of Unix time.
    pub fn accepts(&self, poll: PollId, carrier: Carrier, text: &str, now_s: i64) -> bool {
        let Some((ends, signature)) = text.split_once('.') else { return false };
        let Ok(ends_s) = ends.parse::<i64>() else { return false };
        let digits = signature.as_bytes();
        if digits.len() != 2 * SIGNATURE_BYTES || !digits.is_ascii() {
            return false;
        }
        let bytes: Option<Vec<u8>> = (0..SIGNATURE_BYTES)
            .map(|at| u8::from_str_radix(&signature[2 * at..2 * at + 2], 16).ok())
            .collect();
        let is_ours =
            |bytes: Vec<u8>| self.mac(poll, carrier, ends_s).verify_truncated_left(&bytes).is_ok();
        bytes.is_some_and(is_ours) && now_s < ends_s
    }

    fn mac(&self, poll: PollId, carrier: Carrier, ends_s: i64) -> Hmac<Sha256> {
        let mac = Hmac::<Sha256>::new_from_slice(&self.0).expect("HMAC takes keys of any length");
        let signed = format!("results {poll} {} {ends_s}", carrier.word());
        mac.chain_update(signed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW_S: i64 = 1_800_000_000;

    #[test]
    fn a_proof_is_good_for_its_poll_and_carrier_until_its_end() {
        let (key, other) = (ResultsKey([7; KEY_BYTES]), ResultsKey([8; KEY_BYTES]));
        for (carrier, lives_s) in [(Carrier::Address, IN_ADDRESS_S), (Carrier::Cookie, IN_COOKIE_S)]
        {
            let proof = key.prove(PollId(3), carrier, NOW_S);
            let good =
                |key: &ResultsKey, poll, now_s| key.accepts(PollId(poll), carrier, &proof, now_s);
            assert!(good(&key, 3, NOW_S) && good(&key, 3, NOW_S + lives_s - 1));
            assert!(!good(&key, 3, NOW_S + lives_s), "it has ended");
            assert!(!good(&key, 4, NOW_S), "another poll");
            assert!(!good(&other, 3, NOW_S), "another key");
            let swapped =
                if carrier == Carrier::Address { Carrier::Cookie } else { Carrier::Address };
            assert!(!key.accepts(PollId(3), swapped, &proof, NOW_S), "another carrier");
            let later = proof.replacen("18", "19", 1);
            assert!(!key.accepts(PollId(3), carrier, &later, NOW_S), "another end");
        }
        for text in [
            "",
            ".",
            "1",
            "1.",
            "x.00",
            "9999999999.é00000000000000000000000000000",
            &"9".repeat(99),
        ] {
            assert!(!key.accepts(PollId(3), Carrier::Address, text, NOW_S), "{text}");
        }
    }

    #[test]
    fn a_key_is_read_back_and_not_shown() {
        let key = ResultsKey([0xa7; KEY_BYTES]);
        assert_eq!(ResultsKey::from_hex(&key.to_hex()), Some(key.clone()));
        for text in ["", "a7", &"a7".repeat(33), &"g".repeat(64), &"é".repeat(32)] {
            assert_eq!(ResultsKey::from_hex(text), None, "{text}");
        }
        assert_eq!(format!("{key:?}"), "ResultsKey(***)");
    }
}

//! A challenge that a computer solves by calculating: proof of work.
//!
//! The challenge is a signed text, so the service that made it keeps nothing:
//!
//! ```text
//! w1.30d40.6928a1f0.0a1b…            w1 . average hashes . expiry (Unix seconds) . signature   (hexadecimal numbers)
//! w1.30d40.6928a1f0.0a1b….1f-3c0-…   the same with its solution: one number for each part
//! ```
//!
//! The signature covers the poll and the voter, so a solution serves that voter in that poll alone, and sending it again
//! gains nothing. A solution has [`PARTS`] parts, because the time for many small searches varies less than that for a
//! single one. A part is solved by a number `n` for which the first four bytes of
//! SHA-256(`seed`, part, `n`) are below [`Challenge::below`]. `seed` is the SHA-256 of the challenge; part and `n` are
//! written in four bytes each, the highest first.

use sha2::{Digest, Sha256};

use crate::voter::KeyRing;
use crate::{PollId, VoterId};

/// Parts of a solution.
pub const PARTS: u32 = 16;
/// The fewest and the most hashes that a solution may take on average.
pub const HASHES: std::ops::RangeInclusive<u32> = 100..=100_000_000;
/// Seconds in which a challenge can be solved, and its solution sent again.
pub const AGE_MAX_S: i64 = 600;
/// The first characters of every challenge. A solution of another kind never begins with them.
pub const PREFIX: &str = "w1.";
/// The longest solution in bytes.
const SOLUTION_BYTES_MAX: usize = 256;

/// The bytes that are hashed for every part.
pub type Seed = [u8; 32];

/// A challenge for one voter in one poll.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Challenge {
    /// The signed text, with which a solution begins.
    pub text: String,
    /// The average number of hashes that a solution takes.
    pub hashes: u32,
}

/// Why a text is no solution.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unsolved {
    /// The text does not have the form of a solution.
    #[error("it is malformed")]
    Malformed,
    /// The challenge was not made here for this voter and this poll.
    #[error("it belongs to another voter, another poll or another service")]
    Forged,
    /// The challenge is too old.
    #[error("it has expired")]
    Expired,
    /// A part is missing or not solved.
    #[error("it is wrong")]
    Wrong,
}

/// The use for which a challenge is signed.
fn scope(poll: PollId, voter: VoterId) -> String {
    format!("challenge {poll} {}", voter.0.simple())
}

/// The number below which the beginning of a hash must lie, for so many hashes on average.
fn below(hashes: u32) -> u32 {
    let below = (u64::from(PARTS) << 32) / u64::from(hashes.max(1));
    u32::try_from(below).unwrap_or(u32::MAX)
}

/// Whether this number solves a part.
fn solves(seed: &Seed, part: u32, number: u32, below: u32) -> bool {
    let hash = Sha256::new()
        .chain_update(seed)
        .chain_update(part.to_be_bytes())
        .chain_update(number.to_be_bytes())
        .finalize();
    u32::from_be_bytes([hash[0], hash[1], hash[2], hash[3]]) < below
}

impl Challenge {
    /// Makes a challenge for this voter of this poll that takes so many hashes on average.
    pub fn new(keys: &KeyRing, poll: PollId, voter: VoterId, hashes: u32, now_s: i64) -> Self {
        let signed = format!("{PREFIX}{hashes:x}.{:x}", now_s + AGE_MAX_S);
        let text = format!("{signed}.{}", keys.tag(&scope(poll, voter), &signed));
        Self { text, hashes }
    }

    /// The bytes that are hashed for every part.
    pub fn seed(&self) -> Seed {
        Sha256::digest(self.text.as_bytes()).into()
    }

    /// The number below which the first four bytes of a part's hash must lie.
    pub fn below(&self) -> u32 {
        below(self.hashes)
    }

    /// Solves the challenge by trying numbers, and returns the solution. It takes [`Challenge::hashes`] hashes on average.
    pub fn solve(&self) -> String {
        let (seed, below) = (self.seed(), self.below());
        let number = |part| (0..=u32::MAX).find(|number| solves(&seed, part, *number, below));
        let parts = (0..PARTS).map(|part| format!("{:x}", number(part).unwrap_or_default()));
        format!("{}.{}", self.text, parts.collect::<Vec<_>>().join("-"))
    }
}

/// A text in the form of a solution.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Solution<'a> {
    /// The challenge that is solved.
    text: &'a str,
    hashes: u32,
    expires_s: i64,
    numbers: [u32; PARTS as usize],
}

impl<'a> Solution<'a> {
    /// Reads a solution.
    ///
    /// # Errors
    /// Returns [`Unsolved::Malformed`] if the text does not have the form of a solution.
    pub fn parse(solution: &'a str) -> Result<Self, Unsolved> {
        let read = || {
            let short = (solution.len() <= SOLUTION_BYTES_MAX).then_some(solution)?;
            let (text, numbers) = short.rsplit_once('.')?;
            let mut parts = text.strip_prefix(PREFIX)?.split('.');
            let hashes = u32::from_str_radix(parts.next()?, 16).ok()?;
            let expires_s = i64::from_str_radix(parts.next()?, 16).ok()?;
            let _signature = parts.next()?;
            let mut found = numbers.split('-').map(|number| u32::from_str_radix(number, 16).ok());
            let mut numbers = [0; PARTS as usize];
            for number in &mut numbers {
                *number = found.next()??;
            }
            (parts.next().is_none() && found.next().is_none()).then_some(Self {
                text,
                hashes,
                expires_s,
                numbers,
            })
        };
        read().ok_or(Unsolved::Malformed)
    }

    /// Checks that the challenge was made with one of these keys for this voter of this poll, is not too old, and is solved.
    ///
    /// # Errors
    /// Returns the first of these that does not hold.
    pub fn verify(
        &self,
        keys: &KeyRing,
        poll: PollId,
        voter: VoterId,
        now_s: i64,
    ) -> Result<(), Unsolved> {
        let (signed, tag) = self.text.rsplit_once('.').ok_or(Unsolved::Malformed)?;
        if !keys.is_tag(&scope(poll, voter), signed, tag) {
            return Err(Unsolved::Forged);
        }
        if now_s > self.expires_s {
            return Err(Unsolved::Expired);
        }
        let (seed, below) = (Sha256::digest(self.text.as_bytes()).into(), below(self.hashes));
        let mut numbered = (0..PARTS).zip(self.numbers);
        if numbered.all(|(part, number)| solves(&seed, part, number, below)) {
            Ok(())
        } else {
            Err(Unsolved::Wrong)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const POLL: PollId = PollId(7);

    fn keys(byte: u8) -> KeyRing {
        KeyRing::parse(&format!("{byte:02x}").repeat(32)).unwrap()
    }

    #[test]
    fn a_solution_serves_its_voter_in_its_poll_until_it_expires() {
        let (keys, voter) = (keys(1), VoterId::new());
        let challenge = Challenge::new(&keys, POLL, voter, 1_000, 1_000_000);
        let text = challenge.solve();
        let solution = Solution::parse(&text).unwrap();
        let verify = |keys: &KeyRing, poll, voter, now_s| solution.verify(keys, poll, voter, now_s);
        for now_s in [1_000_000, 1_000_000 + AGE_MAX_S] {
            assert_eq!(verify(&keys, POLL, voter, now_s), Ok(()), "as often as it is sent");
        }
        assert_eq!(verify(&keys, POLL, voter, 1_000_001 + AGE_MAX_S), Err(Unsolved::Expired));
        assert_eq!(verify(&keys, POLL, VoterId::new(), 1_000_000), Err(Unsolved::Forged));
        assert_eq!(verify(&keys, PollId(8), voter, 1_000_000), Err(Unsolved::Forged));
        assert_eq!(verify(&self::keys(2), POLL, voter, 1_000_000), Err(Unsolved::Forged));
    }

    #[test]
    fn a_challenge_cannot_be_made_easier_or_solved_in_part() {
        let (keys, voter) = (keys(1), VoterId::new());
        let challenge = Challenge::new(&keys, POLL, voter, 100_000, 1_000_000);
        let solved = challenge.solve();
        let verify = |text: &str| {
            Solution::parse(text).and_then(|it| it.verify(&keys, POLL, voter, 1_000_000))
        };
        assert_eq!(verify(&solved), Ok(()));
        let easier = solved.replacen(".186a0.", ".3e8.", 1);
        assert_eq!(verify(&easier), Err(Unsolved::Forged));
        let (text, numbers) = solved.rsplit_once('.').unwrap();
        let guessed = format!("{text}.{}", ["0"; PARTS as usize].join("-"));
        assert_eq!(verify(&guessed), Err(Unsolved::Wrong));
        let first = numbers.split('-').next().unwrap();
        let repeated = format!("{text}.{}", [first; PARTS as usize].join("-"));
        assert_eq!(verify(&repeated), Err(Unsolved::Wrong), "each part has a number of its own");
        for bad in ["", "w1.", "w1.1.1.1.", text, &format!("{solved}-0"), "0x4AAA"] {
            assert_eq!(verify(bad), Err(Unsolved::Malformed), "{bad}");
        }
    }

    #[test]
    fn a_solution_takes_about_as_many_hashes_as_stated() {
        let hashes = 10_000;
        let mut tried = 0.0;
        for round in 0..40 {
            let challenge = Challenge::new(&keys(1), POLL, VoterId::new(), hashes, round);
            let text = challenge.solve();
            let numbers = Solution::parse(&text).unwrap().numbers;
            tried += numbers.iter().map(|number| f64::from(*number) + 1.0).sum::<f64>();
        }
        let average = tried / 40.0;
        assert!((8_000.0..12_000.0).contains(&average), "{average}");
        assert_eq!(below(*HASHES.start()), 687_194_767);
        assert_eq!(below(1), u32::MAX);
    }

    /// Pages that were loaded before an update calculate in the same way.
    #[test]
    fn the_calculation_never_changes() {
        let challenge = Challenge { text: "w1.3e8.6928a1f0.00".to_owned(), hashes: 1_000 };
        let seed: String = challenge.seed().iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(seed, GOLDEN_SEED);
        assert_eq!(challenge.solve(), GOLDEN_SOLUTION);
    }

    const GOLDEN_SEED: &str = "a968930f950efcbdca7f66e314c39b19b0f5c3c0525a71590e7ed72bccad1d35";
    const GOLDEN_SOLUTION: &str = "w1.3e8.6928a1f0.00.11-a7-21-8-62-1-11-1b-13-6-f-1c-ab-0-27-4a";

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in ".{0,300}") {
            if let Ok(solution) = Solution::parse(&text) {
                prop_assert!(solution.verify(&keys(1), POLL, VoterId::new(), 0).is_err());
            }
        }
    }
}

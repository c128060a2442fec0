//! The copy of a poll in Redis.
//!
//! Postgres holds the truth. Redis holds two copies that the producer can reach: the definition as JSON
//! (for pages, in [`Keys::polls`]), and the [`Rules`] in every partition. The register function checks the
//! rules in the same step in which it stores a ballot. So the ID of an accepted ballot's entry proves that
//! it came in time, whatever the clock or the cache of a replica says.
//!
//! Invariant: rules never go back to an older revision, so a replica that was paused while copying does
//! no harm. A closing time is set in every partition before it is reached ([`close_script`]).
//!
//! Everything here is text; the caller sends it.

pub mod epoch;
pub mod functions;
pub mod presence;

use serde::{Deserialize, Serialize};

use crate::keys::BUCKETS;
use crate::poll::VotePolicy;
use crate::poll::results_key::ResultsKey;
use crate::poll::secrecy::{Secrecy, VoterKeys};
use crate::poll::stored_voter_policy::StoredVoterPolicy;
use crate::poll::voter_key::PollSecret;
use crate::{Keys, Poll, PollId};

/// "Never" as a time in milliseconds: the largest whole number that Lua's doubles hold exactly.
pub const NEVER_MS: i64 = (1 << 53) - 1;

/// The rules of a poll, as far as the register function applies them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rules {
    /// The revision of the poll from which the rules were made.
    pub revision: i32,
    /// The first millisecond that is in time; [`NEVER_MS`] for a draft.
    pub opens_at_ms: i64,
    /// The first millisecond that is too late; [`NEVER_MS`] where none is set.
    pub closes_at_ms: i64,
    /// Decides which of a voter's ballots stands.
    pub vote_policy: VotePolicy,
    /// Decides who may vote, and how voters are named.
    pub voter_policy: StoredVoterPolicy,
}

impl Rules {
    /// Makes the rules of this poll.
    pub fn of(poll: &Poll) -> Self {
        Self {
            revision: poll.revision,
            opens_at_ms: poll.opens_at_ms.unwrap_or(NEVER_MS),
            closes_at_ms: poll.closes_at_ms.unwrap_or(NEVER_MS),
            vote_policy: poll.vote_policy,
            voter_policy: StoredVoterPolicy {
                policy: poll.voter_policy,
                is_keyed: poll.secrecy.keys.is_keyed(),
            },
        }
    }

    /// Encodes the rules as the scripts read them: `<revision> <opens> <closes> <vote policy> <voter policy>`.
    pub fn encode(&self) -> String {
        let Self { revision, opens_at_ms, closes_at_ms, vote_policy, voter_policy } = self;
        format!("{revision} {opens_at_ms} {closes_at_ms} {vote_policy} {voter_policy}")
    }
}

/// Why a text is not the rules of a poll.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` are not the rules of a poll")]
pub struct UnknownRules(String);

impl std::str::FromStr for Rules {
    type Err = UnknownRules;

    /// Reads the text that [`Rules::encode`] wrote.
    fn from_str(text: &str) -> Result<Self, UnknownRules> {
        let read = || {
            let mut parts = text.split(' ');
            let rules = Self {
                revision: parts.next()?.parse().ok()?,
                opens_at_ms: parts.next()?.parse().ok()?,
                closes_at_ms: parts.next()?.parse().ok()?,
                vote_policy: parts.next()?.parse().ok()?,
                voter_policy: parts.next()?.parse().ok()?,
            };
            parts.next().is_none().then_some(rules)
        };
        read().ok_or_else(|| UnknownRules(text.chars().take(64).collect()))
    }
}

/// A Redis command: its name, then its arguments.
pub type Command = Vec<String>;

/// Writes a poll's rules to one partition. The reply is 1 if they were written, 0 if it holds newer ones.
pub fn rules_script(keys: &Keys, partition: u16, poll: &Poll) -> Command {
    let script = include_str!("lua/project.lua");
    let rules = Rules::of(poll).encode();
    command(["EVAL", script, "1", &keys.rules(partition), &poll.id.to_string(), &rules])
}

/// Sets the closing time of `poll` in one partition. The reply is 1 if it was set, 0 if it is too late for
/// that time: then the caller chooses a later one, and sets it in all partitions.
pub fn close_script(keys: &Keys, partition: u16, poll: &Poll) -> Command {
    let rules = Rules::of(poll);
    command([
        "EVAL",
        include_str!("lua/close.lua"),
        "2",
        &keys.rules(partition),
        &keys.stream(partition),
        &poll.id.to_string(),
        &rules.encode(),
        &rules.closes_at_ms.to_string(),
    ])
}

/// Asks one partition for the earliest time, in milliseconds, that the ID of a new entry can have there.
pub fn clock_script(keys: &Keys, partition: u16) -> Command {
    command(["EVAL", include_str!("lua/clock.lua"), "1", &keys.stream(partition)])
}

/// Writes a poll's definition for the producer's pages; removes that of a draft.
pub fn definition(keys: &Keys, poll: &Poll) -> Command {
    if poll.opens_at_ms.is_none() {
        return command(["HDEL", &keys.polls(), poll.slug.as_str()]);
    }
    command(["HSET", &keys.polls(), poll.slug.as_str(), &write_definition(poll)])
}

/// Notes a draft for the producer's pages, which then wait for it; removes the note of any other poll.
pub fn draft(keys: &Keys, poll: &Poll) -> Command {
    let name = if poll.opens_at_ms.is_none() { "SADD" } else { "SREM" };
    let [slug, numbered] = draft_notes(poll);
    command([name, &keys.drafts(), &slug, &numbered])
}

/// The notes of a draft: its slug, and its number with the slug, by which its short code is found. Releases before this one
/// know the first one alone.
pub fn draft_notes(poll: &Poll) -> [String; 2] {
    [poll.slug.to_string(), format!("{}:{}", poll.id, poll.slug)]
}

/// Reads a note of [`draft_notes`]: the slug, and the number where there is one.
pub fn read_draft_note(note: &str) -> (&str, Option<PollId>) {
    match note.split_once(':') {
        Some((number, slug)) => (slug, number.parse().ok().map(PollId)),
        None => (note, None),
    }
}

/// A keyed poll in Redis: its secret (64 hexadecimal digits; none once it is sealed) beside its definition, and the key with which
/// it proves that somebody has voted, if its results are for voters.
///
/// The form differs from that of other polls, so that a producer from before there were secrets does not read it.
#[derive(Serialize, Deserialize)]
struct KeyedDefinition<P> {
    secret: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    results_key: Option<String>,
    poll: P,
}

fn write_definition(poll: &Poll) -> String {
    let written = match &poll.secrecy.keys {
        VoterKeys::Ids => serde_json::to_string(poll),
        keys => {
            let secret = keys.secret().map(PollSecret::to_hex);
            let results_key = poll.secrecy.results_key.as_ref();
            let results_key = results_key.filter(|_| poll.shows_results_to_voters());
            let results_key = results_key.map(ResultsKey::to_hex);
            serde_json::to_string(&KeyedDefinition { secret, results_key, poll })
        }
    };
    written.expect("a poll is plain data")
}

/// Reads a poll's definition, as [`definition`] wrote it.
///
/// # Errors
/// Returns the error of the JSON parser.
pub fn read_definition(json: &str) -> Result<Poll, serde_json::Error> {
    let Ok(KeyedDefinition::<Poll> { secret, results_key, poll }) = serde_json::from_str(json)
    else {
        return serde_json::from_str(json);
    };
    let secret = secret.and_then(|digits| PollSecret::from_hex(&digits));
    let keys = secret.map_or(VoterKeys::Unknown, VoterKeys::Secret);
    let results_key = results_key.and_then(|digits| ResultsKey::from_hex(&digits));
    Ok(Poll { secrecy: Secrecy { keys, results_key, ..poll.secrecy }, ..poll })
}

/// Asks for the number that grows after each change of a definition; none if it was never counted.
pub fn polls_revision(keys: &Keys) -> Command {
    command(["GET", &keys.polls_revision()])
}

/// Stores the number of partitions, unless it is there.
pub fn partitions(keys: &Keys, partitions: u16) -> Command {
    command(["HSETNX", &keys.meta(), "partitions", &partitions.to_string()])
}

/// Removes the register of a poll that has ended, `buckets` of one partition at a time.
pub fn forget_register(
    keys: &Keys,
    partition: u16,
    poll: PollId,
    buckets: std::ops::Range<u16>,
) -> Command {
    let names = buckets.map(|bucket| keys.register_bucket(partition, poll, bucket));
    std::iter::once("UNLINK".to_owned()).chain(names).collect()
}

/// Removes `buckets` of a poll's register in one partition, if the poll closed at least `kept_ms`
/// milliseconds ago, and records it with the last bucket. The reply is 1 if they were removed, 0 if it is
/// too early or the partition does not know when the poll closes.
pub fn forget_script(
    keys: &Keys,
    partition: u16,
    poll: PollId,
    buckets: std::ops::Range<u16>,
    kept_ms: i64,
) -> Command {
    let last = if buckets.end == BUCKETS { "1" } else { "0" };
    let count = (2 + buckets.len()).to_string();
    let (rules, forgotten) = (keys.rules(partition), keys.forgotten(partition));
    let mut script = command(["EVAL", include_str!("lua/forget.lua"), &count, &rules, &forgotten]);
    script.extend(buckets.map(|bucket| keys.register_bucket(partition, poll, bucket)));
    script.extend(command([&poll.to_string(), &kept_ms.to_string(), last]));
    script
}

pub(crate) fn command<const N: usize>(parts: [&str; N]) -> Command {
    parts.map(str::to_owned).to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::poll::VoterPolicy;

    #[test]
    fn a_definition_in_redis_has_the_secret_of_a_keyed_poll_and_is_not_read_by_older_releases() {
        let json = r#"{"id": 1, "slug": "pets", "title": "Pets", "options": [], "choices_min": 1, "choices_max": 1,
            "vote_policy": "replace", "voter_policy": "open", "visibility": "always", "opens_at_ms": 5,
            "closes_at_ms": null, "archived_at_ms": null, "revision": 1}"#;
        let plain = read_definition(json).unwrap();
        assert_eq!(plain.secrecy, Secrecy::default());
        assert_eq!(read_definition(&write_definition(&plain)).unwrap(), plain);
        for keys in [VoterKeys::Secret(PollSecret::generate()), VoterKeys::Unknown] {
            let keyed = Poll { secrecy: Secrecy { keys, ..Secrecy::default() }, ..plain.clone() };
            let written = write_definition(&keyed);
            assert_eq!(read_definition(&written).unwrap(), keyed);
            assert!(serde_json::from_str::<Poll>(&written).is_err(), "{written}");
        }
        assert!(read_definition("{}").is_err());
    }

    #[test]
    fn a_definition_in_redis_has_the_key_of_results_that_voters_see() {
        let json = r#"{"secret": null, "poll": {"id": 1, "slug": "pets", "title": "Pets", "options": [],
            "choices_min": 1, "choices_max": 1, "vote_policy": "replace", "voter_policy": "open", "visibility": "always",
            "opens_at_ms": 5, "closes_at_ms": null, "archived_at_ms": null, "revision": 1}}"#;
        let mut poll = read_definition(json).unwrap();
        poll.secrecy.results_key = ResultsKey::read(&[9; 32]);
        assert_eq!(read_definition(&write_definition(&poll)).unwrap().secrecy.results_key, None);
        poll.visibility = crate::poll::Visibility::AfterVote;
        assert_eq!(read_definition(&write_definition(&poll)).unwrap(), poll);
        assert!(
            !serde_json::to_string(&poll).unwrap().contains("0909"),
            "no JSON of a poll has it"
        );
    }

    #[test]
    fn of_a_draft_redis_gets_slug_and_number_alone() {
        let json = r#"{"id": 1, "slug": "pets", "title": "Pets", "options": [], "choices_min": 1, "choices_max": 1,
            "vote_policy": "replace", "voter_policy": "open", "visibility": "always", "opens_at_ms": null,
            "closes_at_ms": null, "archived_at_ms": null, "revision": 1}"#;
        let (keys, poll) = (Keys::default(), read_definition(json).unwrap());
        assert_eq!(definition(&keys, &poll), ["HDEL", &keys.polls(), "pets"]);
        assert_eq!(draft(&keys, &poll), ["SADD", &keys.drafts(), "pets", "1:pets"]);
        let open = Poll { opens_at_ms: Some(5), ..poll };
        assert_eq!(draft(&keys, &open), ["SREM", &keys.drafts(), "pets", "1:pets"]);
        let read = draft_notes(&open).map(|note| read_draft_note(&note).1);
        assert_eq!(read, [None, Some(PollId(1))]);
    }

    #[test]
    fn rules_are_written_as_the_scripts_read_them() {
        let rules = Rules {
            revision: 3,
            opens_at_ms: 5,
            closes_at_ms: NEVER_MS,
            vote_policy: VotePolicy::KeepFirst,
            voter_policy: StoredVoterPolicy { policy: VoterPolicy::Code, is_keyed: true },
        };
        assert_eq!(rules.encode(), "3 5 9007199254740991 keep_first keyed_code");
        assert_eq!(rules.encode().parse(), Ok(rules));
        for bad in ["", "3 5 7 keep_first", "3 5 7 keep_first code x", "x 5 7 keep_first code"] {
            assert!(bad.parse::<Rules>().is_err(), "{bad:?}");
        }
    }
}

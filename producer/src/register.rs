//! Calls the Redis function that registers ballots and appends them to a stream in one atomic step.
//!
//! The register, which knows who has voted, and the stream lie in the same slot, so one function changes both:
//! a voter is registered exactly when the entry exists. The function is idempotent by a ballot's id. After a
//! lost reply the caller repeats the same call, and the answer says how the first one ended.
//!
//! Absent on purpose: connections, time-outs and retries; see [`crate::publisher`].

use std::sync::Arc;

use redis::{Pipeline, RedisError, Value};
use votestream_schema::code::CodeHash;
use votestream_schema::keys::BUCKETS;
use votestream_schema::projection::functions;
use votestream_schema::{Ballot, Choices, EntryId, Keys, PollId, VoterKey, codec};

use crate::receipts::PollLog;

/// The register's decision on one ballot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The ballot is stored now, and it is the voter's first one.
    Accepted(EntryId),
    /// The ballot of a voter who has voted before is stored: now, in place of another one, or by an earlier attempt.
    AcceptedAgain(EntryId),
    /// The voter has voted before, and the poll keeps that vote.
    AlreadyVoted {
        /// The options of the standing vote.
        choices: Choices,
        /// The stream entry of the standing vote.
        entry: EntryId,
        /// The tag of the ballot that stands ([`votestream_schema::BallotId::tag`]).
        tag: u32,
    },
    /// The poll has not opened yet, or has closed.
    NotOpen,
    /// The partition has no rules for the poll, because it is new or because Redis has lost them.
    UnknownPoll,
    /// The stream holds as many entries as it may; consumers have to catch up first.
    Full,
    /// The poll has no such voting code.
    BadCode,
    /// The voter's standing ballot has the same idempotency key and other choices.
    KeyReused,
}

/// A ballot and the trace context it travels with.
#[derive(Clone, Debug)]
pub struct Registration {
    /// The ballot to register.
    pub ballot: Ballot,
    /// W3C `traceparent` of the request, if the request is traced.
    pub trace: Option<String>,
    /// Whether this ballot may replace the voter's standing vote.
    pub replaces: bool,
    /// Whether the voter needs a voting code.
    pub needs_code: bool,
    /// The public log of the poll, if the voter is to get a receipt at once.
    pub log: Option<Arc<PollLog>>,
}

/// The reply to [`Register::standing_query`]: the standing vote, and whether the register of the poll has been removed.
pub type StandingReply = (Option<String>, bool);

/// Builds calls of the function and reads the replies.
#[derive(Clone, Debug)]
pub struct Register {
    keys: Keys,
    backlog_max: u64,
}

impl Register {
    /// Creates calls for the deployment with these keys, whose streams hold at most `backlog_max` entries.
    pub fn new(keys: Keys, backlog_max: u64) -> Self {
        Self { keys, backlog_max }
    }

    /// Adds one call to a pipeline. All ballots of `batch` must be for `poll` and belong to `partition`.
    pub fn add_call(
        &self,
        pipeline: &mut Pipeline,
        partition: u16,
        poll: PollId,
        batch: &[&Registration],
    ) {
        let call = pipeline.cmd("FCALL");
        call.arg(&functions::library().register)
            .arg(5 + batch.len())
            .arg(self.keys.stream(partition))
            .arg(self.keys.rules(partition))
            .arg(self.keys.accepted(partition))
            .arg(self.keys.code_hashes(partition, poll))
            .arg(self.keys.codes_before_hashes(partition, poll));
        let mut buckets = self.keys.register_buckets(partition, poll);
        for Registration { ballot, .. } in batch {
            call.arg(buckets.of(ballot.voter.bucket(BUCKETS)));
        }
        // Send traces only if a ballot has one, and hashes of codes only where they are needed: each argument costs
        // the function time.
        let has_codes = batch.iter().any(|registration| registration.needs_code);
        let has_traces = has_codes || batch.iter().any(|registration| registration.trace.is_some());
        call.arg(self.backlog_max).arg(poll.0);
        call.arg(2 + usize::from(has_traces) + usize::from(has_codes));
        for Registration { ballot, trace, .. } in batch {
            call.arg(ballot.voter.0.as_bytes().as_slice()).arg(codec::encode(ballot));
            if has_traces {
                call.arg(trace.as_deref().unwrap_or_default());
            }
            if has_codes {
                call.arg(CodeHash::of(ballot.voter).0.as_bytes().as_slice());
            }
        }
    }

    /// Reads the reply to a call with this number of ballots, and returns their verdicts in order.
    ///
    /// # Errors
    /// Returns an error if the reply does not have the function's form, or lacks the verdict of a ballot.
    pub fn read_reply(reply: Value, ballots: usize) -> Result<Vec<Verdict>, RedisError> {
        // Three numbers: time and first sequence of the accepted entries, and how many there are.
        let parts = match reply {
            Value::Array(parts) if parts.len() >= 3 => parts,
            other => return Err(unreadable(&other)),
        };
        let (accepted, others) = parts.split_at(3);
        let [ms, mut seq, accepted] = integers(accepted)?;
        if others.len() as i64 != 2 * (ballots as i64 - accepted) {
            return Err(unreadable(&Value::Array(parts)));
        }
        // Each other ballot is listed with its position; those not listed were accepted in sequence.
        let mut verdicts = Vec::with_capacity(ballots);
        let mut others = others.chunks_exact(2).peekable();
        for position in 1..=ballots as i64 {
            let other =
                others.next_if(|other| matches!(other[0], Value::Int(its) if its == position));
            verdicts.push(match other {
                // It stands in the sequence, because it is accepted now.
                Some([_, Value::BulkString(text)]) if text == b"R" => {
                    seq += 1;
                    Verdict::AcceptedAgain(EntryId { ms, seq: seq - 1 })
                }
                Some(other) => verdict(&other[1]).ok_or_else(|| unreadable(&other[1]))?,
                None => {
                    seq += 1;
                    Verdict::Accepted(EntryId { ms, seq: seq - 1 })
                }
            });
        }
        match others.next() {
            None => Ok(verdicts),
            Some(out_of_order) => Err(unreadable(&out_of_order[0])),
        }
    }

    /// Returns whether Redis answered with this error because it does not have the function.
    pub fn is_missing(error: &RedisError) -> bool {
        error.to_string().contains("Function not found")
    }

    /// Returns the commands that read a voter's standing vote. The reply is a [`StandingReply`].
    pub fn standing_query(&self, partitions: u16, poll: PollId, voter: VoterKey) -> Pipeline {
        let partition = voter.partition(partitions);
        let mut query = redis::pipe();
        query.hget(self.keys.register(partition, poll, voter), voter.0.as_bytes().as_slice());
        query.hexists(self.keys.forgotten(partition), poll.0);
        query
    }

    /// Reads choices and stream entry of a standing vote; `None` if it is not readable.
    pub fn read_standing(standing: &str) -> Option<(Choices, EntryId)> {
        let mut parts = standing.split(' ');
        let choices = parts.next()?.parse().ok().and_then(Choices::from_mask)?;
        Some((choices, parts.nth(1)?.parse().ok()?))
    }
}

fn integers<const N: usize>(values: &[Value]) -> Result<[i64; N], RedisError> {
    let integer = |value: &Value| redis::from_redis_value_ref(value).map_err(|_| unreadable(value));
    let integers: Result<Vec<i64>, _> = values.iter().map(integer).collect();
    Ok(integers?.try_into().expect("the slice has N values"))
}

/// Reads the verdict of one ballot that was not accepted now; `register.lua` lists the letters.
fn verdict(reply: &Value) -> Option<Verdict> {
    let Value::BulkString(text) = reply else { return None };
    let text = str::from_utf8(text).ok()?;
    let mut parts = text.split(' ');
    Some(match parts.next()? {
        "A" => Verdict::AcceptedAgain(parts.next()?.parse().ok()?),
        "S" => Verdict::AlreadyVoted {
            choices: Choices::from_mask(parts.next()?.parse().ok()?)?,
            entry: parts.next()?.parse().ok()?,
            tag: u32::from_str_radix(parts.next()?, 16).ok()?,
        },
        "C" => Verdict::NotOpen,
        "U" => Verdict::UnknownPoll,
        "F" => Verdict::Full,
        "B" => Verdict::BadCode,
        "K" => Verdict::KeyReused,
        _ => return None,
    })
}

fn unreadable(reply: &Value) -> RedisError {
    let text: String = format!("{reply:?}").chars().take(80).collect();
    (redis::ErrorKind::UnexpectedReturnType, "the register function answered", text).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Value {
        Value::BulkString(text.as_bytes().to_vec())
    }

    fn read(reply: &[Value], ballots: usize) -> Result<Vec<Verdict>, RedisError> {
        Register::read_reply(Value::Array(reply.to_vec()), ballots)
    }

    #[test]
    fn ballots_that_are_not_listed_were_accepted_one_after_the_other() {
        let accepted = |seq| Verdict::Accepted(EntryId { ms: 1_700_000_000_000, seq });
        let start = [text("1700000000000"), Value::Int(7), Value::Int(3)];
        assert_eq!(read(&start, 3).unwrap(), [accepted(7), accepted(8), accepted(9)]);
        let others = [Value::Int(1), text("F"), Value::Int(3), text("A 5-6")];
        let before = Verdict::AcceptedAgain(EntryId { ms: 5, seq: 6 });
        assert_eq!(
            read(&[&start[..], &others].concat(), 5).unwrap(),
            [Verdict::Full, accepted(7), before, accepted(8), accepted(9)]
        );
    }

    #[test]
    fn a_ballot_that_replaces_another_one_stands_in_the_sequence() {
        let reply = [text("5"), Value::Int(7), Value::Int(2), Value::Int(2), text("R")];
        let entry = |seq| EntryId { ms: 5, seq };
        assert_eq!(
            read(&reply, 3).unwrap(),
            [
                Verdict::Accepted(entry(7)),
                Verdict::AcceptedAgain(entry(8)),
                Verdict::Accepted(entry(9))
            ]
        );
    }

    #[test]
    fn a_reply_that_leaves_a_ballot_out_accepts_none() {
        let start = [text("5"), Value::Int(0), Value::Int(1)];
        assert!(read(&start, 2).is_err(), "one ballot has no verdict");
        assert!(read(&start[..2], 1).is_err());
        let unfit = |position, verdict: &str| {
            read(&[&start[..], &[Value::Int(position), text(verdict)]].concat(), 2)
        };
        assert!(unfit(2, "C").is_ok());
        assert!(unfit(0, "C").is_err() && unfit(3, "C").is_err(), "no such ballot");
        assert!(unfit(2, "Z").is_err() && unfit(2, "A x").is_err());
        assert!(read(&[&start[..], &[Value::Int(1)]].concat(), 1).is_err());
        assert!(Register::read_reply(Value::Nil, 0).is_err());
    }
}

//! The atomic script that registers ballots and appends them to a stream.
//!
//! Register and stream lie in one slot, so one script does both: a voter is registered exactly when
//! the entry exists. The script is idempotent by a ballot's id: after a lost reply the same call is
//! simply made again, and answers with what stands.
//!
//! Absent on purpose: connections, time-outs and retries; see [`crate::publisher`].

use redis::{Cmd, Pipeline, RedisError, Script, Value};
use votestream_schema::{Ballot, Choices, EntryId, Keys, PollId, VoterId, codec};

/// What the register says of one ballot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Stored, now or by an earlier attempt with the same ballot.
    Accepted(EntryId),
    /// The voter has voted before, and that vote stands.
    AlreadyVoted {
        /// The choices that stand.
        choices: Choices,
        /// The entry they travelled in.
        entry: EntryId,
    },
    /// The poll is not open.
    NotOpen,
    /// The partition's rules do not know the poll (yet, or since Redis lost them).
    UnknownPoll,
    /// The stream holds as many entries as it may.
    Full,
    /// No such voting code.
    BadCode,
}

/// A ballot and the trace context it travels with.
#[derive(Clone, Debug)]
pub struct Registration {
    /// What is registered.
    pub ballot: Ballot,
    /// W3C `traceparent` of the request, if it is traced.
    pub trace: Option<String>,
}

/// Builds calls of the script and reads its replies.
#[derive(Clone, Debug)]
pub struct Register {
    keys: Keys,
    backlog_max: u64,
    script: std::sync::Arc<Script>,
}

/// The script's text.
const SCRIPT: &str = include_str!("register.lua");

impl Register {
    /// For the deployment under these keys; a stream takes no more than `backlog_max` entries.
    pub fn new(keys: Keys, backlog_max: u64) -> Self {
        Self { keys, backlog_max, script: std::sync::Arc::new(Script::new(SCRIPT)) }
    }

    /// Adds one call to a pipeline: all of `batch` must be for `poll` and belong to `partition`.
    ///
    /// `by_text` sends the whole script instead of its digest, for a server that has lost it.
    pub fn add_call(
        &self,
        pipeline: &mut Pipeline,
        partition: u16,
        poll: PollId,
        batch: &[&Registration],
        by_text: bool,
    ) {
        let call = if by_text {
            pipeline.cmd("EVAL").arg(SCRIPT)
        } else {
            pipeline.cmd("EVALSHA").arg(self.script.get_hash())
        };
        call.arg(4 + batch.len())
            .arg(self.keys.stream(partition))
            .arg(self.keys.rules(partition))
            .arg(self.keys.accepted(partition))
            .arg(self.keys.codes(partition, poll));
        for Registration { ballot, .. } in batch {
            call.arg(self.keys.register(partition, poll, ballot.voter));
        }
        // What no ballot of the batch has is not sent: arguments are dear.
        let has_traces = batch.iter().any(|registration| registration.trace.is_some());
        call.arg(self.backlog_max).arg(poll.0).arg(2 + usize::from(has_traces));
        for Registration { ballot, trace } in batch {
            call.arg(ballot.voter.0.as_bytes().as_slice()).arg(codec::encode(ballot));
            if has_traces {
                call.arg(trace.as_deref().unwrap_or_default());
            }
        }
    }

    /// Reads one call's reply: a verdict per ballot, in order.
    ///
    /// # Errors
    /// When the reply is not the script's.
    pub fn read_reply(reply: Value) -> Result<Vec<Verdict>, RedisError> {
        let (ms, verdicts): (i64, Vec<Value>) = match reply {
            Value::Array(mut parts) if !parts.is_empty() => {
                let verdicts = parts.split_off(1);
                (redis::from_redis_value(parts.remove(0))?, verdicts)
            }
            other => return Err(unreadable(&other)),
        };
        let read = |told| verdict(ms, &told).ok_or_else(|| unreadable(&told));
        verdicts.into_iter().map(read).collect()
    }

    /// The command that asks for the vote that stands for a voter.
    pub fn ask_standing(&self, partition: u16, poll: PollId, voter: VoterId) -> Cmd {
        let mut ask = redis::cmd("HGET");
        ask.arg(self.keys.register(partition, poll, voter)).arg(voter.0.as_bytes().as_slice());
        ask
    }

    /// Reads the answer to [`Register::ask_standing`].
    pub fn read_standing(answer: Option<&str>) -> Option<Choices> {
        answer?.split(' ').next()?.parse().ok().and_then(Choices::from_mask)
    }
}

fn verdict(ms: i64, told: &Value) -> Option<Verdict> {
    let text = match told {
        Value::Int(seq) => return Some(Verdict::Accepted(EntryId { ms, seq: *seq })),
        Value::BulkString(text) => str::from_utf8(text).ok()?,
        _ => return None,
    };
    let mut parts = text.split(' ');
    Some(match parts.next()? {
        "A" => Verdict::Accepted(parts.next()?.parse().ok()?),
        "S" => Verdict::AlreadyVoted {
            choices: Choices::from_mask(parts.next()?.parse().ok()?)?,
            entry: parts.next()?.parse().ok()?,
        },
        "C" => Verdict::NotOpen,
        "U" => Verdict::UnknownPoll,
        "F" => Verdict::Full,
        "B" => Verdict::BadCode,
        _ => return None,
    })
}

fn unreadable(told: &Value) -> RedisError {
    let text: String = format!("{told:?}").chars().take(80).collect();
    (redis::ErrorKind::UnexpectedReturnType, "the register script answered", text).into()
}

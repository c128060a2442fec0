//! Gathers ballots and sends them to Redis, many in one round trip.
//!
//! A lane owns some partitions and one connection. While one round trip is under way the next
//! batch gathers; there is no timer. Every queue and batch is bounded. A lane connects before there is
//! a ballot for it, and again when its connection was lost: no voter waits for a name to be resolved.
//!
//! Invariant: [`Verdict::Accepted`] is answered only after Redis said so, with the durability that
//! was configured. When that is unknown the answer is [`Unavailable`], and trying again is harmless.

use std::collections::HashSet;
use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use redis::{Pipeline, RedisError, Value};
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;
use tokio_util::task::TaskTracker;
use votestream_schema::{Ballot, Keys, PollId};
use votestream_service::backoff::Backoff;
use votestream_service::health::Gate;
use votestream_service::redis::{Connection, Manager};

use crate::metrics;
use crate::register::{Register, Registration, Verdict};

/// Ballots in one batch at most.
pub const BATCH_MAX: usize = 512;
/// Ballots waiting for a lane at most; beyond, the voter is asked to try again.
const QUEUE_MAX: usize = 8_192;
/// How long a ballot may take from its arrival here to its answer.
pub const ANSWER_WITHIN: Duration = Duration::from_secs(4);
/// How long Redis may take for one batch.
const RESPONSE_TIMEOUT: Duration = Duration::from_millis(2_500);
/// How long replicas may take to acknowledge, in milliseconds.
const REPLICAS_WITHIN_MS: u64 = 1_000;

/// What "accepted" promises.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Durability {
    /// In Redis' memory: lost with the process.
    Memory,
    /// On Redis' disk (`appendfsync always`): lost with the disk.
    Fsync,
    /// In the memory of some replicas as well: lost with all of them.
    Replicated,
}

/// Why a ballot could not be stored, or why it is unknown whether it was; trying again is harmless. What is
/// displayed may be read by strangers.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unavailable {
    /// More ballots wait than may.
    #[error("too many ballots are waiting to be stored")]
    Crowded,
    /// The lane has ended.
    #[error("the service is stopping")]
    Stopping,
    /// The register remembers a voter's newest ballot: with two of them in a round trip whose reply is lost,
    /// it could not tell that the older one was stored as well. Where the first ballot stands it need not.
    #[error("another ballot of yours is being stored")]
    OneAtATime,
    /// Redis had the ballots, and did not answer.
    #[error("redis did not answer in time")]
    Unanswered,
    /// There was no connection.
    #[error("redis could not be reached in time")]
    Unreachable,
    /// Redis' own words, or those of the way to it.
    #[error("redis cannot store ballots at the moment")]
    Refused(String),
}

/// A ballot's verdict, or why there is none.
pub type Answer = Result<Verdict, Unavailable>;

struct Submission {
    registration: Registration,
    since: Instant,
    answer: oneshot::Sender<Answer>,
}

/// Hands ballots to the lanes; cheap to clone.
#[derive(Clone, Debug)]
pub struct Publisher {
    /// One per lane; partition `p` belongs to lane `p % lanes`.
    lanes: Vec<mpsc::Sender<Submission>>,
    partitions: u16,
}

/// What a publisher is started with.
#[derive(Clone, Debug)]
pub struct Options {
    /// Key names.
    pub keys: Keys,
    /// The deployment's number of partitions.
    pub partitions: u16,
    /// Round trips under way at once on a plain server; a cluster has one lane a partition.
    pub lanes: u16,
    /// Entries that a stream may hold.
    pub backlog_max: u64,
    /// What "accepted" promises.
    pub durability: Durability,
    /// For [`Durability::Replicated`]: how many replicas.
    pub replicas_min: u32,
}

impl Publisher {
    /// Starts the lanes on `tasks`, and opens `gate` once each of them has had its connection; they
    /// end when the last clone of the publisher is dropped and their queues are empty.
    pub fn start(manager: &Manager, options: &Options, gate: Gate, tasks: &TaskTracker) -> Self {
        let lanes = if manager.is_cluster() { options.partitions } else { options.lanes };
        let lanes = lanes.clamp(1, options.partitions);
        let opening = Arc::new(Opening { lanes_left: AtomicUsize::new(lanes.into()), gate });
        let lanes = (0..lanes)
            .map(|_| {
                let (queue, submissions) = mpsc::channel(QUEUE_MAX);
                let lane = Lane {
                    manager: manager.clone(),
                    register: Register::new(options.keys.clone(), options.backlog_max),
                    options: options.clone(),
                    connection: None,
                    opening: Some(opening.clone()),
                };
                tasks.spawn(lane.run(submissions));
                queue
            })
            .collect();
        Self { lanes, partitions: options.partitions }
    }

    /// Stores one ballot.
    ///
    /// # Errors
    /// [`Unavailable`] when Redis could not be asked in time, or answered that it cannot store.
    pub async fn publish(&self, registration: Registration) -> Answer {
        let partition = registration.ballot.voter.partition(self.partitions);
        let lane = &self.lanes[usize::from(partition) % self.lanes.len()];
        let (answer, verdict) = oneshot::channel();
        lane.try_send(Submission { registration, since: Instant::now(), answer })
            .map_err(|_| Unavailable::Crowded)?;
        verdict.await.unwrap_or(Err(Unavailable::Stopping))
    }
}

/// Waits for the first connection of every lane.
struct Opening {
    lanes_left: AtomicUsize,
    gate: Gate,
}

impl Opening {
    fn lane_connected(&self) {
        if self.lanes_left.fetch_sub(1, Ordering::Relaxed) == 1 {
            self.gate.report(Ok::<(), Infallible>(()));
        }
    }
}

struct Lane {
    manager: Manager,
    register: Register,
    options: Options,
    connection: Option<Connection>,
    /// To be told of the first connection.
    opening: Option<Arc<Opening>>,
}

impl Lane {
    async fn run(mut self, mut submissions: mpsc::Receiver<Submission>) {
        let mut batch = Vec::with_capacity(BATCH_MAX);
        loop {
            tokio::select! {
                biased;
                gathered = submissions.recv_many(&mut batch, BATCH_MAX) => if gathered == 0 { return },
                () = self.reconnect(), if self.connection.is_none() => continue,
            }
            let now = Instant::now();
            turn_away(&mut batch, &Unavailable::Unanswered, |it| now - it.since >= ANSWER_WITHIN);
            let mut changing = HashSet::new();
            turn_away(
                &mut batch,
                &Unavailable::OneAtATime,
                |Submission { registration, .. }| {
                    let Registration { ballot, replaces, .. } = registration;
                    *replaces && !changing.insert((ballot.poll, ballot.voter))
                },
            );
            let Some(oldest) = batch.first() else { continue };
            let deadline = oldest.since + ANSWER_WITHIN;
            metrics::PUBLISH_BATCH_ENTRIES.record(batch.len() as f64);
            let outcome = self.store(&batch, deadline).await;
            answer(&mut batch, outcome);
        }
    }

    /// Connects, however long it takes.
    async fn reconnect(&mut self) {
        let mut backoff = Backoff::new();
        while self.connect().await.is_err() {
            tokio::time::sleep(backoff.next_wait()).await;
        }
    }

    /// The lane's connection, opened if there is none.
    async fn connect(&mut self) -> Result<&mut Connection, RedisError> {
        match &mut self.connection {
            Some(connection) => Ok(connection),
            none => {
                let connection = self.manager.connect(RESPONSE_TIMEOUT).await?;
                if let Some(opening) = self.opening.take() {
                    opening.lane_connected();
                }
                Ok(none.insert(connection))
            }
        }
    }

    /// Tries until the deadline; only a lost link or a server in transition is worth another try.
    async fn store(
        &mut self,
        batch: &[Submission],
        deadline: Instant,
    ) -> Result<Vec<Verdict>, Unavailable> {
        let mut backoff = Backoff::new();
        let mut by_text = false;
        loop {
            let started = Instant::now();
            let outcome = tokio::time::timeout_at(deadline, self.attempt(batch, by_text)).await;
            let Ok(outcome) = outcome else {
                return Err(match self.connection.take() {
                    Some(_) => Unavailable::Unanswered,
                    None => Unavailable::Unreachable,
                });
            };
            let error = match outcome {
                Ok(verdicts) => {
                    metrics::PUBLISH_DURATION_SECONDS.record(started.elapsed());
                    return Ok(verdicts);
                }
                Err(error) => error,
            };
            if error.code() == Some("NOSCRIPT") {
                by_text = true;
                continue;
            }
            let broken = self.connection.as_ref().is_none_or(Connection::is_broken);
            if broken {
                self.connection = None;
            }
            metrics::PUBLISH_RETRIES.increment(1);
            let wait = backoff.next_wait();
            // A slot on its way to another master, which is where it will be found.
            let moving = matches!(error.code(), Some("ASK" | "TRYAGAIN" | "MOVED"));
            if !(broken || moving) || Instant::now() + wait >= deadline {
                return Err(Unavailable::Refused(error.to_string()));
            }
            tokio::time::sleep(wait).await;
        }
    }

    /// Whether the calls of a batch go as one transaction. Redis executes a pipeline as it reads it, 16
    /// KiB at a time, and flushes its disk after each piece; a transaction is executed, and flushed, once.
    /// Not with WAIT, which does not wait within one.
    fn shares_flush(&self) -> bool {
        self.options.durability == Durability::Fsync && !self.manager.is_cluster()
    }

    /// One round trip.
    async fn attempt(
        &mut self,
        batch: &[Submission],
        by_text: bool,
    ) -> Result<Vec<Verdict>, RedisError> {
        let shares_flush = self.shares_flush();
        let groups = by_partition_and_poll(batch, self.options.partitions);
        let mut pipeline = Pipeline::with_capacity(groups.len());
        if shares_flush {
            pipeline.atomic();
        }
        for Group { partition, poll, members } in &groups {
            let registrations: Vec<&Registration> =
                members.iter().map(|i| &batch[*i].registration).collect();
            self.register.add_call(&mut pipeline, *partition, *poll, &registrations, by_text);
        }
        let replicated = self.options.durability == Durability::Replicated;
        if replicated {
            let accepted = self.options.keys.accepted(groups[0].partition);
            add_wait(&mut pipeline, &accepted, &batch[0].registration, self.options.replicas_min);
        }
        let mut replies: Vec<Value> = pipeline.query_async(self.connect().await?).await?;
        if replicated {
            check_replicas(replies.pop(), self.options.replicas_min)?;
        }
        let mut verdicts = vec![Verdict::Full; batch.len()];
        for (group, reply) in groups.iter().zip(replies) {
            let told = Register::read_reply(reply, group.members.len())?;
            for (member, verdict) in group.members.iter().zip(told) {
                verdicts[*member] = verdict;
            }
        }
        Ok(verdicts)
    }
}

/// The ballots that one call of the script takes, by their positions in the batch.
struct Group {
    partition: u16,
    poll: PollId,
    members: Vec<usize>,
}

fn by_partition_and_poll(batch: &[Submission], partitions: u16) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    for (position, submission) in batch.iter().enumerate() {
        let Ballot { poll, voter, .. } = submission.registration.ballot;
        let partition = voter.partition(partitions);
        match groups.iter_mut().find(|g| (g.partition, g.poll) == (partition, poll)) {
            Some(group) => group.members.push(position),
            None => groups.push(Group { partition, poll, members: vec![position] }),
        }
    }
    groups
}

/// WAIT covers what its own connection wrote: so it travels with the ballots, where no reconnection
/// can come between. A ballot that an earlier connection stored is only looked up; adding nothing to
/// its poll's count is a write that comes after it, for WAIT to cover both.
fn add_wait(pipeline: &mut Pipeline, accepted: &str, one: &Registration, replicas_min: u32) {
    pipeline.cmd("HINCRBY").arg(accepted).arg(one.ballot.poll.0).arg(0).ignore();
    pipeline.cmd("WAIT").arg(replicas_min).arg(REPLICAS_WITHIN_MS);
}

/// The count that WAIT returns must be checked, not its success.
fn check_replicas(reached: Option<Value>, replicas_min: u32) -> Result<(), RedisError> {
    let reached: u32 = redis::from_redis_value(reached.unwrap_or(Value::Nil))?;
    if reached >= replicas_min {
        return Ok(());
    }
    let text = format!("{reached} of {replicas_min}");
    Err((redis::ErrorKind::Extension, "replicas that have the ballots", text).into())
}

/// Answers, unstored, those of a batch that `refused` names.
fn turn_away(
    batch: &mut Vec<Submission>,
    why: &Unavailable,
    refused: impl FnMut(&mut Submission) -> bool,
) {
    for submission in batch.extract_if(.., refused) {
        let _ = submission.answer.send(Err(why.clone()));
    }
}

fn answer(batch: &mut Vec<Submission>, outcome: Result<Vec<Verdict>, Unavailable>) {
    match outcome {
        Ok(verdicts) => {
            for (submission, verdict) in batch.drain(..).zip(verdicts) {
                // A client that went away misses nothing: its ballot is stored.
                let _ = submission.answer.send(Ok(verdict));
            }
        }
        Err(unavailable) => {
            tracing::warn!(ballots = batch.len(), reason = ?unavailable, "ballots not stored");
            for submission in batch.drain(..) {
                let _ = submission.answer.send(Err(unavailable.clone()));
            }
        }
    }
}

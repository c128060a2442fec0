//! Sends the ballots of one lane to Redis, a batch at a time.
//!
//! Invariant: a ballot is answered with an error, or after Redis has confirmed its batch; never before.

use std::collections::HashSet;
use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use redis::{Pipeline, RedisError, Value};
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;
use votestream_schema::{Ballot, Keys, PollId};
use votestream_service::backoff::Backoff;
use votestream_service::health::Gate;
use votestream_service::redis::{Connection, Manager};
use votestream_service::telemetry::log_throttle::LogThrottle;

use crate::durability::{DiskWait, Durability};
use crate::metrics;
use crate::publisher::refusals::Refusals;
use crate::receipts::{PollLog, Signed, Stored};
use crate::register::{Register, Registration, Verdict};

/// Most ballots in one batch.
pub const BATCH_MAX: usize = 512;
/// Longest time from a ballot's arrival here to its answer.
pub const ANSWER_WITHIN: Duration = Duration::from_secs(4);
/// Longest time for Redis to answer one batch.
const RESPONSE_TIMEOUT: Duration = Duration::from_millis(2_500);
/// Longest time for replicas to acknowledge a batch, in milliseconds.
const REPLICAS_WITHIN_MS: u64 = 1_000;
/// Shortest time between two warnings of one lane of the same kind.
const WARN_PERIOD: Duration = Duration::from_secs(5);

/// A ballot could not be stored, or nobody knows whether it was. Repeating the same ballot is harmless. The
/// texts are shown to voters.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unavailable {
    /// The lane's queue is full.
    #[error("too many ballots are waiting to be stored")]
    QueueFull,
    /// The lane has ended, because the service stops.
    #[error("the service is stopping")]
    Stopping,
    /// The batch holds another ballot of this voter, in a poll that replaces votes. The register remembers
    /// only a voter's newest ballot. If the reply to both were lost, a repeated attempt could not find out
    /// that the older one was stored as well. A poll that keeps the first ballot has no such case.
    #[error("another ballot of yours is being stored")]
    OtherBallotInFlight,
    /// Redis received the ballots and did not answer in time.
    #[error("redis did not answer in time")]
    NoReply,
    /// No connection could be opened in time.
    #[error("redis could not be reached in time")]
    Unreachable,
    /// Redis refused the batch, or the connection broke; the text is for the log and not shown to voters.
    #[error("redis cannot store ballots at the moment")]
    Refused(String),
}

/// A ballot's verdict, or the reason why there is none.
pub type Answer = Result<Verdict, Unavailable>;

/// The settings that all lanes share.
#[derive(Clone, Debug)]
pub struct LaneConfig {
    /// Names of the deployment's Redis keys.
    pub keys: Keys,
    /// Number of partitions of the deployment.
    pub partitions: u16,
    /// Number of lanes on a plain server; a cluster has one lane per partition instead.
    pub lanes: u16,
    /// Most entries that a stream may hold.
    pub backlog_max: u64,
    /// Durability that "accepted" promises.
    pub durability: Durability,
    /// Number of replicas that must have a ballot, for `Durability::Replicated`.
    pub replicas_min: u32,
    /// Whether each batch waits for Redis' disk, for `Durability::Fsync`.
    pub disk_wait: DiskWait,
}

/// A ballot that waits for its verdict.
pub(super) struct Pending {
    /// The ballot and its trace.
    pub(super) registration: Registration,
    /// When the ballot arrived.
    pub(super) since: Instant,
    /// Carries the verdict to the request that brought the ballot.
    pub(super) answer: oneshot::Sender<(Answer, Option<Signed>)>,
}

/// Opens the gate after the first connection of every lane.
pub(super) struct FirstConnections {
    /// Number of lanes that have had no connection yet.
    waiting: AtomicUsize,
    gate: Gate,
}

impl FirstConnections {
    pub(super) fn new(lanes: u16, gate: Gate) -> Self {
        Self { waiting: AtomicUsize::new(lanes.into()), gate }
    }

    fn lane_connected(&self) {
        if self.waiting.fetch_sub(1, Ordering::Relaxed) == 1 {
            self.gate.report(Ok::<(), Infallible>(()));
        }
    }
}

/// The task that sends the ballots of one lane.
pub(super) struct Writer {
    manager: Manager,
    register: Register,
    config: LaneConfig,
    connection: Option<Connection>,
    /// Counts this lane's first connection; `None` afterwards.
    first_connections: Option<Arc<FirstConnections>>,
    refusals: Refusals,
    connect_failures: LogThrottle,
    store_failures: LogThrottle,
}

impl Writer {
    pub(super) fn new(
        manager: Manager,
        config: LaneConfig,
        first_connections: Arc<FirstConnections>,
        refusals: Refusals,
    ) -> Self {
        Self {
            manager,
            register: Register::new(config.keys.clone(), config.backlog_max),
            config,
            connection: None,
            first_connections: Some(first_connections),
            refusals,
            connect_failures: LogThrottle::new(WARN_PERIOD),
            store_failures: LogThrottle::new(WARN_PERIOD),
        }
    }

    /// Stores batches until all senders of the queue are dropped and the queue is empty.
    pub(super) async fn run(mut self, mut queue: mpsc::Receiver<Pending>) {
        let mut batch = Vec::with_capacity(BATCH_MAX);
        loop {
            // Take the ballots that gathered during the last round trip. While there are none, connect.
            tokio::select! {
                biased;
                gathered = queue.recv_many(&mut batch, BATCH_MAX) => if gathered == 0 { return },
                () = self.reconnect(), if self.connection.is_none() => continue,
            }
            // Refuse ballots whose time is over, and second ballots of a voter who may replace the first.
            let now = Instant::now();
            refuse_some(&mut batch, &Unavailable::NoReply, |it| now - it.since >= ANSWER_WITHIN);
            let mut changing = HashSet::new();
            refuse_some(
                &mut batch,
                &Unavailable::OtherBallotInFlight,
                |Pending { registration, .. }| {
                    let Registration { ballot, replaces, .. } = registration;
                    *replaces && !changing.insert((ballot.poll, ballot.voter))
                },
            );
            // Store the rest, and answer each voter.
            let Some(oldest) = batch.first() else { continue };
            let deadline = oldest.since + ANSWER_WITHIN;
            metrics::PUBLISH_BATCH_ENTRIES.record(batch.len() as f64);
            match self.store(&batch, deadline).await {
                Ok(verdicts) => {
                    self.note(&verdicts);
                    if batch.iter().all(|it| it.registration.log.is_none()) {
                        answer(batch.drain(..).zip(verdicts), |_| None);
                    } else {
                        // The next batch need not wait until this one is signed.
                        let stored = std::mem::take(&mut batch);
                        let partitions = self.config.partitions;
                        tokio::spawn(async move { sign_and_answer(stored, verdicts, partitions) });
                    }
                }
                Err(unavailable) => self.answer_unavailable(&mut batch, &unavailable),
            }
        }
    }

    /// Notes whether Redis takes ballots: it does not while the backlog is full.
    fn note(&self, verdicts: &[Verdict]) {
        if verdicts.iter().all(|verdict| matches!(verdict, Verdict::Full)) {
            let max = self.config.backlog_max;
            let reason = format!("more ballots wait to be counted than BACKLOG_MAX={max} allows");
            self.refusals.refused(verdicts.len(), &reason);
        } else {
            self.refusals.stored();
        }
    }

    /// Answers a whole batch with an error, and logs it.
    fn answer_unavailable(&mut self, batch: &mut Vec<Pending>, unavailable: &Unavailable) {
        let (ballots, servers) = (batch.len(), self.manager.servers());
        let reason = match unavailable {
            Unavailable::Refused(reason) => reason.clone(),
            other => other.to_string(),
        };
        self.refusals.refused(ballots, &format!("redis at {servers}: {reason}"));
        if let Some(batches) = self.store_failures.happened() {
            tracing::warn!(
                ballots,
                batches,
                %servers,
                "{ballots} ballots are not stored by redis at {servers}, their voters are asked to try \
                 again ({batches} such batches since the last such line): {reason}"
            );
        }
        refuse_some(batch, unavailable, |_| true);
    }

    /// Tries to connect until it succeeds.
    async fn reconnect(&mut self) {
        let mut backoff = Backoff::new();
        while let Err(error) = self.connect().await {
            let wait = backoff.next_wait();
            if let Some(attempts) = self.connect_failures.happened() {
                let (servers, wait_ms) = (self.manager.servers(), wait.as_millis() as u64);
                tracing::warn!(
                    attempts,
                    %servers,
                    wait_ms,
                    "cannot connect to redis at {servers}, retrying in {wait_ms} ms: {error}"
                );
            }
            tokio::time::sleep(wait).await;
        }
    }

    /// Returns the lane's connection, and opens it if there is none.
    async fn connect(&mut self) -> Result<&mut Connection, RedisError> {
        match &mut self.connection {
            Some(connection) => Ok(connection),
            none => {
                let connection = self.manager.connect(RESPONSE_TIMEOUT).await?;
                if let Some(first_connections) = self.first_connections.take() {
                    first_connections.lane_connected();
                }
                Ok(none.insert(connection))
            }
        }
    }

    /// Stores a batch, and tries again until the deadline after a lost connection, while a slot moves to another master, or
    /// while the function is missing. Other errors would only repeat.
    async fn store(
        &mut self,
        batch: &[Pending],
        deadline: Instant,
    ) -> Result<Vec<Verdict>, Unavailable> {
        let mut backoff = Backoff::new();
        loop {
            let started = Instant::now();
            let outcome = tokio::time::timeout_at(deadline, self.attempt(batch)).await;
            let Ok(outcome) = outcome else {
                return Err(match self.connection.take() {
                    Some(_) => Unavailable::NoReply,
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
            let broken = self.connection.as_ref().is_none_or(Connection::is_broken);
            if broken {
                self.connection = None;
            }
            metrics::PUBLISH_RETRIES.increment(1);
            let wait = backoff.next_wait();
            // The slot is on its way to another master, where the next attempt finds it.
            let moving = matches!(error.code(), Some("ASK" | "TRYAGAIN" | "MOVED"));
            // Redis has lost the function, as after a restart without its data: consumers load it again within a second.
            let may_pass = broken || moving || Register::is_missing(&error);
            if !may_pass || Instant::now() + wait >= deadline {
                return Err(Unavailable::Refused(error.to_string()));
            }
            tokio::time::sleep(wait).await;
        }
    }

    /// Returns whether the calls of a batch go as one transaction. Redis executes a pipeline as it reads
    /// it, 16 KiB at a time, and flushes its disk after each piece; a transaction is flushed once.
    fn shares_flush(&self) -> bool {
        self.config.durability == Durability::Fsync && !self.manager.is_cluster()
    }

    /// Returns what a batch waits for once it is stored.
    fn confirmation(&self) -> Confirmation {
        match self.config.durability {
            Durability::Replicated => Confirmation::Replicas(self.config.replicas_min),
            Durability::Fsync if self.config.disk_wait.is_needed() => Confirmation::Disk,
            Durability::Fsync | Durability::Memory => Confirmation::None,
        }
    }

    /// Makes one round trip; returns the verdicts in the order of the batch.
    async fn attempt(&mut self, batch: &[Pending]) -> Result<Vec<Verdict>, RedisError> {
        let groups = by_partition_and_poll(batch, self.config.partitions);
        let (shares_flush, confirmation) = (self.shares_flush(), self.confirmation());
        let mut pipeline = Pipeline::with_capacity(groups.len() + 4);
        if shares_flush {
            pipeline.cmd("MULTI");
        }
        // Add one call of the function for each partition and poll.
        for Group { partition, poll, members } in &groups {
            let registrations: Vec<&Registration> =
                members.iter().map(|i| &batch[*i].registration).collect();
            self.register.add_call(&mut pipeline, *partition, *poll, &registrations);
        }
        // WAIT and WAITAOF cover the writes of their own connection only, so they travel with the ballots. A ballot that an
        // earlier connection stored is merely looked up by the function; adding 0 to its poll's count is a write that comes
        // after that ballot's entry, so that they cover the entry as well.
        if confirmation != Confirmation::None {
            let accepted = self.config.keys.accepted(groups[0].partition);
            pipeline.cmd("HINCRBY").arg(accepted).arg(batch[0].registration.ballot.poll.0).arg(0);
        }
        if shares_flush {
            pipeline.cmd("EXEC");
        }
        // They would not wait inside a transaction.
        confirmation.add_to(&mut pipeline);
        let mut replies: Vec<Value> = pipeline.query_async(self.connect().await?).await?;
        confirmation.check(&mut replies)?;
        if shares_flush {
            // The last reply is that to EXEC, which has the replies of all calls.
            replies = redis::from_redis_value(replies.pop().unwrap_or(Value::Nil))?;
        }
        // Put the verdicts into the order of the batch.
        let mut verdicts = vec![Verdict::Full; batch.len()];
        if replies.len() < groups.len() {
            return Err((redis::ErrorKind::UnexpectedReturnType, "replies are missing").into());
        }
        for (group, reply) in groups.iter().zip(replies) {
            let group_verdicts = Register::read_reply(reply, group.members.len())?;
            for (member, verdict) in group.members.iter().zip(group_verdicts) {
                verdicts[*member] = verdict;
            }
        }
        Ok(verdicts)
    }
}

/// What a batch waits for once Redis has it in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Confirmation {
    /// Nothing: Redis answers once it is stored as durably as promised.
    None,
    /// The disk of the server itself.
    Disk,
    /// The memory of so many replicas.
    Replicas(u32),
}

impl Confirmation {
    fn add_to(self, pipeline: &mut Pipeline) {
        match self {
            Self::None => {}
            Self::Disk => {
                pipeline.add_command(DiskWait::command());
            }
            Self::Replicas(wanted) => {
                pipeline.cmd("WAIT").arg(wanted).arg(REPLICAS_WITHIN_MS);
            }
        }
    }

    /// Takes the reply to the wait from the end of the replies, and checks it: both commands succeed even if the time is
    /// over.
    fn check(self, replies: &mut Vec<Value>) -> Result<(), RedisError> {
        let mut reply = || replies.pop().unwrap_or(Value::Nil);
        let problem = match self {
            Self::None => None,
            Self::Disk => (!DiskWait::is_on_disk(reply())?)
                .then(|| ("the disk of redis does not have the ballots yet", String::new())),
            Self::Replicas(wanted) => {
                let reached: u32 = redis::from_redis_value(reply())?;
                (reached < wanted)
                    .then(|| ("replicas that have the ballots", format!("{reached} of {wanted}")))
            }
        };
        match problem {
            None => Ok(()),
            Some((text, detail)) => Err((redis::ErrorKind::Extension, text, detail).into()),
        }
    }
}

/// The ballots of one call of the function, as positions in the batch.
struct Group {
    partition: u16,
    poll: PollId,
    members: Vec<usize>,
}

fn by_partition_and_poll(batch: &[Pending], partitions: u16) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    for (position, pending) in batch.iter().enumerate() {
        let Ballot { poll, voter, .. } = pending.registration.ballot;
        let partition = voter.partition(partitions);
        match groups.iter_mut().find(|g| (g.partition, g.poll) == (partition, poll)) {
            Some(group) => group.members.push(position),
            None => groups.push(Group { partition, poll, members: vec![position] }),
        }
    }
    groups
}

/// Answers each voter of a batch. `signed` gives the promise for the ballot at this place.
fn answer(
    batch: impl Iterator<Item = (Pending, Verdict)>,
    mut signed: impl FnMut(usize) -> Option<Signed>,
) {
    for (at, (pending, verdict)) in batch.enumerate() {
        // A client that went away misses nothing: its ballot is stored.
        let _ = pending.answer.send((Ok(verdict), signed(at)));
    }
}

/// Signs the promises for those ballots of a batch that were stored and asked for one, with one signature, and answers each voter.
fn sign_and_answer(batch: Vec<Pending>, verdicts: Vec<Verdict>, partitions: u16) {
    let mut places = Vec::new();
    let mut stored: Vec<(Arc<PollLog>, Stored)> = Vec::new();
    for (at, (Pending { registration, .. }, verdict)) in batch.iter().zip(&verdicts).enumerate() {
        let Ballot { voter, choices, id, .. } = registration.ballot;
        // What an earlier request has stored bears the id that it had there.
        let (entry, ballot) = match verdict {
            Verdict::Accepted(entry) => (*entry, Some(id)),
            Verdict::AcceptedAgain(entry) => (*entry, None),
            _ => continue,
        };
        if let Some(log) = &registration.log {
            places.push(at);
            stored.push((log.clone(), Stored { voter, entry, ballot, choices }));
        }
    }
    let mut signed = match stored.first() {
        None => Vec::new(),
        Some((log, _)) => log.signing().clone().sign(&stored, partitions),
    }
    .into_iter();
    let mut places = places.into_iter().peekable();
    answer(batch.into_iter().zip(verdicts), |at| {
        places.next_if_eq(&at)?;
        signed.next()
    });
}

/// Removes the ballots that `refused` selects from a batch, and answers them with an error.
fn refuse_some(
    batch: &mut Vec<Pending>,
    error: &Unavailable,
    refused: impl FnMut(&mut Pending) -> bool,
) {
    for pending in batch.extract_if(.., refused) {
        let _ = pending.answer.send((Err(error.clone()), None));
    }
}

//! Checks whether Redis is set up to keep ballots as durably as "accepted" promises.
//!
//! The check runs at start-up and every three seconds. While it fails, the producer stores nothing, so that
//! it never promises more than Redis does.
//!
//! For DURABILITY=fsync there are two proofs. A Redis from 7.2 on, and each Valkey, has WAITAOF, with which every batch
//! waits until the disk has it ([`DiskWait`]). An older one must show its settings (CONFIG GET), which most managed servers
//! refuse; with those, DURABILITY=replicated can be checked and DURABILITY=fsync cannot.

mod proven_files;
mod write_probe;

use std::collections::{BTreeSet, HashMap};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use redis::{Cmd, RedisError, Value};
use votestream_schema::{Keys, replay};
use votestream_service::CancellationToken;
use votestream_service::health::Gate;
use votestream_service::metric::UNKNOWN;
use votestream_service::redis::replay::{ReplayRights, replay_rights};
use votestream_service::redis::{Connection, Manager, RESPONSE_TIMEOUT};

use crate::catalog::SameTime;
use crate::metrics;
use proven_files::{Info, ProvenFiles};

pub use write_probe::WriteProbe;

/// The durability that the answer "accepted" promises.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Durability {
    /// In Redis' memory: lost with the process
    Memory,
    /// On Redis' disk (`appendfsync always`): lost with the disk
    Fsync,
    /// In the memory of some replicas as well: lost with all of them
    Replicated,
}

/// The settings with which Redis answers a write only once its disk has it. With the last one on `yes`, Redis
/// would not flush while it rewrites its append-only file.
const ON_DISK: [(&str, &str); 3] =
    [("appendonly", "yes"), ("appendfsync", "always"), ("no-appendfsync-on-rewrite", "no")];

/// What to do instead of changing a setting of the disk.
const OR_MEMORY: &str = "or run the producer with DURABILITY=memory";

/// The name of the finding about the commands that Redis replays, among the settings.
const REPLAY_RIGHTS: &str = "replay-rights";
/// The name of the finding about the append-only file.
const FILE_IN_EFFECT: &str = "file-in-effect";
/// The name of the finding about a write whose arrival on the disk was waited for.
const REACHES_DISK: &str = "reaches-disk";

/// Time between two checks, and so the longest time for which voters are refused after Redis is set up again.
const CHECK_EVERY: Duration = Duration::from_secs(3);
/// Time to the next attempt after one in which Redis did not answer.
const RETRY_AFTER: Duration = Duration::from_millis(500);

/// Longest time for Redis' disk to have a write, in milliseconds. It is time enough for `appendfsync everysec`.
const ON_DISK_WITHIN_MS: u64 = 1_500;

/// Whether each batch must wait until Redis' disk has it, as the last check found. Clones are cheap and share it.
#[derive(Clone, Debug, Default)]
pub struct DiskWait(Arc<AtomicBool>);

impl DiskWait {
    /// Returns whether the batch must be followed by the command of [`DiskWait::command`].
    pub fn is_needed(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }

    fn set(&self, is_needed: bool) {
        self.0.store(is_needed, Ordering::Release);
    }

    /// Returns the command that waits until Redis' own disk has all writes of its connection.
    pub fn command() -> Cmd {
        let mut wait = redis::cmd("WAITAOF");
        wait.arg(1).arg(0).arg(ON_DISK_WITHIN_MS);
        wait
    }

    /// Reads the reply to the command: whether the disk has the writes.
    ///
    /// # Errors
    /// Returns an error if the reply is not that of WAITAOF.
    pub fn is_on_disk(reply: Value) -> Result<bool, RedisError> {
        let (local, _replicas): (i64, i64) = redis::from_redis_value(reply)?;
        Ok(local >= 1)
    }
}

/// The outcome of the last check. Clones are cheap and share it.
#[derive(Clone, Debug)]
pub struct DurabilityStatus {
    is_met: Arc<AtomicBool>,
    /// Whether Redis and Postgres are of the same time, as far as consumers have said.
    same_time: SameTime,
}

impl DurabilityStatus {
    /// Returns whether the last check found Redis set up for the promised durability, and no consumer has found that Redis
    /// and Postgres are of different times: then a ballot may belong to a poll that does not exist.
    pub fn is_met(&self) -> bool {
        self.is_met.load(Ordering::Relaxed) && self.same_time.is_so()
    }
}

/// The task that repeats the check.
#[derive(Debug)]
pub struct Watcher {
    manager: Manager,
    keys: Keys,
    partitions: u16,
    durability: Durability,
    replicas_min: u32,
    is_met: Arc<AtomicBool>,
    disk_wait: DiskWait,
    files: Mutex<ProvenFiles>,
    /// The settings that were compared at any time.
    checked: Mutex<BTreeSet<&'static str>>,
}

/// Creates a status, which is not met before the first check of the [`Watcher`], and the watcher, which sets `disk_wait` for
/// those who store ballots.
pub fn new(
    manager: Manager,
    keys: Keys,
    partitions: u16,
    (durability, replicas_min): (Durability, u32),
    disk_wait: DiskWait,
    same_time: SameTime,
) -> (DurabilityStatus, Watcher) {
    let is_met = Arc::new(AtomicBool::new(false));
    let watcher = Watcher {
        manager,
        keys,
        partitions,
        durability,
        replicas_min,
        is_met: is_met.clone(),
        disk_wait,
        files: Mutex::default(),
        checked: Mutex::default(),
    };
    (DurabilityStatus { is_met, same_time }, watcher)
}

/// Redis is not set up for the promised durability.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
enum NotDurable {
    #[error(
        "redis has {name} {found}: set `CONFIG SET {name} {wanted}` and then `CONFIG REWRITE`, so that it is still so \
         after a restart, {reason}"
    )]
    WrongSetting { name: &'static str, found: String, wanted: &'static str, reason: &'static str },
    #[error(
        "redis has no WAITAOF, which it has from 7.2 on, and does not show its setting {0} (CONFIG GET is refused), so \
         DURABILITY=fsync cannot be checked: run the producer with DURABILITY=replicated, or let its user call CONFIG GET"
    )]
    HiddenSetting(&'static str),
    #[error(
        "redis has not written its first append-only file yet, or could not (INFO persistence): ballots of this moment \
         would be lost with the process. Wait until the rewrite ends; if aof_last_bgrewrite_status is not ok, make room \
         on its disk"
    )]
    FileNotInEffect,
    #[error(
        "a write did not reach the disk of redis within {ON_DISK_WITHIN_MS} ms: if redis is rewriting its first \
         append-only file (INFO persistence), wait until that ends; else set `CONFIG SET appendfsync always` and then \
         `CONFIG REWRITE`, or look at its disk"
    )]
    NotOnDisk,
    #[error("redis has {found} replicas in step, DURABILITY=replicated needs {wanted}")]
    TooFewReplicas { found: u32, wanted: u32 },
    #[error("redis refuses WAIT, without which DURABILITY=replicated cannot be checked")]
    WaitRefused,
    #[error(
        "redis would lose ballots when it restarts, because its default user may not run {}: put `{}` \
         into its access list and reload it with ACL LOAD (nobody can log in as that user)",
        .0.join(", "),
        replay::CURE
    )]
    ReplayForbidden(Vec<String>),
    #[error(
        "redis does not say whether it would replay its append-only file after a restart ({0}): let this \
         user call ACL DRYRUN (`+acl|dryrun`), or run the producer with DURABILITY=replicated"
    )]
    ReplayUnknown(String),
}

impl Watcher {
    /// Checks every three seconds until `shutdown`, and reports to `gate`.
    pub async fn run(self, gate: Gate, shutdown: CancellationToken) {
        gate.watch(CHECK_EVERY, shutdown, || self.check()).await;
    }

    /// Checks once, and waits for Redis as long as it takes; [`Gate::watch`] ends the wait at shutdown.
    async fn check(&self) -> Result<(), NotDurable> {
        let outcome = loop {
            match self.ask().await {
                Ok(outcome) => break outcome,
                Err(error) => {
                    // The status stays as it is: a Redis that is away stores nothing anyway. But nobody knows now
                    // how it is set up.
                    metrics::REDIS_DURABLE.set(UNKNOWN);
                    for setting in
                        self.checked.lock().unwrap_or_else(PoisonError::into_inner).iter()
                    {
                        metrics::REDIS_SETTING_KEPT.with([*setting]).set(UNKNOWN);
                    }
                    tracing::debug!(
                        "cannot read the durability settings of redis at {}, retrying in {} ms: {error}",
                        self.manager.servers(),
                        RETRY_AFTER.as_millis()
                    );
                    tokio::time::sleep(RETRY_AFTER).await;
                }
            }
        };
        self.is_met.store(outcome.is_ok(), Ordering::Relaxed);
        metrics::REDIS_DURABLE.set(if outcome.is_ok() { 1.0 } else { 0.0 });
        outcome
    }

    /// Asks each master that holds a partition. The outer error means that Redis did not answer.
    async fn ask(&self) -> Result<Result<(), NotDurable>, RedisError> {
        let mut connection = self.manager.connect(RESPONSE_TIMEOUT).await?;
        let partitions = if self.manager.is_cluster() { self.partitions } else { 1 };
        let mut waits = false;
        for partition in 0..partitions {
            let info = self.info(&mut connection, partition).await?;
            let replicas = self.replicas(&mut connection, partition).await?;
            let mut findings = compare(self.durability, self.replicas_min, &info, replicas);
            let rights = self.replay_rights(&mut connection, partition).await?;
            findings.extend(compare_replay(self.durability, rights));
            if self.durability == Durability::Fsync {
                if let Some(finding) = self.reaches_disk(&mut connection, partition).await? {
                    waits = true;
                    findings.push(finding);
                } else {
                    let settings = self.settings(&mut connection, partition).await?;
                    findings.extend(compare_disk(&settings));
                    findings.push(self.file_in_effect(&info));
                }
            }
            record(&findings);
            let settings = findings.iter().map(|(setting, _)| *setting);
            self.checked.lock().unwrap_or_else(PoisonError::into_inner).extend(settings);
            let outcome = findings.into_iter().try_for_each(|(_, finding)| finding);
            if outcome.is_err() {
                return Ok(outcome);
            }
        }
        self.disk_wait.set(waits);
        Ok(Ok(()))
    }

    /// Reads INFO of this partition's master; empty if Redis does not show it.
    async fn info(&self, connection: &mut Connection, partition: u16) -> Result<Info, RedisError> {
        match connection.query_at(&self.keys.stream(partition), &redis::cmd("INFO")).await {
            Ok(reply) => Ok(Info(redis::from_redis_value(reply)?)),
            Err(error) if is_refusal(&error) => Ok(Info::default()),
            Err(error) => Err(error),
        }
    }

    /// Writes a field that nobody reads, and waits until the disk of this partition's master has it. Returns `None` if Redis
    /// has no WAITAOF, or this user may not call it.
    async fn reaches_disk(
        &self,
        connection: &mut Connection,
        partition: u16,
    ) -> Result<Option<Finding>, RedisError> {
        let mut write = redis::cmd("HSET");
        write.arg(self.keys.probe(partition)).arg("reaches-disk").arg(1);
        let at = self.keys.stream(partition);
        if let Err(error) = connection.query_at(&at, &write).await {
            // `WriteProbe` tells why Redis takes no writes.
            return if is_answer(&error) {
                Ok(Some((REACHES_DISK, Err(NotDurable::NotOnDisk))))
            } else {
                Err(error)
            };
        }
        let finding = match connection.query_at(&at, &DiskWait::command()).await {
            Ok(reply) if DiskWait::is_on_disk(reply.clone())? => Ok(()),
            Ok(_) => Err(NotDurable::NotOnDisk),
            // With the append-only file switched off, Redis refuses the command as it refuses an unknown one.
            Err(error) if is_refusal(&error) && error.to_string().contains("appendonly") => {
                let (name, wanted) = ON_DISK[0];
                let found = "no".to_owned();
                Err(NotDurable::WrongSetting { name, found, wanted, reason: OR_MEMORY })
            }
            Err(error) if is_refusal(&error) => return Ok(None),
            Err(error) => return Err(error),
        };
        Ok(Some((REACHES_DISK, finding)))
    }

    /// Reads the settings of the disk; empty if Redis does not show them.
    async fn settings(
        &self,
        connection: &mut Connection,
        partition: u16,
    ) -> Result<HashMap<String, String>, RedisError> {
        let mut get = redis::cmd("CONFIG");
        get.arg("GET").arg(&ON_DISK.map(|(name, _)| name));
        match connection.query_at(&self.keys.stream(partition), &get).await {
            Ok(reply) => Ok(redis::from_redis_value(reply)?),
            Err(error) if is_refusal(&error) => Ok(HashMap::new()),
            Err(error) => Err(error),
        }
    }

    /// Finds out whether what a master appends goes into a file that it would read after a restart.
    fn file_in_effect(&self, info: &Info) -> Finding {
        let mut files = self.files.lock().unwrap_or_else(PoisonError::into_inner);
        // If there is no INFO, the finding about the settings says that they are hidden.
        let is_in_effect = info.0.is_empty() || files.is_in_effect(info);
        (FILE_IN_EFFECT, if is_in_effect { Ok(()) } else { Err(NotDurable::FileNotInEffect) })
    }

    /// Asks whether this partition's master would replay its ballots after a restart.
    async fn replay_rights(
        &self,
        connection: &mut Connection,
        partition: u16,
    ) -> Result<ReplayRights, RedisError> {
        let commands = replay::commands(&self.keys, partition);
        replay_rights(connection, &self.keys.stream(partition), &commands).await
    }

    /// Returns how many replicas are in step; `None` if Redis refuses WAIT or it does not matter.
    async fn replicas(
        &self,
        connection: &mut Connection,
        partition: u16,
    ) -> Result<Option<u32>, RedisError> {
        if self.durability != Durability::Replicated {
            return Ok(None);
        }
        let wait = redis::cmd("WAIT").arg(self.replicas_min).arg(100).clone();
        match connection.query_at(&self.keys.stream(partition), &wait).await {
            Ok(reply) => Ok(redis::from_redis_value(reply)?),
            Err(error) if is_refusal(&error) => Ok(None),
            Err(error) => Err(error),
        }
    }
}

/// Returns whether Redis will always answer like this: it does not have the command, or this user may not
/// call it.
fn is_refusal(error: &RedisError) -> bool {
    matches!(error.code(), Some("ERR" | "NOPERM"))
}

/// Returns whether Redis answered with this error, whatever it says.
fn is_answer(error: &RedisError) -> bool {
    error.code().is_some()
}

/// The name of a setting, as the metric's label has it, and whether it is right.
type Finding = (&'static str, Result<(), NotDurable>);

/// Compares what every durability needs, and the replicas, with the promise. That Redis evicts nothing is assumed where it
/// does not say.
fn compare(
    durability: Durability,
    replicas_min: u32,
    info: &Info,
    replicas: Option<u32>,
) -> Vec<Finding> {
    let mut findings: Vec<Finding> = Vec::new();
    if let Some(found) = info.field("maxmemory_policy") {
        let reason = "because it may throw ballots away";
        findings.push(setting("maxmemory-policy", "noeviction", Some(found), reason));
    }
    if durability == Durability::Replicated {
        let finding = match replicas {
            Some(found) if found >= replicas_min => Ok(()),
            Some(found) => Err(NotDurable::TooFewReplicas { found, wanted: replicas_min }),
            None => Err(NotDurable::WaitRefused),
        };
        findings.push(("replicas", finding));
    }
    findings
}

/// Compares the settings of the disk, which Redis must show, with those that DURABILITY=fsync needs.
fn compare_disk(settings: &HashMap<String, String>) -> Vec<Finding> {
    let found = |name| settings.get(name).map(String::as_str);
    ON_DISK.map(|(name, wanted)| setting(name, wanted, found(name), OR_MEMORY)).to_vec()
}

fn setting(
    name: &'static str,
    wanted: &'static str,
    found: Option<&str>,
    reason: &'static str,
) -> Finding {
    let finding = match found {
        Some(found) if found == wanted => Ok(()),
        Some(found) => {
            Err(NotDurable::WrongSetting { name, found: found.to_owned(), wanted, reason })
        }
        None => Err(NotDurable::HiddenSetting(name)),
    };
    (name, finding)
}

/// Compares the default user's rights with the promised durability. Fsync needs proof that Redis reads its
/// disk back whole; replicated durability fails only if a restart is known to lose ballots.
fn compare_replay(durability: Durability, rights: ReplayRights) -> Option<Finding> {
    let finding = match (durability, rights) {
        (Durability::Memory, _) | (Durability::Replicated, ReplayRights::Unknown(_)) => {
            return None;
        }
        (_, ReplayRights::Complete | ReplayRights::NotNeeded) => Ok(()),
        (_, ReplayRights::Missing(commands)) => Err(NotDurable::ReplayForbidden(commands)),
        (Durability::Fsync, ReplayRights::Unknown(reason)) => {
            Err(NotDurable::ReplayUnknown(reason))
        }
    };
    Some((REPLAY_RIGHTS, finding))
}

fn record(findings: &[Finding]) {
    for (setting, finding) in findings {
        let kept = if finding.is_ok() { 1.0 } else { 0.0 };
        metrics::REDIS_SETTING_KEPT.with([*setting]).set(kept);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(findings: Vec<Finding>) -> Result<(), NotDurable> {
        findings.into_iter().try_for_each(|(_, finding)| finding)
    }

    #[test]
    fn a_setting_of_the_disk_that_breaks_the_promise_is_named_with_its_remedy() {
        let shown: HashMap<_, _> =
            ON_DISK.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        assert!(outcome(compare_disk(&shown)).is_ok());
        for (name, wrong) in [("appendfsync", "everysec"), ("no-appendfsync-on-rewrite", "yes")] {
            let mut lazy = shown.clone();
            lazy.insert(name.to_owned(), wrong.to_owned());
            let problem = outcome(compare_disk(&lazy)).unwrap_err().to_string();
            assert!(problem.contains(&format!("CONFIG SET {name}")), "{problem}");
        }
        let problem = outcome(compare_disk(&HashMap::new())).unwrap_err().to_string();
        assert!(problem.contains("DURABILITY=replicated"), "{problem}");
    }

    #[test]
    fn a_redis_that_evicts_or_has_too_few_replicas_breaks_the_promise() {
        let info = |policy: &str| Info(format!("used_memory:1\r\nmaxmemory_policy:{policy}\r\n"));
        let compared = |durability, policy: &str, replicas| {
            outcome(compare(durability, 1, &info(policy), replicas))
        };
        assert!(compared(Durability::Memory, "noeviction", None).is_ok());
        let problem = compared(Durability::Memory, "allkeys-lru", None).unwrap_err().to_string();
        assert!(problem.contains("CONFIG SET maxmemory-policy noeviction"), "{problem}");
        assert!(compared(Durability::Replicated, "noeviction", Some(0)).is_err());
        assert!(compared(Durability::Replicated, "noeviction", Some(1)).is_ok());
        let problem = compared(Durability::Replicated, "noeviction", None).unwrap_err().to_string();
        assert!(problem.contains("WAIT"), "{problem}");
        assert!(outcome(compare(Durability::Fsync, 0, &Info::default(), None)).is_ok());
    }

    #[test]
    fn a_batch_is_on_disk_when_redis_own_disk_has_it() {
        let reply = |local, replicas| Value::Array(vec![Value::Int(local), Value::Int(replicas)]);
        assert!(DiskWait::is_on_disk(reply(1, 0)).unwrap());
        assert!(!DiskWait::is_on_disk(reply(0, 3)).unwrap());
        assert!(DiskWait::is_on_disk(Value::Int(1)).is_err(), "the reply of WAIT");
    }

    #[test]
    fn ballots_that_a_restart_would_lose_are_not_promised() {
        let compared = |durability, rights: &ReplayRights| {
            compare_replay(durability, rights.clone()).map_or(Ok(()), |(_, finding)| finding)
        };
        let missing = ReplayRights::Missing(vec!["XADD".to_owned(), "HSET".to_owned()]);
        let unknown = ReplayRights::Unknown("NOPERM".to_owned());
        for durability in [Durability::Fsync, Durability::Replicated] {
            let problem = compared(durability, &missing).unwrap_err().to_string();
            assert!(problem.contains("XADD, HSET") && problem.contains("user default off ~*"));
            assert!(compared(durability, &ReplayRights::Complete).is_ok());
            assert!(compared(durability, &ReplayRights::NotNeeded).is_ok());
        }
        let problem = compared(Durability::Fsync, &unknown).unwrap_err().to_string();
        assert!(problem.contains("+acl|dryrun"), "{problem}");
        assert!(compared(Durability::Replicated, &unknown).is_ok());
        assert!(compared(Durability::Memory, &missing).is_ok());
    }
}

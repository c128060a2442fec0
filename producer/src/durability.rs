//! Checks whether Redis is set up to keep ballots as durably as "accepted" promises.
//!
//! The check runs at start-up and every three seconds. While it fails, the producer stores nothing, so that
//! it never promises more than Redis does. Most managed Redis servers do not show their disk settings; with
//! them, DURABILITY=replicated can be checked and DURABILITY=fsync cannot.

mod write_probe;

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use redis::RedisError;
use votestream_schema::{Keys, replay};
use votestream_service::CancellationToken;
use votestream_service::health::Gate;
use votestream_service::metric::UNKNOWN;
use votestream_service::redis::replay::{ReplayRights, replay_rights};
use votestream_service::redis::{Connection, Manager, RESPONSE_TIMEOUT};

use crate::catalog::SameTime;
use crate::metrics;

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

/// The name of the finding about the commands that Redis replays, among the settings.
const REPLAY_RIGHTS: &str = "replay-rights";
/// The name of the finding about the append-only file.
const FILE_IN_EFFECT: &str = "file-in-effect";

/// Time between two checks, and so the longest time for which voters are refused after Redis is set up again.
const CHECK_EVERY: Duration = Duration::from_secs(3);
/// Time to the next attempt after one in which Redis did not answer.
const RETRY_AFTER: Duration = Duration::from_millis(500);

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
    files: Mutex<ProvenFiles>,
    /// The settings that were compared at any time.
    checked: Mutex<BTreeSet<&'static str>>,
}

/// Creates a status, which is not met before the first check of the [`Watcher`], and the watcher.
pub fn new(
    manager: Manager,
    keys: Keys,
    partitions: u16,
    (durability, replicas_min): (Durability, u32),
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
        "redis does not show its setting {0} (CONFIG GET is refused), so DURABILITY=fsync cannot be \
         checked: run the producer with DURABILITY=replicated, or let its user call CONFIG GET"
    )]
    HiddenSetting(&'static str),
    #[error(
        "redis has not written its first append-only file yet, or could not (INFO persistence): ballots of this moment \
         would be lost with the process. Wait until the rewrite ends; if aof_last_bgrewrite_status is not ok, make room \
         on its disk"
    )]
    FileNotInEffect,
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

    /// Reads the settings of each master that holds a partition. The outer error means that Redis did not
    /// answer.
    async fn ask(&self) -> Result<Result<(), NotDurable>, RedisError> {
        let mut connection = self.manager.connect(RESPONSE_TIMEOUT).await?;
        let partitions = if self.manager.is_cluster() { self.partitions } else { 1 };
        for partition in 0..partitions {
            let settings = self.settings(&mut connection, partition).await?;
            let replicas = self.replicas(&mut connection, partition).await?;
            let mut findings = compare(self.durability, self.replicas_min, &settings, replicas);
            let rights = self.replay_rights(&mut connection, partition).await?;
            findings.extend(compare_replay(self.durability, rights));
            if self.durability == Durability::Fsync {
                let finding = self.file_in_effect(&mut connection, partition).await?;
                findings.push((FILE_IN_EFFECT, finding));
            }
            record(&findings);
            let settings = findings.iter().map(|(setting, _)| *setting);
            self.checked.lock().unwrap_or_else(PoisonError::into_inner).extend(settings);
            let outcome = findings.into_iter().try_for_each(|(_, finding)| finding);
            if outcome.is_err() {
                return Ok(outcome);
            }
        }
        Ok(Ok(()))
    }

    /// Reads the settings that matter; empty if Redis does not show them.
    async fn settings(
        &self,
        connection: &mut Connection,
        partition: u16,
    ) -> Result<HashMap<String, String>, RedisError> {
        let mut get = redis::cmd("CONFIG");
        get.arg("GET").arg(&["maxmemory-policy"]).arg(&ON_DISK.map(|(name, _)| name));
        match connection.query_at(&self.keys.stream(partition), &get).await {
            Ok(reply) => Ok(redis::from_redis_value(reply)?),
            Err(error) if is_refusal(&error) => Ok(HashMap::new()),
            Err(error) => Err(error),
        }
    }

    /// Asks whether what this partition's master appends goes into a file that it would read after a restart.
    async fn file_in_effect(
        &self,
        connection: &mut Connection,
        partition: u16,
    ) -> Result<Result<(), NotDurable>, RedisError> {
        let info = redis::cmd("INFO");
        let info: String = match connection.query_at(&self.keys.stream(partition), &info).await {
            Ok(reply) => redis::from_redis_value(reply)?,
            // The settings are known all the same, or the finding about them says that they are hidden.
            Err(error) if is_refusal(&error) => return Ok(Ok(())),
            Err(error) => return Err(error),
        };
        let mut files = self.files.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(match files.is_in_effect(&info) {
            true => Ok(()),
            false => Err(NotDurable::FileNotInEffect),
        })
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

/// The servers whose append-only file is known to be in effect, by their run id.
///
/// When a running Redis is told to keep such a file (`CONFIG SET appendonly yes`), INFO shows it as enabled at once. But
/// until the first rewrite has ended, Redis writes into a file that a restart does not read. A rewrite that is under way
/// when a server is first seen may be that one, so the server is trusted once no rewrite is under way or due, and the last
/// one has succeeded. Later rewrites replace a file that is in effect.
#[derive(Debug, Default)]
struct ProvenFiles(HashSet<String>);

impl ProvenFiles {
    /// Reads the reply to INFO of one server.
    fn is_in_effect(&mut self, info: &str) -> bool {
        let field = |name: &str| {
            let mut lines = info.lines().map(str::trim);
            lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))
        };
        let run_id = field("run_id").unwrap_or_default().to_owned();
        if field("aof_enabled") != Some("1") {
            self.0.remove(&run_id);
            return false;
        }
        let rests = field("aof_rewrite_in_progress") == Some("0")
            && field("aof_rewrite_scheduled") == Some("0")
            && field("aof_last_bgrewrite_status") == Some("ok");
        if rests {
            self.0.insert(run_id.clone());
        }
        self.0.contains(&run_id)
    }
}

/// Returns whether Redis will always answer like this: it does not have the command, or this user may not
/// call it.
fn is_refusal(error: &RedisError) -> bool {
    matches!(error.code(), Some("ERR" | "NOPERM"))
}

/// The name of a setting, as the metric's label has it, and whether it is right.
type Finding = (&'static str, Result<(), NotDurable>);

/// Compares the settings with the promised durability. Settings of the disk must be shown; that Redis evicts
/// nothing is assumed where it does not say.
fn compare(
    durability: Durability,
    replicas_min: u32,
    settings: &HashMap<String, String>,
    replicas: Option<u32>,
) -> Vec<Finding> {
    let mut findings: Vec<Finding> = Vec::new();
    let mut expect = |name, wanted: &'static str, reason, found: Option<&String>| {
        let finding = match found {
            Some(found) if found == wanted => Ok(()),
            Some(found) => {
                Err(NotDurable::WrongSetting { name, found: found.clone(), wanted, reason })
            }
            None => Err(NotDurable::HiddenSetting(name)),
        };
        findings.push((name, finding));
    };
    if let Some(found) = settings.get("maxmemory-policy") {
        let reason = "because it may throw ballots away";
        expect("maxmemory-policy", "noeviction", reason, Some(found));
    }
    if durability == Durability::Fsync {
        let or = "or run the producer with DURABILITY=memory";
        for (name, wanted) in ON_DISK {
            expect(name, wanted, or, settings.get(name));
        }
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

    fn settings(pairs: [(&str, &str); 4]) -> HashMap<String, String> {
        pairs.map(|(k, v)| (k.to_owned(), v.to_owned())).into()
    }

    fn compared(
        durability: Durability,
        replicas_min: u32,
        settings: &HashMap<String, String>,
        replicas: Option<u32>,
    ) -> Result<(), NotDurable> {
        let findings = compare(durability, replicas_min, settings, replicas);
        findings.into_iter().try_for_each(|(_, finding)| finding)
    }

    #[test]
    fn a_setting_that_breaks_the_promise_is_named_with_its_remedy() {
        let [on, always, also_then] = ON_DISK;
        let always = [on, always, also_then, ("maxmemory-policy", "noeviction")];
        assert!(compared(Durability::Fsync, 0, &settings(always), None).is_ok());
        let mut lazy = settings(always);
        lazy.insert("appendfsync".into(), "everysec".into());
        let problem = compared(Durability::Fsync, 0, &lazy, None).unwrap_err().to_string();
        assert!(problem.contains("CONFIG SET appendfsync always"), "{problem}");
        assert!(compared(Durability::Memory, 0, &lazy, None).is_ok());
        let mut now_and_then = settings(always);
        now_and_then.insert("no-appendfsync-on-rewrite".into(), "yes".into());
        assert!(compared(Durability::Fsync, 0, &now_and_then, None).is_err());
        lazy.insert("maxmemory-policy".into(), "allkeys-lru".into());
        assert!(compared(Durability::Memory, 0, &lazy, None).is_err());
        assert!(compared(Durability::Replicated, 1, &settings(always), Some(0)).is_err());
        assert!(compared(Durability::Replicated, 1, &settings(always), Some(1)).is_ok());
    }

    #[test]
    fn an_append_only_file_counts_once_its_first_rewrite_has_ended() {
        let info = |run_id: &str, enabled: u8, in_progress: u8, scheduled: u8, status: &str| {
            format!(
                "# Server\r\nrun_id:{run_id}\r\n# Persistence\r\naof_enabled:{enabled}\r\n\
                 aof_rewrite_in_progress:{in_progress}\r\naof_rewrite_scheduled:{scheduled}\r\n\
                 aof_last_bgrewrite_status:{status}\r\n"
            )
        };
        let mut files = ProvenFiles::default();
        for not_yet in [
            info("a", 0, 0, 0, "ok"),
            info("a", 1, 1, 0, "ok"),
            info("a", 1, 0, 1, "ok"),
            info("a", 1, 0, 0, "err"),
        ] {
            assert!(!files.is_in_effect(&not_yet), "{not_yet}");
        }
        assert!(files.is_in_effect(&info("a", 1, 0, 0, "ok")));
        assert!(files.is_in_effect(&info("a", 1, 1, 0, "ok")), "a later rewrite");
        assert!(!files.is_in_effect(&info("b", 1, 1, 0, "ok")), "another server");
        assert!(!files.is_in_effect(&info("a", 0, 0, 0, "ok")));
        assert!(!files.is_in_effect(&info("a", 1, 1, 0, "ok")), "it was off meanwhile");
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

    #[test]
    fn a_disk_whose_settings_are_hidden_is_not_promised() {
        let hidden = HashMap::new();
        let problem = compared(Durability::Fsync, 0, &hidden, None).unwrap_err().to_string();
        assert!(problem.contains("DURABILITY=replicated"), "{problem}");
        assert!(compared(Durability::Memory, 0, &hidden, None).is_ok());
        assert!(compared(Durability::Replicated, 1, &hidden, Some(1)).is_ok());
        let problem = compared(Durability::Replicated, 1, &hidden, None).unwrap_err().to_string();
        assert!(problem.contains("WAIT"), "{problem}");
    }
}

//! Whether Redis is set up for what "accepted" promises.
//!
//! Asked at start-up and every three seconds after. While it is not, the producer stores nothing: it
//! never says yes to what it cannot promise. A Redis that does not tell how it keeps its disk, as most
//! managed ones do not, can be promised replicas of, and not a disk.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use redis::RedisError;
use votestream_schema::{Keys, replay};
use votestream_service::CancellationToken;
use votestream_service::health::Gate;
use votestream_service::redis::{Connection, Manager, RESPONSE_TIMEOUT};
use votestream_service::replay::{ReplayRights, replay_rights};

use crate::metrics;
use crate::publisher::Durability;

/// What Redis has to be set to for an answer to mean that the disk has the ballot. With the last one on `yes`
/// it would not flush while it rewrites its file.
const ON_DISK: [(&str, &str); 3] =
    [("appendonly", "yes"), ("appendfsync", "always"), ("no-appendfsync-on-rewrite", "no")];

/// The name of the finding about what Redis replays, among the settings.
const REPLAY_RIGHTS: &str = "replay-rights";

/// Also how long voters may be refused after the promise can be kept again.
const CHECK_EVERY: Duration = Duration::from_secs(3);

/// Whether the promise can be kept now; cheap to clone.
#[derive(Clone, Debug)]
pub struct Promise {
    kept: Arc<AtomicBool>,
}

impl Promise {
    /// Whether Redis was, when last asked, set up for the promise.
    pub fn is_kept(&self) -> bool {
        self.kept.load(Ordering::Relaxed)
    }
}

/// The task that keeps asking.
#[derive(Debug)]
pub struct Watcher {
    manager: Manager,
    keys: Keys,
    partitions: u16,
    durability: Durability,
    replicas_min: u32,
    kept: Arc<AtomicBool>,
}

/// A promise, believed until [`Watcher`] knows better, and its watcher.
pub fn new(
    manager: Manager,
    keys: Keys,
    partitions: u16,
    durability: Durability,
    replicas_min: u32,
) -> (Promise, Watcher) {
    let kept = Arc::new(AtomicBool::new(false));
    let watcher =
        Watcher { manager, keys, partitions, durability, replicas_min, kept: kept.clone() };
    (Promise { kept }, watcher)
}

impl Watcher {
    /// Asks until `shutdown`.
    pub async fn run(self, gate: Gate, shutdown: CancellationToken) {
        let every = CHECK_EVERY;
        gate.watch(every, shutdown, || self.check()).await;
    }

    /// Asks once, waiting for Redis as long as it takes, but not past `shutdown`.
    async fn check(&self) -> Result<(), String> {
        let outcome = loop {
            match self.ask().await {
                Ok(outcome) => break outcome,
                Err(error) => {
                    // Not knowing changes nothing: a Redis that is away stores nothing anyway.
                    tracing::debug!(error, "cannot ask redis how durable it is");
                    tokio::time::sleep(Duration::from_millis(500)).await;
                }
            }
        };
        self.kept.store(outcome.is_ok(), Ordering::Relaxed);
        metrics::REDIS_DURABLE.set(if outcome.is_ok() { 1.0 } else { 0.0 });
        outcome
    }

    /// What each master that holds a partition says; the outer error is "could not ask".
    async fn ask(&self) -> Result<Result<(), String>, String> {
        let mut connection =
            self.manager.connect(RESPONSE_TIMEOUT).await.map_err(|e| e.to_string())?;
        let partitions = if self.manager.is_cluster() { self.partitions } else { 1 };
        for partition in 0..partitions {
            let settings = self.settings(&mut connection, partition).await?;
            let replicas = self.replicas(&mut connection, partition).await?;
            let mut findings = judge(self.durability, self.replicas_min, &settings, replicas);
            let rights = self.replay_rights(&mut connection, partition).await?;
            findings.extend(judge_replay(self.durability, &rights));
            record(&findings);
            let outcome = findings.into_iter().try_for_each(|(_, finding)| finding);
            if outcome.is_err() {
                return Ok(outcome);
            }
        }
        Ok(Ok(()))
    }

    async fn settings(
        &self,
        connection: &mut Connection,
        partition: u16,
    ) -> Result<HashMap<String, String>, String> {
        let mut get = redis::cmd("CONFIG");
        get.arg("GET").arg(&["maxmemory-policy"]).arg(&ON_DISK.map(|(name, _)| name));
        match connection.query_at(&self.keys.stream(partition), &get).await {
            Ok(reply) => redis::from_redis_value(reply).map_err(|e| e.to_string()),
            Err(error) if is_refusal(&error) => Ok(HashMap::new()),
            Err(error) => Err(error.to_string()),
        }
    }

    /// Whether this partition's master would replay its ballots after a restart.
    async fn replay_rights(
        &self,
        connection: &mut Connection,
        partition: u16,
    ) -> Result<ReplayRights, String> {
        let commands = replay::commands(&self.keys, partition);
        let rights = replay_rights(connection, &self.keys.stream(partition), &commands).await;
        rights.map_err(|error| error.to_string())
    }

    /// How many replicas are in step; `None` where Redis does not say.
    async fn replicas(
        &self,
        connection: &mut Connection,
        partition: u16,
    ) -> Result<Option<u32>, String> {
        if self.durability != Durability::Replicated {
            return Ok(None);
        }
        let wait = redis::cmd("WAIT").arg(self.replicas_min).arg(100).clone();
        match connection.query_at(&self.keys.stream(partition), &wait).await {
            Ok(reply) => redis::from_redis_value(reply).map_err(|e| e.to_string()),
            Err(error) if is_refusal(&error) => Ok(None),
            Err(error) => Err(error.to_string()),
        }
    }
}

/// Whether Redis will say the same tomorrow: a command that it does not have, or not for this user.
fn is_refusal(error: &RedisError) -> bool {
    matches!(error.code(), Some("ERR" | "NOPERM"))
}

/// What was found of one setting: as it must be, or what is wrong with it.
type Finding = (&'static str, Result<(), String>);

/// Compares settings with the promise. How Redis keeps its disk must be told; that it evicts nothing is
/// believed where it is not.
fn judge(
    durability: Durability,
    replicas_min: u32,
    settings: &HashMap<String, String>,
    replicas: Option<u32>,
) -> Vec<Finding> {
    let mut findings: Vec<Finding> = Vec::new();
    let mut compare = |name, wanted: &str, why, found: Option<&String>| {
        let finding = match found {
            Some(found) if found == wanted => Ok(()),
            Some(found) => {
                Err(format!("redis has {name} {found}: set `CONFIG SET {name} {wanted}`, {why}"))
            }
            None => Err(format!(
                "redis does not tell its {name} (CONFIG GET is refused), so DURABILITY=fsync would \
                 promise what nobody knows: run the producer with DURABILITY=replicated, or let its \
                 user call CONFIG GET"
            )),
        };
        findings.push((name, finding));
    };
    if let Some(found) = settings.get("maxmemory-policy") {
        let why = "for it may throw ballots away";
        compare("maxmemory-policy", "noeviction", why, Some(found));
    }
    if durability == Durability::Fsync {
        let or = "or run the producer with DURABILITY=memory";
        for (name, wanted) in ON_DISK {
            compare(name, wanted, or, settings.get(name));
        }
    }
    if durability == Durability::Replicated {
        let finding = match replicas {
            Some(replicas) if replicas >= replicas_min => Ok(()),
            Some(replicas) => Err(format!(
                "redis has {replicas} replicas in step, DURABILITY=replicated wants {replicas_min}"
            )),
            None => {
                Err("redis refuses WAIT, without which DURABILITY=replicated is a guess".into())
            }
        };
        findings.push(("replicas", finding));
    }
    findings
}

/// Compares the default user's rights with the promise. A promise of the disk needs proof that the disk is read back
/// whole; a promise of replicas is withdrawn only where a restart is known to lose ballots.
fn judge_replay(durability: Durability, rights: &ReplayRights) -> Option<Finding> {
    let finding = match (durability, rights) {
        (Durability::Memory, _) | (Durability::Replicated, ReplayRights::Unknown(_)) => {
            return None;
        }
        (_, ReplayRights::Complete | ReplayRights::NotNeeded) => Ok(()),
        (_, ReplayRights::Missing(commands)) => Err(format!(
            "redis would lose ballots when it restarts, since its default user may not run {}: put \
             `{}` into its access list and reload it with ACL LOAD (nobody can log in as that user)",
            commands.join(", "),
            replay::CURE
        )),
        (Durability::Fsync, ReplayRights::Unknown(reason)) => Err(format!(
            "redis does not say whether it would replay its append-only file after a restart ({reason}): \
             let this user call ACL DRYRUN (`+acl|dryrun`), or run the producer with \
             DURABILITY=replicated"
        )),
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

    fn judged(
        durability: Durability,
        replicas_min: u32,
        settings: &HashMap<String, String>,
        replicas: Option<u32>,
    ) -> Result<(), String> {
        let findings = judge(durability, replicas_min, settings, replicas);
        findings.into_iter().try_for_each(|(_, finding)| finding)
    }

    #[test]
    fn a_promise_that_redis_does_not_keep_is_named_with_its_cure() {
        let [on, always, also_then] = ON_DISK;
        let always = [on, always, also_then, ("maxmemory-policy", "noeviction")];
        assert!(judged(Durability::Fsync, 0, &settings(always), None).is_ok());
        let mut lazy = settings(always);
        lazy.insert("appendfsync".into(), "everysec".into());
        let problem = judged(Durability::Fsync, 0, &lazy, None).unwrap_err();
        assert!(problem.contains("CONFIG SET appendfsync always"), "{problem}");
        assert!(judged(Durability::Memory, 0, &lazy, None).is_ok());
        let mut now_and_then = settings(always);
        now_and_then.insert("no-appendfsync-on-rewrite".into(), "yes".into());
        assert!(judged(Durability::Fsync, 0, &now_and_then, None).is_err());
        lazy.insert("maxmemory-policy".into(), "allkeys-lru".into());
        assert!(judged(Durability::Memory, 0, &lazy, None).is_err());
        assert!(judged(Durability::Replicated, 1, &settings(always), Some(0)).is_err());
        assert!(judged(Durability::Replicated, 1, &settings(always), Some(1)).is_ok());
    }

    #[test]
    fn ballots_that_a_restart_would_lose_are_not_promised() {
        let judged = |durability, rights: &ReplayRights| {
            judge_replay(durability, rights).map_or(Ok(()), |(_, finding)| finding)
        };
        let missing = ReplayRights::Missing(vec!["XADD".to_owned(), "HSET".to_owned()]);
        let unknown = ReplayRights::Unknown("NOPERM".to_owned());
        for durability in [Durability::Fsync, Durability::Replicated] {
            let problem = judged(durability, &missing).unwrap_err();
            assert!(problem.contains("XADD, HSET") && problem.contains("user default off ~*"));
            assert!(judged(durability, &ReplayRights::Complete).is_ok());
            assert!(judged(durability, &ReplayRights::NotNeeded).is_ok());
        }
        let problem = judged(Durability::Fsync, &unknown).unwrap_err();
        assert!(problem.contains("+acl|dryrun"), "{problem}");
        assert!(judged(Durability::Replicated, &unknown).is_ok());
        assert!(judged(Durability::Memory, &missing).is_ok());
    }

    #[test]
    fn a_disk_that_redis_does_not_tell_of_is_not_promised() {
        let untold = HashMap::new();
        let problem = judged(Durability::Fsync, 0, &untold, None).unwrap_err();
        assert!(problem.contains("DURABILITY=replicated"), "{problem}");
        assert!(judged(Durability::Memory, 0, &untold, None).is_ok());
        assert!(judged(Durability::Replicated, 1, &untold, Some(1)).is_ok());
        let problem = judged(Durability::Replicated, 1, &untold, None).unwrap_err();
        assert!(problem.contains("WAIT"), "{problem}");
    }
}

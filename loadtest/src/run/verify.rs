//! After the load: waits until the pipeline has counted everything, and audits over HTTP and by
//! name.

use std::time::{Duration, Instant};

use crate::audit::by_name::{ByNameAudit, ByNameFindings};
use crate::audit::database::StoredVotes;
use crate::audit::drain::{DrainGoal, DrainState, DrainWait, WAITING_AGE_MAX};
use crate::audit::ledger::Ledger;
use crate::audit::result::{Audit, AuditVerdict};
use crate::config::Config;
use crate::poll::{Counting, Snapshot};
use crate::run::monitor::Monitor;
use crate::run::preflight::Prepared;
use crate::run::progress::{Progress, Stage};
use crate::run::stop::{Stop, TICK};
use crate::viewers::thread::ViewersThread;
use crate::voters::expected_vote::VoterRecord;

/// Why the tally cannot be compared with the ledger.
#[derive(Debug, thiserror::Error)]
enum AuditError {
    /// The operator did not wait until everything was counted.
    #[error("ended by the operator before the pipeline had drained.")]
    Interrupted,
    /// The last tally is missing.
    #[error("{}", .0.as_deref().unwrap_or("the tally could not be read"))]
    Unreadable(Option<String>),
}

/// What the load has left behind for the audit.
pub(crate) struct EndedLoad<'a> {
    /// The record of the votes that must and may be counted.
    pub(crate) ledger: Ledger,
    pub(crate) voters_by_name: &'a [VoterRecord],
    /// The moment of the last reply.
    pub(crate) last_reply: Instant,
}

/// The progress that is shown during the wait.
pub(crate) struct ProgressView<'a> {
    pub(crate) monitor: Monitor,
    pub(crate) viewers: &'a Option<ViewersThread>,
    pub(crate) show: &'a mut (dyn FnMut(&Progress) + Send),
}

impl ProgressView<'_> {
    fn show(&mut self, stage: Stage, counted: Option<(u64, u64)>) {
        self.monitor.book_behind(self.viewers.as_ref());
        let progress = self.monitor.wait(stage, counted, self.viewers.as_ref());
        (self.show)(&progress);
    }
}

/// Waits until the pipeline has counted everything, and audits. `disturbed` says why others seem to
/// vote at the same time.
pub(crate) async fn audit(
    config: &Config,
    prepared: &mut Prepared,
    view: &mut ProgressView<'_>,
    ended: EndedLoad<'_>,
    stop: &Stop,
    disturbed: Option<String>,
) -> Audit {
    let EndedLoad { ledger, voters_by_name, last_reply } = ended;
    if !config.audit {
        return Audit::without(AuditVerdict::Skipped, ledger, "Not audited, as asked.");
    }
    let over_http = over_http(config, prepared, view, &ledger, last_reply, stop).await;
    let (mut audit, restless) = match over_http {
        Some(Ok(audited)) => audited,
        Some(Err(why)) => {
            let verdict = match why {
                AuditError::Interrupted => AuditVerdict::Incomplete,
                AuditError::Unreadable(_) => AuditVerdict::Void,
            };
            (Audit::without(verdict, ledger, &why.to_string()), None)
        }
        None => (Audit::without(AuditVerdict::Void, ledger, NO_TALLY), None),
    };
    if prepared.database.is_some() {
        by_name(config, prepared, view, &mut audit, voters_by_name, last_reply, stop).await;
    }
    for why in disturbed.into_iter().chain(restless) {
        audit.others_voted(why);
    }
    audit
}

const NO_TALLY: &str = "There is no tally to compare. Give --results for a poll with visible results, or \
     --database-url; or say --no-audit.";

/// The audit over HTTP, and the reason if others vote all the time.
type Audited = (Audit, Option<String>);

/// Audits over HTTP. Returns `None` if there is no visible tally.
async fn over_http(
    config: &Config,
    prepared: &mut Prepared,
    view: &mut ProgressView<'_>,
    ledger: &Ledger,
    last_reply: Instant,
    stop: &Stop,
) -> Option<Result<Audited, AuditError>> {
    let results = prepared.results.as_mut()?;
    let before: Snapshot = results.before.clone()?;
    let part_settle = config.shard.is_part().then_some(Duration::from_secs(2));
    // Read the tally until everything is counted and quiet, or the time is up.
    let goal = DrainGoal {
        poll: &prepared.poll,
        ledger,
        before: &before,
        still_max: config.drain_time_max,
        settle: config.settle.max(part_settle),
    };
    let mut waiting = DrainWait::new(goal, last_reply);
    let expected = ledger.certain();
    let mut shown = Instant::now();
    loop {
        let (stage, counted) = match waiting.look(&mut results.client).await {
            DrainState::Draining(counted) => (Stage::Draining, counted),
            DrainState::Settling(counted) => (Stage::Settling, counted),
            DrainState::Done => break,
        };
        if stop.wait.is_cancelled() {
            return Some(Err(AuditError::Interrupted));
        }
        if shown.elapsed() >= TICK {
            shown = Instant::now();
            view.monitor.backlog(prepared.scraper.scrape().await);
            view.show(stage, Some((counted, expected)));
        }
    }
    // Compare the last tally with the ledger.
    let drained = waiting.end();
    let (Some(after), None) = (drained.after, &drained.failure) else {
        return Some(Err(AuditError::Unreadable(drained.failure)));
    };
    let counting = match (drained.counting, prepared.scraper.scrape().await) {
        (Counting::Unstated, Some(backlog)) if backlog > 0 => Counting::Waiting(backlog),
        (counting, _) => counting,
    };
    let mut audit = Audit::over_http(ledger.clone(), &prepared.poll, before, after, counting);
    audit.drained_after_seconds = drained.after_seconds;
    audit.watched(drained.watched_seconds);
    if config.shard.is_part() {
        audit.verdict = AuditVerdict::Partial;
        audit.notes = vec![
            "Other shards vote at the same time: `loadtest merge` balances all of them.".to_owned(),
        ];
        return Some(Ok((audit, None)));
    }
    let restless = drained.is_restless.then(|| {
        format!("The tally has not stood still in {:?}: others vote.", config.drain_time_max)
    });
    Some(Ok((audit, restless)))
}

/// Replaces the comparison of sums by the comparison of every voter with its row.
async fn by_name(
    config: &Config,
    prepared: &mut Prepared,
    view: &mut ProgressView<'_>,
    audit: &mut Audit,
    voters_by_name: &[VoterRecord],
    last_reply: Instant,
    stop: &Stop,
) {
    let Some(source) = prepared.database.as_mut() else { return };
    if let Some(difference) = &source.difference {
        audit.void(format!("{OTHER_DATABASE}: {difference}."));
        return;
    }
    let is_part = config.shard.is_part();
    let check =
        ByNameAudit { poll: &prepared.poll, voters_by_name, before: &source.voters, is_part };
    // Compare the rows again and again until no vote is missing, or their number stands still.
    let mut still_since = Instant::now();
    let mut counted_before = u64::MAX;
    let (stored, checked, counting) = loop {
        let stored = match source.database.stored_votes(&prepared.poll).await {
            Ok(stored) => stored,
            Err(error) => return audit.void(format!("The database cannot be read: {error:#}.")),
        };
        let checked = check.run(&stored);
        if stored.voters != counted_before {
            (counted_before, still_since) = (stored.voters, Instant::now());
        }
        let counting = match stored.counting {
            Counting::Settled if last_reply.elapsed() < WAITING_AGE_MAX => Counting::Unknown,
            Counting::Unstated if stop.wait.is_cancelled() => Counting::Unknown,
            counting => counting,
        };
        let is_over = matches!(counting, Counting::Settled | Counting::Unstated);
        let is_still = still_since.elapsed() > config.drain_time_max;
        if (checked.is_complete() && is_over) || is_still || stop.wait.is_cancelled() {
            break (stored, checked, counting);
        }
        view.show(Stage::Draining, None);
        tokio::time::sleep(TICK).await;
    };
    match disagreement(audit, &stored, &checked) {
        Some(why) => audit.void(why),
        None => audit.by_name(checked, counting, is_part),
    }
}

const OTHER_DATABASE: &str =
    "The database (--database-url or DATABASE_URL) seems to belong to another deployment";

/// Returns the reason why the rows of the database cannot be those of the deployment: it does not
/// know any voter of the run, and its tally is not the one that the results show.
fn disagreement(audit: &Audit, stored: &StoredVotes, checked: &ByNameFindings) -> Option<String> {
    let shown = audit.after.as_ref()?;
    let same = (shown.voters, &shown.votes) == (stored.voters, &stored.votes);
    let is_known = checked.recognised > 0 || audit.acknowledged_voters == 0;
    if same || is_known {
        return None;
    }
    let sums = |votes: &[u64]| votes.iter().sum::<u64>();
    Some(format!(
        "{OTHER_DATABASE}: its tally has {} voters and {} votes, the results show {} voters and {} votes, and no \
         voter of this run has a row.",
        stored.voters,
        sums(&stored.votes),
        shown.voters,
        sums(&shown.votes)
    ))
}

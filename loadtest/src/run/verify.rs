//! After the load: waits until the pipeline has counted everything, and audits over HTTP and by
//! name.

use std::time::{Duration, Instant};

use crate::audit::by_name::ByNameAudit;
use crate::audit::drain::{DrainGoal, DrainState, DrainWait};
use crate::audit::ledger::Ledger;
use crate::audit::result::{Audit, AuditVerdict, Basis};
use crate::config::Config;
use crate::poll::Snapshot;
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

/// Waits until the pipeline has counted everything, and audits.
pub(crate) async fn audit(
    config: &Config,
    prepared: &mut Prepared,
    view: &mut ProgressView<'_>,
    ledger: Ledger,
    voters_by_name: &[VoterRecord],
    stop: &Stop,
    disturbed: Option<String>,
) -> Audit {
    if !config.audit {
        return Audit::without(AuditVerdict::Skipped, ledger, "Not audited, as asked.");
    }
    let over_http = over_http(config, prepared, view, &ledger, stop).await;
    let mut audit = match (over_http, disturbed) {
        (Some(Ok(mut audit)), Some(why)) => {
            audit.verdict = AuditVerdict::Void;
            audit.notes.insert(0, why);
            audit
        }
        (Some(Ok(audit)), None) => audit,
        (Some(Err(why)), _) => Audit::without(AuditVerdict::Void, ledger, &why.to_string()),
        (None, _) => Audit::without(
            AuditVerdict::Skipped,
            ledger,
            "No tally to balance: give --results (and a poll whose results are visible) or --database-url.",
        ),
    };
    if prepared.database.is_some() {
        deepen(config, prepared, view, &mut audit, voters_by_name, stop).await;
    }
    audit
}

/// Audits over HTTP. Returns `None` if there is no visible tally.
async fn over_http(
    config: &Config,
    prepared: &mut Prepared,
    view: &mut ProgressView<'_>,
    ledger: &Ledger,
    stop: &Stop,
) -> Option<Result<Audit, AuditError>> {
    let results = prepared.results.as_mut()?;
    let before: Snapshot = results.before.clone()?;
    let settle = if config.shard.is_part() {
        config.settle.max(Duration::from_secs(2))
    } else {
        config.settle
    };
    // Read the tally until everything is counted and quiet, or the time is up.
    let goal = DrainGoal {
        poll: &prepared.poll,
        ledger,
        before: &before,
        still_max: config.drain_time_max,
        settle,
    };
    let mut waiting = DrainWait::new(goal);
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
    let mut audit = Audit::over_http(ledger.clone(), &prepared.poll, before, after);
    audit.drained_after_seconds = drained.after_seconds;
    if config.shard.is_part() {
        audit.verdict = AuditVerdict::Partial;
        audit.notes = vec![
            "Other shards vote at the same time: `loadtest merge` balances all of them.".to_owned(),
        ];
    }
    Some(Ok(audit))
}

/// Replaces the comparison of sums by the comparison of every voter with its row.
async fn deepen(
    config: &Config,
    prepared: &mut Prepared,
    view: &mut ProgressView<'_>,
    audit: &mut Audit,
    voters_by_name: &[VoterRecord],
    stop: &Stop,
) {
    let Some((database, before)) = prepared.database.as_mut() else { return };
    let by_name = ByNameAudit {
        poll: &prepared.poll,
        voters_by_name,
        before,
        is_part: config.shard.is_part(),
    };
    // Compare the rows again and again until no vote is missing, or their number stands still.
    let mut still_since = Instant::now();
    let mut counted_before = u64::MAX;
    let checked = loop {
        let checked = match database.stored_votes(&prepared.poll).await {
            Ok(stored) => by_name.run(&stored),
            Err(error) => {
                audit.verdict = AuditVerdict::Void;
                audit.notes.push(format!("The database cannot be read: {error:#}."));
                return;
            }
        };
        let counted = database.counted().await.unwrap_or(0);
        if counted != counted_before {
            (counted_before, still_since) = (counted, Instant::now());
        }
        let complete = checked.findings.lost == 0 && checked.findings.wrong_choice == 0;
        if complete || still_since.elapsed() > config.drain_time_max || stop.wait.is_cancelled() {
            break checked;
        }
        view.show(Stage::Draining, None);
        tokio::time::sleep(TICK).await;
    };
    // Put the findings by name in the place of the sums.
    audit.basis = Basis::Database;
    if audit.findings.is_violated()
        && audit.verdict == AuditVerdict::Violated
        && !checked.findings.is_violated()
    {
        audit.notes.push(
            "Every voter's row is right, but the public tally does not agree with it.".to_owned(),
        );
        return;
    }
    if matches!(
        audit.verdict,
        AuditVerdict::Balanced | AuditVerdict::Violated | AuditVerdict::Skipped
    ) {
        audit.notes.clear(); // they are about the limits of sums
    }
    let unnamed = voters_by_name.iter().filter(|record| record.voter.is_none()).count();
    if unnamed > 0 {
        audit.notes.push(format!(
            "{unnamed} voters have no cookie that names them (a poll with voting codes, or no reply): \
             they are checked by number and choice."
        ));
    }
    audit.findings = checked.findings;
    audit.named = checked.named;
    if audit.verdict != AuditVerdict::Void {
        audit.verdict = match checked.findings.is_violated() {
            true => AuditVerdict::Violated,
            false if config.shard.is_part() => AuditVerdict::Partial,
            false => AuditVerdict::Balanced,
        };
    }
}

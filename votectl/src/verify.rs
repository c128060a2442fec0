//! Checks a poll from outside, with nothing but HTTP: the public log, the count, and receipts.
//!
//! Invariant: nothing that the server says is believed without a proof, except its public keys when a log is seen for the
//! first time. Whatever cannot be checked is called unknown, and never right.
//!
//! The steps: `remote` reads, `replay` follows the log, `receipts` looks for ballots in it, and `memory` keeps keys and checkpoints
//! for the next time. `witnesses` compares the log with what others saw.

mod memory;
mod receipts;
mod remote;
mod replay;
mod report;
mod witnesses;

use std::path::PathBuf;
use std::time::Duration;

use votestream_schema::poll::{now_ms, rfc3339};
use votestream_transparency::checkpoint::{self, Head};
use votestream_transparency::keys::{KeyError, PublicKeys};
use votestream_transparency::proofs::{ProofError, check_append_only};
use votestream_transparency::recount::Recount;
use votestream_transparency::tree::tile_path;
use votestream_transparency::witness::{WitnessError, WitnessKey};

use memory::{Memory, Seen, SeenCheckpoint};
use receipts::{Keys, Wanted, WantedList};
use remote::{Site, Tally};
use replay::Replay;
use report::Checks;
use witnesses::Cosigned;

pub use memory::{MemoryError, default_file};
pub use receipts::read_file;
pub use remote::RemoteError;
pub use report::{Check, Checkpoint, Counted, ReceiptReport, Report, Verdict};

/// Counting may be ahead of the log by about two seconds. A difference that stands still for longer is named.
const STANDS_STILL: u32 = 3;
/// How often published result and log are compared while they change.
const COMPARISONS: u32 = 8;
const PAUSE: Duration = Duration::from_secs(1);

/// The poll to check, and the means for it.
#[derive(Clone, Debug)]
pub struct Options {
    /// The address of the poll's results.
    pub url: String,
    /// Receipts: the name of each, and its JSON ([`read_file`]).
    pub receipts: Vec<(String, String)>,
    /// Public keys that are believed, besides those seen before. With one of them, published keys are not believed by
    /// themselves.
    pub keys: Vec<String>,
    /// Public keys of witnesses that must have signed the log.
    pub witnesses: Vec<String>,
    /// The file that remembers keys and checkpoints.
    pub state: PathBuf,
    /// Certificate authorities to trust instead of the system's.
    pub ca_file: Option<PathBuf>,
}

/// Nothing could be checked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The dashboard did not answer, or not as expected.
    #[error(transparent)]
    Remote(#[from] RemoteError),
    /// The memory cannot be used.
    #[error(transparent)]
    Memory(#[from] MemoryError),
    /// A public key has another form.
    #[error("{0}")]
    Key(#[from] KeyError),
    /// A public key of a witness has another form.
    #[error("{0}")]
    Witness(#[from] WitnessError),
}

/// Checks a poll. `progress` is called with the number of entries that were read so far, and of all.
///
/// # Errors
/// Returns an error if nothing could be checked. Whatever is wrong stands in the report.
pub fn verify(options: &Options, progress: &dyn Fn(u64, u64)) -> Result<Report, Error> {
    let site = Site::new(&options.url, options.ca_file.as_deref())?;
    let mut memory = Memory::read(&options.state)?;
    let seen = memory.polls.get(&site.address()).cloned();
    let mut run = Run::new(&site, progress);
    let remembered = run.check(options, seen.as_ref())?;
    if let Some(seen) = remembered {
        memory.polls.insert(site.address(), seen);
        memory.write(&options.state)?;
    }
    Ok(run.report)
}

/// One run, with its report so far.
struct Run<'a> {
    site: &'a Site,
    progress: &'a dyn Fn(u64, u64),
    checks: Checks,
    /// The newest checkpoint that was checked, as it is signed.
    note: String,
    report: Report,
}

/// The log whose checkpoints are checked.
struct Log {
    origin: String,
    trusted: PublicKeys,
    published: PublicKeys,
    /// Whether keys were given, so that the published ones are not believed.
    is_pinned: bool,
}

impl Log {
    fn open(&self, note: &str) -> Result<Head, checkpoint::Error> {
        checkpoint::open(note, &self.origin, &self.trusted)
    }
}

impl<'a> Run<'a> {
    fn new(site: &'a Site, progress: &'a dyn Fn(u64, u64)) -> Self {
        let report = Report {
            url: site.address(),
            origin: None,
            verdict: Verdict::Good,
            checkpoint: None,
            voters: None,
            counted: Vec::new(),
            checks: Vec::new(),
            receipts: Vec::new(),
            evidence: Vec::new(),
        };
        Self { site, progress, checks: Checks::default(), note: String::new(), report }
    }

    /// Runs all checks, and returns the state of the log to remember.
    fn check(&mut self, options: &Options, seen: Option<&Seen>) -> Result<Option<Seen>, Error> {
        let remembered = self.check_log(options, seen);
        self.report.checks = std::mem::take(&mut self.checks.0);
        let receipts = self.report.receipts.iter().flat_map(|it| &it.checks);
        let all = self.report.checks.iter().chain(receipts);
        self.report.verdict = all.map(|it| it.verdict).max().unwrap_or(Verdict::Unknown);
        remembered
    }

    fn check_log(&mut self, options: &Options, seen: Option<&Seen>) -> Result<Option<Seen>, Error> {
        let witnesses = options.witnesses.iter().map(|key| key.parse());
        let witnesses: Vec<WitnessKey> = witnesses.collect::<Result<_, _>>()?;
        let lines = match self.site.log_text("keys") {
            Ok(lines) => lines,
            Err(error) if error.status().is_some_and(|(status, _)| status == 404) => {
                let (_, detail) = error.status().unwrap_or_default();
                match seen {
                    None => self.checks.unknown("signature", detail),
                    Some(_) => self.checks.wrong(
                        "history",
                        format!("the log that was here before is gone: {detail}"),
                    ),
                }
                return Ok(None);
            }
            Err(error) => return Err(error.into()),
        };
        let published = PublicKeys::new(lines.lines().map(str::to_owned))?;
        let origin = published.name().unwrap_or_default().to_owned();
        self.report.origin = Some(origin.clone());
        let trusted = trusted(options, seen, &published, &origin)?;
        let is_pinned = !options.keys.is_empty();
        let log = Log { origin, trusted, published, is_pinned };
        if let Some(seen) = seen.filter(|it| it.origin != log.origin) {
            let words =
                format!("the log has another name: `{}` before, `{}` now", seen.origin, log.origin);
            self.checks.wrong("history", words);
            return Ok(None);
        }
        if !log.origin.ends_with(&format!("/polls/{}", self.site.slug())) {
            let words = format!("`{}` is not the log of this poll", log.origin);
            self.checks.wrong("signature", words);
            return Ok(None);
        }
        let (cosigned, note) = Cosigned::read(self.site, &|note| log.open(note), &mut self.checks)?;
        let Some(head) = self.check_signature(&log, &note) else { return Ok(None) };
        self.note = note;
        let state = self.site.log_state()?;
        self.report.checkpoint = Some(Checkpoint {
            size: head.size,
            root: head.root.to_string(),
            cosignatures: state.cosignatures.clone(),
            cosigned: cosigned.as_ref().map(|it| it.note.clone()),
        });
        let keys = Keys { trusted: &log.trusted, published: &log.published };
        let read = |(file, json): &(String, String)| Wanted::read(file, json, &log.origin, &keys);
        let wanted = WantedList::new(options.receipts.iter().map(read).collect());
        let head = match state.entries.as_str() {
            "open" => self.check_open(&log, head, seen, wanted)?,
            hidden => self.check_hidden(head, seen, wanted, hidden),
        };
        self.check_witnesses(&witnesses, cosigned.as_ref(), head);
        Ok(self.remember(&log, head, seen))
    }

    /// Checks the signature of a checkpoint, and returns its head if a key that is believed has signed it.
    fn check_signature(&mut self, log: &Log, note: &str) -> Option<Head> {
        match log.open(note) {
            Ok(head) => {
                let words =
                    format!("the checkpoint of {} entries is signed by {}", head.size, log.origin);
                self.checks.good("signature", words);
                Some(head)
            }
            Err(checkpoint::Error::UnknownKey)
                if checkpoint::open(note, &log.origin, &log.published).is_ok() =>
            {
                let key = log.published.as_lines().first().map_or("", String::as_str);
                let words = format!(
                    "the checkpoint is signed with a key that is not believed here: {key}. If the people who run this poll have \
                     announced it, run this again with --key '{key}'"
                );
                self.checks.unknown("signature", words);
                None
            }
            Err(error) => {
                self.checks.wrong("signature", error.to_string());
                self.report.evidence.push(note.to_owned());
                None
            }
        }
    }

    /// Checks everything, from the entries. Returns the newest checkpoint.
    fn check_open(
        &mut self,
        log: &Log,
        first: Head,
        seen: Option<&Seen>,
        mut wanted: WantedList,
    ) -> Result<Head, Error> {
        let roots_at: Vec<u64> = seen
            .map(|seen| seen.checkpoints.iter().map(|it| it.size).collect())
            .unwrap_or_default();
        let mut replay = Replay::default();
        replay.extend(self.site, first, &roots_at, &mut wanted, self.progress)?;
        let mut head = first;
        let mut is_followed = self.check_replay(&replay, head);
        self.check_history(head, seen, &|seen| {
            Ok(replay.roots.get(&seen.size).is_some_and(|root| root.to_string() == seen.root))
        });
        if is_followed {
            // Published result and log are read one after the other, so the log may have to catch up.
            let mut still = 0;
            let mut before = None;
            for comparison in 1.. {
                let tally = self.site.tally()?;
                let note = self.site.log_text("checkpoint")?;
                let newest = log.open(&note).ok().filter(|newest| newest.size >= head.size);
                let Some(newest) = newest else {
                    self.checks.wrong(
                        "history",
                        "the log was replaced by another one, or became shorter, during this check",
                    );
                    self.report.evidence.push(note);
                    return Ok(head);
                };
                replay.extend(self.site, newest, &roots_at, &mut wanted, self.progress)?;
                (head, self.note) = (newest, note);
                is_followed =
                    is_followed && replay.faults.is_empty() && replay.follower.head() == head;
                if !is_followed {
                    self.check_replay(&replay, head);
                    break;
                }
                let recount = replay.follower.recount();
                let now = (tally.version, head.size);
                still = if before == Some(now) { still + 1 } else { 0 };
                before = Some(now);
                let is_over = still >= STANDS_STILL || comparison >= COMPARISONS;
                if self.compare(&tally, recount, is_over.then_some(still >= STANDS_STILL)) {
                    self.report.voters = Some(recount.voters());
                    break;
                }
                std::thread::sleep(PAUSE);
            }
        }
        if replay.faults.is_empty() {
            replay.check_upper_tiles(self.site, head.size)?;
            match replay.faults.is_empty() {
                true => self.checks.good("tiles", "the published hashes are those of the entries"),
                false => self.name_faults(&replay, head),
            }
        }
        if let Some(checkpoint) = &mut self.report.checkpoint {
            (checkpoint.size, checkpoint.root) = (head.size, head.root.to_string());
        }
        let recount = replay.follower.recount();
        let judge = |it: Wanted| it.judge(|promise| recount.counts(promise.entry), now_ms());
        self.report.receipts = wanted.into_iter().map(judge).collect();
        Ok(head)
    }

    /// Says whether the entries are those that were signed.
    fn check_replay(&mut self, replay: &Replay, head: Head) -> bool {
        let bad = replay.follower.bad();
        let is_signed = replay.follower.head() == head;
        if is_signed && bad.is_empty() && replay.faults.is_empty() {
            self.checks
                .good("entries", format!("all {} entries are those that were signed", head.size));
            return true;
        }
        for bad in bad {
            self.checks.wrong("entries", bad.to_string());
        }
        self.name_faults(replay, head);
        false
    }

    /// Names the parts that do not fit, and whose fault it is: the entries have the signed root hash, or they do not.
    fn name_faults(&mut self, replay: &Replay, head: Head) {
        let is_signed = replay.follower.head() == head;
        if !is_signed {
            let words = format!(
                "the published entries do not have the signed root hash: an entry was changed, added or left out after the log \
                 was signed at {} entries",
                head.size
            );
            self.checks.wrong("entries", words);
        }
        for fault in &replay.faults {
            let blame = if is_signed {
                " The entries are those that were signed, so the tile was rewritten"
            } else {
                ""
            };
            self.checks
                .wrong(if is_signed { "tiles" } else { "entries" }, format!("{fault}.{blame}"));
        }
    }

    /// Compares the log with every checkpoint that was seen before. `is_prefix` says whether the log begins with one.
    fn check_history(
        &mut self,
        head: Head,
        seen: Option<&Seen>,
        is_prefix: &dyn Fn(&SeenCheckpoint) -> Result<bool, ProofError>,
    ) {
        let Some(seen) = seen else {
            return self.checks.good(
                "history",
                "this log is seen for the first time here, and remembered for the next time",
            );
        };
        for old in &seen.checkpoints {
            let why = if old.size > head.size {
                format!("it had {} entries on {}, and has {} now", old.size, old.seen_at, head.size)
            } else if old.size == head.size {
                // The same checkpoint: that its entries are others is told elsewhere.
                if old.root == head.root.to_string() {
                    continue;
                }
                format!("its {} entries are others than on {}", old.size, old.seen_at)
            } else {
                match is_prefix(old) {
                    Ok(true) => continue,
                    Ok(false) | Err(ProofError::NoPrefix) => {
                        format!(
                            "it does not begin with the {} entries of {}",
                            old.size, old.seen_at
                        )
                    }
                    Err(error) => {
                        let words = format!(
                            "it could not be compared with the log of {}: {error}",
                            old.seen_at
                        );
                        self.checks.unknown("history", words);
                        return;
                    }
                }
            };
            let words = format!(
                "FORK: the log was rewritten, or different people are shown different logs: {why}. The two signed checkpoints are \
                 the evidence"
            );
            self.checks.wrong("history", words);
            self.report.evidence.push(old.note.clone());
            return;
        }
        let words = format!(
            "the log begins with all {} checkpoints that were seen before",
            seen.checkpoints.len()
        );
        self.checks.good("history", words);
    }

    /// Compares the log with the newest checkpoint that witnesses have signed, and looks for the signatures of these.
    fn check_witnesses(&mut self, keys: &[WitnessKey], cosigned: Option<&Cosigned>, head: Head) {
        if let Some(cosigned) = cosigned {
            let is_continued = cosigned.is_continued(head, self.site, &mut self.checks);
            if is_continued == Some(false) {
                self.report.evidence.extend([cosigned.note.clone(), self.note.clone()]);
            }
            // Whoever signed another log, or perhaps did, is not said to have signed this one.
            if is_continued != Some(true) {
                return;
            }
        }
        witnesses::judge(keys, cosigned, head, &mut self.checks);
    }

    /// Compares the published result with the recount. Returns whether the comparison is over. `last` is present when it must
    /// be, and says whether nothing has changed for a while.
    fn compare(&mut self, tally: &Tally, recount: &Recount, last: Option<bool>) -> bool {
        let votes = |position| recount.votes(position);
        self.report.counted = (tally.options.iter().enumerate())
            .map(|(position, it)| Counted { label: it.label.clone(), votes: votes(position) })
            .collect();
        let mut differs: Vec<String> = (tally.options.iter().enumerate())
            .filter(|(position, it)| it.votes != votes(*position))
            .map(|(position, it)| {
                let (published, logged) = (it.votes, votes(position));
                format!(
                    "`{}` has {published} votes published and {logged} in the log ({:+})",
                    it.label,
                    published - logged
                )
            })
            .collect();
        let voters = i64::try_from(recount.voters()).unwrap_or(i64::MAX);
        if tally.voters != voters {
            differs.push(format!(
                "{} people are published and {voters} in the log ({:+})",
                tally.voters,
                tally.voters - voters
            ));
        }
        if recount.options() > tally.options.len() {
            differs.push("the log has votes for an option that the poll does not have".to_owned());
        }
        let state = if tally.is_final { "final" } else { "not final" };
        if differs.is_empty() {
            let words = format!(
                "the entries add up to the published result (version {}, {state}): {voters} people",
                tally.version
            );
            self.checks.good("tally", words);
            return true;
        }
        let differs = differs.join("; ");
        let is_ahead = !tally.is_final && tally.voters > voters;
        match last {
            None => return false,
            Some(true) if !is_ahead => {
                let words = format!(
                    "the published result (version {}, {state}) is not that of the log: {differs}",
                    tally.version
                );
                self.checks.wrong("tally", words);
            }
            Some(true) => {
                let words = format!(
                    "the published result is ahead of the log, which has not grown for {STANDS_STILL} s: {differs}. What was counted must \
                     be in the log within a minute; run this again then"
                );
                self.checks.unknown("tally", words);
            }
            Some(false) => {
                let words = format!(
                    "ballots are being counted, so result and log could not be compared: {differs}. Run this again later"
                );
                self.checks.unknown("tally", words);
            }
        }
        true
    }

    /// Checks as much as is possible without the entries.
    fn check_hidden(
        &mut self,
        head: Head,
        seen: Option<&Seen>,
        wanted: WantedList,
        why: &str,
    ) -> Head {
        let read = |id, width| self.site.log(&tile_path(id, width)).ok();
        let is_prefix = |old: &SeenCheckpoint| {
            let root = votestream_transparency::Hash::parse_hash(&old.root);
            let root = root.map_err(|_| ProofError::NoPrefix)?;
            check_append_only(Head { size: old.size, root }, head, &read).map(|()| true)
        };
        self.check_history(head, seen, &is_prefix);
        let words = match why {
            "deleted" => {
                "the entries were deleted when the poll was sealed or its votes were erased: nobody can count them again"
            }
            _ => {
                "the entries are hidden as long as the results are: count them again once the results are shown"
            }
        };
        self.checks.unknown("entries", words);
        let judge = |it: Wanted| it.judge_hidden(self.site, head, now_ms());
        self.report.receipts = wanted.into_iter().map(judge).collect();
        head
    }

    /// The state of the log to remember; nothing if the log contradicts what was seen before.
    fn remember(&mut self, log: &Log, head: Head, seen: Option<&Seen>) -> Option<Seen> {
        let is_contradiction =
            self.checks.0.iter().any(|it| it.check == "history" && it.verdict == Verdict::Wrong);
        if is_contradiction {
            self.report.evidence.push(self.note.clone());
            return None;
        }
        let mut new = seen.cloned().unwrap_or_default();
        new.origin.clone_from(&log.origin);
        let published = log.published.as_lines().iter().filter(|_| !log.is_pinned);
        for key in log.trusted.as_lines().iter().chain(published) {
            if !new.keys.contains(key) {
                new.keys.push(key.clone());
            }
        }
        new.add(SeenCheckpoint {
            size: head.size,
            root: head.root.to_string(),
            note: self.note.clone(),
            seen_at: rfc3339(now_ms()),
        });
        Some(new)
    }
}

/// The keys that are believed: those that were given, and those seen before. When a log is seen for the first time and no key
/// is given, those that it publishes.
fn trusted(
    options: &Options,
    seen: Option<&Seen>,
    published: &PublicKeys,
    origin: &str,
) -> Result<PublicKeys, KeyError> {
    if options.keys.is_empty() && seen.is_none() {
        return Ok(published.clone());
    }
    let seen = seen.map(|seen| seen.keys.clone()).unwrap_or_default();
    let all = options.keys.iter().cloned().chain(seen);
    PublicKeys::new(all)?.under(origin)
}

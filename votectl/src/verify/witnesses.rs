//! Signatures of witnesses, who saw the log too: they notice what one visitor alone cannot, that others are shown another log.

use std::time::Duration;

use votestream_transparency::checkpoint::{self, Head};
use votestream_transparency::proofs::{ProofError, check_append_only};
use votestream_transparency::tree::tile_path;
use votestream_transparency::witness::WitnessKey;

use super::remote::{RemoteError, Site};
use super::report::Checks;

/// The name of the check.
const CHECK: &str = "witnesses";
/// Replicas of the dashboard may be behind each other for so long.
const REPLICAS_DIFFER_FOR: Duration = Duration::from_secs(2);

/// The newest checkpoint that witnesses have signed.
#[derive(Debug)]
pub(super) struct Cosigned {
    pub(super) note: String,
    pub(super) head: Head,
}

impl Cosigned {
    /// Reads it, and then the newest checkpoint. `None` in its place if there is none, or if the log has not signed it. `open` checks
    /// the signature of the log.
    pub(super) fn read(
        site: &Site,
        open: &dyn Fn(&str) -> Result<Head, checkpoint::Error>,
        checks: &mut Checks,
    ) -> Result<(Option<Self>, String), RemoteError> {
        let cosigned = match site.log_text("cosigned") {
            Ok(note) => Some(note),
            Err(error) if error.status().is_some_and(|(status, _)| status == 404) => None,
            Err(error) => return Err(error),
        };
        let mut newest = site.log_text("checkpoint")?;
        let Some(note) = cosigned else { return Ok((None, newest)) };
        let head = match open(&note) {
            Ok(head) => head,
            // The newest checkpoint is signed with it as well, and says so.
            Err(checkpoint::Error::UnknownKey) => return Ok((None, newest)),
            Err(error) => {
                checks.wrong(CHECK, format!("of the checkpoint that witnesses signed: {error}"));
                return Ok((None, newest));
            }
        };
        if open(&newest).is_ok_and(|newest| newest.size < head.size) {
            std::thread::sleep(REPLICAS_DIFFER_FOR);
            newest = site.log_text("checkpoint")?;
        }
        Ok((Some(Self { note, head }), newest))
    }

    /// Returns whether the log that is shown here continues the one that witnesses have signed, as its tiles prove. Says so where it does
    /// not; `None` if that cannot be found out.
    pub(super) fn is_continued(
        &self,
        shown: Head,
        site: &Site,
        checks: &mut Checks,
    ) -> Option<bool> {
        let read = |id, width| site.log(&tile_path(id, width)).ok();
        match check_append_only(self.head, shown, &read) {
            Ok(()) => Some(true),
            Err(ProofError::NoPrefix) => {
                let words = format!(
                    "FORK: witnesses have signed a log with {} entries, and this log with {} entries is not its continuation. The two \
                     signed checkpoints are the evidence",
                    self.head.size, shown.size
                );
                checks.wrong(CHECK, words);
                Some(false)
            }
            Err(error) => {
                let words =
                    format!("the log that witnesses have signed could not be compared: {error}");
                checks.unknown(CHECK, words);
                None
            }
        }
    }
}

/// Says of each of these witnesses whether it has signed this log. The log continues `cosigned`.
pub(super) fn judge(
    keys: &[WitnessKey],
    cosigned: Option<&Cosigned>,
    shown: Head,
    checks: &mut Checks,
) {
    for key in keys {
        let name = key.name();
        let found = match cosigned {
            Some(cosigned) => key.find(&cosigned.note),
            None => Ok(None),
        };
        let signed = cosigned.map_or(0, |it| it.head.size);
        match found {
            Ok(Some(found)) => {
                let at = i64::try_from(found.at_s).ok();
                let at = at.and_then(|at_s| jiff::Timestamp::from_second(at_s).ok());
                let at = at.map_or_else(|| "an unknown time".to_owned(), |at| at.to_string());
                let words = format!(
                    "{name} saw the same log: at {at} it signed the checkpoint of {signed} of the {} entries",
                    shown.size
                );
                checks.good(CHECK, words);
            }
            Ok(None) => checks.unknown(
                CHECK,
                format!("{name} has not signed the newest checkpoint that witnesses have signed, or there is none"),
            ),
            Err(error) => checks.wrong(CHECK, format!("of the checkpoint that {name} signed: {error}")),
        }
    }
}

//! Compares the ballots of polls that closed with their votes in Postgres, voter by voter.

use std::collections::{BTreeMap, HashMap};

use anyhow::Context as _;
use tokio_postgres::Client;
use uuid::Uuid;
use votestream_loadtest::{Findings, NamedFinding};
use votestream_schema::poll::voter_key::PollSecret;

use super::ledger::{Cast, PollLedger};
use super::state::ClosingPoll;

/// Compares each poll. Adds the differences to the findings.
///
/// # Errors
/// Returns the error of Postgres.
pub(super) async fn compare(
    client: &Client,
    polls: &BTreeMap<String, ClosingPoll>,
    (findings, named): (&mut Findings, &mut Vec<NamedFinding>),
) -> anyhow::Result<()> {
    for (slug, poll) in polls {
        let sql = "SELECT s.secret FROM poll_secrets s JOIN polls ON id = poll_id WHERE slug = $1";
        let row = client.query_opt(sql, &[slug]).await?;
        let row = row.with_context(|| format!("postgres has no poll {slug} any more"))?;
        let secret = PollSecret::read(row.get(0)).context("the secret of a poll is too short")?;
        let sql = "SELECT voter, choices FROM votes JOIN polls ON id = poll_id WHERE slug = $1";
        let rows = client.query(sql, &[slug]).await?;
        let votes = rows.iter().map(|row| (row.get(0), row.get(1))).collect();
        let found = differences(&poll.ledger, &secret, votes, findings);
        let found = found.into_iter().map(|(finding, voter, expected, found)| NamedFinding {
            finding: finding.to_owned(),
            who: format!("{voter} in poll {slug}"),
            expected,
            found,
        });
        named.extend(found);
    }
    Ok(())
}

/// The kind of a difference, the voter's key, the expected and the stored choices.
type Difference = (&'static str, Uuid, String, String);

fn differences(
    ledger: &PollLedger,
    secret: &PollSecret,
    mut votes: HashMap<Uuid, i64>,
    findings: &mut Findings,
) -> Vec<Difference> {
    let mut found = Vec::new();
    for (voter, option, answer) in ledger.ballots() {
        let (key, wanted) = (secret.key_of(voter).0, 1_i64 << option);
        match (votes.remove(&key), answer) {
            (None, Cast::Acknowledged) => {
                findings.lost += 1;
                found.push(("lost", key, wanted.to_string(), "none".to_owned()));
            }
            (Some(stored), _) if stored != wanted => {
                findings.wrong_choice += 1;
                found.push(("wrong_choice", key, wanted.to_string(), stored.to_string()));
            }
            (None, Cast::Unknown) => findings.indeterminate_absent += 1,
            (Some(_), Cast::Unknown) => findings.indeterminate_counted += 1,
            (Some(_), Cast::Acknowledged) => {}
        }
    }
    for (voter, stored) in votes {
        findings.phantom += 1;
        found.push(("phantom", voter, "none".to_owned(), stored.to_string()));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use votestream_schema::VoterId;

    #[test]
    fn each_difference_is_found_and_named() {
        let (secret, mut ledger) = (PollSecret::generate(), PollLedger::default());
        let voters: Vec<VoterId> = (0..5).map(|_| VoterId::new()).collect();
        let answers = [Cast::Acknowledged, Cast::Acknowledged, Cast::Unknown, Cast::Unknown];
        for (voter, answer) in voters.iter().zip(answers) {
            ledger.cast(*voter, 1, answer);
        }
        let key = |nth: usize| secret.key_of(voters[nth]).0;
        // The first is lost, the second has another choice, the third is counted, and nobody cast the last.
        let votes = HashMap::from([(key(1), 1), (key(2), 2), (key(4), 2)]);
        let mut findings = Findings::default();
        let found = differences(&ledger, &secret, votes, &mut findings);
        assert_eq!((findings.lost, findings.wrong_choice, findings.phantom), (1, 1, 1));
        assert_eq!((findings.indeterminate_counted, findings.indeterminate_absent), (1, 1));
        assert_eq!(found.len(), 3);
    }
}

//! The same entries give the same rows and tallies in any order, in any batches, and with any repetitions; and what is queued for the
//! public log adds up to the same.

mod log;

use std::collections::BTreeMap;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Value, json};
use tokio::runtime::Runtime;
use tokio_postgres::Client;
use uuid::Uuid;
use votestream_consumer::pipeline::batch;
use votestream_consumer::pipeline::log_record::LogRecord;
use votestream_consumer::pipeline::store::Store;
use votestream_consumer::polls::Polls;
use votestream_consumer::streams::entry::Entry;
use votestream_schema::poll::VotePolicy;
use votestream_schema::{Ballot, EntryId, Poll, VoterKey, codec};
use votestream_transparency::entry::{LogEntry, Nonce, StreamEntry};
use votestream_transparency::recount::{Contradiction, Recount};

use crate::support::{TestDeployment, ballot, create_poll, results_equal_recount};

const OPENS_MS: i64 = 1_600_000_000_000;
const CLOSES_MS: i64 = OPENS_MS + 5_000;
const CASES: u32 = 24;

/// One ballot that a voter submits, and its time.
#[derive(Clone, Debug)]
struct Submission {
    voter: usize,
    /// The chosen option, and further ones where the poll allows several.
    choice: u8,
    /// Milliseconds after the poll opens.
    at_ms: i64,
}

/// The submissions; those that were sent again in an entry of their own, with its time, because the sender did not know
/// whether the first one had arrived; and the delivered entries as indices, in batches.
type Case = (Vec<Submission>, Vec<(Index, i64)>, Vec<Vec<usize>>);

fn cases() -> impl Strategy<Value = Case> {
    let submission = (0..4_usize, 0..6_u8, -500..5_500_i64)
        .prop_map(|(voter, choice, at_ms)| Submission { voter, choice, at_ms });
    (vec(submission, 1..14), vec((any::<Index>(), 0..5_000_i64), 0..5))
        .prop_flat_map(|(submissions, sent_again)| {
            let all: Vec<usize> = (0..submissions.len() + sent_again.len()).collect();
            let delivered = vec(any::<Index>(), 0..8).prop_map(move |again| {
                let again = again.iter().map(|index| index.index(all.len()));
                all.iter().copied().chain(again).collect::<Vec<_>>()
            });
            let delivered = delivered.prop_shuffle();
            (Just(submissions), Just(sent_again), delivered, vec(1..6_usize, 26))
        })
        .prop_map(|(submissions, sent_again, delivered, sizes)| {
            let mut rest = delivered.as_slice();
            let mut batches = Vec::new();
            for size in sizes {
                let (batch, others) = rest.split_at(size.min(rest.len()));
                batches.push(batch.to_vec());
                rest = others;
            }
            (submissions, sent_again, batches)
        })
}

/// The content that Postgres must have in the end.
#[derive(Debug, Default, PartialEq, Eq)]
struct StoredVotes {
    /// For each voter: choices, entry ID and ballot ID.
    votes: BTreeMap<Uuid, (i64, i64, i64, Uuid)>,
    /// Votes by option position and people by second, without zeros.
    tally: BTreeMap<i16, i64>,
    series: BTreeMap<i64, i64>,
    voters: i64,
    set_aside: BTreeMap<Uuid, String>,
}

/// The naive model: decides from all ballots of a voter at once.
fn model(poll: &Poll, cast: &[(Ballot, EntryId)]) -> StoredVotes {
    let mut stored = StoredVotes::default();
    let mut by_voter: BTreeMap<VoterKey, Vec<(EntryId, Ballot)>> = BTreeMap::new();
    for (ballot, entry) in cast {
        if (OPENS_MS..CLOSES_MS).contains(&entry.ms) {
            by_voter.entry(ballot.voter).or_default().push((*entry, *ballot));
        } else {
            stored.set_aside.insert(ballot.id.0, "out_of_time".to_owned());
        }
    }
    for (voter, mut ballots) in by_voter {
        ballots.sort_by_key(|(entry, _)| *entry);
        if poll.vote_policy.replaces() {
            ballots.reverse();
        }
        let (entry, standing) = ballots[0];
        let vote = (standing.choices.mask(), entry.ms, entry.seq, standing.id.0);
        stored.votes.insert(voter.0, vote);
        stored.voters += 1;
        *stored.series.entry(entry.ms / 1_000).or_default() += 1;
        for position in 0..poll.options.len() {
            if standing.choices.mask() & (1 << position) != 0 {
                *stored.tally.entry(position as i16).or_default() += 1;
            }
        }
        let others = ballots[1..].iter().map(|(_, ballot)| ballot.id.0);
        let others = others.filter(|ballot| *ballot != standing.id.0);
        stored.set_aside.extend(others.map(|ballot| (ballot, "superseded".to_owned())));
    }
    stored
}

async fn read_stored(sql: &Client, poll: &Poll) -> StoredVotes {
    let poll = poll.id.0;
    let ask = async |text: &str| sql.query(text, &[&poll]).await.expect("Postgres answers");
    let votes =
        ask("SELECT voter, choices, entry_ms, entry_seq, ballot FROM votes WHERE poll_id = $1");
    let tally = ask("SELECT position, votes FROM tally WHERE poll_id = $1 AND votes <> 0");
    let series = ask("SELECT second, votes FROM series WHERE poll_id = $1 AND votes <> 0");
    let voters = ask("SELECT voters FROM poll_tally WHERE poll_id = $1");
    let set_aside = ask("SELECT ballot, reason FROM set_aside WHERE poll_id = $1");
    StoredVotes {
        votes: votes
            .await
            .iter()
            .map(|row| (row.get(0), (row.get(1), row.get(2), row.get(3), row.get(4))))
            .collect(),
        tally: tally.await.iter().map(|row| (row.get(0), row.get(1))).collect(),
        series: series.await.iter().map(|row| (row.get(0), row.get(1))).collect(),
        voters: voters.await[0].get(0),
        set_aside: set_aside.await.iter().map(|row| (row.get(0), row.get(1))).collect(),
    }
}

/// Counts the poll again from the ballots that are queued for its public log. Returns votes by option and the number of people, or
/// the contradiction that the queue has.
async fn read_log_queue(
    sql: &Client,
    poll: &Poll,
) -> Result<(BTreeMap<i16, i64>, i64), Contradiction> {
    let ask = "SELECT ballots FROM log_queue WHERE poll_id = $1 ORDER BY id";
    let rows = sql.query(ask, &[&poll.id.0]).await.expect("Postgres answers");
    let mut recount = Recount::default();
    for row in rows {
        for record in LogRecord::read_all(row.get(0)).expect("the rows can be read") {
            let LogRecord { outcome, entry, ballot, choices, replaces } = record;
            let replaces = replaces.map(|id| StreamEntry { id, ..entry });
            let nonce = Nonce([0; 16]);
            recount.add(&LogEntry { outcome, entry, ballot, choices, replaces, nonce })?;
        }
    }
    let votes = (0..poll.options.len()).map(|position| (position as i16, recount.votes(position)));
    Ok((votes.filter(|(_, votes)| *votes != 0).collect(), recount.voters() as i64))
}

async fn deliver(store: &Store, polls: &Polls, entries: &[Entry]) {
    let batch = batch::sort(entries, polls);
    assert!(batch.dead.is_empty(), "{:?}", batch.dead);
    store.count(&batch.votes, &batch.set_aside).await.expect("Postgres counts");
}

async fn check(
    store: &Store,
    sql: &mut Client,
    changes: Value,
    case: &Case,
) -> Result<(), TestCaseError> {
    let (submissions, sent_again, batches) = case;
    let poll = create_poll(sql, changes).await;
    let polls = Polls::from([(poll.id, std::sync::Arc::new(poll.clone()))]);
    let voters: [VoterKey; 4] = std::array::from_fn(|_| VoterKey::new());
    let mut cast: Vec<(Ballot, EntryId)> = submissions
        .iter()
        .enumerate()
        .map(|(seq, submission)| {
            // Masks with two of three options: 011, 101, 110; with one: 001, 010, 100.
            let one = 1 << (submission.choice % 3);
            let mask = match submission.choice < 3 || poll.choices_max == 1 {
                true => one,
                false => 0b111 & !one,
            };
            let entry = EntryId { ms: OPENS_MS + submission.at_ms, seq: seq as i64 };
            (ballot(&poll, voters[submission.voter], mask), entry)
        })
        .collect();
    for (index, at_ms) in sent_again {
        let (ballot, first) = *index.get(&cast[..submissions.len()]);
        // A ballot that was too early or too late is so again when it is replayed.
        let in_time = (OPENS_MS..CLOSES_MS).contains(&first.ms);
        let ms = if in_time { OPENS_MS + at_ms } else { first.ms };
        cast.push((ballot, EntryId { ms, seq: cast.len() as i64 }));
    }
    for batch in batches {
        let entries: Vec<Entry> = batch
            .iter()
            .map(|index| {
                let (ballot, entry) = &cast[*index];
                let fields = vec![codec::FIELD_BALLOT.into(), codec::encode(ballot).into()];
                Entry { partition: 0, id: entry.to_string(), fields, oversized: None }
            })
            .collect();
        deliver(store, &polls, &entries).await;
    }
    let model = model(&poll, &cast);
    prop_assert_eq!(&read_stored(sql, &poll).await, &model);
    prop_assert_eq!(read_log_queue(sql, &poll).await, Ok((model.tally, model.voters)));
    results_equal_recount(sql, &poll).await;
    Ok(())
}

fn any_delivery_gives_what_the_model_says(changes: &Value) {
    let runtime = Runtime::new().expect("a runtime starts");
    let (store, mut sql) = runtime.block_on(async {
        let deployment = TestDeployment::new().await;
        let (store, _) = deployment.store(10_000).await;
        let sql = deployment.sql().await;
        (store, sql)
    });
    let options = ["a", "b", "c"].map(|slug| json!({"slug": slug, "label": slug}));
    let mut definition = json!({
        "options": options,
        "opens_at": "2020-09-13T12:26:40Z",
        "closes_at": "2020-09-13T12:26:45Z",
    });
    for (name, value) in changes.as_object().expect("changes are an object") {
        definition[name] = value.clone();
    }
    let config = Config { cases: CASES, failure_persistence: None, ..Config::default() };
    let sql = std::cell::RefCell::new(&mut sql);
    let outcome = TestRunner::new(config).run(&cases(), |case| {
        let mut sql = sql.borrow_mut();
        runtime.block_on(check(&store, &mut sql, definition.clone(), &case))
    });
    outcome.unwrap_or_else(|failure| panic!("{failure}"));
}

/// The first ballot, or the newest, as the policy says.
#[test]
fn the_same_ballot_stands_in_whatever_way_entries_are_delivered() {
    for policy in VotePolicy::ALL {
        any_delivery_gives_what_the_model_says(&json!({"vote_policy": policy}));
    }
}

#[test]
fn several_choices_are_tallied_in_whatever_way_entries_are_delivered() {
    let changes = json!({"vote_policy": "replace", "choices_min": 1, "choices_max": 2});
    any_delivery_gives_what_the_model_says(&changes);
}

//! Somebody has the producer's Redis user: what he writes there changes no result, is repaired, and is reported.

use std::time::Duration;

use redis::AsyncCommands;
use serde_json::json;
use testkit::eventually;
use uuid::Uuid;
use votestream_schema::code::{Code, CodeHash};
use votestream_schema::projection::{self, Rules};
use votestream_schema::{Ballot, BallotId, Choices, Poll, VoterKey, db};

use crate::support::{Program, SOON, TestDeployment, voters, wait_for_dead_letters};

const CODES: usize = 20;

/// A deployment with the users that are shipped, and a poll with voting codes.
struct Forged {
    /// The server ends when this is dropped.
    server: testkit::RedisServer,
    deployment: TestDeployment,
    codes: Vec<Code>,
    consumer: Program,
}

impl Forged {
    async fn start() -> Self {
        let server = testkit::own_redis();
        let database_url = testkit::database().await;
        let changes = json!({ "voter_policy": "code" });
        let deployment = TestDeployment::on(server.url(), database_url, 2, changes).await;
        let deployment = deployment.with_shipped_prefix();
        let codes: Vec<Code> = (0..CODES).map(|_| Code::generate()).collect();
        let hashes =
            codes.iter().map(|code| CodeHash::of(code.key_in(&deployment.poll).unwrap()).0);
        let hashes: Vec<Uuid> = hashes.collect();
        let sql = deployment.sql().await;
        let insert = "INSERT INTO voting_codes (poll_id, hash) SELECT $1, unnest($2::uuid[])";
        sql.execute(insert, &[&deployment.poll.id.0, &hashes]).await.unwrap();
        let user = server.url_at("consumer", server.port()).unwrap();
        let consumer = deployment.spawn(&[&format!("--redis-url={user}"), "--audit-ms=200"]);
        consumer.ready().await;
        let forged = Self { server, deployment, codes, consumer };
        forged.eventually_all_codes().await;
        forged
    }

    /// Connects as the producer, with the rights that are shipped.
    async fn producer(&self) -> redis::aio::MultiplexedConnection {
        let url = self.server.url_at("producer", self.server.port()).unwrap();
        testkit::redis_connection(&url).await
    }

    fn ballot(&self, voter: VoterKey) -> Ballot {
        let choices = Choices::from_mask(1).unwrap();
        Ballot { poll: self.deployment.poll.id, voter, id: BallotId::new(), choices }
    }

    /// Appends ballots as the producer's user can, with their counter.
    async fn forge(&self, ballots: &[Ballot]) {
        self.deployment.add_at(&mut self.producer().await, ballots).await;
    }

    async fn codes_in_redis(&self) -> Vec<Vec<u8>> {
        let mut redis = self.deployment.redis().await;
        let mut members = Vec::new();
        for partition in 0..self.deployment.partitions {
            let key = self.deployment.keys.code_hashes(partition, self.deployment.poll.id);
            members.extend(redis.smembers::<_, Vec<Vec<u8>>>(key).await.unwrap());
        }
        members
    }

    async fn eventually_all_codes(&self) {
        let poll = &self.deployment.poll;
        let right = self.codes.iter().map(|code| CodeHash::of(code.key_in(poll).unwrap()).0);
        let mut right: Vec<Vec<u8>> = right.map(|hash| hash.as_bytes().to_vec()).collect();
        right.sort();
        eventually(SOON, async || {
            let mut found = self.codes_in_redis().await;
            found.sort();
            if found == right { Ok(()) } else { Err(format!("{} codes", found.len())) }
        })
        .await;
    }

    async fn repaired(&self, what: &str) -> f64 {
        let name = "votestream_copies_repaired_total";
        self.consumer.metric(name, &format!("what=\"{what}\"")).await.unwrap_or(0.0)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ballot_counts_only_for_a_voting_code_in_postgres() {
    let forged = Forged::start().await;
    let Forged { deployment, codes, consumer, .. } = &forged;
    let poll = &deployment.poll;
    // Two voters with codes, invented voters, and voters as one would make them of the hashes in Redis.
    let honest: Vec<Ballot> =
        codes[..2].iter().map(|code| forged.ballot(code.key_in(poll).unwrap())).collect();
    let invented: Vec<Ballot> = (0..6).map(|_| forged.ballot(VoterKey::new())).collect();
    let read = forged.codes_in_redis().await;
    let from_hashes: Vec<Ballot> =
        read.iter().map(|hash| forged.ballot(VoterKey(Uuid::from_slice(hash).unwrap()))).collect();
    assert_eq!(from_hashes.len(), CODES);
    forged.forge(&[honest.clone(), invented, from_hashes].concat()).await;
    wait_for_dead_letters(deployment, 6 + CODES).await;
    deployment.settles_at(2).await;
    let letter = &deployment.dead_letters().await[0];
    let reason = String::from_utf8_lossy(&letter["reason"]).into_owned();
    assert!(reason.contains("needs voting codes"), "{reason}");

    // All of them were too many, since no producer had accepted one; and every vote has a code.
    let metric = async |name: &str, wanted: f64| {
        eventually(SOON, async || {
            deployment.audit_is_due().await;
            match consumer.metric(name, "").await {
                Some(value) if value == wanted => Ok(()),
                other => Err(format!("{name}: {other:?}")),
            }
        })
        .await;
    };
    metric("votestream_audit_surplus_ballots", 2.0).await;
    metric("votestream_audit_votes_without_code", 0.0).await;
    // The counter of accepted ballots is in Redis, and so is no proof against this user.
    let mut producer = forged.producer().await;
    let _: i64 = producer.hincr(deployment.keys.accepted(0), poll.id.0, 2).await.unwrap();
    metric("votestream_audit_surplus_ballots", 0.0).await;
    // A vote that somebody wrote into the table itself.
    let sql = deployment.sql().await;
    let vote = "INSERT INTO votes (poll_id, voter, choices, entry_ms, entry_seq, ballot) \
                VALUES ($1, gen_random_uuid(), 1, 1, 1, gen_random_uuid())";
    sql.execute(vote, &[&poll.id.0]).await.unwrap();
    metric("votestream_audit_votes_without_code", 1.0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revoked_code_is_good_for_the_ballots_before_only() {
    let forged = Forged::start().await;
    let Forged { deployment, codes, .. } = &forged;
    let poll = &deployment.poll;
    let mut redis = deployment.redis().await;
    let (seconds, _): (i64, i64) = redis::cmd("TIME").query_async(&mut redis).await.unwrap();
    let revoke = async |code: &Code, at_ms: i64| {
        let update = "UPDATE voting_codes SET revoked_at_ms = $2 WHERE hash = $1";
        let hash = CodeHash::of(code.key_in(poll).unwrap()).0;
        let sql = deployment.sql().await;
        assert_eq!(sql.execute(update, &[&hash, &at_ms]).await.unwrap(), 1);
    };
    revoke(&codes[0], (seconds - 60) * 1_000).await;
    revoke(&codes[1], (seconds + 60) * 1_000).await;
    let ballots: Vec<Ballot> =
        codes[..3].iter().map(|code| forged.ballot(code.key_in(poll).unwrap())).collect();
    forged.forge(&ballots).await;
    wait_for_dead_letters(deployment, 1).await;
    deployment.settles_at(2).await;
    // Both leave Redis, too.
    eventually(SOON, async || match forged.codes_in_redis().await.len() {
        18 => Ok(()),
        other => Err(other),
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn codes_that_were_lost_or_added_in_redis_are_repaired() {
    let forged = Forged::start().await;
    let Forged { deployment, codes, .. } = &forged;
    let poll = &deployment.poll;
    let mut redis = deployment.redis().await;
    for code in &codes[..12] {
        let hash = CodeHash::of(code.key_in(poll).unwrap());
        let key = deployment.keys.code_hashes(hash.partition(deployment.partitions), poll.id);
        let removed: i64 = redis.srem(key, hash.0.as_bytes().as_slice()).await.unwrap();
        assert_eq!(removed, 1);
    }
    let mine = CodeHash::of(VoterKey::new());
    let key = deployment.keys.code_hashes(mine.partition(deployment.partitions), poll.id);
    let _: i64 = redis.sadd(key, mine.0.as_bytes().as_slice()).await.unwrap();
    forged.eventually_all_codes().await;
    assert!(forged.repaired("code").await >= 13.0);
}

async fn rules(
    deployment: &TestDeployment,
    partition: u16,
    poll: impl redis::ToSingleRedisArg + Send + Sync,
) -> Option<String> {
    deployment.redis().await.hget(deployment.keys.rules(partition), poll).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn rules_that_postgres_does_not_know_are_replaced_whatever_their_revision() {
    let forged = Forged::start().await;
    let Forged { deployment, .. } = &forged;
    let Poll { id, .. } = deployment.poll;
    let right = Rules::of(&deployment.poll).encode();
    let before = forged.repaired("rules").await;
    let wrong = [
        "2147483647 0 1 keep_first open",
        "2147483647 0 9007199254740991 keep_first open",
        "1 0 1 keep_first open",
        "\u{1}",
        "",
    ];
    for (round, wrong) in (1..).zip(wrong) {
        let mut producer = forged.producer().await;
        let _: i64 = producer.hset(deployment.keys.rules(1), id.0, wrong).await.unwrap();
        let _: i64 = producer.hset(deployment.keys.rules(1), "99", wrong).await.unwrap();
        eventually(SOON, async || {
            let found = (rules(deployment, 1, id.0).await, rules(deployment, 1, "99").await);
            if found == (Some(right.clone()), None) { Ok(()) } else { Err(found) }
        })
        .await;
        // The repair is counted once Redis has answered.
        eventually(SOON, async || match forged.repaired("rules").await {
            repaired if repaired >= before + f64::from(2 * round) => Ok(()),
            repaired => Err(repaired),
        })
        .await;
    }
    // A text that is not UTF-8, under a name that is not.
    let mut producer = forged.producer().await;
    let bytes: &[u8] = b"\xff\xfe";
    let _: i64 = producer.hset(deployment.keys.rules(0), bytes, bytes).await.unwrap();
    let _: i64 = producer.hset(deployment.keys.polls(), bytes, bytes).await.unwrap();
    let _: i64 = producer.hset(deployment.keys.polls(), "forged", "{}").await.unwrap();
    let slug = deployment.poll.slug.as_str();
    let _: i64 = producer.hset(deployment.keys.polls(), slug, "{}").await.unwrap();
    eventually(SOON, async || {
        let mut redis = deployment.redis().await;
        let rules: usize = redis.hlen(deployment.keys.rules(0)).await.unwrap();
        let definitions: usize = redis.hlen(deployment.keys.polls()).await.unwrap();
        let ours: Option<String> = redis.hget(deployment.keys.polls(), slug).await.unwrap();
        let ours = ours.and_then(|json| projection::read_definition(&json).ok());
        let is_right = ours.as_ref() == Some(&deployment.poll);
        if (rules, definitions, is_right) == (1, 1, true) {
            Ok(())
        } else {
            Err((rules, definitions))
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_of_an_operator_is_not_taken_for_a_forgery() {
    let forged = Forged::start().await;
    let Forged { deployment, .. } = &forged;
    let poll = &deployment.poll;
    let mut sql = deployment.sql().await;
    let transaction = sql.transaction().await.unwrap();
    let locked = db::polls::lock(transaction.client(), &poll.slug).await.unwrap().unwrap();
    let closed = Poll {
        closes_at_ms: Some(votestream_schema::poll::now_ms() + 3_600_000),
        revision: locked.revision + 1,
        ..locked
    };
    let newer = Rules::of(&closed).encode();
    let mut redis = deployment.redis().await;
    let _: i64 = redis.hset(deployment.keys.rules(0), poll.id.0, &newer).await.unwrap();
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(rules(deployment, 0, poll.id.0).await.as_ref(), Some(&newer));
    db::polls::set_times(transaction.client(), &closed).await.unwrap();
    transaction.commit().await.unwrap();
    eventually(SOON, async || {
        let found = rules(deployment, 1, poll.id.0).await;
        if found.as_ref() == Some(&newer) { Ok(()) } else { Err(found) }
    })
    .await;
    assert_eq!(rules(deployment, 0, poll.id.0).await.as_ref(), Some(&newer));
    assert_eq!(voters(&deployment.sql().await, poll).await, 0);

    // An operator who is gone before the end of the change has changed nothing.
    let later = Rules { revision: closed.revision + 1, ..Rules::of(&closed) }.encode();
    let _: i64 = redis.hset(deployment.keys.rules(0), poll.id.0, &later).await.unwrap();
    eventually(SOON, async || {
        let found = rules(deployment, 0, poll.id.0).await;
        if found.as_ref() == Some(&newer) { Ok(()) } else { Err(found) }
    })
    .await;
}

/// The counters agree over a loss if somebody forges as many ballots; the register and the votes do not.
#[tokio::test(flavor = "multi_thread")]
async fn the_standing_audit_finds_a_loss_behind_a_forgery() {
    let deployment = TestDeployment::new().await;
    let consumer = deployment.spawn(&["--audit-ms=200"]);
    consumer.ready().await;
    let mut redis = deployment.redis().await;
    let ballots = deployment.ballots(31);
    let mut register = async |ballot: &Ballot, entry: &str| {
        let partition = ballot.voter.partition(deployment.partitions);
        let key = deployment.keys.register(partition, ballot.poll, ballot.voter);
        let line = format!("{} {:08x} {entry}", ballot.choices.mask(), ballot.id.tag());
        let _: i64 = redis.hset(key, ballot.voter.0.as_bytes().as_slice(), line).await.unwrap();
    };
    for ballot in &ballots[..30] {
        register(ballot, "1700000000000-0").await;
    }
    deployment.add(&ballots[..30]).await;
    deployment.settles_at(30).await;
    let metric = async |wanted: f64| {
        eventually(SOON, async || {
            deployment.audit_is_due().await;
            match consumer.metric("votestream_audit_unaccounted_voters", "").await {
                Some(value) if value == wanted => Ok(()),
                other => Err(other),
            }
        })
        .await;
    };
    metric(0.0).await;
    register(&ballots[30], "1700000000000-1").await;
    metric(1.0).await;
    // It was only late, or an operator brought it back.
    deployment.add(&ballots[30..]).await;
    deployment.settles_at(31).await;
    metric(0.0).await;
}

//! The schema on a real Postgres.
#![cfg(feature = "db")]
#![expect(clippy::unwrap_used, reason = "a test may panic, its helpers too")]

use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, NoTls};
use votestream_schema::db::{self, Error};
use votestream_schema::poll::Definition;
use votestream_schema::{PollId, Slug};

async fn connect(url: &str) -> Client {
    let (client, driver) = tokio_postgres::connect(url, NoTls).await.unwrap();
    tokio::spawn(driver);
    client
}

async fn migrated() -> Client {
    let mut client = connect(&testkit::database().await).await;
    db::migrate(&mut client, None).await.unwrap();
    client
}

async fn pets(client: &mut Client) -> PollId {
    let text = r#"{"slug":"pets","title":"Pets?","options":[{"slug":"cats","label":"Cats"},{"slug":"dogs","label":"Dogs"}]}"#;
    let definition: Definition = serde_json::from_str(text).unwrap();
    let transaction = client.transaction().await.unwrap();
    let poll = db::polls::create(transaction.client(), &definition).await.unwrap();
    transaction.commit().await.unwrap();
    poll
}

#[tokio::test]
async fn migrating_twice_applies_once_and_fixes_the_partitions() {
    let mut client = connect(&testkit::database().await).await;
    assert!(matches!(db::partitions(&client).await, Err(Error::NotMigrated)));
    let first = db::migrate(&mut client, Some(7)).await.unwrap();
    assert_eq!((first.applied.first().copied(), first.partitions), (Some("polls_and_votes"), 7));
    let second = db::migrate(&mut client, None).await.unwrap();
    assert_eq!((second.applied.len(), second.partitions), (0, 7));
    let other = db::migrate(&mut client, Some(8)).await;
    assert!(matches!(other, Err(Error::PartitionsFixed { deployed: 7, asked: 8 })), "{other:?}");
    assert_eq!(db::partitions(&client).await.unwrap(), 7);
}

#[tokio::test]
async fn four_replicas_may_migrate_at_once() {
    let url = testkit::database().await;
    let migrate = async |url: &str| {
        let mut client = connect(url).await;
        db::migrate(&mut client, None).await.unwrap().applied.len()
    };
    let (a, b, c, d) = tokio::join!(migrate(&url), migrate(&url), migrate(&url), migrate(&url));
    let client = connect(&url).await;
    let sql = "SELECT count(*) FROM schema_migrations";
    let recorded: i64 = client.query_one(sql, &[]).await.unwrap().get(0);
    assert_eq!((a + b + c + d) as i64, recorded);
    assert!(recorded > 0);
}

/// The lock that a migration of the previous release holds; any role can.
const ADVISORY_LOCK: &str = "SELECT pg_advisory_lock(x'766f746573747265'::bigint)";

#[tokio::test]
async fn a_stranger_with_the_advisory_lock_stops_no_migration() {
    let url = testkit::database().await;
    let role = testkit::unique_name();
    let stranger = connect(&url).await;
    stranger.batch_execute(&format!("CREATE ROLE {role}; SET ROLE {role}")).await.unwrap();
    stranger.batch_execute(ADVISORY_LOCK).await.unwrap();
    let migrate = async || {
        let mut client = connect(&url).await;
        db::migrate(&mut client, None).await.unwrap().applied.len()
    };
    let (one, other) = tokio::join!(migrate(), migrate());
    assert!(one + other > 0);
    let since = std::time::Instant::now();
    assert_eq!(migrate().await, 0);
    assert!(since.elapsed().as_secs() < 3, "a database that is up to date needs no lock");
    // The lock that counts is that of a table on which such a role has no rights.
    let lock = "BEGIN; LOCK TABLE schema_migrations IN ACCESS SHARE MODE";
    let refused = stranger.batch_execute(lock).await.unwrap_err();
    assert_eq!(refused.code(), Some(&SqlState::INSUFFICIENT_PRIVILEGE));
}

/// The statements of a `votectl migrate` of the release before, up to its first migration.
#[tokio::test]
async fn a_migration_of_the_previous_release_is_waited_for() {
    const FIRST: &str = include_str!("../migrations/0001_polls_and_votes.sql");
    let url = testkit::database().await;
    let mut old = connect(&url).await;
    // Its advisory lock is taken, so that only the lock of the table can help.
    let stranger = connect(&url).await;
    stranger.batch_execute(ADVISORY_LOCK).await.unwrap();
    old.batch_execute(include_str!("../sql/schema_migrations.sql")).await.unwrap();
    let transaction = old.transaction().await.unwrap();
    let known = "SELECT checksum FROM schema_migrations WHERE version = 1";
    assert!(transaction.query_opt(known, &[]).await.unwrap().is_none());
    transaction.batch_execute(FIRST).await.unwrap();

    let new = tokio::spawn({
        let url = url.clone();
        async move { db::migrate(&mut connect(&url).await, None).await }
    });
    let waits =
        "SELECT FROM pg_locks WHERE NOT granted AND relation = 'schema_migrations'::regclass
                 AND mode = 'AccessExclusiveLock'";
    testkit::eventually(std::time::Duration::from_secs(30), async || {
        let found = stranger.query(waits, &[]).await.unwrap();
        if found.len() == 1 { Ok(()) } else { Err(found.len()) }
    })
    .await;
    let done = "INSERT INTO schema_migrations (version, name, checksum)
                VALUES (1, 'polls_and_votes', sha256(convert_to($1, 'UTF8')))";
    transaction.execute(done, &[&FIRST]).await.unwrap();
    transaction.commit().await.unwrap();
    let applied = new.await.unwrap().unwrap().applied;
    assert_eq!(applied.first(), Some(&"stream_positions"));
}

#[tokio::test]
async fn rewritten_history_is_noticed() {
    let mut client = migrated().await;
    client.batch_execute("UPDATE schema_migrations SET checksum = 'x'").await.unwrap();
    let outcome = db::migrate(&mut client, None).await;
    assert!(matches!(outcome, Err(Error::MigrationChanged { version: 1 })), "{outcome:?}");
}

#[tokio::test]
async fn a_created_poll_is_read_back_and_its_slug_is_taken() {
    let mut client = migrated().await;
    let id = pets(&mut client).await;
    let slug: Slug = "pets".parse().unwrap();
    let poll = db::polls::by_slug(&client, &slug).await.unwrap().unwrap();
    assert_eq!((poll.id, poll.options.len(), poll.revision), (id, 2, 1));
    let stored = db::polls::all(&client).await.unwrap();
    assert_eq!(stored.readable, std::slice::from_ref(&poll));
    assert_eq!(stored.unreadable, []);
    let text = r#"{"slug":"pets","title":"Other","options":[{"slug":"a","label":"A"},{"slug":"b","label":"B"},{"slug":"c","label":"C"}]}"#;
    let definition: Definition = serde_json::from_str(text).unwrap();
    let transaction = client.transaction().await.unwrap();
    let taken = db::polls::create(transaction.client(), &definition).await;
    assert!(matches!(taken, Err(Error::SlugTaken(_))), "{taken:?}");
    transaction.rollback().await.unwrap();
    let transaction = client.transaction().await.unwrap();
    assert_eq!(db::polls::update(transaction.client(), &definition).await.unwrap(), id);
    transaction.commit().await.unwrap();
    let updated = db::polls::by_slug(&client, &slug).await.unwrap().unwrap();
    assert_eq!((updated.title.as_str(), updated.options.len(), updated.revision), ("Other", 3, 2));
    let tally = db::results::tally(&client, id).await.unwrap();
    assert_eq!((tally.voters, tally.votes), (0, vec![0, 0, 0]));
}

/// As a newer release would leave it, of whose policies this one knows nothing.
#[tokio::test]
async fn a_poll_that_cannot_be_read_hides_no_other() {
    let mut client = migrated().await;
    let pets = pets(&mut client).await;
    let text = r#"{"slug":"food","title":"Food?","options":[{"slug":"a","label":"A"},{"slug":"b","label":"B"}]}"#;
    let definition: Definition = serde_json::from_str(text).unwrap();
    let transaction = client.transaction().await.unwrap();
    let food = db::polls::create(transaction.client(), &definition).await.unwrap();
    transaction.commit().await.unwrap();
    let sql = "ALTER TABLE polls DROP CONSTRAINT polls_vote_policy_check; \
               UPDATE polls SET vote_policy = 'ranked' WHERE slug = 'pets'";
    client.batch_execute(sql).await.unwrap();

    let stored = db::polls::all(&client).await.unwrap();
    let ids: Vec<PollId> = stored.readable.iter().map(|poll| poll.id).collect();
    assert_eq!(ids, [food]);
    let [unreadable] = stored.unreadable.as_slice() else { panic!("{stored:?}") };
    assert_eq!((unreadable.id, unreadable.slug.as_str()), (pets, "pets"));
    assert!(unreadable.reason.contains("`ranked` is none of keep_first, replace"), "{unreadable}");
    let alone = db::polls::by_slug(&client, &"pets".parse().unwrap()).await;
    assert!(matches!(alone, Err(Error::UnreadablePoll(_))), "{alone:?}");
}

#[tokio::test]
async fn options_cannot_change_after_the_first_vote() {
    let mut client = migrated().await;
    let id = pets(&mut client).await.0;
    let changes = [
        "UPDATE options SET slug = 'wolves' WHERE slug = 'dogs'",
        "DELETE FROM tally WHERE position = 1; DELETE FROM options WHERE position = 1",
        "INSERT INTO options (poll_id, position, slug, label) SELECT poll_id, 2, 'x', 'X' FROM poll_tally",
    ];
    let mut attempt = async |sql: &str| {
        let transaction = client.transaction().await.unwrap();
        let outcome = transaction.batch_execute(sql).await;
        transaction.rollback().await.unwrap();
        outcome.map_err(|error| db::describe(&error))
    };
    for change in changes {
        assert_eq!(attempt(change).await, Ok(()), "{change}");
    }
    let vote =
        format!("INSERT INTO votes VALUES ({id}, gen_random_uuid(), 1, 1, 0, gen_random_uuid());");
    for change in changes {
        let error = attempt(&format!("{vote} {change}")).await.unwrap_err();
        assert!(
            error.contains("cannot change: it has votes") && error.contains("23001"),
            "{error}"
        );
    }
    // A misspelt label means the same option when it is corrected.
    let correction = "UPDATE options SET label = 'Hounds' WHERE slug = 'dogs'";
    assert_eq!(attempt(&format!("{vote} {correction}")).await, Ok(()));
}

#[tokio::test]
async fn constraints_keep_out_what_the_model_does_not_allow() {
    let mut client = migrated().await;
    pets(&mut client).await;
    let refused = [
        "UPDATE polls SET slug = 'Not A Slug'",
        "UPDATE polls SET title = ''",
        "UPDATE polls SET title = repeat('x', 201)",
        "UPDATE polls SET choices_min = -1",
        "UPDATE polls SET choices_min = 0, choices_max = 0",
        "UPDATE polls SET choices_min = 2",
        "UPDATE polls SET choices_max = 64",
        "UPDATE polls SET vote_policy = 'last'",
        "UPDATE polls SET voter_policy = 'anyone'",
        "UPDATE polls SET visibility = 'never'",
        "UPDATE polls SET opens_at_ms = 5, closes_at_ms = 5",
        "UPDATE options SET colour = 'red'",
        "UPDATE options SET label = repeat('x', 201)",
        "UPDATE options SET slug = 'cats'",
        "INSERT INTO options (poll_id, position, slug, label) SELECT id, 63, 'x', 'X' FROM polls",
        "INSERT INTO tally (poll_id, position) SELECT id, 5 FROM polls",
        "INSERT INTO votes SELECT id, gen_random_uuid(), -1, 1, 0, gen_random_uuid() FROM polls",
        "INSERT INTO set_aside (ballot, poll_id, reason) SELECT gen_random_uuid(), id, 'disliked' FROM polls",
        "INSERT INTO codes VALUES (99, gen_random_uuid())",
        "INSERT INTO deployment VALUES (true, 3)",
        "INSERT INTO deployment VALUES (false, 3)",
        "UPDATE deployment SET partitions = 0",
    ];
    for sql in refused {
        let error = client.batch_execute(sql).await.expect_err(sql);
        let code = error.code().map(|code| code.code().to_owned()).unwrap_or_default();
        assert!(code.starts_with("23"), "{sql}: {}", db::describe(&error));
    }
}

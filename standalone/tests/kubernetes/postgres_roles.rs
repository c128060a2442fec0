//! Each Postgres role has the rights that its work needs, and no others.

use std::fs;

use testkit::{PostgresServer, certificates, folder};
use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, NoTls};

use crate::deployment::{Secrets, make_roles, migrate, postgres, postgres_with, project, redis};

async fn connect(
    server: &PostgresServer,
    role: &str,
    password: &str,
) -> Result<Client, tokio_postgres::Error> {
    let url = server.url_for(role, password, "votestream");
    let (client, connection) = tokio_postgres::connect(&url, NoTls).await?;
    tokio::spawn(connection);
    Ok(client)
}

/// Runs a statement in a transaction, rolls it back, and returns the outcome.
async fn attempt(client: &Client, sql: &str) -> Result<(), tokio_postgres::Error> {
    client.batch_execute("BEGIN").await.unwrap();
    let outcome = client.batch_execute(sql).await;
    client.batch_execute("ROLLBACK").await.unwrap();
    outcome
}

async fn may(client: &Client, statements: &[&str]) {
    for sql in statements {
        let outcome = attempt(client, sql).await;
        assert!(outcome.is_ok(), "{sql}: {outcome:?}");
    }
}

async fn may_not(client: &Client, statements: &[&str]) {
    for sql in statements {
        let error = attempt(client, sql).await.expect_err(sql);
        assert_eq!(error.code(), Some(&SqlState::INSUFFICIENT_PRIVILEGE), "{sql}: {error:?}");
    }
}

const VOTE: &str = "INSERT INTO votes (poll_id, voter, choices, entry_ms, entry_seq, ballot)
    VALUES (1, gen_random_uuid(), 1, 1, 0, gen_random_uuid())";

#[tokio::test(flavor = "multi_thread")]
async fn each_postgres_role_may_do_its_work_and_nothing_else() {
    let secrets = Secrets::make();
    let redis = redis(&secrets);
    let server = postgres(&secrets).await;
    secrets.point_at(redis.port(), server.port());
    migrate(&secrets);
    let password = |role: &str| secrets.read(&format!("passwords/{role}"));
    let role = async |name: &str| connect(&server, name, &password(name)).await.unwrap();

    // The consumers write votes and tallies, and cannot delete votes or change polls.
    let consumer = role("votestream_consumer").await;
    may(&consumer, &[
        "SELECT * FROM polls, options, codes, deployment",
        VOTE,
        "UPDATE votes SET choices = 2",
        "UPDATE tally SET votes = votes + 1",
        "INSERT INTO set_aside (ballot, poll_id, reason) VALUES (gen_random_uuid(), 1, 'superseded')",
    ]).await;
    may_not(
        &consumer,
        &[
            "DELETE FROM votes",
            "TRUNCATE votes",
            "UPDATE polls SET closes_at_ms = 2",
            "INSERT INTO codes VALUES (1, gen_random_uuid())",
            "DROP TABLE set_aside",
            "CREATE TABLE mine (a int)",
            "CREATE ROLE friend",
            "SELECT pg_read_file('PG_VERSION')",
            "COPY votes TO PROGRAM 'cat'",
        ],
    )
    .await;

    let dashboard = role("votestream_dashboard").await;
    let read_only = attempt(&dashboard, VOTE).await.unwrap_err();
    assert_eq!(read_only.code(), Some(&SqlState::READ_ONLY_SQL_TRANSACTION));
    // The role may switch off its read-only default, and still has no right to write.
    dashboard.batch_execute("SET default_transaction_read_only = off").await.unwrap();
    may(&dashboard, &["SELECT * FROM polls, options, tally, poll_tally, series, deployment"]).await;
    may_not(
        &dashboard,
        &[
            "SELECT * FROM votes",
            "SELECT * FROM codes",
            "SELECT * FROM set_aside",
            "UPDATE tally SET votes = 1000000",
            VOTE,
            "CREATE TABLE mine (a int)",
        ],
    )
    .await;

    // The backup reads everything and writes nothing.
    let backup = role("votestream_backup").await;
    backup.batch_execute("SET default_transaction_read_only = off").await.unwrap();
    may(&backup, &["SELECT * FROM votes, codes", "LOCK TABLE votes IN ACCESS SHARE MODE"]).await;
    may_not(
        &backup,
        &[VOTE, "DELETE FROM votes", "CREATE TABLE mine (a int)", "CREATE ROLE friend"],
    )
    .await;

    let owner = role("votestream").await;
    may(&owner, &["CREATE TABLE mine (a int)", "UPDATE polls SET title = title"]).await;
    may_not(&owner, &["CREATE ROLE friend", "SELECT pg_read_file('PG_VERSION')"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn roles_that_are_made_again_have_the_passwords_that_are_there_now() {
    let secrets = Secrets::make();
    let server = postgres(&secrets).await;
    let old = secrets.read("postgres-consumer/password");
    connect(&server, "votestream_consumer", &old).await.unwrap();

    // An operator deletes a password file. The script generates a new one and keeps all others.
    fs::remove_file(secrets.0.join("passwords/votestream_consumer")).unwrap();
    let dashboard = secrets.read("postgres-dashboard/password");
    secrets.make_again();
    let new = secrets.read("postgres-consumer/password");
    assert_ne!(new, old);
    assert_eq!(secrets.read("postgres-dashboard/password"), dashboard);
    make_roles(&server, &secrets);
    let refused = connect(&server, "votestream_consumer", &old).await.unwrap_err();
    assert_eq!(refused.code(), Some(&SqlState::INVALID_PASSWORD));
    connect(&server, "votestream_consumer", &new).await.unwrap();

    // A managed service may generate passwords with any characters.
    let odd = r#"a'b\c"d $(e) %f;-- {g}"#;
    fs::write(secrets.0.join("postgres-consumer/password"), odd).unwrap();
    make_roles(&server, &secrets);
    let mut config: tokio_postgres::Config = server.url("votestream").parse().unwrap();
    let (client, connection) =
        config.user("votestream_consumer").password(odd).connect(NoTls).await.unwrap();
    tokio::spawn(connection);
    assert_eq!(client.query_one("SELECT 1", &[]).await.unwrap().get::<_, i32>(0), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn component_tls_lets_nobody_in_without_tls() {
    let secrets = Secrets::make_for("redis postgres");
    let rules = folder("rules").join("pg_hba.conf");
    fs::copy(project("k8s/components/tls/pg_hba.conf"), &rules).unwrap();
    let arguments = fs::read_to_string(project("k8s/components/tls/postgres.yaml")).unwrap();
    assert!(arguments.contains("- hba_file=/config/pg_hba.conf\n"));
    // psql makes the roles. It tries TLS first, and so it may connect.
    let server = postgres_with(&secrets, move |options| {
        options.tls = Some(certificates().server.clone());
        options.settings.push(("hba_file".to_owned(), rules.display().to_string()));
    })
    .await;
    let password = secrets.read("passwords/votestream_consumer");
    let refused = connect(&server, "votestream_consumer", &password).await.unwrap_err();
    assert_eq!(refused.code(), Some(&SqlState::INVALID_AUTHORIZATION_SPECIFICATION));
    assert!(format!("{refused:?}").contains("no encryption"), "{refused:?}");
}

#[test]
fn secrets_that_are_made_again_still_say_tls() {
    let secrets = Secrets::make_for("redis postgres");
    secrets.make_again();
    assert!(secrets.read("consumer/redis-url").starts_with("rediss://"));
    assert!(secrets.read("consumer/database-url").ends_with("sslmode=verify-full"));
    assert_eq!(secrets.read("backup/PGSSLMODE"), "verify-full");
}

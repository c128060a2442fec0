//! Each Postgres role has the rights that its work needs, and no others.

use std::fs;

use testkit::{PostgresServer, certificates, folder};
use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, NoTls};

use crate::deployment::{
    Secrets, make_roles, make_roles_as, migrate, migrate_command, postgres, postgres_with, project,
    redis, said, succeeds,
};

async fn connect(
    server: &PostgresServer,
    role: &str,
    password: &str,
) -> Result<Client, tokio_postgres::Error> {
    connect_to(server, role, password, "votestream").await
}

async fn connect_to(
    server: &PostgresServer,
    role: &str,
    password: &str,
    database: &str,
) -> Result<Client, tokio_postgres::Error> {
    let url = server.url_for(role, password, database);
    let (client, connection) = tokio_postgres::connect(&url, NoTls).await?;
    tokio::spawn(connection);
    Ok(client)
}

async fn connect_as_superuser(server: &PostgresServer) -> Client {
    let (client, connection) =
        tokio_postgres::connect(&server.url("postgres"), NoTls).await.unwrap();
    tokio::spawn(connection);
    client
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

/// Statements that make something which fills the disk.
const MAKES_SOMETHING: [&str; 5] = [
    "CREATE TABLE mine (a int)",
    "CREATE TEMPORARY TABLE mine (a int)",
    "SELECT lo_create(0)",
    "SELECT lo_creat(-1)",
    "SELECT lo_from_bytea(0, 'x')",
];

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
        "SELECT * FROM polls, poll_secrets, options, codes, deployment",
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
            "INSERT INTO voting_codes VALUES (1, gen_random_uuid())",
            "DELETE FROM poll_secrets",
            "UPDATE poll_secrets SET secret = sha256('mine')",
            "UPDATE voting_codes SET revoked_at_ms = NULL",
            "DELETE FROM stream_regressions",
            "INSERT INTO schema_migrations VALUES (99, 'x', 'x')",
            "SELECT * FROM schema_migrations",
            "LOCK TABLE schema_migrations IN ACCESS SHARE MODE",
            "DROP TABLE set_aside",
            "SELECT * FROM pg_authid",
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
    let takes_up_the_server =
        "SET LOCAL work_mem = '2GB'; SET LOCAL statement_timeout = 0; SELECT pg_advisory_lock(1)";
    may(
        &dashboard,
        &[
            "SELECT * FROM polls, options, tally, poll_tally, series, deployment",
            takes_up_the_server,
        ],
    )
    .await;
    may_not(
        &dashboard,
        &[
            "SELECT * FROM votes",
            "SELECT * FROM poll_secrets",
            "SELECT * FROM codes",
            "SELECT * FROM set_aside",
            "SELECT * FROM voting_codes",
            "SELECT * FROM locks FOR UPDATE",
            "SELECT * FROM schema_migrations",
            "SELECT * FROM polls FOR UPDATE",
            "LOCK TABLE tally IN ROW SHARE MODE",
            "UPDATE tally SET votes = 1000000",
            "DELETE FROM series",
            "SELECT * FROM pg_authid",
            "ALTER ROLE votestream_dashboard CONNECTION LIMIT -1",
            VOTE,
        ],
    )
    .await;
    for client in [&consumer, &dashboard] {
        may_not(client, &MAKES_SOMETHING).await;
    }
    // The database `postgres` is on the same disk.
    for name in
        ["votestream_consumer", "votestream_dashboard", "votestream_host", "votestream_backup"]
    {
        let client = connect_to(&server, name, &password(name), "postgres").await.unwrap();
        client.batch_execute("SET default_transaction_read_only = off").await.unwrap();
        may_not(&client, &MAKES_SOMETHING).await;
    }

    // The backup reads everything and writes nothing.
    let backup = role("votestream_backup").await;
    backup.batch_execute("SET default_transaction_read_only = off").await.unwrap();
    may(&backup, &["SELECT * FROM votes, codes", "LOCK TABLE votes IN ACCESS SHARE MODE"]).await;
    may_not(&backup, &[VOTE, "DELETE FROM votes", "CREATE ROLE friend"]).await;
    may_not(&backup, &MAKES_SOMETHING).await;

    let owner = role("votestream").await;
    // Whoever reads a table can keep its columns as they are, until the session is ended.
    let alter = "SET LOCAL lock_timeout = '200ms'; ALTER TABLE tally ADD COLUMN more int";
    dashboard.batch_execute("BEGIN; LOCK TABLE tally IN ACCESS SHARE MODE").await.unwrap();
    let waits = attempt(&owner, alter).await.unwrap_err();
    assert_eq!(waits.code(), Some(&SqlState::LOCK_NOT_AVAILABLE));
    may(&consumer, &["UPDATE tally SET votes = votes + 1"]).await;
    let end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
               WHERE usename = 'votestream_dashboard'";
    connect_as_superuser(&server).await.batch_execute(end).await.unwrap();
    testkit::eventually(std::time::Duration::from_secs(30), async || {
        attempt(&owner, alter).await.map_err(|error| error.to_string())
    })
    .await;

    may(&owner, &["CREATE TABLE mine (a int)", "UPDATE polls SET title = title"]).await;
    may_not(&owner, &["CREATE ROLE friend", "SELECT pg_read_file('PG_VERSION')"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_role_that_uses_up_its_sessions_locks_out_no_other() {
    let secrets = Secrets::make();
    let server = postgres(&secrets).await;
    let password = |role: &str| secrets.read(&format!("passwords/{role}"));
    let mut sessions = Vec::new();
    for (role, limit) in [("votestream_dashboard", 48), ("votestream_backup", 8)] {
        let refused = loop {
            match connect(&server, role, &password(role)).await {
                Ok(session) => sessions.push(session),
                Err(error) => break error,
            }
        };
        assert_eq!(refused.code(), Some(&SqlState::TOO_MANY_CONNECTIONS), "{refused:?}");
        assert_eq!(sessions.len(), limit, "{role}");
        for role in ["votestream_consumer", "votestream"] {
            connect(&server, role, &password(role)).await.unwrap();
        }
        sessions.clear();
    }
    // A limit that an operator has set is kept.
    let superuser = connect_as_superuser(&server).await;
    superuser.batch_execute("ALTER ROLE votestream_dashboard CONNECTION LIMIT 80").await.unwrap();
    make_roles(&server, &secrets);
    let limits = "SELECT string_agg(format('%s %s', rolname, rolconnlimit), ', ' ORDER BY rolname)
                  FROM pg_roles WHERE rolname LIKE 'votestream%'";
    let limits: String = superuser.query_one(limits, &[]).await.unwrap().get(0);
    let expected = "votestream -1, votestream_backup 8, votestream_consumer 96, votestream_dashboard 80, votestream_host 36";
    assert_eq!(limits, expected);
}

/// PostgreSQL lets every role change its own password and its own defaults; nothing can take that away.
#[tokio::test(flavor = "multi_thread")]
async fn a_role_can_change_its_own_password_until_the_roles_are_made_again() {
    let secrets = Secrets::make();
    let server = postgres(&secrets).await;
    let password = secrets.read("passwords/votestream_dashboard");
    let thief = connect(&server, "votestream_dashboard", &password).await.unwrap();
    thief.batch_execute("SET default_transaction_read_only = off").await.unwrap();
    thief.batch_execute("ALTER ROLE votestream_dashboard PASSWORD 'stolen'").await.unwrap();
    thief.batch_execute("ALTER ROLE votestream_dashboard SET statement_timeout = 1").await.unwrap();
    let refused = connect(&server, "votestream_dashboard", &password).await.unwrap_err();
    assert_eq!(refused.code(), Some(&SqlState::INVALID_PASSWORD));

    let superuser = connect_as_superuser(&server).await;
    superuser.batch_execute("ALTER ROLE votestream_dashboard RESET ALL").await.unwrap();
    make_roles(&server, &secrets);
    let end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
               WHERE usename = 'votestream_dashboard'";
    superuser.batch_execute(end).await.unwrap();
    connect(&server, "votestream_dashboard", "stolen").await.unwrap_err();
    let dashboard = connect(&server, "votestream_dashboard", &password).await.unwrap();
    let read_only = "SELECT current_setting('default_transaction_read_only'),
                            current_setting('statement_timeout')";
    let row = dashboard.query_one(read_only, &[]).await.unwrap();
    assert_eq!((row.get(0), row.get(1)), ("on", "0"));
}

/// An administrator who is no superuser, as managed services have them, runs the same script.
#[tokio::test(flavor = "multi_thread")]
async fn an_administrator_who_is_no_superuser_makes_the_roles_too() {
    let secrets = Secrets::make();
    let redis = redis(&secrets);
    let server = testkit::own_postgres().await;
    let superuser = connect_as_superuser(&server).await;
    let create = "CREATE ROLE admin LOGIN CREATEDB CREATEROLE PASSWORD 'test-password';
                  GRANT pg_read_all_data TO admin WITH ADMIN OPTION";
    superuser.batch_execute(create).await.unwrap();
    for _ in 0..2 {
        let said = make_roles_as(&server, &secrets, "admin");
        assert!(said.contains("lo_create"), "the statement without effect is named: {said}");
    }
    secrets.point_at(redis.port(), server.port());
    let said = said(&migrate_command(&secrets).output().unwrap());
    assert!(said.contains("`votestream_dashboard` can make large objects"), "{said}");
    assert!(said.contains("schema/access/database.sql as a superuser"), "{said}");
    let password = secrets.read("passwords/votestream_dashboard");
    let dashboard = connect(&server, "votestream_dashboard", &password).await.unwrap();
    dashboard.batch_execute("SET default_transaction_read_only = off").await.unwrap();
    may_not(&dashboard, &MAKES_SOMETHING[..2]).await;

    // A superuser runs that file, and migrating again has nothing to say.
    make_roles(&server, &secrets);
    may_not(&dashboard, &MAKES_SOMETHING).await;
    let said = succeeds(&mut migrate_command(&secrets));
    assert!(!said.contains("large objects"), "{said}");
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

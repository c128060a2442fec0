//! A stolen password of the service's Redis user or Postgres role, and what it is good for.

use tokio_postgres::error::SqlState;

use crate::harness::{Deployment, connect};

#[tokio::test]
async fn the_postgres_role_changes_no_vote_and_makes_no_organiser() {
    let deployment = Deployment::new().await;
    deployment.create("pets", &["--open"]);
    let thief = connect(&deployment.host_database_url).await;
    for sql in [
        "SELECT voter FROM votes",
        "DELETE FROM votes",
        "INSERT INTO votes (poll_id, voter, choices, entry_ms, entry_seq, ballot)
            VALUES (1, gen_random_uuid(), 1, 1, 0, gen_random_uuid())",
        "UPDATE tally SET votes = 1000000",
        "UPDATE poll_tally SET voters = 1000000",
        "UPDATE polls SET voter_policy = 'open'",
        "UPDATE polls SET choices_max = 2",
        "UPDATE options SET slug = 'birds'",
        "DELETE FROM polls",
        "UPDATE poll_secrets SET secret = sha256('mine')",
        "DELETE FROM poll_secrets",
        "UPDATE voting_codes SET revoked_at_ms = 1",
        "INSERT INTO organisers (name, token_hash, role) VALUES ('thief', sha256('x'), 'admin')",
        "UPDATE organisers SET role = 'admin'",
        "INSERT INTO host_links VALUES (sha256('x'), 1, now())",
        "UPDATE host_sessions SET expires_at = 'infinity'",
        "UPDATE audit_trail SET actor = 'somebody else'",
        "DELETE FROM audit_trail",
        "DELETE FROM poll_changes",
        "SELECT * FROM schema_migrations",
        "CREATE TABLE mine (a int)",
    ] {
        let error = thief.batch_execute(sql).await.expect_err(sql);
        assert_eq!(error.code(), Some(&SqlState::INSUFFICIENT_PRIVILEGE), "{sql}: {error:?}");
    }
    // The role of the session is stored, whatever name is given.
    let sql = "INSERT INTO audit_trail (actor, action) VALUES ('votectl', 'x') RETURNING db_role";
    let role: String = thief.query_one(sql, &[]).await.unwrap().get(0);
    assert!(role.starts_with("host_"), "{role}");
}

#[tokio::test]
async fn the_redis_user_can_neither_add_a_ballot_nor_remove_one() {
    let deployment = Deployment::new().await;
    let mut thief = testkit::redis_connection(&deployment.host_redis_url).await;
    let prefix = deployment.host_redis_url.split("host_").nth(1).unwrap();
    let prefix = prefix.split(':').next().unwrap();
    let (stream, dead) = (format!("{{{prefix}:0}}:stream"), format!("{{{prefix}:0}}:dead"));
    let rules = format!("{{{prefix}:0}}:polls");
    let commands: &[&[&str]] = &[
        &["XADD", &stream, "*", "ballot", "x"],
        &["XDEL", &stream, "0-1"],
        &["XTRIM", &stream, "MAXLEN", "0"],
        &["DEL", &stream],
        &["UNLINK", &stream],
        &["HSET", &stream, "a", "b"],
        &["EVAL", "return redis.call('XADD', KEYS[1], '*', 'a', 'b')", "1", &stream],
        &["EVAL", "return redis.call('UNLINK', KEYS[1])", "1", &stream],
        &["XRANGE", &dead, "-", "+"],
        &["GET", "other"],
        &["KEYS", "*"],
        &["CONFIG", "GET", "*"],
        &["ACL", "LIST"],
        &["CLIENT", "LIST"],
        &["FLUSHALL"],
        &["SHUTDOWN"],
    ];
    for command in commands {
        let mut cmd = redis::cmd(command[0]);
        cmd.arg(&command[1..]);
        let refused = cmd.query_async::<redis::Value>(&mut thief).await.expect_err(command[0]);
        let words = refused.to_string().to_lowercase();
        let is_denied = ["noperm", "permission", "can't run", "can't access", "acl failure"];
        assert!(is_denied.iter().any(|word| words.contains(word)), "{command:?}: {words}");
    }
    let mut read = redis::cmd("HGETALL");
    read.arg(&rules);
    read.query_async::<redis::Value>(&mut thief).await.unwrap();
}

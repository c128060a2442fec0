use votestream_schema::projection::functions;

use super::deployment::{Deployment, connect, votectl};

#[tokio::test]
async fn migrating_again_changes_nothing_and_other_partitions_are_refused() {
    let mut deployment = Deployment::empty().await;
    let first = deployment.run(&["migrate", "--partitions", "3", "--json"]).json();
    assert_eq!(first["applied"][0], "polls_and_votes");
    assert_eq!(first["partitions"], 3);
    let key = deployment.keys.meta();
    let stored: String = deployment.redis(redis::cmd("HGET").arg(key).arg("partitions")).await;
    assert_eq!(stored, "3");
    let library = &functions::library().name;
    let list = redis::cmd("FUNCTION").arg("LIST").arg("LIBRARYNAME").arg(library).clone();
    let functions: Vec<redis::Value> = deployment.redis(&list).await;
    assert_eq!(functions.len(), 1, "producers find their functions");
    let again = deployment.run(&["--json", "migrate"]).json();
    assert_eq!((again["applied"].as_array().unwrap().len(), &again["partitions"]), (0, &3.into()));
    assert!(deployment.run(&["migrate"]).ok().contains("up to date"));
    deployment.run(&["migrate", "--partitions", "4"]).refused(1, &["3 partitions", "4"]);
    assert_eq!(deployment.run(&["migrate", "--partitions", "0"]).code, 2);
    assert_eq!(deployment.run(&["migrate", "--partitions", "1025"]).code, 2);
}

#[tokio::test]
async fn a_redis_of_another_deployment_is_refused_before_anything_is_written() {
    let one = Deployment::new().await;
    let other = Deployment::empty().await;
    let said = votectl(&other.redis_url, &other.database_url, &one.prefix, &["migrate"]);
    said.refused(1, &["3 partitions", "4", "KEY_PREFIX"]);
    let sql = "SELECT to_regclass('polls')::text";
    let table: Option<String> = other.postgres.query_one(sql, &[]).await.unwrap().get(0);
    assert_eq!(table, None);
    other.run(&["migrate", "--partitions", "5"]).ok();
    let said = votectl(&other.redis_url, &other.database_url, &one.prefix, &["audit"]);
    said.refused(1, &["do not belong together"]);
}

#[tokio::test]
async fn a_database_that_would_damage_texts_is_refused() {
    let deployment = Deployment::empty().await;
    let name = testkit::unique_name();
    let create = format!(
        "CREATE DATABASE {name} ENCODING 'SQL_ASCII' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0"
    );
    deployment.postgres.batch_execute(&create).await.unwrap();
    let (server, _) = deployment.database_url.rsplit_once('/').unwrap();
    let url = format!("{server}/{name}");
    let said = votectl(&deployment.redis_url, &url, &deployment.prefix, &["migrate"]);
    said.refused(1, &["SQL_ASCII", "ENCODING 'UTF8'"]);
    deployment.postgres.batch_execute(&format!("DROP DATABASE {name}")).await.unwrap();
}

#[tokio::test]
async fn an_empty_database_asks_for_migrate() {
    let deployment = Deployment::empty().await;
    for command in [["poll", "list"].as_slice(), &["audit"], &["dead-letters", "list"]] {
        deployment.run(command).refused(1, &["votectl migrate"]);
    }
}

#[tokio::test]
async fn each_role_may_do_its_work_and_no_more() {
    let deployment = Deployment::new().await;
    let (consumer, dashboard) = (testkit::unique_name(), testkit::unique_name());
    for role in [&consumer, &dashboard] {
        let sql = format!("CREATE ROLE {role} LOGIN PASSWORD 'x'");
        deployment.postgres.batch_execute(&sql).await.unwrap();
    }
    let grants = ["migrate", "--grant-consumer", &consumer, "--grant-dashboard", &dashboard];
    deployment.run(&grants).ok();
    deployment.run(&grants).ok();
    let unknown = ["migrate", "--grant-consumer", "no\"body"];
    deployment.run(&unknown).refused(1, &["no role `no\"body`", "CREATE ROLE"]);

    let can = async |role: &str, sql: &str| {
        let client = connect(&deployment.database_url).await;
        client.batch_execute(&format!("SET ROLE {role}")).await.unwrap();
        client.batch_execute(&format!("BEGIN; {sql}; ROLLBACK")).await.is_ok()
    };
    for read in ["polls", "options", "deployment", "tally", "poll_tally", "series"] {
        assert!(can(&consumer, &format!("SELECT FROM {read}")).await, "{read}");
        assert!(can(&dashboard, &format!("SELECT FROM {read}")).await, "{read}");
    }
    let aside = "INSERT INTO set_aside VALUES (gen_random_uuid(), 1, 'superseded')";
    assert!(can(&consumer, aside).await);
    assert!(!can(&dashboard, aside).await);
    assert!(can(&consumer, "UPDATE tally SET votes = 1").await);
    assert!(!can(&dashboard, "UPDATE tally SET votes = 1").await);
    assert!(!can(&consumer, "UPDATE polls SET title = 'x'").await);
    assert!(!can(&consumer, "DELETE FROM votes").await);
    assert!(can(&consumer, "DELETE FROM set_aside").await);
    for hidden in ["votes", "codes", "set_aside"] {
        assert!(can(&consumer, &format!("SELECT FROM {hidden}")).await, "{hidden}");
        assert!(!can(&dashboard, &format!("SELECT FROM {hidden}")).await, "{hidden}");
    }
}

#[tokio::test]
async fn a_redis_that_would_lose_ballots_at_its_next_restart_is_refused() {
    let redis = testkit::own_redis();
    let database = testkit::database().await;
    redis.command(&["ACL", "SETUSER", "default", "reset"]).unwrap();
    let migrate = || votectl(&redis.url(), &database, "votes", &["migrate"]);
    migrate().refused(1, &["default user", "XADD", "user default off ~* &* +@all", "ACL LOAD"]);
    redis.command(&["ACL", "SETUSER", "default", "off", "~*", "&*", "+@all"]).unwrap();
    migrate().ok();
    // Without an append-only file nothing is replayed, and nothing is to be checked.
    redis.command(&["ACL", "SETUSER", "default", "reset"]).unwrap();
    redis.command(&["CONFIG", "SET", "appendonly", "no"]).unwrap();
    migrate().ok();
}

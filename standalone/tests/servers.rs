//! The private servers: they keep their data over restarts, refuse strangers, and leave foreign processes alone.

#![expect(clippy::unwrap_used, reason = "a helper of a test may fail as the test may")]

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::Path,
    process::{Child, Command},
    time::Duration,
};

use standalone::servers::{
    Error, PostgresOptions, PostgresServer, RedisOptions, RedisServer, RedisUser, Signal,
    find_leftovers, process_start_time,
};
use testkit::folder;
use tokio_postgres::{Client, NoTls};

async fn connect(postgres: &PostgresServer) -> Client {
    let (client, connection) =
        tokio_postgres::connect(&postgres.url("postgres"), NoTls).await.unwrap();
    tokio::spawn(connection);
    client
}

fn postgres_options() -> PostgresOptions {
    let run = folder("run");
    PostgresOptions {
        log: run.clone(),
        run,
        ..PostgresOptions::new("postgres", folder("postgres").join("home"), "secret")
    }
}

fn redis_options() -> RedisOptions {
    RedisOptions::new("redis", folder("redis").join("home"))
}

#[tokio::test]
async fn postgres_keeps_its_rows_over_a_stop_a_kill_and_a_new_owner() {
    let options = postgres_options();
    let mut postgres = PostgresServer::start(options.clone()).unwrap();
    connect(&postgres).await.batch_execute("CREATE TABLE kept (n integer)").await.unwrap();
    let port = postgres.port();
    for round in 1..=3_i64 {
        connect(&postgres).await.batch_execute("INSERT INTO kept VALUES (1)").await.unwrap();
        match round {
            1 => assert!(postgres.stop(), "an orderly stop is quick"),
            2 => postgres.kill(),
            _ => {
                // The first supervisor is gone without an orderly stop, and another one starts the server.
                drop(postgres);
                postgres = PostgresServer::start(options.clone()).unwrap();
            }
        }
        if round < 3 {
            assert!(!postgres.process().is_running());
            postgres.restart().unwrap();
            assert_eq!(postgres.port(), port);
        }
        let rows = connect(&postgres).await.query_one("SELECT count(*) FROM kept", &[]).await;
        assert_eq!(rows.unwrap().get::<_, i64>(0), round);
    }
}

#[tokio::test]
async fn postgres_is_durable_checksummed_and_private_as_shipped() {
    let postgres = PostgresServer::start(postgres_options()).unwrap();
    let client = connect(&postgres).await;
    for (name, value) in [
        ("fsync", "on"),
        ("full_page_writes", "on"),
        ("synchronous_commit", "on"),
        ("data_checksums", "on"),
        ("server_encoding", "UTF8"),
        ("password_encryption", "scram-sha-256"),
        ("listen_addresses", "127.0.0.1"),
    ] {
        let shown = client.query_one("SELECT current_setting($1)", &[&name]).await.unwrap();
        assert_eq!(shown.get::<_, String>(0), value, "{name}");
    }
    let wrong = postgres.url_for("postgres", "wrong", "postgres");
    assert!(tokio_postgres::connect(&wrong, NoTls).await.is_err(), "a wrong password is refused");
}

#[tokio::test]
async fn stale_lock_file_that_names_a_strangers_pid_does_not_block_postgres() {
    let options = postgres_options();
    let mut postgres = PostgresServer::start(options.clone()).unwrap();
    let lock = options.folder.join("data/postmaster.pid");
    let text = fs::read_to_string(&lock).unwrap();
    postgres.kill();
    drop(postgres);

    let mut stranger = Stranger::start();
    let (_, rest) = text.split_once('\n').unwrap();
    fs::write(&lock, format!("{}\n{rest}", stranger.0.id())).unwrap();
    let postgres = PostgresServer::start(options).unwrap();
    connect(&postgres).await.query_one("SELECT 1", &[]).await.unwrap();
    assert!(stranger.lives());
}

#[test]
fn data_of_another_postgres_are_named_and_left_alone() {
    let options = postgres_options();
    fs::create_dir_all(options.folder.join("data")).unwrap();
    fs::write(options.folder.join("data/PG_VERSION"), "9\n").unwrap();
    let error = PostgresServer::start(options.clone()).unwrap_err();
    assert!(matches!(error, Error::Unsuitable(_)), "{error:?}");
    assert!(error.to_string().contains("PostgreSQL 9"), "{error}");
    assert_eq!(fs::read_dir(options.folder.join("data")).unwrap().count(), 1);
}

#[test]
fn redis_keeps_its_keys_over_a_stop_a_kill_and_a_new_owner() {
    let options = redis_options();
    let mut redis = RedisServer::start(options.clone()).unwrap();
    let port = redis.port();
    for round in 1..=3 {
        assert_eq!(redis.command(&["INCR", "kept"]).unwrap(), round.to_string());
        match round {
            1 => assert!(redis.stop(), "an orderly stop is quick"),
            2 => redis.kill(),
            _ => {
                drop(redis);
                redis = RedisServer::start(options.clone()).unwrap();
            }
        }
        if round < 3 {
            assert!(!redis.process().is_running());
            redis.restart().unwrap();
            assert_eq!(redis.port(), port);
        }
    }
    assert_eq!(redis.command(&["GET", "kept"]).unwrap(), "3");
    for (name, value) in
        [("appendonly", "yes"), ("appendfsync", "always"), ("maxmemory-policy", "noeviction")]
    {
        assert_eq!(redis.command(&["CONFIG", "GET", name]).unwrap(), format!("{name}\n{value}"));
    }
}

#[test]
fn redis_users_may_do_what_they_may_and_their_passwords_are_not_on_disk() {
    let user = |name: &str, password: &str, rules: &str| RedisUser {
        name: name.to_owned(),
        password: password.to_owned(),
        rules: rules.to_owned(),
    };
    let admin = user("default", "admin-password", "~* &* +@all");
    let service = user("service", "service-password", "~votes:* +get +set +ping");
    let options = RedisOptions { users: vec![admin, service.clone()], ..redis_options() };
    let redis = RedisServer::start(options.clone()).unwrap();

    // The user `service` sends its commands to the same server.
    let ask = |words: &[&str]| {
        let output = Command::new("redis-cli")
            .args(["--no-auth-warning", "-u", redis.url_for(&service).as_str()])
            .args(words)
            .output()
            .unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    assert_eq!(ask(&["SET", "votes:1", "x"]).trim(), "OK");
    assert!(ask(&["SET", "other", "x"]).contains("NOPERM"));
    assert!(ask(&["CONFIG", "GET", "*"]).contains("NOPERM"));

    for file in ["redis.conf", "users.acl"] {
        let path = options.folder.join(file);
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let text = fs::read_to_string(&path).unwrap();
        assert!(!text.contains("admin-password") && !text.contains("service-password"));
    }
}

#[test]
fn pid_file_stays_with_the_running_process_over_a_restart() {
    let options = redis_options();
    let mut redis = RedisServer::start(options.clone()).unwrap();
    redis.restart().unwrap();
    let found = find_leftovers(&options.folder);
    assert_eq!(found.iter().map(|one| one.pid).collect::<Vec<_>>(), [redis.process().pid()]);
    redis.stop();
    assert!(find_leftovers(&options.folder).is_empty());
}

#[test]
fn leftovers_are_stopped_and_strangers_with_their_pid_are_not() {
    let run = folder("run");
    let mut stranger = Stranger::start();
    let pid = stranger.0.id();
    let start = process_start_time(pid).unwrap();
    let folder = std::env::current_dir().unwrap().canonicalize().unwrap();
    let record = |start: u64, folder: &Path| {
        let text = format!("{pid} {start} {}\n", folder.display());
        fs::write(run.join("producer.pid"), text).unwrap();
    };

    record(start + 1, &folder);
    assert!(find_leftovers(&run).is_empty(), "a process that started at another time");
    assert!(!run.join("producer.pid").exists(), "a stale pid file is removed");
    record(start, Path::new("/"));
    assert!(find_leftovers(&run).is_empty(), "a process that works elsewhere");
    assert!(stranger.lives());

    record(start, &folder);
    let [leftover] = find_leftovers(&run).try_into().expect("ours is found");
    assert_eq!((leftover.name.as_str(), leftover.pid), ("producer", pid));
    assert!(leftover.stop(Signal::TERM, Duration::from_secs(10)));
    assert!(!stranger.lives());
}

/// A process that no supervisor has started.
struct Stranger(Child);

impl Stranger {
    fn start() -> Self {
        Self(Command::new("sleep").arg("600").spawn().unwrap())
    }

    fn lives(&mut self) -> bool {
        self.0.try_wait().unwrap().is_none()
    }
}

impl Drop for Stranger {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[tokio::test]
async fn a_standby_has_what_was_committed_and_takes_over() {
    let mut primary = PostgresServer::start(postgres_options()).unwrap();
    connect(&primary).await.batch_execute("CREATE TABLE kept AS SELECT 1 AS n").await.unwrap();
    let run = folder("run");
    let options = PostgresOptions {
        log: run.clone(),
        run,
        ..PostgresOptions::new("standby", folder("standby").join("home"), "is not asked for")
    };
    let standby = primary.standby(options).unwrap();
    let client = connect(&standby).await;
    let refused = client.batch_execute("INSERT INTO kept VALUES (2)").await.unwrap_err();
    assert_eq!(refused.code().unwrap().code(), "25006", "a standby takes no writes");
    primary.kill();
    client.batch_execute("SELECT pg_promote()").await.unwrap();
    client.batch_execute("INSERT INTO kept VALUES (2)").await.unwrap();
    let count: i64 = client.query_one("SELECT count(*) FROM kept", &[]).await.unwrap().get(0);
    assert_eq!(count, 2);
}

use std::time::{Duration, Instant};

use votestream_schema::poll::now_ms;
use votestream_schema::{PollState, Slug, db};

use super::deployment::{Deployment, connect, votectl, votectl_that_shows_its_exit_code};

/// Every command that talks to both servers.
const COMMANDS: [&[&str]; 9] = [
    &["migrate"],
    &["poll", "create", "--slug", "x", "--title", "X", "--option", "a", "--option", "b"],
    &["poll", "open", "pets"],
    &["poll", "close", "pets"],
    &["poll", "archive", "pets"],
    &["codes", "issue", "pets", "--count", "1"],
    &["dead-letters", "list"],
    &["dead-letters", "replay", "--all"],
    &["audit"],
];

#[tokio::test]
async fn a_redis_that_is_away_is_named() {
    let deployment = Deployment::new().await;
    deployment.create(&["--open"]);
    let port = testkit::free_port();
    let away = format!("redis://operator:hunter2@127.0.0.1:{port}");
    for command in COMMANDS {
        let said = votectl(&away, &deployment.database_url, &deployment.prefix, command);
        let said = said.refused(3, &["redis", &format!("127.0.0.1:{port}"), "REDIS_URL"]);
        assert!(!said.contains("hunter2"), "{said}");
    }
    // Commands that need only Postgres do not connect to Redis.
    for command in [["poll", "list"], ["codes", "count"]] {
        let arguments: Vec<&str> =
            command.iter().copied().chain((command[1] == "count").then_some("pets")).collect();
        votectl(&away, &deployment.database_url, &deployment.prefix, &arguments).ok();
    }
}

#[tokio::test]
async fn a_postgres_that_is_away_is_named() {
    let deployment = Deployment::new().await;
    let port = testkit::free_port();
    let away = format!("postgres://operator:hunter2@127.0.0.1:{port}/votestream");
    let alone: [&[&str]; 4] = [
        &["poll", "list"],
        &["poll", "show", "pets"],
        &["poll", "export", "pets"],
        &["codes", "count", "pets"],
    ];
    for command in COMMANDS.iter().chain(&alone) {
        let said = votectl(&deployment.redis_url, &away, &deployment.prefix, command);
        let said = said.refused(3, &["postgres", &format!("127.0.0.1:{port}"), "DATABASE_URL"]);
        assert!(!said.contains("hunter2"), "{said}");
    }
}

#[tokio::test]
async fn wrong_addresses_and_passwords_are_refused_without_being_shown() {
    let deployment = Deployment::new().await;
    let list = |redis: &str, database: &str| {
        votectl(redis, database, &deployment.prefix, &["dead-letters", "list"])
    };
    let refused = [
        list("redis://:hunter2@[", &deployment.database_url),
        list("", &deployment.database_url),
        list(&deployment.redis_url, "postgres://u:hunter2@h:port/d"),
        list(&deployment.redis_url, "postgres://u:hunter2@[::1/d"),
        list(&deployment.redis_url, &format!("{}x", deployment.database_url)),
    ];
    for said in refused {
        let said = said.refused(1, &[]);
        assert!(!said.contains("hunter2"), "{said}");
    }
}

/// The poll is written to Postgres and not to Redis, and copied there later.
#[tokio::test]
async fn a_redis_that_dies_on_the_way_leaves_postgres_right() {
    let mut redis = testkit::own_redis();
    let database = testkit::database().await;
    votectl(&redis.url(), &database, "votes", &["migrate"]).ok();
    let create =
        ["poll", "create", "--slug", "pets", "--title", "P", "--option", "a", "--option", "b"];
    // Out of memory: Redis answers reads and refuses commands that need memory.
    redis.command(&["CONFIG", "SET", "maxmemory", "1"]).unwrap();
    let said =
        votectl(&redis.url(), &database, "votes", &[create.as_slice(), &["--open"]].concat());
    said.refused(1, &["OOM", "postgres has the poll already"]);
    let postgres = connect(&database).await;
    let slug: Slug = "pets".parse().unwrap();
    let poll = db::polls::with_secret(&postgres, &slug).await.unwrap().unwrap();
    assert_eq!(poll.state(now_ms()), PollState::Open);
    redis.command(&["CONFIG", "SET", "maxmemory", "0"]).unwrap();
    let again = [create.as_slice(), &["--open", "--if-missing"]].concat();
    votectl(&redis.url(), &database, "votes", &again).ok();
    let page = redis.command(&["HGET", "votes:polls", "pets"]).unwrap();
    assert!(page.contains("\"pets\""), "{page}");
    redis.kill();
    votectl(&redis.url(), &database, "votes", &["audit"]).refused(3, &["redis"]);
}

/// A pod may start before its server does, and before its network policies let it through.
#[test]
fn servers_that_come_late_are_waited_for_within_bounds() {
    let port = testkit::free_port();
    let address = testkit::own_redis().url();
    let (login, _) = address.rsplit_once(':').unwrap();
    let late = format!("{login}:{port}/");
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let database = runtime.block_on(testkit::database());
    let migrate = |seconds: &str| {
        votectl(&late, &database, "votes", &["migrate", "--wait-for-servers", seconds])
    };

    let began = Instant::now();
    let said = migrate("1");
    assert_eq!(said.code, 3, "{said:?}");
    assert!(
        said.err.contains("waiting for redis, 1 s at most") || said.err.contains("0 s at most")
    );
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());

    std::thread::scope(|scope| {
        let server = scope.spawn(|| {
            std::thread::sleep(Duration::from_secs(2));
            testkit::own_redis_with(|options| options.port = Some(port))
        });
        let said = migrate("60");
        assert!(said.err.contains("waiting for redis"), "{said:?}");
        said.ok();
        server.join().unwrap();
    });
}

#[tokio::test]
async fn both_outputs_end_with_the_exit_code_where_a_script_waits_for_it() {
    let deployment = Deployment::new().await;
    deployment.create(&["--open"]);
    let commands: [(&[&str], i32); 4] = [
        (&["poll", "list"], 0),
        (&["--version"], 0),
        (&["poll", "show", "birds"], 1),
        (&["poll", "frobnicate"], 2),
    ];
    for (command, code) in commands {
        let plain = deployment.run(command);
        let shown = votectl_that_shows_its_exit_code(&deployment, command);
        assert_eq!((plain.code, shown.code), (code, code), "{command:?}");
        let last = format!("votectl: exit code {code}\n");
        assert_eq!(shown.out, plain.out + &last, "{command:?}");
        assert_eq!(shown.err, plain.err + &last, "{command:?}");
    }
}

//! While Postgres is down the last state stays visible, marked stale, and everything that needs no database works.

use std::time::Duration;

use testkit::proxy::Proxy;
use testkit::{PostgresServer, create_database, eventually, own_postgres};
use votestream_schema::poll::{Definition, Visibility};
use votestream_schema::projection::epoch;
use votestream_schema::{PollId, db};

use crate::harness::{Database, Service, Setup, in_ms, poll};
use crate::stream::{Stream, WAYS};

const SOON: Duration = Duration::from_secs(60);

async fn start() -> (PostgresServer, Database, PollId, Service) {
    let postgres = own_postgres().await;
    let mut database = Database::at(create_database(&postgres).await).await;
    let pets = database.create(&poll("pets")).await;
    database.count(pets, 3, &[2, 1]).await;
    let service = Setup::on(&database.url).flag("shutdown-grace-ms", "5000").start().await;
    (postgres, database, pets, service)
}

/// Asserts that the last state is shown everywhere, marked stale, and that no reply is a 500.
async fn expect_stale(service: &Service, streams: &mut [Stream]) {
    for stream in streams {
        let stale = stream.event_where(|_, data| data["stale"] == true).await;
        assert_eq!((&stale["version"], &stale["voters"]), (&1.into(), &3.into()));
        assert!(stale["stale_since"].is_string());
    }
    for _ in 0..20 {
        let tally = service.client.get("/api/polls/pets/tally").send().await;
        assert_eq!((tally.status, &tally.json()["stale"]), (200, &true.into()));
        assert_eq!(tally.json()["options"][0]["votes"], 2);
        let page = service.client.get("/").send().await;
        assert!(page.status == 200 && page.text().contains("Stale since"));
    }
    let series = service.client.get("/api/polls/pets/series").send().await;
    assert_eq!((series.status, series.problem().as_str()), (503, "unavailable"));
    assert!(service.health.ready().unwrap_err().contains_key("postgres"));
    let mut late = Stream::open(&service.client, "pets", WAYS[0]).await;
    assert_eq!(late.event().await.2["stale"], true, "a new viewer sees it too");
}

async fn expect_recovery(
    database: &Database,
    pets: PollId,
    service: &Service,
    streams: &mut [Stream],
) {
    for stream in &mut *streams {
        let fresh = stream.event_where(|_, data| data["stale"] == false).await;
        assert_eq!(fresh["stale_since"], serde_json::Value::Null);
    }
    database.count(pets, 7, &[4, 3]).await;
    for stream in streams {
        let counted = stream.event_where(|_, data| data["version"] == 2).await;
        assert_eq!(counted["voters"], 7);
    }
    eventually(SOON, async || service.health.ready()).await;
    assert_eq!(service.client.get("/api/polls/pets/series").send().await.status, 200);
}

async fn open_both(service: &Service) -> Vec<Stream> {
    let mut streams = Vec::new();
    for way in WAYS {
        let mut stream = Stream::open(&service.client, "pets", way).await;
        stream.event().await;
        streams.push(stream);
    }
    streams
}

#[tokio::test]
async fn a_postgres_that_is_killed_leaves_the_last_state_up_until_it_is_back() {
    let (mut postgres, database, pets, service) = start().await;
    let mut streams = open_both(&service).await;
    postgres.kill();
    expect_stale(&service, &mut streams).await;
    postgres.restart().unwrap();
    let database = Database::at(database.url).await;
    expect_recovery(&database, pets, &service, &mut streams).await;
}

#[tokio::test]
async fn a_postgres_that_does_not_answer_leaves_the_last_state_up_until_it_does() {
    let (mut postgres, database, pets, service) = start().await;
    let mut streams = open_both(&service).await;
    postgres.freeze();
    expect_stale(&service, &mut streams).await;
    postgres.thaw();
    expect_recovery(&database, pets, &service, &mut streams).await;
}

#[tokio::test]
async fn viewers_of_hidden_results_are_told_too_and_told_no_figure() {
    let mut postgres = own_postgres().await;
    let mut database = Database::at(create_database(&postgres).await).await;
    database.create(&Definition { visibility: Visibility::AfterClose, ..poll("pets") }).await;
    let service = Setup::on(&database.url).start().await;
    let mut streams = open_both(&service).await;
    postgres.freeze();
    for stream in &mut streams {
        let stale = stream.event_where(|name, _| name == "hidden").await;
        assert!(stale["stale"] == true && stale["stale_since"].is_string(), "{stale}");
        assert!(stale["options"].is_null() && stale["version"].is_null(), "{stale}");
    }
    postgres.thaw();
    for stream in &mut streams {
        stream.event_where(|name, data| name == "hidden" && data["stale"] == false).await;
    }
}

/// Packets are dropped silently, as when a load balancer has forgotten the connection.
#[tokio::test]
async fn a_session_that_went_silent_is_thrown_away_and_not_waited_for_again() {
    let mut database = Database::new().await;
    let pets = database.create(&poll("pets")).await;
    let port = database.url.rsplit(':').next().unwrap().split('/').next().unwrap().to_owned();
    let proxy = Proxy::open(vec![port.parse().unwrap()]).await.unwrap();
    let url = database.url.replace(&format!(":{port}/"), &format!(":{}/", proxy.port()));
    let service = Setup::on(&url).start().await;
    assert_eq!(service.client.get("/api/polls/pets/series").send().await.status, 200);
    proxy.half_open();
    database.count(pets, 7, &[4, 3]).await;
    for path in ["tally", "series"] {
        // Two seconds for a read, and ten for a connection that was being made.
        eventually(Duration::from_secs(30), async || {
            let reply = service.client.get(&format!("/api/polls/pets/{path}")).send().await;
            reply.status == 200 && reply.json()["voters"] == 7
        })
        .await;
    }
}

#[tokio::test]
async fn a_replica_can_stop_while_postgres_does_not_answer() {
    let (mut postgres, _database, _, service) = start().await;
    postgres.freeze();
    eventually(SOON, async || service.health.ready().is_err()).await;
    service.shutdown.cancel();
    let stopped = tokio::time::timeout(Duration::from_secs(5), service.task).await;
    assert!(stopped.expect("stops in time").unwrap().unwrap());
    postgres.thaw();
}

#[tokio::test]
async fn before_postgres_was_ever_reached_nothing_is_said_of_any_poll() {
    let port = testkit::free_port();
    let url = format!("postgres://postgres@127.0.0.1:{port}/none");
    let service = Setup::on(&url).impatient().start().await;
    for path in ["tally", "series", "events"] {
        let reply = service.client.get(&format!("/api/polls/pets/{path}")).send().await;
        assert_eq!((reply.status, reply.problem().as_str()), (503, "unavailable"), "{path}");
    }
    assert_eq!(service.client.get("/").send().await.status, 503);
    let list = service.client.get("/api/polls").send().await;
    assert_eq!(list.json(), serde_json::json!({ "polls": [] }));
}

#[tokio::test]
async fn a_database_that_is_not_migrated_yet_is_waited_for() {
    let url = testkit::database().await;
    let service = Setup::on(&url).impatient().start().await;
    eventually(SOON, async || {
        service.health.ready().is_err_and(|closed| closed["postgres"].contains("polls"))
    })
    .await;
    let mut database = Database::at(url).await;
    database.create(&poll("pets")).await;
    eventually(SOON, async || {
        service.client.get("/api/polls/pets/tally").send().await.status == 200
    })
    .await;
}

/// Postgres was restored to an earlier state, and a consumer has noticed it.
#[tokio::test(flavor = "multi_thread")]
async fn a_database_of_another_time_is_shown_neither_as_live_nor_as_final() {
    let mut database = Database::new().await;
    let closed = Definition { closes_at: Some(in_ms(-1_000)), ..poll("pets") };
    let pets = database.create(&closed).await;
    database.count(pets, 3, &[2, 1]).await;
    database.complete_to(in_ms(0), 0, pets).await;
    let service = Setup::on(&database.url).start().await;
    let mut stream = Stream::open(&service.client, "pets", WAYS[0]).await;
    stream.event_where(|_, data| data["final"] == true && data["stale"] == false).await;

    let why = epoch::Mismatch::PostgresWentBack { behind_s: 60 };
    db::epoch::note(&database.client, why).await.unwrap();
    let told = stream.event_where(|_, data| data["stale"] == true).await;
    assert_eq!((&told["final"], &told["waiting"]), (&false.into(), &serde_json::Value::Null));
    assert_eq!(told["complete_to"], serde_json::Value::Null);
    let page = service.client.get("/").send().await;
    assert!(page.text().contains("Stale since") && !page.text().contains("Final"), "{page:?}");

    db::epoch::renew(&database.client, 0).await.unwrap();
    stream.event_where(|_, data| data["final"] == true && data["stale"] == false).await;
}

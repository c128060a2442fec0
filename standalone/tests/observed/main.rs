//! The monitoring as the person on call sees it: real services under real load, watched by a real Prometheus. Every
//! expression of every panel and rule has data, and every alert fires once its cause is brought about.

#![expect(clippy::unwrap_used, reason = "a helper of a test may fail as the test may")]

mod clients;
mod collector;
mod expressions;
mod loaded_pipeline;
mod shortened;
#[path = "../metrics_document/tables.rs"]
mod tables;

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, TcpListener};
use std::process::Command;
use std::time::{Duration, Instant};

use clients::{
    ballots_of_one_network, ballots_with_solutions, ballots_without_a_code, failing_requests, page,
    unfinished_request, viewer,
};
use collector::Collector;
use loaded_pipeline::{Helper, LoadedPipeline, root, until};
use rustix::process::Signal;
use shortened::{copy_rules, shortened};
use testkit::prometheus::{Prometheus, fetch, get};
use testkit::{eventually, folder, free_port};

/// After a slow audit, the next one waits for a minute or two.
const SOON: Duration = Duration::from_secs(180);
/// Takes the lock that a consumer holds while it audits (`consumer/src/jobs/auditor.rs`), so that none audits any more.
const AUDIT_LOCK: &str = "BEGIN; SELECT FROM locks WHERE name = 'audit' FOR UPDATE";
/// Takes the lock that a consumer holds while it appends to the public logs (`consumer/src/jobs/sealer.rs`).
const LOG_LOCK: &str = "BEGIN; SELECT FROM locks WHERE name = 'log' FOR UPDATE";
/// Locks a table that every consumer writes, so that none counts until the transaction is rolled back.
const NOBODY_COUNTS: &str = "BEGIN; LOCK TABLE poll_tally IN ACCESS EXCLUSIVE MODE";
/// Has Postgres refuse every vote with the error of a full disk.
const DISK_IS_FULL: &str = "
    CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN RAISE 'could not extend file: No space left on device' USING ERRCODE = '53100'; END $$;
    CREATE TRIGGER full_disk BEFORE INSERT OR UPDATE ON votes EXECUTE FUNCTION full_disk()";
/// Metrics that a service exports only if it has a certificate.
const ABSENT: [&str; 1] = ["votestream_certificate_expiry_timestamp_seconds"];

/// An alert: its name, its severity, and its time window.
type Alert = (String, String, String);

/// The pipeline, the Prometheus that watches it, and the alerts so far.
struct Observation {
    pipeline: LoadedPipeline,
    prometheus: Prometheus,
    /// All alerts that fired at any time.
    seen: BTreeSet<Alert>,
}

impl Observation {
    /// Returns the alerts that fire now. Those that fired within the last 5 seconds are remembered as well.
    fn firing(&mut self) -> BTreeSet<Alert> {
        self.seen.extend(self.ask("count_over_time(ALERTS{alertstate=\"firing\"}[5s])"));
        self.ask("ALERTS{alertstate=\"firing\"}")
    }

    fn ask(&self, expression: &str) -> BTreeSet<Alert> {
        let alerts = self.prometheus.query(expression).unwrap_or_default();
        let text = |alert: &serde_json::Value, name: &str| {
            alert["metric"][name].as_str().unwrap_or_default().to_owned()
        };
        let alerts = alerts.iter().map(|alert| {
            (text(alert, "alertname"), text(alert, "severity"), text(alert, "window"))
        });
        alerts.collect()
    }

    /// Waits until every alert of these names has fired, in all its severities and windows.
    async fn see(&mut self, names: &[&str]) {
        let wanted: BTreeSet<Alert> =
            self.alerts().into_iter().filter(|(name, ..)| names.contains(&name.as_str())).collect();
        assert!(wanted.len() >= names.len(), "{names:?} are not all among the rules");
        let since = Instant::now();
        while !wanted.is_subset(&self.seen) {
            let missing: Vec<_> = wanted.difference(&self.seen).collect();
            assert!(since.elapsed() < SOON, "not seen to fire: {missing:?}");
            tokio::time::sleep(Duration::from_millis(300)).await;
            self.firing();
        }
        eprintln!("{:4.1} s until {names:?}", since.elapsed().as_secs_f32());
    }

    /// Whether an alert has fired in all its severities and windows.
    fn seen_all(&self, name: &str) -> bool {
        let named = |alert: &Alert| alert.0 == name;
        self.alerts().into_iter().filter(named).all(|alert| self.seen.contains(&alert))
    }

    /// Returns every alert that the rules define.
    fn alerts(&self) -> BTreeSet<Alert> {
        let rules = self.prometheus.rules().into_iter().filter(|rule| rule["type"] == "alerting");
        let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
        rules
            .map(|rule| {
                let labels = &rule["labels"];
                (text(&rule["name"]), text(&labels["severity"]), text(&labels["window"]))
            })
            .collect()
    }
}

/// Rules on what Kubernetes reports of its objects, which one machine has not; promtool's cases feed them.
const OF_KUBERNETES: [&str; 3] =
    ["BackupFailed", "BackupOverdue", "service:votestream_replicas_wanted:max"];

#[tokio::test(flavor = "multi_thread")]
async fn every_panel_has_data_and_every_alert_fires() {
    let (own_prometheus, metrics) = (free_port(), six_free_ports());
    let collector = Collector::listen().await;
    let pipeline = tokio::task::block_in_place(|| {
        LoadedPipeline::start(own_prometheus, metrics, &collector.address)
    });
    // Nobody else asks the organisers' pages for anything, and a request that was never made is no metric.
    page(&pipeline.pipeline.organisers).await;
    prometheus_of_make_up_scrapes_everything(own_prometheus).await;

    let load = pipeline.load();
    let exporters = exporters(&pipeline);
    let doomed = [1, 7].map(|days| pipeline.dashboard_with_certificate(days));
    let (challenging, vote, challenging_port) = pipeline.producer_with_a_dead_verifier();
    let mut targets = vec![
        ("producer".to_owned(), vec![metrics]),
        ("dashboard".to_owned(), vec![metrics + 1]),
        ("consumer".to_owned(), vec![metrics + 2, metrics + 3]),
        ("host".to_owned(), vec![metrics + 4]),
        ("canary".to_owned(), vec![metrics + 5]),
        ("first-dashboard".to_owned(), vec![doomed[0].1]),
        ("second-dashboard".to_owned(), vec![doomed[1].1]),
        // Its job is none of ours, so that no alert takes it for a replica of the producer.
        ("challenging".to_owned(), vec![challenging_port]),
    ];
    targets.extend(exporters.iter().map(|(job, port, _)| ((*job).to_owned(), vec![*port])));
    let home = folder("prometheus");
    let rules = copy_rules(&root().join("grafana/prometheus/rules"), &home);
    let prometheus = Prometheus::start_in(&home, &targets, &rules).unwrap();
    let mut watched = Observation { pipeline, prometheus, seen: BTreeSet::new() };

    every_expression_has_data(&watched.prometheus).await;
    exported_is_documented([0, 1, 2, 4, 5].map(|nth| metrics + nth), doomed[0].1);
    let since = Instant::now();
    let others =
        |firing: &BTreeSet<Alert>| firing.iter().any(|(name, ..)| name != "CertificateExpires");
    until("nothing fires while all is well", SOON, || !others(&watched.firing())).await;
    eprintln!("{:4.1} s until all was well", since.elapsed().as_secs_f32());
    watched.seen.clear();

    watched.see(&["CertificateExpires"]).await;
    solutions_are_not_checked(&mut watched, &vote).await;
    drop(challenging);
    counting_stands_still_and_entries_are_deleted(&mut watched).await;
    servers_come_near_their_bounds(&mut watched).await;
    entries_are_left_behind(&mut watched).await;
    nobody_appends_to_the_logs(&mut watched).await;
    results_and_redis_are_tampered_with(&mut watched).await;
    viewers_are_served_late(&mut watched).await;
    an_entry_comes_from_tomorrow(&mut watched).await;
    drop((doomed, exporters, collector));
    watched.see(&["SpansLost"]).await;
    producers_have_no_room(&mut watched).await;
    services_come_and_go(&mut watched).await;
    services_do_not_answer(&mut watched).await;
    drop(load);
    voters_come_from_one_network(&mut watched).await;
    every_ballot_is_refused(&mut watched).await;
    the_turnout_is_exact(&watched).await;

    let mut unseen: Vec<_> = watched.alerts().difference(&watched.seen).cloned().collect();
    unseen.retain(|(name, ..)| !OF_KUBERNETES.contains(&name.as_str()));
    assert!(unseen.is_empty(), "no fault was injected for {unseen:?}");
}

/// Checks the Prometheus that `make up OBSERVE=1` started.
async fn prometheus_of_make_up_scrapes_everything(port: u16) {
    eventually(SOON, async || {
        let reply = get(port, "/api/v1/targets?state=active").map_err(|error| error.to_string())?;
        let targets = reply["data"]["activeTargets"].as_array().cloned().unwrap_or_default();
        let up = targets.iter().filter(|target| target["health"] == "up").count();
        if (targets.len(), up) == (7, 7) { Ok(()) } else { Err(format!("{targets:?}")) }
    })
    .await;
    eventually(SOON, async || {
        let found = get(port, "/api/v1/alertmanagers").map_err(|error| error.to_string())?;
        let active = found["data"]["activeAlertmanagers"].as_array().map_or(0, Vec::len);
        if active == 1 { Ok(()) } else { Err(found.to_string()) }
    })
    .await;
    let served = fetch(port, "/consoles/NoProducer.md").unwrap();
    assert!(served.contains("# NoProducer\n") && served.contains("## Do this"), "{served}");
    let rules = get(port, "/api/v1/rules").unwrap();
    assert!(rules["data"]["groups"].as_array().is_some_and(|groups| groups.len() > 3), "{rules}");
}

/// Starts the usual exporters of Redis and Postgres. Returns job, port and process of each.
fn exporters(pipeline: &LoadedPipeline) -> Vec<(&'static str, u16, Helper)> {
    let (redis, postgres) = (free_port(), free_port());
    let mut redis_exporter = Command::new("prometheus-redis-exporter");
    redis_exporter
        .arg(format!("-redis.addr={}", pipeline.redis_url))
        .arg(format!("-web.listen-address=127.0.0.1:{redis}"));
    let mut postgres_exporter = Command::new("prometheus-postgres-exporter");
    postgres_exporter
        .env("DATA_SOURCE_NAME", format!("{}?sslmode=disable", pipeline.database_url))
        .arg(format!("--web.listen-address=127.0.0.1:{postgres}"));
    vec![
        ("redis", redis, Helper::start(&mut redis_exporter)),
        ("postgres", postgres, Helper::start(&mut postgres_exporter)),
    ]
}

async fn every_expression_has_data(prometheus: &Prometheus) {
    let grafana = root().join("grafana");
    // Collect the expressions of dashboards and recording rules, without those that may be empty.
    let excused = expressions::that_may_be_empty(&grafana.join("may-be-empty.json"));
    let mut wanted = expressions::of_dashboards(&grafana.join("dashboards"));
    let recorded = || prometheus.rules().into_iter().filter(|rule| rule["type"] == "recording");
    eventually(SOON, async || recorded().next().ok_or("no rules yet")).await;
    for rule in recorded() {
        let name = rule["name"].as_str().unwrap();
        if !OF_KUBERNETES.contains(&name) {
            wanted.insert(name.to_owned(), BTreeSet::from(["a rule".into()]));
        }
    }
    for expression in excused.keys() {
        let places = wanted.remove(expression);
        assert!(places.is_some(), "excused, but nobody asks for it: {expression}");
        prometheus.query(&shortened(expression)).unwrap();
    }
    // Query them until each has data.
    let all = wanted.len();
    let since = Instant::now();
    let mut errors: Vec<String>;
    loop {
        errors = Vec::new();
        wanted.retain(|expression, places| match prometheus.query(&shortened(expression)) {
            Ok(result) if !result.is_empty() => false,
            outcome => {
                errors.push(format!("{places:?}: {expression}: {outcome:?}"));
                true
            }
        });
        if wanted.is_empty() {
            break;
        }
        assert!(
            since.elapsed() < SOON,
            "{} of {all} are empty:\n{}",
            errors.len(),
            errors.join("\n")
        );
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    for rule in prometheus.rules() {
        assert_eq!(rule["health"], "ok", "{rule}");
    }
    eprintln!("{:4.1} s until all {all} expressions had data", since.elapsed().as_secs_f32());
}

/// Checks that producer, dashboard, consumer, host's service and canary export exactly the metrics of docs/METRICS.md.
fn exported_is_documented(ports: [u16; 5], with_certificate: u16) {
    let documented = tables::documented();
    let own = ["Producer", "Dashboard", "Consumer", "Host", "Canary"];
    for (port, service) in ports.into_iter().zip(own) {
        let exported = exported(port);
        let tables = documented.iter().filter(|(title, _)| {
            let serves = ["Producer", "Dashboard", "Host"].contains(&service)
                && *title == "Producer, dashboard and host";
            *title == service || title.starts_with("Every") || serves
        });
        let names = tables.flat_map(|(_, table)| table.iter().map(|metric| metric.name.to_owned()));
        // The canary has no server, and so no pool.
        let has_none = |name: &str| service == "Canary" && name.starts_with("votestream_pool_");
        let names: BTreeSet<String> =
            names.filter(|name| !ABSENT.contains(&name.as_str()) && !has_none(name)).collect();
        assert_eq!(exported, names, "of the {service}");
    }
    let certified = exported(with_certificate);
    assert!(ABSENT.iter().all(|name| certified.contains(*name)), "{certified:?}");
}

fn exported(port: u16) -> BTreeSet<String> {
    let text = fetch(port, "/metrics").unwrap();
    let types = text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next());
    types.map(str::to_owned).collect()
}

async fn counting_stands_still_and_entries_are_deleted(watched: &mut Observation) {
    let barrier = watched.pipeline.sql().await;
    barrier.batch_execute(NOBODY_COUNTS).await.unwrap();
    let waiting = ["OldestEntryWaits", "OldestPendingStuck", "NothingCounted", "RetriesGoOn"];
    watched.see(&waiting).await;
    // Somebody deletes entries that are pending and entries that are not delivered yet, and the consumers die.
    for partition in 0..4 {
        let stream = format!("{{votes:{partition}}}:stream");
        let entries: Vec<(String, Vec<String>)> =
            watched.pipeline.redis(&["XRANGE", &stream, "-", "+"]).await;
        let ids: Vec<&str> = entries.iter().map(|(id, _)| id.as_str()).collect();
        let mut delete = vec!["XDEL", &stream];
        delete.extend(ids.iter().take(2).chain(ids.iter().rev().take(2)));
        watched.pipeline.redis::<i64>(&delete).await;
    }
    watched.pipeline.signal("consumer", Signal::KILL);
    watched.see(&["EntriesLost", "LagUnknown", "BacklogNotDraining", "BacklogNearBound"]).await;
    watched.see(&["DashboardStale", "DependencyDown", "ProducerRefusing", "CanaryFails"]).await;
    requests_fail(watched).await;
    barrier.batch_execute("ROLLBACK").await.unwrap();
    barrier.batch_execute(DISK_IS_FULL).await.unwrap();
    watched.see(&["PostgresDiskFull"]).await;
    barrier.batch_execute("DROP FUNCTION full_disk CASCADE").await.unwrap();
    ballots_are_counted_late(watched, &barrier).await;
    the_next_audit_is_due(watched).await;
    watched.see(&["AcceptingBudgetBurns", "EntriesVanished", "BallotsMissing"]).await;
}

/// Lets requests fail again and again: a counter that begins with its first scrape does not grow for a rate.
async fn requests_fail(watched: &mut Observation) {
    let until = Instant::now() + SOON;
    while !watched.seen_all("PagesFail") {
        let failed = failing_requests(&watched.pipeline.pipeline.results).await;
        assert!(failed >= 20, "{failed} requests failed");
        assert!(Instant::now() < until, "failing pages are not seen: {:?}", watched.seen);
        watched.firing();
    }
}

/// An audit that waited for a locked table took long, and the next one would wait for twenty times as long.
async fn the_next_audit_is_due(watched: &Observation) {
    watched.pipeline.redis::<i64>(&["HSET", "votes:audit", "duration_ms", "0"]).await;
}

/// Makes ballots late again and again. Once would not do: a consumer that has just started may count its late ballots
/// before its first scrape, and a rate does not see values that stood in the first scrape.
async fn ballots_are_counted_late(watched: &mut Observation, barrier: &tokio_postgres::Client) {
    let until = Instant::now() + SOON;
    while !watched.seen_all("FreshnessBudgetBurns") || !watched.seen_all("CanaryLate") {
        assert!(Instant::now() < until, "late ballots are not seen: {:?}", watched.seen);
        barrier.batch_execute(NOBODY_COUNTS).await.unwrap();
        tokio::time::sleep(Duration::from_secs(4)).await;
        barrier.batch_execute("ROLLBACK").await.unwrap();
        tokio::time::sleep(Duration::from_secs(1)).await;
        watched.firing();
    }
}

async fn servers_come_near_their_bounds(watched: &mut Observation) {
    let sql = watched.pipeline.sql().await;
    let count = "SELECT sum(numbackends)::float8 / current_setting('max_connections')::float8
        FROM pg_stat_database";
    let mut sessions = Vec::new();
    while sql.query_one(count, &[]).await.unwrap().get::<_, f64>(0) < 0.93 {
        sessions.push(watched.pipeline.sql().await);
    }
    let facts: String = watched.pipeline.redis(&["INFO", "memory"]).await;
    let used = facts.lines().find_map(|line| line.strip_prefix("used_memory:")).unwrap();
    let bound = (used.trim().parse::<f64>().unwrap() * 1.1) as u64;
    let set = ["CONFIG", "SET", "maxmemory"];
    watched.pipeline.redis::<()>(&[&set[..], &[bound.to_string().as_str()]].concat()).await;
    let mut streams = Vec::new();
    for _ in 0..28 {
        streams.push(viewer(&watched.pipeline.pipeline.results).await);
    }
    let names = ["PostgresConnectionsNearBound", "RedisMemoryNearBound", "ViewersNearBound"];
    watched.see(&names).await;
    let until = Instant::now() + SOON;
    while !watched.seen_all("ViewersRefused") {
        assert!(
            Instant::now() < until,
            "viewers that are refused are not seen: {:?}",
            watched.seen
        );
        for _ in 0..30 {
            viewer(&watched.pipeline.pipeline.results).await;
        }
        watched.firing();
    }
    // A Redis that is full refuses every ballot, as a full backlog did before.
    watched.seen.retain(|(name, ..)| name != "NoBallotStored");
    watched.pipeline.redis::<()>(&[&set[..], &["1"]].concat()).await;
    watched.see(&["NoBallotStored"]).await;
    watched.pipeline.redis::<()>(&[&set[..], &["0"]].concat()).await;
}

/// Takes entries under another name, and deletes that consumer with them.
async fn entries_are_left_behind(watched: &mut Observation) {
    watched.pipeline.signal("consumer", Signal::STOP);
    let group = ["GROUP", "tally", "somebody", "COUNT", "20"];
    let of = ["STREAMS", "{votes:2}:stream", ">"];
    let read = [&["XREADGROUP"][..], &group, &of].concat();
    eventually(SOON, async || {
        let taken: redis::Value = watched.pipeline.redis(&read).await;
        if taken == redis::Value::Nil { Err("no entry yet") } else { Ok(()) }
    })
    .await;
    let delete = ["XGROUP", "DELCONSUMER", "{votes:2}:stream", "tally", "somebody"];
    let deleted: i64 = watched.pipeline.redis(&delete).await;
    assert!(deleted > 0, "no entry was held");
    watched.pipeline.signal("consumer", Signal::CONT);
    watched.see(&["EntriesAbandoned"]).await;
}

async fn nobody_appends_to_the_logs(watched: &mut Observation) {
    let sql = watched.pipeline.sql().await;
    sql.batch_execute(LOG_LOCK).await.unwrap();
    watched.see(&["PublicLogBehind"]).await;
    sql.batch_execute("ROLLBACK").await.unwrap();
}

async fn results_and_redis_are_tampered_with(watched: &mut Observation) {
    let redis = |command: &'static [&'static str]| watched.pipeline.redis::<redis::Value>(command);
    redis(&["CONFIG", "SET", "appendfsync", "everysec"]).await;
    redis(&["XADD", "{votes:0}:stream", "*", "odd", "1"]).await;
    let sql = watched.pipeline.sql().await;
    sql.batch_execute(
        "UPDATE tally SET votes = votes + 7;
         INSERT INTO polls (slug, title, voter_policy, opens_at_ms)
             VALUES ('codes', 'Who?', 'code', 1);
         INSERT INTO options (poll_id, position, slug, label)
             SELECT id, n, 'o' || n, 'o' || n FROM polls, generate_series(0, 1) n WHERE slug = 'codes';
         INSERT INTO voting_codes (poll_id, hash) SELECT id, gen_random_uuid() FROM polls, generate_series(1, 20)
             WHERE slug = 'codes';
         INSERT INTO poll_tally (poll_id, voters) SELECT id, 19 FROM polls WHERE slug = 'codes';
         INSERT INTO votes (poll_id, voter, choices, entry_ms, entry_seq, ballot)
             SELECT id, gen_random_uuid(), 1, 1, 1, gen_random_uuid() FROM polls WHERE slug = 'codes';",
    )
    .await
    .unwrap();
    redis(&["HSET", "{votes:0}:polls", "1", "2147483647 0 1 keep_first code"]).await;
    the_next_audit_is_due(watched).await;
    watched.see(&["RedisNotDurable", "DeadLetters", "TallyDrift", "CodePoolLow"]).await;
    watched.see(&["BallotsSurplus", "VotesWithoutCode", "CopiesRepaired"]).await;
    let refused = ballots_without_a_code(&watched.pipeline.pipeline.vote).await;
    assert!(refused > 500, "{refused} were refused");
    watched.see(&["WrongCodes"]).await;
    // Somebody writes a poll as a newer release might. This is a transaction of its own: it locks `polls`, and
    // together with the locked tally above that could end in a deadlock with a consumer.
    sql.batch_execute(
        "ALTER TABLE polls DROP CONSTRAINT polls_vote_policy_check;
         INSERT INTO polls (slug, title, vote_policy, opens_at_ms)
             VALUES ('ranked', 'Which order?', 'ranked', 1);
         INSERT INTO options (poll_id, position, slug, label)
             SELECT id, n, 'o' || n, 'o' || n FROM polls, generate_series(0, 1) n WHERE slug = 'ranked';",
    )
    .await
    .unwrap();
    watched.see(&["PollUnreadable"]).await;
    // A stream is behind the position that was seen, and Redis' default user lacks the rights to replay the file.
    sql.batch_execute("UPDATE stream_positions SET added = added + 1000000 WHERE partition = 1")
        .await
        .unwrap();
    watched.pipeline.redis::<()>(&["ACL", "SETUSER", "default", "reset"]).await;
    watched.see(&["StreamWentBack", "RedisForgetsOnRestart"]).await;
    let mended = ["ACL", "SETUSER", "default", "off", "~*", "&*", "+@all"];
    watched.pipeline.redis::<()>(&mended).await;
    watched.pipeline.redis::<()>(&["CONFIG", "SET", "appendfsync", "always"]).await;
    sql.batch_execute(AUDIT_LOCK).await.unwrap();
    watched.see(&["AuditOverdue"]).await;
}

async fn viewers_are_served_late(watched: &mut Observation) {
    let until = Instant::now() + SOON;
    while !watched.seen_all("DeliveryBudgetBurns") {
        assert!(Instant::now() < until, "late viewers are not seen: {:?}", watched.seen);
        watched.pipeline.signal("dashboard", Signal::STOP);
        tokio::time::sleep(Duration::from_millis(1_300)).await;
        watched.pipeline.signal("dashboard", Signal::CONT);
        tokio::time::sleep(Duration::from_millis(250)).await;
        watched.firing();
    }
}

async fn an_entry_comes_from_tomorrow(watched: &mut Observation) {
    let (ms, day_ms) = (votestream_schema::poll::now_ms(), 24 * 60 * 60 * 1_000);
    let id = format!("{}-0", ms + day_ms);
    watched.pipeline.redis::<redis::Value>(&["XADD", "{votes:3}:stream", &id, "odd", "1"]).await;
    watched.see(&["StreamClockAhead"]).await;
}

async fn services_do_not_answer(watched: &mut Observation) {
    for service in ["producer", "consumer", "dashboard"] {
        watched.pipeline.signal(service, Signal::STOP);
    }
    watched
        .see(&["TargetDown", "NoProducer", "NoConsumer", "NoDashboard", "ReplicasMissing"])
        .await;
    for service in ["producer", "consumer", "dashboard"] {
        watched.pipeline.signal(service, Signal::CONT);
    }
}

/// Requests whose bodies never come hold the producer's connections for some seconds. While they are fewer than
/// CONNECTIONS_MAX (300), none is closed for another one; beyond that some are.
async fn producers_have_no_room(watched: &mut Observation) {
    let vote = watched.pipeline.pipeline.vote.clone();
    let until = Instant::now() + SOON;
    let mut requests = Vec::new();
    while !watched.seen_all("ConnectionsNearBound") {
        assert!(Instant::now() < until, "connections near their bound are not seen");
        requests.clear();
        for _ in 0..288 {
            requests.push(unfinished_request(&vote).await);
        }
        for _ in 0..8 {
            tokio::time::sleep(Duration::from_millis(400)).await;
            watched.firing();
        }
    }
    for _ in 0..500 {
        requests.push(unfinished_request(&vote).await);
    }
    watched.see(&["ConnectionsClosedForRoom"]).await;
}

/// Freezes the dashboard again and again. A scrape waits for a second, and the rules see only those that have ended, so
/// they see about half of the time that it is frozen.
async fn services_come_and_go(watched: &mut Observation) {
    let until = Instant::now() + SOON;
    while !watched.seen_all("ServiceInterrupted") || !watched.seen_all("ReplicaRestarts") {
        assert!(Instant::now() < until, "interruptions are not seen: {:?}", watched.seen);
        watched.pipeline.signal("dashboard", Signal::STOP);
        tokio::time::sleep(Duration::from_millis(3_200)).await;
        watched.pipeline.signal("dashboard", Signal::CONT);
        tokio::time::sleep(Duration::from_millis(1_200)).await;
        watched.firing();
    }
}

async fn voters_come_from_one_network(watched: &mut Observation) {
    let until = Instant::now() + SOON;
    let mut accepted = 0;
    while !watched.seen_all("VotersFromFewNetworks") {
        assert!(Instant::now() < until, "{accepted} are not seen: {:?}", watched.seen);
        accepted += ballots_of_one_network(&watched.pipeline.pipeline.vote, 300).await;
        watched.firing();
    }
}

/// Sends solutions to a producer that cannot have them checked. Its counter grows between two scrapes at least.
async fn solutions_are_not_checked(watched: &mut Observation, vote: &str) {
    let until = Instant::now() + SOON;
    while !watched.seen_all("ChallengeVerifierDown") {
        assert!(Instant::now() < until, "solutions that nobody checks are not seen");
        assert_eq!(ballots_with_solutions(vote, 40).await, 40);
        watched.firing();
    }
}

async fn every_ballot_is_refused(watched: &mut Observation) {
    let until = Instant::now() + SOON;
    while !watched.seen_all("BallotsRefused") {
        assert!(Instant::now() < until, "refusals are not seen: {:?}", watched.seen);
        ballots_without_a_code(&watched.pipeline.pipeline.vote).await;
        watched.firing();
    }
}

/// The overview's turnout is the number in Postgres. Nobody votes any more.
async fn the_turnout_is_exact(watched: &Observation) {
    let sql = watched.pipeline.sql().await;
    let sum = "SELECT sum(t.voters)::float8 FROM poll_tally t JOIN polls p ON p.id = t.poll_id
        WHERE p.slug NOT IN ('ranked', 'votestream-canary')";
    eventually(SOON, async || {
        let counted: f64 = sql.query_one(sum, &[]).await.unwrap().get(0);
        let shown = watched.prometheus.query("max(votestream_voters{job=\"dashboard\"})");
        let shown = shown.map_err(|error| error.to_string())?;
        let shown = shown.first().and_then(|sample| sample["value"][1].as_str()?.parse().ok());
        if shown == Some(counted) && counted > 1_000.0 {
            Ok(())
        } else {
            Err(format!("{shown:?} of {counted}"))
        }
    })
    .await;
}

/// Returns the first of six free ports in a row, away from those that [`free_port`] gives next.
fn six_free_ports() -> u16 {
    let is_free = |port: u16| TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)).is_ok();
    let candidates = (0..200).map(|step| 10_000 + (free_port() + 2_000 + 6 * step) % 20_000);
    let mut fitting = candidates.filter(|port| (*port..*port + 6).all(is_free));
    fitting.next().unwrap()
}

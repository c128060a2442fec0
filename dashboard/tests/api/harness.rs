//! A dashboard that runs in the test's process on its own database.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{LazyLock, OnceLock};
use std::time::Duration;

use clap::Parser;
use jiff::{SignedDuration, Timestamp};
use metrics_exporter_prometheus::PrometheusHandle;
use testkit::eventually;
use testkit::http::{Client, Contract};
use tokio::task::JoinHandle;
use tokio_postgres::{Client as Postgres, NoTls};
use votestream_dashboard::Config;
use votestream_schema::poll::translations::Translations;
use votestream_schema::poll::{
    Definition, PollOption, Visibility, VotePolicy, VoterPolicy, now_ms,
};
use votestream_schema::{PollId, db};
use votestream_service::health::Health;
use votestream_service::{CancellationToken, listener, telemetry};

const READY_WITHIN: Duration = Duration::from_secs(60);

/// The OpenAPI document that every reply and event is checked against.
pub fn contract() -> &'static Contract {
    static CONTRACT: LazyLock<Contract> =
        LazyLock::new(|| Contract::new(include_str!("../../openapi.json")));
    &CONTRACT
}

/// Defines an open poll with two options whose results are always visible.
pub fn poll(slug: &str) -> Definition {
    Definition {
        slug: slug.parse().unwrap(),
        title: "Cats vs Dogs".to_owned(),
        titles: Translations::default(),
        lang: None,
        options: vec![option("cats", "Cats"), option("dogs", "Dogs")],
        choices_min: 1,
        choices_max: 1,
        shuffle: false,
        vote_policy: VotePolicy::KeepFirst,
        voter_policy: VoterPolicy::Open,
        visibility: Visibility::Always,
        secret: false,
        keep_votes_days: None,
        network_limit: None,
        listed: None,
        receipts: None,
        opens_at: Some(in_ms(-60_000)),
        closes_at: None,
    }
}

pub fn option(slug: &str, label: &str) -> PollOption {
    let slug = slug.parse().unwrap();
    let (label, labels) = (label.to_owned(), Translations::default());
    PollOption { slug, label, labels, description: None, colour: None }
}

/// Returns the time this many milliseconds from now.
pub fn in_ms(ms: i64) -> Timestamp {
    Timestamp::now() + SignedDuration::from_millis(ms)
}

/// A migrated database, with methods that write to it as the consumer would.
pub struct Database {
    pub url: String,
    pub client: Postgres,
}

impl Database {
    /// Creates a database on the shared Postgres server.
    pub async fn new() -> Self {
        Self::at(testkit::database().await).await
    }

    /// Migrates the empty database at this address.
    pub async fn at(url: String) -> Self {
        let mut client = connect(&url).await;
        db::migrate(&mut client, None).await.unwrap();
        Self { url, client }
    }

    pub async fn create(&mut self, poll: &Definition) -> PollId {
        let transaction = self.client.transaction().await.unwrap();
        let id = db::polls::create(transaction.client(), poll).await.unwrap();
        transaction.commit().await.unwrap();
        id
    }

    /// Sets a poll's tally and increases its version by one.
    pub async fn count(&self, poll: PollId, voters: i64, votes: &[i64]) {
        let sql = "WITH counted AS (
                UPDATE tally SET votes = given.votes
                FROM unnest($3::bigint[]) WITH ORDINALITY AS given (votes, place)
                WHERE tally.poll_id = $1 AND tally.position = given.place - 1)
            UPDATE poll_tally SET version = version + 1, voters = $2 WHERE poll_id = $1";
        let changed = self.client.execute(sql, &[&poll.0, &voters, &votes]).await.unwrap();
        assert_eq!(changed, 1);
    }

    /// Adds one second with votes to a poll's series.
    pub async fn add_second(&self, poll: PollId, second: i64, votes: i64) {
        let sql = "INSERT INTO series (poll_id, second, votes) VALUES ($1, $2, $3)";
        self.client.execute(sql, &[&poll.0, &second, &votes]).await.unwrap();
    }

    /// Says that every ballot up to this time is counted, and how many wait, as the consumers do.
    pub async fn complete_to(&self, at: Timestamp, waiting: i64, poll: PollId) {
        let partitions = db::partitions(&self.client).await.unwrap();
        let sql = "INSERT INTO watermarks SELECT n, $1 FROM generate_series(0, $2 - 1) n \
                   ON CONFLICT (partition) DO UPDATE SET complete_to_ms = excluded.complete_to_ms";
        let values: [&(dyn tokio_postgres::types::ToSql + Sync); 2] =
            [&at.as_millisecond(), &i32::from(partitions)];
        self.client.execute(sql, &values).await.unwrap();
        let waiting = std::collections::HashMap::from([(poll, waiting)]);
        db::watermarks::store_waiting(&self.client, Some(&waiting)).await.unwrap();
    }

    /// Opens a poll now, earlier than was said, and increases its revision, as votectl does.
    pub async fn open(&self, poll: PollId) {
        let sql = "UPDATE polls SET opens_at_ms = $2, revision = revision + 1 WHERE id = $1";
        self.client.execute(sql, &[&poll.0, &now_ms()]).await.unwrap();
    }

    /// Sets a poll's closing time and increases its revision, as votectl does.
    pub async fn close(&self, poll: PollId, at: Timestamp) {
        let sql = "UPDATE polls SET closes_at_ms = $2, revision = revision + 1 WHERE id = $1";
        self.client.execute(sql, &[&poll.0, &at.as_millisecond()]).await.unwrap();
    }
}

/// The database and flags with which a dashboard is started.
#[derive(Clone)]
pub struct Setup {
    url: Option<String>,
    flags: BTreeMap<String, String>,
    waits: bool,
}

impl Setup {
    /// Prepares a dashboard on a new database with one poll, `pets`.
    pub fn new() -> Self {
        let fixed = [("default-poll", "pets"), ("log-level", "off"), ("tick-ms", "20")];
        let flags = fixed.map(|(name, value)| (name.to_owned(), value.to_owned()));
        Self { url: None, flags: flags.into(), waits: true }
    }

    /// Prepares a dashboard on this database.
    pub fn on(url: &str) -> Self {
        Self { url: Some(url.to_owned()), ..Self::new() }
    }

    /// Adds a flag, such as `tick-ms` for the variable TICK_MS.
    pub fn flag(mut self, name: &str, value: &str) -> Self {
        self.flags.insert(name.to_owned(), value.to_owned());
        self
    }

    /// Starts the dashboard without waiting until it is ready.
    pub fn impatient(mut self) -> Self {
        self.waits = false;
        self
    }

    pub async fn start(self) -> Service {
        let url = match &self.url {
            Some(url) => url.clone(),
            None => {
                let mut database = Database::new().await;
                database.create(&poll("pets")).await;
                database.url
            }
        };
        let fixed = ["dashboard".to_owned(), format!("--database-url={url}")];
        let given = self.flags.iter().map(|(name, value)| format!("--{name}={value}"));
        let config = Config::parse_from(fixed.into_iter().chain(given));
        let metrics = metrics(&config);
        let listener = listener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
        let address = listener.local_addr().unwrap();
        let (health, shutdown) = (Health::new(), CancellationToken::new());
        // This gate is closed from the start; a service without any gate would count as ready at once.
        let _ = health.gate("postgres");
        let run = votestream_dashboard::run(config, listener, health.clone(), shutdown.clone());
        let task = tokio::spawn(run);
        let service =
            Service { client: Client::new(address, contract()), health, shutdown, metrics, task };
        if self.waits {
            eventually(READY_WITHIN, async || service.health.ready()).await;
        }
        service
    }
}

/// A running dashboard and a client for it.
pub struct Service {
    pub client: Client,
    pub health: Health,
    pub shutdown: CancellationToken,
    pub metrics: PrometheusHandle,
    pub task: JoinHandle<anyhow::Result<bool>>,
}

impl Service {
    /// Returns the value of a metric without labels, summed over all dashboards of this test process.
    pub fn metric(&self, name: &str) -> f64 {
        let text = self.metrics.render();
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.map_or(0.0, |value| value.parse().unwrap())
    }
}

async fn connect(url: &str) -> Postgres {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await.unwrap();
    tokio::spawn(connection);
    client
}

/// The process has one metrics recorder, which all dashboards of a test run share.
fn metrics(config: &Config) -> PrometheusHandle {
    static METRICS: OnceLock<PrometheusHandle> = OnceLock::new();
    METRICS
        .get_or_init(|| {
            telemetry::start("dashboard", votestream_dashboard::metrics::TABLES, &config.common)
                .unwrap()
        })
        .clone()
}

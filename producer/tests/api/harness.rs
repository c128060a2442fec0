//! A producer of the test's own, in this process, on a key prefix of its own.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{LazyLock, OnceLock};
use std::time::Duration;

use clap::Parser;
use metrics_exporter_prometheus::PrometheusHandle;
use redis::AsyncCommands;
use redis::aio::MultiplexedConnection;
use serde_json::json;
use testkit::http::{Client, Contract, Reply, Request};
use testkit::{eventually, unique_name};
use tokio::task::JoinHandle;
use votestream_producer::Config;
use votestream_schema::poll::secrecy::{Secrecy, VoterKeys};
use votestream_schema::poll::translations::Translations;
use votestream_schema::poll::voter_key::{PollSecret, SECRET_BYTES};
use votestream_schema::poll::{PollOption, Visibility, VotePolicy, VoterPolicy, now_ms};
use votestream_schema::projection::{self, Command, functions};
use votestream_schema::voter::KeyRing;
use votestream_schema::{Ballot, EntryId, Keys, Poll, PollId, VoterId, VoterKey, codec};
use votestream_service::health::Health;
use votestream_service::{CancellationToken, listener, telemetry};

/// The key that signs cookies unless a test chooses another.
pub const COOKIE_KEY: &str = "5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a";
const READY_WITHIN: Duration = Duration::from_secs(60);

/// The OpenAPI document that every reply must match.
pub fn contract() -> &'static Contract {
    static CONTRACT: LazyLock<Contract> =
        LazyLock::new(|| Contract::new(include_str!("../../openapi.json")));
    &CONTRACT
}

/// An open poll, Cats or Dogs, with the number 1.
pub fn poll(slug: &str) -> Poll {
    Poll {
        id: PollId(1),
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
        opens_at_ms: Some(now_ms() - 60_000),
        closes_at_ms: None,
        archived_at_ms: None,
        revision: 1,
        network_limit: None,
        listed: None,
        secrecy: Secrecy { keys: VoterKeys::Secret(secret()), ..Secrecy::default() },
    }
}

/// The secret of all polls of these tests.
fn secret() -> PollSecret {
    PollSecret::from_bytes([5; SECRET_BYTES])
}

/// The voter whom the value of a cookie or token names, as [`poll`] stores it.
pub fn key_in(value: &str) -> VoterKey {
    let voter = value.split("v1.").nth(1).unwrap().split('.').next().unwrap();
    secret().key_of(VoterId(voter.parse().unwrap()))
}

pub fn option(slug: &str, label: &str) -> PollOption {
    let slug = slug.parse().unwrap();
    let (label, labels) = (label.to_owned(), Translations::default());
    PollOption { slug, label, labels, description: None, colour: None }
}

/// The settings and data with which a service is started.
#[derive(Clone)]
pub struct Setup {
    redis_url: String,
    prefix: String,
    pub partitions: u16,
    polls: Vec<Poll>,
    /// Whether the partitions hold the polls' rules.
    has_rules: bool,
    cookie_keys: String,
    cookie_keys_file: Option<PathBuf>,
    flags: Vec<String>,
    listen: SocketAddr,
    waits: bool,
}

impl Setup {
    /// Uses the shared Redis, four partitions and one poll `pets`.
    pub fn new() -> Self {
        Self::on(testkit::redis())
    }

    /// Uses the Redis at this URL instead.
    pub fn on(redis_url: String) -> Self {
        Self {
            redis_url,
            prefix: unique_name(),
            partitions: 4,
            polls: vec![poll("pets")],
            has_rules: true,
            cookie_keys: COOKIE_KEY.to_owned(),
            cookie_keys_file: None,
            flags: Vec::new(),
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            waits: true,
        }
    }

    /// Replaces the polls by these, numbered from 1.
    pub fn polls(mut self, polls: impl IntoIterator<Item = Poll>) -> Self {
        let numbered = (1..).zip(polls).map(|(id, poll)| Poll { id: PollId(id), ..poll });
        self.polls = numbered.collect();
        self
    }

    pub fn partitions(mut self, partitions: u16) -> Self {
        self.partitions = partitions;
        self
    }

    pub fn without_rules(mut self) -> Self {
        self.has_rules = false;
        self
    }

    pub fn with_rules(mut self) -> Self {
        self.has_rules = true;
        self
    }

    pub fn cookie_keys(mut self, keys: &str) -> Self {
        keys.clone_into(&mut self.cookie_keys);
        self
    }

    pub fn cookie_keys_file(mut self, file: &Path) -> Self {
        self.cookie_keys_file = Some(file.to_owned());
        self
    }

    /// Adds a flag, which is the name of a setting in lower case.
    pub fn flag(mut self, name: &str, value: &str) -> Self {
        self.flags.push(format!("--{name}={value}"));
        self
    }

    /// Adds a flag in place of one with the same name.
    pub fn replaced(mut self, name: &str, value: &str) -> Self {
        self.flags.retain(|flag| !flag.starts_with(&format!("--{name}=")));
        self.flag(name, value)
    }

    /// Listens at this address instead of 127.0.0.1.
    pub fn listen(mut self, address: &str) -> Self {
        self.listen = address.parse().unwrap();
        self
    }

    /// Does not wait until the service is ready.
    pub fn impatient(mut self) -> Self {
        self.waits = false;
        self
    }

    /// Writes the polls to Redis as the consumer does, starts the service, and waits until it is ready.
    pub async fn start(self) -> Service {
        let keys = Keys::new(&self.prefix);
        self.project(&keys).await;
        self.join().await
    }

    /// Like [`Setup::start`], but the service logs in to Redis with this URL, of a user whose rights are those
    /// that are shipped. They are for the key prefix `votes`, so the Redis must be the test's own.
    pub async fn start_as(mut self, redis_url: String) -> Service {
        "votes".clone_into(&mut self.prefix);
        let keys = Keys::new(&self.prefix);
        self.project(&keys).await;
        self.redis_url = redis_url;
        self.join().await
    }

    /// Starts the service on the polls that Redis already holds.
    pub async fn join(self) -> Service {
        let keys = Keys::new(&self.prefix);
        let default_poll = self.polls.first().map_or("pets", |poll| poll.slug.as_str());
        let fixed = [
            "producer".to_owned(),
            format!("--redis-url={}", self.redis_url),
            format!("--key-prefix={}", self.prefix),
            match &self.cookie_keys_file {
                Some(file) => format!("--cookie-keys-file={}", file.display()),
                None => format!("--cookie-keys={}", self.cookie_keys),
            },
            format!("--default-poll={default_poll}"),
            "--log-level=off".to_owned(),
        ];
        let config = Config::parse_from(fixed.into_iter().chain(self.flags.iter().cloned()));
        let metrics = metrics(&config);
        let listener = listener::bind(self.listen).unwrap();
        let mut address = listener.local_addr().unwrap();
        if address.ip().is_unspecified() {
            address.set_ip(std::net::Ipv6Addr::LOCALHOST.into());
        }
        let (health, shutdown) = (Health::new(), CancellationToken::new());
        // A gate that is closed from the start, because a state without gates must not be called ready.
        let _ = health.gate("redis");
        let run = votestream_producer::run(config, listener, health.clone(), shutdown.clone());
        let service = Service {
            client: Client::new(address, contract()),
            setup: self,
            keys,
            health,
            shutdown,
            metrics,
            task: tokio::spawn(run),
        };
        if service.setup.waits {
            service.become_ready().await;
        }
        service
    }

    /// Writes the polls to Redis as the consumer does.
    pub async fn project(&self, keys: &Keys) {
        let mut redis = testkit::redis_connection(&self.redis_url).await;
        let changed: i64 = send(&mut redis, &projection::partitions(keys, self.partitions)).await;
        assert!(changed <= 1);
        let load = redis::cmd("FUNCTION").arg("LOAD").arg(&functions::library().text).clone();
        // The tests share a server, on which another test may have loaded it.
        if let Err(error) = load.exec_async(&mut redis).await {
            assert!(error.to_string().contains("already exists"), "{error}");
        }
        for poll in &self.polls {
            let _: i64 = send(&mut redis, &projection::definition(keys, poll)).await;
            let _: i64 = send(&mut redis, &projection::draft(keys, poll)).await;
            if self.has_rules {
                for partition in 0..self.partitions {
                    let rules = projection::rules_script(keys, partition, poll);
                    let _: i64 = send(&mut redis, &rules).await;
                }
            }
        }
    }
}

/// A running producer, with a client for it.
pub struct Service {
    pub client: Client,
    pub setup: Setup,
    pub keys: Keys,
    pub health: Health,
    pub shutdown: CancellationToken,
    pub metrics: PrometheusHandle,
    pub task: JoinHandle<anyhow::Result<bool>>,
}

impl Service {
    pub async fn become_ready(&self) {
        eventually(READY_WITHIN, async || self.health.ready()).await;
    }

    /// A ballot for a poll, as a program casts it.
    pub fn ballot(&self, poll: &str, choices: &[&str]) -> Request {
        let path = format!("/api/polls/{poll}/ballots");
        self.client.post(&path).json(&json!({ "choices": choices }))
    }

    /// The standing vote that a poll shows to the holder of a cookie.
    pub async fn standing(&self, poll: &str, cookie: &str) -> serde_json::Value {
        let reply = self.client.get(&format!("/api/polls/{poll}")).cookie(cookie).send().await;
        reply.json()["your_choices"].clone()
    }

    pub fn key_ring(&self) -> KeyRing {
        KeyRing::parse(&self.setup.cookie_keys).unwrap()
    }

    /// The poll with this slug, as it was written to Redis.
    pub fn poll(&self, slug: &str) -> &Poll {
        self.setup.polls.iter().find(|poll| poll.slug.as_str() == slug).unwrap()
    }

    pub async fn redis(&self) -> MultiplexedConnection {
        testkit::redis_connection(&self.setup.redis_url).await
    }

    /// All entries of all partitions, by ID.
    pub async fn entries(&self) -> Vec<Entry> {
        let mut redis = self.redis().await;
        let mut entries = Vec::new();
        for partition in 0..self.setup.partitions {
            let stream = self.keys.stream(partition);
            let found: redis::streams::StreamRangeReply = redis.xrange_all(stream).await.unwrap();
            entries.extend(found.ids.into_iter().map(|entry| {
                let fields: HashMap<String, String> = entry
                    .map
                    .into_iter()
                    .map(|(name, value)| (name, redis::from_redis_value(value).unwrap()))
                    .collect();
                let ballot = codec::decode(fields[codec::FIELD_BALLOT].as_bytes()).unwrap();
                assert_eq!(ballot.voter.partition(self.setup.partitions), partition);
                Entry { id: entry.id.parse().unwrap(), ballot, fields }
            }));
        }
        entries.sort_by_key(|entry| entry.id);
        entries
    }

    /// Writes a poll to Redis as votectl does after a change: `change` makes it of the poll that was there.
    pub async fn change(&self, slug: &str, change: impl FnOnce(&mut Poll)) -> Poll {
        let mut poll = self.poll(slug).clone();
        poll.revision = i32::try_from(now_ms() % 1_000_000_000).unwrap();
        change(&mut poll);
        let mut redis = self.redis().await;
        for partition in 0..self.setup.partitions {
            let rules = projection::rules_script(&self.keys, partition, &poll);
            let _: i64 = send(&mut redis, &rules).await;
        }
        let _: i64 = send(&mut redis, &projection::definition(&self.keys, &poll)).await;
        let _: i64 = send(&mut redis, &projection::draft(&self.keys, &poll)).await;
        poll
    }

    /// Stops the service; whether it drained in time.
    pub async fn stop(self) -> bool {
        self.shutdown.cancel();
        self.task.await.unwrap().unwrap()
    }
}

/// A ballot as its stream entry holds it.
#[derive(Clone, Debug)]
pub struct Entry {
    pub id: EntryId,
    pub ballot: Ballot,
    pub fields: HashMap<String, String>,
}

/// The entry ID in an acknowledgement.
pub fn entry_of(reply: &Reply) -> EntryId {
    assert_eq!(reply.status, 202, "{}", reply.text());
    reply.json()["entry"].as_str().unwrap().parse().unwrap()
}

pub async fn send<T: redis::FromRedisValue>(
    redis: &mut MultiplexedConnection,
    command: &Command,
) -> T {
    redis::cmd(&command[0]).arg(&command[1..]).query_async(redis).await.unwrap()
}

/// Metrics are recorded once per process: all services of a test run share them.
fn metrics(config: &Config) -> PrometheusHandle {
    static METRICS: OnceLock<PrometheusHandle> = OnceLock::new();
    METRICS
        .get_or_init(|| {
            telemetry::start("producer", votestream_producer::metrics::TABLES, &config.common)
                .unwrap()
        })
        .clone()
}

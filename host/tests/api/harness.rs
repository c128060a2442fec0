//! A host's service that runs in the test's process, with an organiser and a poll.

use std::net::SocketAddr;
use std::process::Command;
use std::sync::{LazyLock, OnceLock};
use std::time::Duration;

use clap::Parser;
use metrics_exporter_prometheus::PrometheusHandle;
use serde_json::Value;
use testkit::eventually;
use testkit::http::{Client, Contract, Reply};
use tokio_postgres::{Client as Postgres, NoTls};
use votestream_host::Config;
use votestream_schema::Poll;
use votestream_service::health::Health;
use votestream_service::{CancellationToken, listener, telemetry};

const READY_WITHIN: Duration = Duration::from_secs(60);
const PARTITIONS: &str = "2";
/// The rights of the service's Redis user, as every deployment has them.
const USERS: &str = include_str!("../../../schema/access/redis-users.acl");

/// The OpenAPI document that every reply is checked against.
pub fn contract() -> &'static Contract {
    static CONTRACT: LazyLock<Contract> =
        LazyLock::new(|| Contract::new(include_str!("../../openapi.json")));
    &CONTRACT
}

/// The servers of one deployment, and the way to them for the operator and for the service.
pub struct Deployment {
    redis_url: String,
    database_url: String,
    /// The addresses for the service, with its user and its role.
    pub host_redis_url: String,
    pub host_database_url: String,
    prefix: String,
    pub postgres: Postgres,
}

impl Deployment {
    pub async fn new() -> Self {
        let (redis_url, database_url) = (testkit::redis(), testkit::database().await);
        let prefix = testkit::unique_name();
        let postgres = connect(&database_url).await;
        let role = format!("host_{prefix}");
        let create = format!("CREATE ROLE {role} LOGIN PASSWORD 'pw'");
        postgres.batch_execute(&create).await.unwrap();

        // The shipped user, for the keys of this deployment.
        let rules = USERS.lines().find_map(|line| line.strip_prefix("user host ")).unwrap();
        let rules = rules.replace("votes", &prefix);
        let mut redis = testkit::redis_connection(&redis_url).await;
        let mut user = redis::cmd("ACL");
        user.arg("SETUSER").arg(&role).arg("on").arg(">pw").arg(words(&rules));
        let _: () = user.query_async(&mut redis).await.unwrap();

        let host_redis_url = with_login(&redis_url, &role);
        let host_database_url = with_login(&database_url, &role);
        let deployment =
            Self { redis_url, database_url, host_redis_url, host_database_url, prefix, postgres };
        let grant = format!("--grant-host={role}");
        deployment.votectl(&["migrate", "--partitions", PARTITIONS, &grant]);
        deployment
    }

    /// Runs `votectl` as the operator, and returns what it prints.
    #[track_caller]
    pub fn votectl(&self, arguments: &[&str]) -> String {
        let output = Command::new(testkit::binary("votectl"))
            .args(arguments)
            .env("REDIS_URL", &self.redis_url)
            .env("DATABASE_URL", &self.database_url)
            .env("KEY_PREFIX", &self.prefix)
            .output()
            .unwrap();
        assert!(output.status.success(), "{arguments:?}: {output:?}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// Adds an organiser, and returns the token.
    pub fn add(&self, name: &str, more: &[&str]) -> String {
        let arguments = ["organisers", "add", name, "--json"];
        let added: Value =
            serde_json::from_str(&self.votectl(&[&arguments, more].concat())).unwrap();
        added["token"].as_str().unwrap().to_owned()
    }

    /// Creates a poll with the options Cats and Dogs.
    pub fn create(&self, slug: &str, more: &[&str]) {
        let poll = ["poll", "create", "--slug", slug, "--title", "Cats or dogs?"];
        let options = ["--option", "Cats", "--option", "Dogs"];
        self.votectl(&[poll.as_slice(), &options, more].concat());
    }

    /// A poll as stored.
    pub async fn poll(&self, slug: &str) -> Poll {
        let slug = slug.parse().unwrap();
        votestream_schema::db::polls::by_slug(&self.postgres, &slug).await.unwrap().unwrap()
    }

    /// Starts the service.
    pub async fn start(&self, flags: &[&str]) -> Service {
        let fixed = [
            "host".to_owned(),
            format!("--redis-url={}", self.host_redis_url),
            format!("--database-url={}", self.host_database_url),
            format!("--key-prefix={}", self.prefix),
            "--log-level=off".to_owned(),
        ];
        let given = flags.iter().map(|flag| (*flag).to_owned());
        let config = Config::parse_from(fixed.into_iter().chain(given));
        let metrics = metrics(&config);
        let listener = listener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
        let address = listener.local_addr().unwrap();
        let (health, shutdown) = (Health::new(), CancellationToken::new());
        // These gates are closed from the start; a service without any gate would count as ready at once.
        let _gates = (health.gate("postgres"), health.gate("redis"));
        tokio::spawn(votestream_host::run(config, listener, health.clone(), shutdown.clone()));
        eventually(READY_WITHIN, async || health.ready()).await;
        let _stop = shutdown.drop_guard();
        Service { client: Client::new(address, contract()), metrics, _stop }
    }
}

/// The words of a user's rights; a selector in brackets is one word.
fn words(rules: &str) -> Vec<String> {
    let (plain, selector) = rules.split_once('(').unwrap_or((rules, ""));
    let plain = plain.split_whitespace().map(str::to_owned);
    let selector = (!selector.is_empty()).then(|| format!("({selector}"));
    plain.chain(selector).collect()
}

/// The address of a server for another user, whose password is `pw`.
fn with_login(url: &str, user: &str) -> String {
    let (scheme, rest) = url.split_once("://").unwrap();
    let (_, host) = rest.rsplit_once('@').unwrap();
    format!("{scheme}://{user}:pw@{host}")
}

/// A running service, which ends when it is dropped.
pub struct Service {
    pub client: Client,
    pub metrics: PrometheusHandle,
    _stop: tokio_util::sync::DropGuard,
}

impl Service {
    /// The address for a browser.
    pub fn at(&self, path: &str) -> String {
        format!("http://localhost:{}{path}", self.client.address.port())
    }

    /// Asks as a program with this token.
    pub async fn get(&self, path: &str, token: &str) -> Reply {
        let authorization = format!("Bearer {token}");
        self.client.get(path).header("authorization", &authorization).send().await
    }

    /// Sends JSON as a program with this token.
    pub async fn post(&self, path: &str, token: &str, body: &Value) -> Reply {
        let authorization = format!("Bearer {token}");
        self.client.post(path).header("authorization", &authorization).json(body).send().await
    }

    /// Signs in as a browser does; returns the cookie as `name=value`.
    pub async fn sign_in(&self, token: &str) -> String {
        let reply = self.client.post("/sign-in").form(format!("token={token}")).send().await;
        assert_eq!((reply.status, reply.header("location")), (303, Some("/")), "{}", reply.text());
        let cookie = reply.header("set-cookie").unwrap();
        cookie.split(';').next().unwrap().to_owned()
    }

    /// The text against forgery of a page's form.
    pub async fn form_token(&self, path: &str, cookie: &str) -> String {
        let page = self.client.get(path).cookie(cookie).send().await;
        assert_eq!(page.status, 200, "{}", page.text());
        let text = page.text();
        let (_, after) = text.split_once("name=\"form_token\" value=\"").unwrap();
        after.split('"').next().unwrap().to_owned()
    }

    /// The value of a metric with this label, summed over all services of this test process.
    pub fn metric(&self, series: &str) -> f64 {
        let text = self.metrics.render();
        let line = text.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
        line.map_or(0.0, |value| value.parse().unwrap())
    }
}

pub async fn connect(url: &str) -> Postgres {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await.unwrap();
    tokio::spawn(connection);
    client
}

/// The process has one metrics recorder, which all services of a test run share.
fn metrics(config: &Config) -> PrometheusHandle {
    static METRICS: OnceLock<PrometheusHandle> = OnceLock::new();
    let start =
        || telemetry::start("host", votestream_host::metrics::TABLES, &config.common).unwrap();
    METRICS.get_or_init(start).clone()
}

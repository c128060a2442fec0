//! A deployment for one test, consumers that run on it, and queries for its state.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use clap::Parser;
use redis::aio::MultiplexedConnection;
use serde_json::{Value, json};
use testkit::{Process, database, eventually, folder, free_port, unique_name};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio_postgres::{Client, NoTls};
use votestream_consumer::Config;
use votestream_consumer::pipeline::store::Store;
use votestream_consumer::polls::Polls;
use votestream_schema::db;
use votestream_schema::keys::GROUP;
use votestream_schema::{Ballot, BallotId, Choices, Keys, Poll, VoterKey, codec};
use votestream_service::CancellationToken;
use votestream_service::config::PostgresArgs;
use votestream_service::health::Health;
use votestream_service::postgres;

/// The longest time that any step may take on a busy machine.
pub const SOON: Duration = Duration::from_secs(90);

/// Settings that make a consumer quick to react.
const BRISK: &[&str] = &[
    "--block-ms=50",
    "--project-ms=100",
    "--monitor-ms=100",
    "--statement-timeout-ms=2000",
    "--consumer-expiry-ms=300000",
];
/// Settings with which other consumers' entries are soon taken over.
pub const CLAIM_SOON: &[&str] = &["--claim-idle-ms=700", "--statement-timeout-ms=300"];

/// A deployment: a database, a key prefix, and a poll that is open.
pub struct TestDeployment {
    pub redis_url: String,
    pub database_url: String,
    pub keys: Keys,
    pub poll: Poll,
    pub partitions: u16,
    prefix: String,
}

impl TestDeployment {
    /// Creates a deployment on the servers that all tests share, with two partitions.
    pub async fn new() -> Self {
        Self::with_poll(json!({})).await
    }

    /// Creates one whose poll differs: `changes` replace fields of the usual definition (see [`create_poll`]).
    pub async fn with_poll(changes: Value) -> Self {
        Self::on(testkit::redis(), database().await, 2, changes).await
    }

    /// Creates a deployment on the given servers.
    pub async fn on(
        redis_url: String,
        database_url: String,
        partitions: u16,
        changes: Value,
    ) -> Self {
        let mut sql = connect(&database_url).await.expect("Postgres answers");
        db::migrate(&mut sql, Some(partitions)).await.expect("the database can be migrated");
        let poll = create_poll(&mut sql, changes).await;
        let prefix = unique_name();
        Self { redis_url, database_url, keys: Keys::new(&prefix), poll, partitions, prefix }
    }

    /// Uses the key prefix `votes` instead: the rights that are shipped are for keys of that name. The Redis
    /// must be the test's own.
    pub fn with_shipped_prefix(mut self) -> Self {
        "votes".clone_into(&mut self.prefix);
        self.keys = Keys::new(&self.prefix);
        self
    }

    /// Connects to its database.
    pub async fn sql(&self) -> Client {
        connect(&self.database_url).await.expect("Postgres answers")
    }

    /// Connects to its Redis server.
    pub async fn redis(&self) -> MultiplexedConnection {
        testkit::redis_connection(&self.redis_url).await
    }

    /// Lets the next standing audit begin: after one that took long on a busy machine, it would rest for twenty times as long.
    pub async fn audit_is_due(&self) {
        let mut due = redis::cmd("HSET");
        due.arg(self.keys.audit()).arg("duration_ms").arg(0);
        due.exec_async(&mut self.redis().await).await.expect("Redis answers");
    }

    /// Makes a ballot of a new voter for the option at this position.
    pub fn ballot(&self, position: usize) -> Ballot {
        ballot(&self.poll, VoterKey::new(), 1 << position)
    }

    /// Makes `n` ballots of new voters, spread evenly over the options.
    pub fn ballots(&self, n: usize) -> Vec<Ballot> {
        (0..n).map(|i| self.ballot(i % self.poll.options.len())).collect()
    }

    /// Appends ballots to their streams, all of a partition in one transaction.
    pub async fn add(&self, ballots: &[Ballot]) {
        self.add_at(&mut self.redis().await, ballots).await;
    }

    /// Appends ballots over the given connection, such as one to a cluster.
    pub async fn add_at(&self, redis: &mut impl redis::aio::ConnectionLike, ballots: &[Ballot]) {
        for partition in 0..self.partitions {
            let mut all = redis::pipe();
            let mine = ballots.iter().filter(|b| b.voter.partition(self.partitions) == partition);
            for ballot in mine {
                let add = all.cmd("XADD").arg(self.keys.stream(partition)).arg("*");
                add.arg(codec::FIELD_BALLOT).arg(codec::encode(ballot)).ignore();
            }
            if !all.is_empty() {
                all.atomic().exec_async(redis).await.expect("Redis appends");
            }
        }
    }

    /// Builds the command line of a consumer for this deployment; `more` wins over the usual flags.
    pub fn arguments(&self, more: &[&str]) -> Vec<String> {
        let own = [
            format!("--redis-url={}", self.redis_url),
            format!("--database-url={}", self.database_url),
            format!("--key-prefix={}", self.prefix),
        ];
        let flag = |argument: &str| argument.split('=').next().unwrap_or_default().to_owned();
        let given: Vec<String> = more.iter().map(|argument| flag(argument)).collect();
        let brisk = BRISK.iter().filter(|argument| !given.contains(&flag(argument)));
        let all = brisk.chain(more).map(|argument| (*argument).to_owned());
        let own = own.into_iter().filter(|argument| !given.contains(&flag(argument)));
        own.chain(all).collect()
    }

    /// Starts a consumer in this process.
    pub fn start(&self, more: &[&str]) -> Replica {
        let arguments = self.arguments(more);
        let config =
            Config::try_parse_from(std::iter::once("consumer".to_owned()).chain(arguments))
                .expect("the arguments are right");
        let (health, shutdown) = (Health::new(), CancellationToken::new());
        // Closed until the consumer itself opens it: without any gate it would seem ready already.
        let _ = health.gate("postgres");
        let run = votestream_consumer::run(config, health.clone(), shutdown.clone());
        Replica { health, shutdown, run: tokio::spawn(run) }
    }

    /// Starts a consumer as a separate process.
    pub fn spawn(&self, more: &[&str]) -> Program {
        let program = Path::new(env!("CARGO_BIN_EXE_consumer"));
        Program::spawn(program, &self.arguments(more))
    }

    /// Waits until this many people are counted and no entry is left, then compares all results with a recount.
    pub async fn settles_at(&self, people: usize) {
        let sql = self.sql().await;
        let mut redis = self.redis().await;
        eventually(SOON, async || {
            let (voters, in_flight) =
                (voters(&sql, &self.poll).await, self.in_flight(&mut redis).await);
            match voters == people as i64 && in_flight == (0, 0) {
                true => Ok(()),
                false => {
                    Err(format!("{voters} of {people} counted; stream, pending: {in_flight:?}"))
                }
            }
        })
        .await;
        self.results_equal_recount(&sql).await;
    }

    /// Returns the number of entries in all streams, and how many of them are pending.
    pub async fn in_flight(&self, redis: &mut impl redis::aio::ConnectionLike) -> (u64, u64) {
        let (mut entries, mut pending) = (0, 0);
        for partition in 0..self.partitions {
            let stream = self.keys.stream(partition);
            entries += redis::cmd("XLEN").arg(&stream).query_async::<u64>(redis).await.unwrap_or(0);
            pending += pending_by_consumer(redis, &stream).await.values().sum::<u64>();
        }
        (entries, pending)
    }

    /// Returns the number of pending entries by consumer name, over all partitions.
    pub async fn pending(&self, redis: &mut MultiplexedConnection) -> BTreeMap<String, u64> {
        let mut all = BTreeMap::new();
        for partition in 0..self.partitions {
            for (name, n) in pending_by_consumer(redis, &self.keys.stream(partition)).await {
                *all.entry(name).or_default() += n;
            }
        }
        all
    }

    /// Waits until exactly this many entries are pending.
    pub async fn pending_is(&self, wanted: u64) {
        let mut redis = self.redis().await;
        eventually(SOON, async || {
            let pending: u64 = self.pending(&mut redis).await.values().sum();
            if pending == wanted { Ok(()) } else { Err(pending) }
        })
        .await;
    }

    /// Returns the consumer names in the groups of all partitions.
    pub async fn consumers(&self, redis: &mut MultiplexedConnection) -> Vec<String> {
        let mut names = Vec::new();
        for partition in 0..self.partitions {
            let mut ask = redis::cmd("XINFO");
            ask.arg("CONSUMERS").arg(self.keys.stream(partition)).arg(GROUP);
            let reply: redis::streams::StreamInfoConsumersReply =
                ask.query_async(redis).await.unwrap_or_default();
            names.extend(reply.consumers.into_iter().map(|consumer| consumer.name));
        }
        names.sort();
        names.dedup();
        names
    }

    /// Returns the fields of all dead letters.
    pub async fn dead_letters(&self) -> Vec<BTreeMap<String, Vec<u8>>> {
        let mut redis = self.redis().await;
        let mut letters = Vec::new();
        for partition in 0..self.partitions {
            let mut range = redis::cmd("XRANGE");
            range.arg(self.keys.dead_letters(partition)).arg("-").arg("+");
            type Fields = Vec<(Vec<u8>, Vec<u8>)>;
            let reply: Vec<(String, Fields)> =
                range.query_async(&mut redis).await.expect("Redis answers");
            let text = |name: Vec<u8>| String::from_utf8_lossy(&name).into_owned();
            letters.extend(reply.into_iter().map(|(_, fields)| {
                fields.into_iter().map(|(name, value)| (text(name), value)).collect()
            }));
        }
        letters
    }

    /// Asserts that the results of its poll equal a recount.
    pub async fn results_equal_recount(&self, sql: &Client) {
        results_equal_recount(sql, &self.poll).await;
    }

    /// Creates a pool of Postgres sessions like a consumer's.
    pub fn pool(&self, statement_timeout_ms: u64) -> postgres::Pool {
        let args = PostgresArgs {
            database_url: self.database_url.parse().expect("any text"),
            database_url_file: None,
            database_ca_file: None,
            statement_timeout_ms,
        };
        postgres::pool(&args, "test", 4, false).expect("the address is one")
    }

    /// Creates a store over this database, and returns it with the polls by which to sort batches.
    pub async fn store(&self, statement_timeout_ms: u64) -> (Store, Polls) {
        let pool = self.pool(statement_timeout_ms);
        let polls = Polls::from([(self.poll.id, std::sync::Arc::new(self.poll.clone()))]);
        (Store::new(pool, SOON, self.partitions), polls)
    }
}

/// A consumer that runs in this process.
pub struct Replica {
    pub health: Health,
    shutdown: CancellationToken,
    run: JoinHandle<anyhow::Result<bool>>,
}

impl Replica {
    /// Waits until it has reached its servers.
    pub async fn ready(&self) {
        eventually(SOON, async || self.health.ready()).await;
    }

    /// Requests a shutdown, and returns whether it finished within its grace period.
    pub async fn stop(self) -> bool {
        self.shutdown.cancel();
        let outcome = tokio::time::timeout(SOON, self.run).await.expect("a stop is bounded");
        outcome.expect("it does not panic").expect("its settings are right")
    }

    /// Aborts it wherever it is, as a crash does.
    pub async fn crash(self) {
        self.run.abort();
        let _ = self.run.await;
        self.shutdown.cancel();
    }
}

/// A program of the workspace under test. Dropping it kills it.
pub struct Program {
    pub process: Process,
    pub admin: SocketAddr,
}

impl Program {
    /// Starts it with a free admin port.
    pub fn spawn(program: &Path, arguments: &[String]) -> Self {
        let admin: SocketAddr = ([127, 0, 0, 1], free_port()).into();
        let folder = folder("program");
        let mut command = Command::new(program);
        command.args(arguments).arg(format!("--admin-addr={admin}"));
        let (log, pid_file) = (folder.join("program.log"), folder.join("program.pid"));
        let process = Process::spawn("program", command, &folder, &log, &pid_file)
            .unwrap_or_else(|error| panic!("{error}"));
        Self { process, admin }
    }

    /// Requests a page of its admin port and returns the status code and body.
    pub async fn ask(&self, path: &str) -> Option<(u16, String)> {
        let reply = http(self.admin, &format!("GET {path} HTTP/1.1\r\nhost: admin\r\n"), "").await;
        reply.ok()
    }

    /// Waits until its /readyz answers 200.
    pub async fn ready(&self) {
        eventually(SOON, async || match self.ask("/readyz").await {
            Some((200, _)) => Ok(()),
            other => Err(other),
        })
        .await;
    }

    /// Sums all samples of a metric whose labels include `label`; returns `None` when there are none.
    pub async fn metric(&self, name: &str, label: &str) -> Option<f64> {
        let (_, text) = self.ask("/metrics").await?;
        let samples = text.lines().filter_map(|line| {
            let (series, value) = line.rsplit_once(' ')?;
            let (found, labels) = series.split_once('{').unwrap_or((series, ""));
            (found == name && labels.contains(label)).then(|| value.parse::<f64>().ok())?
        });
        samples.fold(None, |sum, value| Some(sum.unwrap_or(0.0) + value))
    }
}

/// Sends one request over a new connection, and returns the status code and body.
pub async fn http(address: SocketAddr, head: &str, body: &str) -> std::io::Result<(u16, String)> {
    let request = async {
        let mut stream = TcpStream::connect(address).await?;
        let length = body.len();
        let request = format!("{head}connection: close\r\ncontent-length: {length}\r\n\r\n{body}");
        stream.write_all(request.as_bytes()).await?;
        let mut reply = String::new();
        stream.read_to_string(&mut reply).await?;
        let odd = || std::io::Error::from(std::io::ErrorKind::UnexpectedEof);
        let (head, body) = reply.split_once("\r\n\r\n").ok_or_else(odd)?;
        let status = head.split(' ').nth(1).and_then(|code| code.parse().ok()).ok_or_else(odd)?;
        Ok((status, body.to_owned()))
    };
    let timed_out = |_| std::io::Error::from(std::io::ErrorKind::TimedOut);
    tokio::time::timeout(SOON, request).await.map_err(timed_out)?
}

/// Makes a ballot of this voter with this mask of options.
pub fn ballot(poll: &Poll, voter: VoterKey, mask: i64) -> Ballot {
    let choices = Choices::from_mask(mask).expect("no more options than there may be");
    Ballot { poll: poll.id, voter, id: BallotId::new(), choices }
}

/// Connects to a database; a task drives the connection.
pub async fn connect(url: &str) -> Result<Client, tokio_postgres::Error> {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await?;
    tokio::spawn(connection);
    Ok(client)
}

/// Stores a poll: two options, open, single choice, unless `changes` says otherwise.
pub async fn create_poll(sql: &mut Client, changes: Value) -> Poll {
    let mut definition = json!({
        "slug": unique_name(),
        "title": "Cats vs Dogs",
        "options": [{"slug": "cats", "label": "Cats"}, {"slug": "dogs", "label": "Dogs"}],
        "opens_at": "2020-01-01T00:00:00Z",
    });
    for (name, value) in changes.as_object().expect("changes are an object") {
        definition[name] = value.clone();
    }
    let definition: votestream_schema::poll::Definition =
        serde_json::from_value(definition).expect("the definition can be read");
    let definition = definition.validated().expect("the definition is valid");
    let transaction = sql.transaction().await.expect("Postgres begins");
    db::polls::create(transaction.client(), &definition).await.expect("the slug is free");
    transaction.commit().await.expect("Postgres commits");
    let poll = db::polls::with_secret(sql, &definition.slug).await.expect("Postgres answers");
    poll.expect("the poll is there")
}

/// Waits until there are exactly this many dead letters, and returns their fields.
pub async fn wait_for_dead_letters(
    deployment: &TestDeployment,
    wanted: usize,
) -> Vec<BTreeMap<String, Vec<u8>>> {
    eventually(SOON, async || {
        let letters = deployment.dead_letters().await;
        if letters.len() == wanted { Ok(letters) } else { Err(letters.len()) }
    })
    .await
}

/// Returns the number of people counted according to the stored tally.
pub async fn voters(sql: &Client, poll: &Poll) -> i64 {
    let ask = "SELECT voters FROM poll_tally WHERE poll_id = $1";
    sql.query_one(ask, &[&poll.id.0]).await.expect("the poll has a tally").get(0)
}

/// Asserts that the stored tally, number of people and series equal a recount of the votes.
pub async fn results_equal_recount(sql: &Client, poll: &Poll) {
    let recount = "SELECT
        (SELECT coalesce(jsonb_object_agg(position, votes) FILTER (WHERE votes <> 0), '{}')
         FROM tally WHERE poll_id = $1) AS tally,
        (SELECT coalesce(jsonb_object_agg(position, n), '{}') FROM (
            SELECT position, count(*) AS n FROM votes JOIN options USING (poll_id)
            WHERE poll_id = $1 AND choices >> position & 1 = 1 GROUP BY 1) o) AS recount,
        (SELECT coalesce(jsonb_object_agg(second, votes) FILTER (WHERE votes <> 0), '{}')
         FROM series WHERE poll_id = $1) AS series,
        (SELECT coalesce(jsonb_object_agg(second, n), '{}') FROM (
            SELECT entry_ms / 1000 AS second, count(*) AS n FROM votes
            WHERE poll_id = $1 GROUP BY 1) s) AS recounted_series,
        (SELECT voters FROM poll_tally WHERE poll_id = $1) AS voters,
        (SELECT count(*) FROM votes WHERE poll_id = $1) AS recounted_voters";
    let recount = format!(
        "SELECT tally::text, recount::text, series::text, recounted_series::text, voters,
                recounted_voters FROM ({recount}) r"
    );
    let row = sql.query_one(&recount, &[&poll.id.0]).await.expect("Postgres recounts");
    let text = |column: usize| row.get::<_, String>(column);
    assert_eq!(text(0), text(1), "the tally is not what a recount gives");
    assert_eq!(text(2), text(3), "the series is not what a recount gives");
    assert_eq!(row.get::<_, i64>(4), row.get::<_, i64>(5), "people counted");
}

async fn pending_by_consumer(
    redis: &mut impl redis::aio::ConnectionLike,
    stream: &str,
) -> BTreeMap<String, u64> {
    let mut ask = redis::cmd("XPENDING");
    ask.arg(stream).arg(GROUP);
    type Summary = (u64, Option<String>, Option<String>, Option<Vec<(String, u64)>>);
    let summary: Option<Summary> = ask.query_async(redis).await.ok();
    summary.and_then(|(_, _, _, consumers)| consumers).unwrap_or_default().into_iter().collect()
}

//! One deployment for each test: a database and a key prefix of its own.

use std::process::Command;

use redis::aio::MultiplexedConnection;
use redis::{Cmd, FromRedisValue};
use tokio_postgres::{Client, NoTls};
use votestream_schema::{
    Ballot, BallotId, Choices, EntryId, Keys, Poll, Slug, VoterKey, codec, db,
};

/// How many partitions every test's deployment has.
pub const PARTITIONS: u16 = 3;

/// Where a deployment is, and ways around `votectl` to look into it.
pub struct Deployment {
    pub redis_url: String,
    pub database_url: String,
    pub prefix: String,
    pub keys: Keys,
    pub postgres: Client,
    pub redis: MultiplexedConnection,
}

/// The exit code and the output of `votectl`.
#[derive(Debug)]
pub struct Said {
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl Said {
    /// Its standard output, if it succeeded.
    #[track_caller]
    pub fn ok(self) -> String {
        assert_eq!(self.code, 0, "{self:?}");
        self.out
    }

    /// The same as JSON.
    #[track_caller]
    pub fn json(self) -> serde_json::Value {
        let out = self.ok();
        serde_json::from_str(&out).unwrap_or_else(|error| panic!("{error}: {out}"))
    }

    /// Its complaint of one line, if it ended with this code.
    #[track_caller]
    pub fn refused(self, code: i32, words: &[&str]) -> String {
        assert_eq!(self.code, code, "{self:?}");
        assert_eq!(self.err.lines().count(), 1, "{self:?}");
        assert!(self.err.starts_with("votectl: "), "{self:?}");
        for word in words {
            assert!(self.err.contains(word), "no `{word}` in {}", self.err);
        }
        self.err
    }
}

/// Runs `votectl` with these settings.
pub fn votectl(redis: &str, database: &str, prefix: &str, arguments: &[&str]) -> Said {
    run(redis, "false", database, prefix, arguments)
}

/// The same, Redis being a cluster.
pub fn votectl_in_cluster(redis: &str, database: &str, prefix: &str, arguments: &[&str]) -> Said {
    run(redis, "true", database, prefix, arguments)
}

fn run(redis: &str, cluster: &str, database: &str, prefix: &str, arguments: &[&str]) -> Said {
    let mut command = Command::new(env!("CARGO_BIN_EXE_votectl"));
    command
        .args(arguments)
        .env("REDIS_URL", redis)
        .env("REDIS_CLUSTER", cluster)
        .env("DATABASE_URL", database)
        .env("KEY_PREFIX", prefix);
    said_by(command)
}

fn said_by(mut command: Command) -> Said {
    let output = command.output().expect("votectl can be started");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("votectl prints UTF-8");
    let code = output.status.code().expect("votectl ends by itself");
    Said { code, out: text(output.stdout), err: text(output.stderr) }
}

/// Runs `votectl` as `k8s/votectl` does: it ends both of its outputs with its exit code.
pub fn votectl_that_shows_its_exit_code(deployment: &Deployment, arguments: &[&str]) -> Said {
    let mut command = Command::new(env!("CARGO_BIN_EXE_votectl"));
    command
        .args(arguments)
        .env("REDIS_URL", &deployment.redis_url)
        .env("DATABASE_URL", &deployment.database_url)
        .env("KEY_PREFIX", &deployment.prefix)
        .env("SHOW_EXIT_CODE", "true");
    said_by(command)
}

/// A session of the test's own.
pub async fn connect(database_url: &str) -> Client {
    let (client, driver) = tokio_postgres::connect(database_url, NoTls).await.unwrap();
    tokio::spawn(driver);
    client
}

impl Deployment {
    /// Servers without anything in them.
    pub async fn empty() -> Self {
        Self::empty_on(testkit::redis()).await
    }

    /// The same on this Redis.
    pub async fn empty_on(redis_url: String) -> Self {
        let database_url = testkit::database().await;
        let prefix = testkit::unique_name();
        Self {
            keys: Keys::new(prefix.clone()),
            postgres: connect(&database_url).await,
            redis: testkit::redis_connection(&redis_url).await,
            redis_url,
            database_url,
            prefix,
        }
    }

    /// Migrated, with [`PARTITIONS`].
    pub async fn new() -> Self {
        Self::empty().await.migrated()
    }

    /// Migrates it.
    pub fn migrated(self) -> Self {
        self.run(&["migrate", "--partitions", &PARTITIONS.to_string()]).ok();
        self
    }

    /// Runs `votectl`.
    pub fn run(&self, arguments: &[&str]) -> Said {
        votectl(&self.redis_url, &self.database_url, &self.prefix, arguments)
    }

    /// Runs `votectl` with this text as its standard input.
    pub fn run_with_input(&self, arguments: &[&str], input: &str) -> Said {
        let file = testkit::folder("input").join("input");
        std::fs::write(&file, input).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_votectl"));
        command
            .args(arguments)
            .env("REDIS_URL", &self.redis_url)
            .env("DATABASE_URL", &self.database_url)
            .env("KEY_PREFIX", &self.prefix)
            .stdin(std::fs::File::open(file).unwrap());
        said_by(command)
    }

    /// Creates a poll `pets` (cats, dogs) with these further arguments.
    #[track_caller]
    pub fn create(&self, more: &[&str]) {
        let poll =
            ["poll", "create", "--slug", "pets", "--title", "Pets?", "--option", "cats=Cats"];
        self.run(&[&poll, ["--option", "Dogs"].as_slice(), more].concat()).ok();
    }

    /// The poll `pets` as stored, with its secret.
    pub async fn poll(&self) -> Poll {
        let slug: Slug = "pets".parse().unwrap();
        db::polls::with_secret(&self.postgres, &slug).await.unwrap().unwrap()
    }

    /// Sends a command to Redis.
    pub async fn redis<T: FromRedisValue>(&mut self, command: &Cmd) -> T {
        command.query_async(&mut self.redis).await.unwrap()
    }

    /// The rules of a poll in each partition, as text.
    pub async fn rules(&mut self, poll: &Poll) -> Vec<Option<String>> {
        let mut rules = Vec::new();
        for partition in 0..PARTITIONS {
            let mut get = redis::cmd("HGET");
            get.arg(self.keys.rules(partition)).arg(poll.id.0);
            rules.push(self.redis(&get).await);
        }
        rules
    }

    /// Registers a ballot, appends it to its stream, and counts it as accepted, as the producer does.
    pub async fn accept(&mut self, ballot: &Ballot) -> String {
        let partition = ballot.voter.partition(PARTITIONS);
        let mut count = redis::cmd("HINCRBY");
        count.arg(self.keys.accepted(partition)).arg(ballot.poll.0).arg(1);
        self.redis::<i64>(&count).await;
        let mut add = redis::cmd("XADD");
        add.arg(self.keys.stream(partition)).arg("*").arg("ballot").arg(codec::encode(ballot));
        let entry: String = self.redis(&add).await;
        let mut register = redis::cmd("HSET");
        register.arg(self.keys.register(partition, ballot.poll, ballot.voter));
        register.arg(ballot.voter.0.as_bytes().as_slice());
        register.arg(format!("{} {:08x} {entry}", ballot.choices.mask(), ballot.id.tag()));
        self.redis::<i64>(&register).await;
        entry
    }

    /// Counts a ballot as the consumer does, its entry acknowledged and gone.
    pub async fn count(&mut self, ballot: &Ballot, entry: &str) {
        let partition = ballot.voter.partition(PARTITIONS);
        let id: EntryId = entry.parse().unwrap();
        let poll = ballot.poll.0;
        let sql = "INSERT INTO votes (poll_id, voter, choices, entry_ms, entry_seq, ballot) VALUES ($1, $2, $3, $4, $5, $6)";
        self.postgres
            .execute(
                sql,
                &[&poll, &ballot.voter.0, &ballot.choices.mask(), &id.ms, &id.seq, &ballot.id.0],
            )
            .await
            .unwrap();
        for position in ballot.choices.positions() {
            let sql = "UPDATE tally SET votes = votes + 1 WHERE poll_id = $1 AND position = $2";
            self.postgres.execute(sql, &[&poll, &(position as i16)]).await.unwrap();
        }
        let sql =
            "UPDATE poll_tally SET voters = voters + 1, version = version + 1 WHERE poll_id = $1";
        self.postgres.execute(sql, &[&poll]).await.unwrap();
        let sql = "INSERT INTO series AS s VALUES ($1, $2, 1) ON CONFLICT (poll_id, second) DO UPDATE SET votes = s.votes + 1";
        self.postgres.execute(sql, &[&poll, &(id.ms / 1_000)]).await.unwrap();
        let mut delete = redis::cmd("XDEL");
        delete.arg(self.keys.stream(partition)).arg(entry);
        self.redis::<i64>(&delete).await;
    }

    /// Accepts and counts so many ballots for the option at `position`.
    pub async fn vote(&mut self, poll: &Poll, position: usize, times: usize) {
        for _ in 0..times {
            let ballot = ballot(poll, position);
            let entry = self.accept(&ballot).await;
            self.count(&ballot, &entry).await;
        }
    }

    /// Puts a letter into partition 0 in the form in which the consumer writes it.
    pub async fn dead_letter(
        &mut self,
        reason: &str,
        original: &[(impl AsRef<[u8]>, &[u8])],
    ) -> String {
        self.dead_letter_in(0, reason, original).await
    }

    /// The same in another partition.
    pub async fn dead_letter_in(
        &mut self,
        partition: u16,
        reason: &str,
        original: &[(impl AsRef<[u8]>, &[u8])],
    ) -> String {
        let mut add = redis::cmd("XADD");
        add.arg(self.keys.dead_letters(partition)).arg("*").arg("reason").arg(reason);
        add.arg("entry").arg("1700000000000-7").arg("deliveries").arg(1);
        for (name, value) in original {
            add.arg([b"original:", name.as_ref()].concat()).arg(*value);
        }
        let entry: String = self.redis(&add).await;
        format!("{partition}/{entry}")
    }

    /// Entries in a stream.
    pub async fn length(&mut self, stream: String) -> usize {
        self.redis(redis::cmd("XLEN").arg(stream)).await
    }
}

/// A new voter's ballot for the option at `position`.
pub fn ballot(poll: &Poll, position: usize) -> Ballot {
    Ballot {
        poll: poll.id,
        voter: VoterKey::new(),
        id: BallotId::new(),
        choices: Choices::from_positions([position]).unwrap(),
    }
}

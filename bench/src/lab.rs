//! A new pipeline for each measurement: private servers, the release binaries, and one open poll.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use standalone::servers::{
    PostgresOptions, PostgresServer, RedisOptions, RedisServer, form_cluster, free_port,
    random_secret,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// The slug of the poll in which the load generator votes.
pub const POLL: &str = "cats-vs-dogs";

/// Private servers and the services on them. Dropping the value ends all of them and removes their data.
pub struct Lab {
    /// Redis with an fsync before each answer: one server, or the masters of a cluster.
    pub redis: Vec<RedisServer>,
    /// Postgres with an fsync at each commit.
    pub postgres: PostgresServer,
    services: Vec<BenchService>,
    folder: PathBuf,
    cookie_key: String,
    /// Empty if voters get no receipts.
    signing_keys: String,
    is_cluster: bool,
}

/// A running service. Dropping the value kills it.
pub struct BenchService {
    child: Child,
    /// The port on 127.0.0.1 for voters or viewers.
    pub port: u16,
    admin_port: u16,
}

impl Drop for BenchService {
    fn drop(&mut self) {
        // An error means that the process has ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl BenchService {
    /// Returns the processor seconds that the service has used, as its metrics report them.
    pub async fn cpu_s(&self) -> anyhow::Result<f64> {
        let metrics = get(self.admin_port, "/metrics").await?;
        let figure =
            metrics.lines().find_map(|line| line.strip_prefix("process_cpu_seconds_total "));
        Ok(figure.context("the metrics have no process_cpu_seconds_total")?.trim().parse()?)
    }

    /// Returns the resident memory of the service in bytes.
    pub fn resident_bytes(&self) -> anyhow::Result<u64> {
        resident_bytes(self.child.id())
    }
}

/// Returns the resident memory of a process in bytes.
pub fn resident_bytes(pid: u32) -> anyhow::Result<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line
        .and_then(|line| line.split_whitespace().next())
        .context("/proc/pid/status has no VmRSS")?;
    Ok(kib.parse::<u64>()? * 1024)
}

impl Drop for Lab {
    fn drop(&mut self) {
        self.services.clear();
        self.redis.iter_mut().for_each(RedisServer::kill);
        self.postgres.kill();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

impl Lab {
    /// Starts the servers, migrates the database, and creates the poll. Voters get receipts, as they do by default.
    pub async fn open() -> anyhow::Result<Self> {
        Self::open_single(true)
    }

    /// The same without receipts and public log.
    pub async fn open_without_receipts() -> anyhow::Result<Self> {
        Self::open_single(false)
    }

    fn open_single(has_receipts: bool) -> anyhow::Result<Self> {
        let folder = new_folder()?;
        let redis = vec![RedisServer::start(redis_options("redis", &folder))?];
        Self::on(redis, false, folder, &["migrate"], has_receipts)
    }

    /// Starts a lab on a Redis Cluster of `masters` without replicas, over which the `partitions` are spread.
    pub async fn open_cluster(masters: usize, partitions: u16) -> anyhow::Result<Self> {
        let folder = new_folder()?;
        let start = |number: usize| {
            let mut options = redis_options(&format!("redis-{number}"), &folder);
            options.cluster = true;
            RedisServer::start(options)
        };
        let nodes = (0..masters).map(start).collect::<Result<Vec<_>, _>>()?;
        form_cluster(&nodes.iter().collect::<Vec<_>>(), masters)?;
        let migrate = ["migrate", "--partitions", &partitions.to_string()];
        Self::on(nodes, true, folder, &migrate, true)
    }

    fn on(
        redis: Vec<RedisServer>,
        is_cluster: bool,
        folder: PathBuf,
        migrate: &[&str],
        has_receipts: bool,
    ) -> anyhow::Result<Self> {
        let secret = random_secret();
        let postgres = PostgresOptions::new("postgres", folder.join("postgres"), &secret);
        let postgres = PostgresServer::start(postgres)?;
        let cookie_key = random_secret();
        let signing_keys = String::new();
        let services = Vec::new();
        let mut lab =
            Self { redis, postgres, services, folder, cookie_key, signing_keys, is_cluster };
        lab.votectl(migrate)?;
        if has_receipts {
            lab.signing_keys = lab.votectl(&["keygen", "--name", "bench.example"])?;
        }
        let receipts = if has_receipts { [].as_slice() } else { &["--no-receipts"] };
        let poll = [
            "poll",
            "create",
            "--slug",
            POLL,
            "--title",
            "Cats vs Dogs",
            "--option",
            "cats=Cats",
            "--option",
            "dogs=Dogs",
            "--open",
        ];
        lab.votectl(&[&poll, receipts].concat())?;
        Ok(lab)
    }

    /// Returns the address of Redis, or the addresses of all masters separated by commas.
    pub fn redis_url(&self) -> String {
        self.redis.iter().map(RedisServer::url).collect::<Vec<_>>().join(",")
    }

    /// Returns the processor seconds that all Redis nodes together have used.
    pub fn redis_cpu_s(&self) -> anyhow::Result<f64> {
        let mut sum = 0.0;
        for node in &self.redis {
            let info = node.command(&["INFO", "cpu"])?;
            for name in ["used_cpu_sys:", "used_cpu_user:"] {
                let figure = info.lines().find_map(|line| line.strip_prefix(name)).context(name)?;
                sum += figure.trim().parse::<f64>()?;
            }
        }
        Ok(sum)
    }

    /// Returns the address of the database for the superuser.
    pub fn database_url(&self) -> String {
        self.postgres.url("postgres")
    }

    /// Starts a service and waits until it is ready.
    pub async fn start(&mut self, name: &str) -> anyhow::Result<&BenchService> {
        self.start_with(name, &[]).await
    }

    /// As [`Lab::start`], with these variables.
    pub async fn start_with(
        &mut self,
        name: &str,
        variables: &[(&str, &str)],
    ) -> anyhow::Result<&BenchService> {
        let (port, admin_port) = (free_port(), free_port());
        let child = self
            .command(name)?
            .envs(variables.iter().copied())
            .env("LISTEN_ADDR", format!("127.0.0.1:{port}"))
            .env("ADMIN_ADDR", format!("127.0.0.1:{admin_port}"))
            .spawn()
            .with_context(|| format!("cannot start {name}"))?;
        self.services.push(BenchService { child, port, admin_port });
        let service = self.services.last().context("the service was added just now")?;
        let deadline = Instant::now() + Duration::from_secs(20);
        while !get(service.admin_port, "/readyz").await.is_ok_and(|reply| reply.contains(" 200 ")) {
            ensure!(Instant::now() < deadline, "{name} is not ready after 20 s");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Ok(service)
    }

    /// Returns the service that was started last.
    pub fn last(&self) -> anyhow::Result<&BenchService> {
        self.services.last().context("no service was started")
    }

    /// Returns the number of voters that are counted so far.
    pub async fn voters(&self, client: &tokio_postgres::Client) -> anyhow::Result<i64> {
        let row = client.query_one("SELECT sum(voters)::int8 FROM poll_tally", &[]).await?;
        Ok(row.get(0))
    }

    /// Opens a session of Postgres.
    pub async fn client(&self) -> anyhow::Result<tokio_postgres::Client> {
        let (client, driver) =
            tokio_postgres::connect(&self.database_url(), tokio_postgres::NoTls).await?;
        tokio::spawn(driver);
        Ok(client)
    }

    fn votectl(&self, arguments: &[&str]) -> anyhow::Result<String> {
        let output = self.command("votectl")?.args(arguments).output()?;
        if !output.status.success() {
            bail!("votectl {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        }
        Ok(String::from_utf8(output.stdout)?)
    }

    fn command(&self, name: &str) -> anyhow::Result<Command> {
        let program = std::env::current_exe()?.with_file_name(name);
        ensure!(program.exists(), "{} is missing: run `make bench`", program.display());
        let mut command = Command::new(program);
        command
            .env("REDIS_URL", self.redis_url())
            .env("REDIS_CLUSTER", self.is_cluster.to_string())
            .env("DATABASE_URL", self.database_url())
            .env("COOKIE_KEYS", &self.cookie_key)
            .env("LOG_LEVEL", "warn")
            .stdin(Stdio::null())
            .stdout(Stdio::null());
        if !self.signing_keys.is_empty() {
            command.env("SIGNING_KEYS", &self.signing_keys);
        }
        Ok(command)
    }
}

fn new_folder() -> anyhow::Result<PathBuf> {
    let folder = std::env::temp_dir().join(format!("votestream-bench-{}", random_secret()));
    std::fs::create_dir_all(&folder)?;
    Ok(folder)
}

fn redis_options(name: &str, folder: &Path) -> RedisOptions {
    let mut options = RedisOptions::new(name, folder.join(name));
    options.settings = [
        ("appendonly", "yes"),
        ("appendfsync", "always"),
        ("maxmemory-policy", "noeviction"),
        ("save", ""),
        // A rewrite of the file during one measurement of a pair, and not during the other, would distort the ratio.
        ("auto-aof-rewrite-percentage", "0"),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .to_vec();
    options
}

/// Sends a GET request to a port of this machine and returns the raw reply.
pub async fn get(port: u16, path: &str) -> anyhow::Result<String> {
    let mut stream = TcpStream::connect(SocketAddr::from(([127, 0, 0, 1], port))).await?;
    let request = format!("GET {path} HTTP/1.1\r\nhost: bench\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut reply = String::new();
    stream.read_to_string(&mut reply).await?;
    Ok(reply)
}

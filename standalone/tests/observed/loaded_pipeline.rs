//! The pipeline under load, with the means to query its servers and to stop its processes.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use testkit::{Pipeline, binary, folder, free_port};
use tokio_postgres::{Client, NoTls};

/// A helper process that is killed when the value is dropped.
pub struct Helper(Child);

impl Helper {
    pub fn start(command: &mut Command) -> Self {
        let command = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        Self(command.spawn().unwrap())
    }
}

impl Drop for Helper {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The pipeline, and the addresses of its servers for the operator.
pub struct LoadedPipeline {
    pub pipeline: Pipeline,
    pub redis_url: String,
    pub database_url: String,
}

impl LoadedPipeline {
    /// Starts `make up OBSERVE=1` with limits low enough for a test to reach them. A part of the traces goes to
    /// `collector`.
    pub fn start(prometheus_port: u16, metrics_port: u16, collector: &str) -> Self {
        let (prometheus_port, metrics_port) =
            (prometheus_port.to_string(), metrics_port.to_string());
        let grafana_dir = root().join("grafana");
        let pipeline = Pipeline::start(&[
            ("OBSERVE", "1"),
            ("PROMETHEUS_PORT", &prometheus_port),
            ("ALERTMANAGER_PORT", "0"),
            ("GRAFANA_PORT", "0"),
            ("METRICS_PORT", &metrics_port),
            ("GRAFANA_DIR", grafana_dir.to_str().unwrap()),
            ("PARTITIONS", "4"),
            ("AUDIT_MS", "1000"),
            ("OTEL_EXPORTER_OTLP_ENDPOINT", collector),
            ("OTEL_TRACES_SAMPLER", "parentbased_traceidratio"),
            ("OTEL_TRACES_SAMPLER_ARG", "0.1"),
            ("OTEL_BSP_SCHEDULE_DELAY", "500"),
            ("STATEMENT_TIMEOUT_MS", "1000"),
            ("CLAIM_IDLE_MS", "2500"),
            ("BACKLOG_MAX", "400"),
            ("VIEWERS_MAX", "40"),
            ("CONNECTIONS_MAX", "300"),
            ("INTERVAL_MS", "1000"),
            ("SCREEN_TIMEOUT_MS", "6000"),
        ]);
        let [redis_url, database_url] =
            ["REDIS_URL", "DATABASE_URL"].map(|name| pipeline.variable(name));
        Self { pipeline, redis_url, database_url }
    }

    /// Starts a load of voters and viewers, which ends when the value is dropped.
    pub fn load(&self) -> Helper {
        let mut command = Command::new(binary("loadtest"));
        command.args(["run", "--rate", "200", "--duration", "10m", "--viewers", "10"]).args([
            "--target",
            &self.pipeline.vote,
            "--results",
            &self.pipeline.results,
        ]);
        Helper::start(&mut command)
    }

    /// Opens a database session as the owner of the tables.
    pub async fn sql(&self) -> Client {
        let (client, connection) =
            tokio_postgres::connect(&self.database_url, NoTls).await.unwrap();
        tokio::spawn(connection);
        client
    }

    /// Sends a command to Redis as the operator.
    pub async fn redis<T: redis::FromRedisValue>(&self, command: &[&str]) -> T {
        let mut connection = testkit::redis_connection(&self.redis_url).await;
        let (name, arguments) = command.split_first().unwrap();
        redis::cmd(name).arg(arguments).query_async(&mut connection).await.unwrap()
    }

    /// Sends a signal to all processes of a service.
    pub fn signal(&self, service: &str, signal: Signal) {
        for file in std::fs::read_dir(self.pipeline.data_dir.join("run")).unwrap().flatten() {
            let name = file.file_name().into_string().unwrap();
            if name.starts_with(service) && name.ends_with(".pid") {
                let text = std::fs::read_to_string(file.path()).unwrap();
                let pid = text.split_whitespace().next().unwrap().parse().unwrap();
                kill_process(Pid::from_raw(pid).unwrap(), signal).unwrap();
            }
        }
    }

    /// Starts another dashboard, whose CA certificate expires in this many days. Returns it with its admin port.
    pub fn dashboard_with_certificate(&self, days: i64) -> (Helper, u16) {
        let port = free_port();
        let file = certificate_for(days);
        let helper = Helper::start(
            Command::new(binary("dashboard"))
                .env("DATABASE_URL", &self.database_url)
                .env("DATABASE_CA_FILE", &file)
                .env("LISTEN_ADDR", "127.0.0.1:0")
                .env("ADMIN_ADDR", format!("127.0.0.1:{port}")),
        );
        (helper, port)
    }

    /// Starts another producer, which asks every new voter for a challenge that another service checks. That service is
    /// away. Returns the producer with its address and its admin port.
    pub fn producer_with_a_dead_verifier(&self) -> (Helper, String, u16) {
        let [port, admin, nobody] = [free_port(), free_port(), free_port()];
        let secret = folder("verifier").join("secret");
        std::fs::write(&secret, "a secret").unwrap();
        let helper = Helper::start(
            Command::new(binary("producer"))
                .env("REDIS_URL", &self.redis_url)
                .env("COOKIE_KEYS_FILE", self.pipeline.data_dir.join("secrets/cookie-keys"))
                .env("LISTEN_ADDR", format!("127.0.0.1:{port}"))
                .env("ADMIN_ADDR", format!("127.0.0.1:{admin}"))
                .env("CHALLENGE", "always")
                .env("CHALLENGE_VERIFIER_URL", format!("http://127.0.0.1:{nobody}/siteverify"))
                .env("CHALLENGE_VERIFIER_SECRET_FILE", secret)
                .env("CHALLENGE_SITE_KEY", "our site")
                .env("CHALLENGE_SCRIPT_URL", format!("http://127.0.0.1:{nobody}/api.js")),
        );
        (helper, format!("http://127.0.0.1:{port}/"), admin)
    }
}

/// Returns the folder of the workspace.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

fn certificate_for(days: i64) -> PathBuf {
    let key = rcgen::KeyPair::generate().unwrap();
    let mut params = rcgen::CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    params.not_after = std::time::SystemTime::now()
        .checked_add(Duration::from_secs(days.unsigned_abs() * 86_400))
        .unwrap()
        .into();
    let file = folder("certificate").join(format!("{days}.pem"));
    std::fs::write(&file, params.self_signed(&key).unwrap().pem()).unwrap();
    file
}

/// Waits until `is_so` returns true; `event` names the awaited event in the message of a failure.
pub async fn until(event: &str, at_most: Duration, mut is_so: impl FnMut() -> bool) {
    let since = Instant::now();
    while !is_so() {
        assert!(since.elapsed() < at_most, "{event}: not within {at_most:?}");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

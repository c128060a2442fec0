//! A Prometheus that scrapes services of this machine every second, and the queries that Grafana would send to it.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::Context as _;
use serde_json::Value;
use standalone::servers::{Process, free_port};

/// The interval between two scrapes of a target, the longest time that a scrape may take, and the interval between two
/// evaluations of the rules: a fifth of those in `grafana/prometheus/prometheus.yml`.
pub const SCRAPE_EVERY: Duration = Duration::from_secs(1);
const PROGRAM: &str = "prometheus";
const ANSWER_WITHIN: Duration = Duration::from_secs(10);
/// The variables of our dashboards that select series.
const VARIABLES: [&str; 9] = [
    "cluster",
    "namespace",
    "deployment",
    "redis_instance",
    "redis_job",
    "postgres_instance",
    "postgres_job",
    "instance",
    "job",
];

/// Why a query has no result.
#[derive(Debug, thiserror::Error)]
pub enum QueryError {
    /// Nobody answers, or not in time.
    #[error("no answer: {0}")]
    Io(#[from] std::io::Error),
    /// The answer is no JSON.
    #[error("{source}: {reply}")]
    NotJson {
        /// Where the text differs from JSON.
        source: serde_json::Error,
        /// The body of the reply.
        reply: String,
    },
    /// Prometheus refuses the query.
    #[error("Prometheus answers {0}")]
    Refused(Value),
}

/// A running Prometheus. Dropping the value kills it.
#[derive(Debug)]
pub struct Prometheus {
    process: Process,
    port: u16,
}

impl Prometheus {
    /// Whether the program `prometheus` is installed.
    pub fn is_installed() -> bool {
        let folders = std::env::var_os("PATH").unwrap_or_default();
        std::env::split_paths(&folders).any(|folder| folder.join(PROGRAM).is_file())
    }

    /// Starts a Prometheus with its files in the folder `home`. It scrapes the ports of each job, and evaluates the rules
    /// in the files `*.yml` of the folder `rules`.
    ///
    /// # Errors
    /// Returns an error if the program is not installed, or a file cannot be written.
    pub fn start_in(
        home: &Path,
        targets: &[(String, Vec<u16>)],
        rules: &Path,
    ) -> anyhow::Result<Self> {
        let port = free_port();
        let every = SCRAPE_EVERY.as_secs();
        let mut config = format!(
            "global: {{scrape_interval: {every}s, scrape_timeout: {every}s, evaluation_interval: {every}s}}\n\
             rule_files: ['{}/*.yml']\nscrape_configs:\n",
            rules.display()
        );
        for (job, ports) in targets {
            let targets: Vec<String> =
                ports.iter().map(|port| format!("127.0.0.1:{port}")).collect();
            let targets = targets.join(", ");
            config += &format!(
                "  - {{job_name: {job}, static_configs: [{{targets: [{targets}], labels: {{deployment: votestream}}}}]}}\n"
            );
        }
        std::fs::create_dir_all(home)?;
        let file = home.join("prometheus.yml");
        std::fs::write(&file, config).with_context(|| format!("writing {}", file.display()))?;
        let mut command = Command::new(PROGRAM);
        command
            .arg(format!("--config.file={}", file.display()))
            .arg(format!("--storage.tsdb.path={}", home.join("data").display()))
            .arg(format!("--web.listen-address=127.0.0.1:{port}"))
            .arg("--log.level=warn");
        let (log, pid_file) = (home.join("prometheus.log"), home.join("prometheus.pid"));
        let process = Process::spawn(PROGRAM, command, home, &log, &pid_file)
            .context("starting Prometheus, which `bin/install observe` installs")?;
        Ok(Self { process, port })
    }

    /// Whether the process still runs.
    pub fn is_running(&mut self) -> bool {
        self.process.is_running()
    }

    /// Returns the path of its log file.
    pub fn log(&self) -> &Path {
        self.process.log()
    }

    /// Evaluates an expression now and returns its series.
    ///
    /// # Errors
    /// Returns an error if Prometheus does not answer, or refuses the expression.
    pub fn query(&self, expression: &str) -> Result<Vec<Value>, QueryError> {
        let query: String = form_encoded(expression);
        let reply = get(self.port, &format!("/api/v1/query?query={query}"))?;
        match &reply["data"]["result"] {
            Value::Array(result) if reply["data"]["resultType"] == "vector" => Ok(result.clone()),
            Value::Array(result) => Ok(vec![result.clone().into()]),
            _ => Err(QueryError::Refused(reply)),
        }
    }

    /// Returns all rules with their state; none while it does not answer.
    pub fn rules(&self) -> Vec<Value> {
        let reply = get(self.port, "/api/v1/rules").unwrap_or_default();
        let groups = reply["data"]["groups"].as_array().cloned().unwrap_or_default();
        let rules = |group: &Value| group["rules"].as_array().cloned().unwrap_or_default();
        groups.iter().flat_map(rules).collect()
    }
}

/// Returns an expression of a dashboard in which Grafana's variables match every series.
pub fn matching_all(expression: &str) -> String {
    let matching = |text: String, name: &&str| text.replace(&format!("${name}\""), ".*\"");
    VARIABLES.iter().fold(expression.to_owned(), matching)
}

/// Requests JSON from a port of this machine.
///
/// # Errors
/// Returns an error if nobody answers within ten seconds, or the answer is no JSON.
pub fn get(port: u16, path: &str) -> Result<Value, QueryError> {
    let reply = fetch(port, path)?;
    serde_json::from_str(&reply).map_err(|source| QueryError::NotJson { source, reply })
}

/// Requests a text from a port of this machine, and returns the body of the reply, whatever its status is.
///
/// # Errors
/// Returns an error if nobody answers within ten seconds.
pub fn fetch(port: u16, path: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_read_timeout(Some(ANSWER_WITHIN))?;
    // HTTP/1.0: the reply comes in one piece and ends with the connection.
    write!(stream, "GET {path} HTTP/1.0\r\nHost: localhost\r\n\r\n")?;
    let mut reply = String::new();
    stream.read_to_string(&mut reply)?;
    Ok(reply.split_once("\r\n\r\n").map_or_else(String::new, |(_, body)| body.to_owned()))
}

fn form_encoded(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

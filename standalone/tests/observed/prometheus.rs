//! A real Prometheus that scrapes every second and evaluates the project's rules with shortened time windows.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use testkit::{folder, free_port};

/// The time windows of the rules and their replacements: short enough for a test, and still in the same order.
const WINDOWS: [(&str, &str); 12] = [
    // The first, because some of the replacements below read the same.
    ("30s", "4s"),
    ("1m", "10s"),
    ("5m", "10s"),
    ("30m", "15s"),
    ("1h", "20s"),
    ("2h", "20s"),
    ("6h", "25s"),
    ("1d", "30s"),
    ("3d", "40s"),
    ("30d", "60s"),
    ("$__rate_interval", "10s"),
    ("$__range", "60s"),
];
/// Thresholds that no test can wait for: the alert, its threshold, and the replacement.
const AGES: [(&str, &str, &str); 7] = [
    ("OldestEntryWaits", "> 30", "> 2"),
    ("OldestPendingStuck", "> 90", "> 3"),
    ("NothingCounted", "> 45", "> 2"),
    ("ServiceInterrupted", "[10s]", "[15s]"),
    ("ReplicaRestarts", "[15s]", "[30s]"),
    ("AuditOverdue", "> 600 + 30 *", "> 5 + 2 *"),
    // The times between audits, over more than the test lasts.
    ("AuditOverdue", "[25s])) > 43200", "[10m])) > 60"),
];
/// The variables of the dashboards.
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

/// A running Prometheus. Dropping the value stops it.
pub struct Prometheus {
    child: Child,
    port: u16,
}

impl Prometheus {
    /// Starts a Prometheus that scrapes these targets and evaluates shortened copies of the rules in `rules`.
    pub fn start(targets: &[(String, Vec<u16>)], rules: &Path) -> Self {
        let home = folder("prometheus");
        let copies = copy_rules(rules, &home);
        let port = free_port();
        let mut config = format!(
            "global: {{scrape_interval: 1s, scrape_timeout: 1s, evaluation_interval: 1s}}\n\
             rule_files: ['{}/*.yml']\nscrape_configs:\n",
            copies.display()
        );
        for (job, ports) in targets {
            let targets: Vec<String> =
                ports.iter().map(|port| format!("127.0.0.1:{port}")).collect();
            let targets = targets.join(", ");
            config += &format!(
                "  - {{job_name: {job}, static_configs: [{{targets: [{targets}], labels: {{deployment: votestream}}}}]}}\n"
            );
        }
        fs::write(home.join("prometheus.yml"), config).unwrap();
        let log = fs::File::create(home.join("log")).unwrap();
        let child = Command::new("prometheus")
            .arg(format!("--config.file={}", home.join("prometheus.yml").display()))
            .arg(format!("--storage.tsdb.path={}", home.join("data").display()))
            .arg(format!("--web.listen-address=127.0.0.1:{port}"))
            .arg("--log.level=warn")
            .stdin(Stdio::null())
            .stderr(log)
            .spawn()
            .expect("Prometheus is installed: `bin/install observe`");
        Self { child, port }
    }

    /// Evaluates an expression now and returns its series.
    pub fn query(&self, expression: &str) -> Result<Vec<Value>, String> {
        let query: String = form_encoded(expression);
        let reply = get(self.port, &format!("/api/v1/query?query={query}"))?;
        match &reply["data"]["result"] {
            Value::Array(result) if reply["data"]["resultType"] == "vector" => Ok(result.clone()),
            Value::Array(result) => Ok(vec![result.clone().into()]),
            _ => Err(reply.to_string()),
        }
    }

    /// Returns all rules with their state.
    pub fn rules(&self) -> Vec<Value> {
        let reply = get(self.port, "/api/v1/rules").unwrap_or_default();
        let groups = reply["data"]["groups"].as_array().cloned().unwrap_or_default();
        groups.iter().flat_map(|group| group["rules"].as_array().cloned().unwrap()).collect()
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        let _ = kill_process(Pid::from_child(&self.child), Signal::TERM);
        let _ = self.child.wait();
    }
}

/// Returns an expression with shortened windows, in which Grafana's variables match everything.
pub fn shortened(expression: &str) -> String {
    let mut text = expression.to_owned();
    for (window, short) in WINDOWS {
        text = text.replace(&format!("[{window}]"), &format!("[{short}]"));
        text = text.replace(&format!("offset {window} "), &format!("offset {short} "));
    }
    for variable in VARIABLES {
        text = text.replace(&format!("${variable}\""), ".*\"");
    }
    assert!(!text.contains('$'), "a variable of Grafana that is not known here: {text}");
    text
}

/// Requests JSON from a port of this machine. The error holds a reply that is not JSON.
pub fn get(port: u16, path: &str) -> Result<Value, String> {
    let ask = || {
        let mut stream = TcpStream::connect(("127.0.0.1", port))?;
        stream.set_read_timeout(Some(Duration::from_secs(10)))?;
        // HTTP/1.0: the reply comes in one piece and ends with the connection.
        write!(stream, "GET {path} HTTP/1.0\r\nHost: localhost\r\n\r\n")?;
        let mut reply = String::new();
        stream.read_to_string(&mut reply)?;
        Ok::<_, std::io::Error>(reply)
    };
    let reply = ask().map_err(|error| error.to_string())?;
    let body = reply.split_once("\r\n\r\n").map_or("", |(_, body)| body);
    serde_json::from_str(body).map_err(|error| format!("{error}: {reply}"))
}

fn copy_rules(from: &Path, home: &Path) -> PathBuf {
    let copies = home.join("rules");
    fs::create_dir_all(&copies).unwrap();
    for file in fs::read_dir(from).unwrap().flatten() {
        let mut alert = String::new();
        let lines = fs::read_to_string(file.path()).unwrap();
        let lines = lines.lines().map(|line| {
            let words = line.trim_start().trim_start_matches("- ");
            if let Some(name) = words.strip_prefix("alert: ") {
                name.clone_into(&mut alert);
            }
            for (key, short) in [("for: ", "0s"), ("keep_firing_for: ", "2s")] {
                if words.starts_with(key) {
                    return format!("{}{key}{short}", line.split_once(key).unwrap().0);
                }
            }
            let mut line = line.replace("interval: 1m", "interval: 2s");
            for (window, short) in WINDOWS {
                line = line.replace(&format!("[{window}]"), &format!("[{short}]"));
            }
            for (_, long, short) in AGES.iter().filter(|(name, ..)| *name == alert) {
                line = line.replace(long, short);
            }
            line
        });
        let text = lines.collect::<Vec<_>>().join("\n");
        fs::write(copies.join(file.file_name()), text).unwrap();
    }
    copies
}

fn form_encoded(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

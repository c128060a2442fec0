//! A Redis with the shipped files keeps, over a restart, what a script wrote. Redis replays the
//! transactions of its append-only file as the user `default` and checks that user's rights.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use testkit::{Process, eventually, folder, free_port};

use crate::deployment::{Secrets, project, said, succeeds};

/// How many voters one run writes.
const VOTERS: u32 = 50;

/// Writes a voter and a ballot, as the producer's script does: Redis stores both as one transaction.
const SCRIPT: &str = "redis.call('HSET', KEYS[1], ARGV[1], '1')
    return redis.call('XADD', KEYS[2], '*', 'b', ARGV[1])";

/// A `redis-server` with a shipped configuration and users, on a volume of its own.
struct Shipped {
    folder: PathBuf,
    password: String,
    port: u16,
    arguments: Vec<String>,
    process: Option<Process>,
}

impl Shipped {
    /// Starts it with these words of its command line; `/data` is the volume.
    async fn start(arguments: &[String], password: String) -> Self {
        let folder = folder("shipped");
        let data = folder.display().to_string();
        let arguments = arguments.iter().map(|word| word.replace("/data", &data)).collect();
        let mut redis = Self { folder, password, port: free_port(), arguments, process: None };
        redis.run().await;
        redis
    }

    async fn run(&mut self) {
        let program = std::env::var("REDIS_SERVER").unwrap_or_else(|_| "redis-server".to_owned());
        let mut command = Command::new(program);
        command.args(&self.arguments).args(["--bind", "127.0.0.1", "--port"]);
        command.arg(self.port.to_string());
        let (log, pid) = (self.folder.join("log"), self.folder.join("pid"));
        self.process = Some(Process::spawn("redis", command, &self.folder, &log, &pid).unwrap());
        eventually(Duration::from_secs(30), async || {
            let answer = self.ask("operator", &["PING"]);
            answer.contains("PONG").then_some(()).ok_or(answer)
        })
        .await;
    }

    /// Ends it as a lost machine does, and starts it again on the same volume.
    async fn restart(&mut self) {
        self.process.take().unwrap().kill();
        self.run().await;
    }

    fn ask(&self, user: &str, words: &[&str]) -> String {
        let port = self.port.to_string();
        let output = Command::new("redis-cli")
            .args(["-p", &port, "--user", user])
            .args(words)
            .env("REDISCLI_AUTH", &self.password)
            .output()
            .unwrap();
        said(&output)
    }

    async fn keeps_what_a_script_wrote(mut self) {
        for voter in 0..VOTERS {
            let voter = voter.to_string();
            let keys = ["{votes:0}:register:1:0", "{votes:0}:stream"];
            let answer = self.ask("operator", &["EVAL", SCRIPT, "2", keys[0], keys[1], &voter]);
            assert!(answer.contains('-'), "{answer}");
        }
        self.restart().await;
        let kept = VOTERS.to_string() + "\n";
        assert_eq!(self.ask("operator", &["XLEN", "{votes:0}:stream"]), kept);
        assert_eq!(self.ask("operator", &["HLEN", "{votes:0}:register:1:0"]), kept);
        let stranger = self.ask("default", &["XLEN", "{votes:0}:stream"]);
        assert!(stranger.contains("NOAUTH"), "nobody may log in as `default`: {stranger}");
    }
}

/// What `compose.yaml` makes with its own script: its folders here, and nobody to give files to.
fn compose_secrets() -> PathBuf {
    let here = folder("compose");
    for reader in ["redis", "postgres", "producer", "consumer", "dashboard", "operator", "grafana"]
    {
        fs::create_dir_all(here.join("secrets").join(reader)).unwrap();
    }
    fs::create_dir(here.join("vault")).unwrap();
    let chown = here.join("chown");
    fs::write(&chown, "#!/bin/sh\n").unwrap();
    fs::set_permissions(&chown, fs::Permissions::from_mode(0o755)).unwrap();
    let users = project("schema/access/redis-users.acl").display().to_string();
    let script = fs::read_to_string(project("containers/secrets.sh"))
        .unwrap()
        .replace("/vault", &here.join("vault").display().to_string())
        .replace("/secrets", &here.join("secrets").display().to_string())
        .replace("/redis-users.acl", &users);
    let path = format!("{}:{}", here.display(), std::env::var("PATH").unwrap());
    succeeds(Command::new("sh").args(["-c", &script]).env("PATH", path));
    here.join("secrets/redis")
}

/// The command of the service `redis` in `compose.yaml`, without the program.
fn compose_command(secrets: &Path) -> Vec<String> {
    let text = fs::read_to_string(project("compose.yaml")).unwrap();
    let (_, command) = text.split_once("      - redis-server\n").expect("the command of redis");
    let words: Vec<String> = command
        .lines()
        .map_while(|line| line.strip_prefix("      - "))
        .flat_map(|line| line.split(' '))
        .map(|word| if word == "\"\"" { String::new() } else { word.to_owned() })
        .map(|word| word.replace("/secrets", &secrets.display().to_string()))
        .collect();
    assert!(words.iter().any(|word| word == "--aclfile"), "{words:?}");
    words
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_of_the_manifests_redis_keeps_what_a_script_wrote() {
    let secrets = Secrets::make();
    let users = secrets.0.join("redis-server");
    let configuration = fs::read_to_string(project("k8s/components/redis/redis.conf")).unwrap();
    let configuration = configuration.replace("/secrets", &users.display().to_string());
    let file = folder("configuration").join("redis.conf");
    // The volume is the test's; everything else is the shipped file.
    fs::write(&file, configuration.replace("dir /data\n", "")).unwrap();
    let words = [file.display().to_string(), "--dir".to_owned(), "/data".to_owned()];
    let redis = Shipped::start(&words, secrets.read("passwords/redis-operator")).await;
    redis.keeps_what_a_script_wrote().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_of_composes_redis_keeps_what_a_script_wrote() {
    let secrets = compose_secrets();
    let password = fs::read_to_string(secrets.join("password")).unwrap();
    let redis = Shipped::start(&compose_command(&secrets), password).await;
    redis.keeps_what_a_script_wrote().await;
}

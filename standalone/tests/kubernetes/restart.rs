//! A Redis that is killed keeps every waiting ballot with the settings and the access list of Kubernetes and of
//! compose.yaml. The tests use these files unchanged, except for the paths of folders.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use testkit::{Process, folder, free_port};

use crate::deployment::{Secrets, project, said, succeeds};

const READY_WITHIN: Duration = Duration::from_secs(30);
/// A script that writes as those of the services do: several changes, which Redis logs as one transaction.
pub const SCRIPT: &str =
    "redis.call('HSET', KEYS[1], ARGV[1], 'x') redis.call('XADD', KEYS[2], '*', 'b', ARGV[1])";
const BALLOTS: usize = 50;

/// A Redis with the shipped settings and users, and nothing else.
struct Shipped {
    folder: PathBuf,
    arguments: Vec<String>,
    password: String,
    port: u16,
    process: Process,
}

impl Shipped {
    /// Starts `redis-server` with these arguments; `/data` and `/secrets` lie in folders of this machine.
    fn start(arguments: &[String], acl: &str, password: String) -> Self {
        let (folder, port) = (folder("shipped"), free_port());
        fs::create_dir_all(folder.join("data")).unwrap();
        fs::create_dir_all(folder.join("secrets")).unwrap();
        fs::write(folder.join("secrets/users.acl"), acl).unwrap();
        let place = |text: &String| {
            text.replace("/data", folder.join("data").to_str().unwrap())
                .replace("/secrets", folder.join("secrets").to_str().unwrap())
        };
        let here = ["--port", &port.to_string(), "--bind", "127.0.0.1"].map(str::to_owned);
        let arguments: Vec<String> = arguments.iter().map(place).chain(here).collect();
        let process = spawn(&folder, &arguments);
        let mut server = Self { folder, arguments, password, port, process };
        server.wait_ready();
        server
    }

    fn kill_and_start(&mut self) {
        self.process.kill();
        self.process = spawn(&self.folder, &self.arguments);
        self.wait_ready();
    }

    fn wait_ready(&mut self) {
        let (port, password) = (self.port, self.password.clone());
        let answers = || ask(port, &password, &["PING"]).starts_with("PONG");
        self.process.wait_ready(READY_WITHIN, answers).unwrap();
    }

    fn ask(&self, words: &[&str]) -> String {
        ask(self.port, &self.password, words)
    }

    /// Writes ballots, kills Redis, and checks that all of them are kept and that nobody gets in without a password.
    fn keeps_all(&mut self) {
        let (register, stream) = ("{votes:0}:register:1:0", "{votes:0}:stream");
        for ballot in 0..BALLOTS {
            self.ask(&["EVAL", SCRIPT, "2", register, stream, &ballot.to_string()]);
        }
        let ids = self.ask(&["XRANGE", stream, "-", "+"]);
        self.kill_and_start();
        assert_eq!(self.ask(&["XLEN", stream]).trim(), BALLOTS.to_string());
        assert_eq!(self.ask(&["HLEN", register]).trim(), BALLOTS.to_string());
        assert_eq!(self.ask(&["XRANGE", stream, "-", "+"]), ids);
        let stranger =
            Command::new("redis-cli").args(["-p", &self.port.to_string(), "PING"]).output();
        assert!(said(&stranger.unwrap()).starts_with("NOAUTH"));
    }
}

fn server_program() -> String {
    std::env::var("REDIS_SERVER").unwrap_or_else(|_| "redis-server".to_owned())
}

fn spawn(folder: &Path, arguments: &[String]) -> Process {
    let mut command = Command::new(server_program());
    command.args(arguments);
    Process::spawn("shipped", command, folder, &folder.join("log"), &folder.join("pid")).unwrap()
}

fn ask(port: u16, password: &str, words: &[&str]) -> String {
    let output = Command::new("redis-cli")
        .args(["-p", &port.to_string(), "--user", "operator"])
        .args(words)
        .env("REDISCLI_AUTH", password)
        .output();
    said(&output.unwrap())
}

/// Returns the settings of the component's `redis.conf` as command-line arguments.
fn component() -> Vec<String> {
    let text = fs::read_to_string(project("k8s/components/redis/redis.conf")).unwrap();
    let lines = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines.flat_map(|line| line.split_once(' ')).flat_map(option).collect()
}

fn option((name, value): (&str, &str)) -> [String; 2] {
    [format!("--{name}"), value.trim_matches('"').to_owned()]
}

#[test]
fn the_redis_of_the_manifests_keeps_what_waits_when_it_is_killed() {
    let secrets = Secrets::make();
    let acl = secrets.read("redis-server/users.acl");
    let mut redis = Shipped::start(&component(), &acl, secrets.read("passwords/redis-operator"));
    redis.keeps_all();
}

#[test]
fn the_redis_of_compose_keeps_what_waits_when_it_is_killed() {
    // This is the script of compose.yaml, with folders of this machine.
    let here = folder("compose");
    let compose = fs::read_to_string(project("compose.yaml")).unwrap();
    fs::create_dir_all(here.join("vault")).unwrap();
    for volume in compose.lines().filter_map(|line| line.split_once(":/secrets/")) {
        fs::create_dir_all(here.join("secrets").join(volume.1)).unwrap();
    }
    let script = fs::read_to_string(project("containers/secrets.sh")).unwrap();
    let script = script
        .replace("/redis-users.acl", project("schema/access/redis-users.acl").to_str().unwrap())
        .replace("/vault", here.join("vault").to_str().unwrap())
        .replace("/secrets/", &format!("{}/", here.join("secrets").display()));
    // Only root may change the owner of a file, so `chown` is replaced by a script that does nothing.
    let tools = here.join("tools");
    fs::create_dir_all(&tools).unwrap();
    fs::write(tools.join("chown"), "#!/bin/sh\n").unwrap();
    fs::set_permissions(tools.join("chown"), fs::Permissions::from_mode(0o755)).unwrap();
    let path = format!("{}:{}", tools.display(), std::env::var("PATH").unwrap());
    succeeds(Command::new("sh").args(["-ec", &script]).env("PATH", path));

    let read = |name: &str| fs::read_to_string(here.join(name)).unwrap();
    // compose.yaml starts Redis with the shared settings and a few arguments of its own.
    let (_, command) = compose.split_once("      - redis-server\n").expect("the command of redis");
    let lines = command.lines().map_while(|line| line.strip_prefix("      - "));
    let shared = fs::read_to_string(project("schema/access/redis.conf")).unwrap();
    let shared_copy = here.join("redis.conf");
    fs::write(&shared_copy, shared).unwrap();
    let arguments: Vec<String> = lines
        .flat_map(|line| line.split(' '))
        .map(|word| word.replace("/redis.conf", shared_copy.to_str().unwrap()))
        .collect();
    assert!(arguments.iter().any(|word| word.ends_with("/redis.conf")), "{arguments:?}");
    let mut redis = Shipped::start(
        &arguments,
        &read("secrets/redis/users.acl"),
        read("secrets/redis/password"),
    );
    redis.keeps_all();
}

/// The access list of an earlier release loses ballots, which proves that the two tests above can fail.
#[test]
fn a_default_user_without_rights_loses_what_waits() {
    let secrets = Secrets::make();
    let acl =
        secrets.read("redis-server/users.acl").replace("default off ~* &* +@all", "default off");
    let mut redis = Shipped::start(&component(), &acl, secrets.read("passwords/redis-operator"));
    redis.ask(&["EVAL", SCRIPT, "2", "{votes:0}:h", "{votes:0}:stream", "1"]);
    assert!(
        redis
            .ask(&["ACL", "DRYRUN", "default", "XADD", "s", "*", "b", "1"])
            .contains("no permissions")
    );
    redis.kill_and_start();
    assert_eq!(redis.ask(&["XLEN", "{votes:0}:stream"]).trim(), "0");
}

//! The pods of the component redis-cluster: processes that run its scripts, each pod at an address of its own. A
//! replacement for the cluster's DNS maps names to addresses.

use std::fs;
use std::net::Ipv4Addr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use rustix::process::Signal;
use testkit::{Process, folder};

use crate::deployment::{Secrets, project, succeeds};

/// The two Redis nodes of each pod: the first leads the pod's own shard, the second follows the next pod's.
pub const PORTS: [u16; 2] = [6379, 6380];
pub const PODS: usize = 3;
const SERVICE: &str = "redis-nodes";
const FORMS_WITHIN_S: &str = "120";
const STOPS_WITHIN: Duration = Duration::from_secs(20);

pub struct Pods {
    pub secrets: Secrets,
    /// A folder with a replacement for `getent`, which looks host names up in a file.
    names: PathBuf,
    pods: Vec<Pod>,
}

pub struct Pod {
    name: String,
    folder: PathBuf,
    pub address: Ipv4Addr,
    /// The nodes in the order of [`PORTS`]; empty while the pod is down.
    pub nodes: Vec<Process>,
    keeper: Option<Process>,
}

impl Pods {
    pub fn start() -> Self {
        let names = folder("names");
        let hosts = names.join("hosts");
        let getent = names.join("getent");
        let script = format!("#!/bin/sh\ngrep \" $2\\$\" '{}'\n", hosts.display());
        fs::write(&getent, script).unwrap();
        fs::set_permissions(&getent, fs::Permissions::from_mode(0o755)).unwrap();
        let pods = (0..PODS).map(|number| Pod {
            name: format!("redis-{number}"),
            folder: folder("pod"),
            address: Ipv4Addr::LOCALHOST,
            nodes: Vec::new(),
            keeper: None,
        });
        let mut pods =
            Self { secrets: Secrets::make_for_installed_redis(), names, pods: pods.collect() };
        for number in 0..PODS {
            pods.start_pod(number);
        }
        pods
    }

    pub fn pod(&mut self, number: usize) -> &mut Pod {
        &mut self.pods[number]
    }

    /// Starts a pod at an address that it has not had before.
    pub fn start_pod(&mut self, number: usize) {
        self.pods[number].address = new_address();
        let hosts: String = self
            .pods
            .iter()
            .map(|pod| format!("{} {}.{SERVICE}\n", pod.address, pod.name))
            .collect();
        fs::write(self.names.join("hosts"), hosts).unwrap();
        self.configure(number);
        let nodes = PORTS.map(|port| self.node(number, port));
        let run = self.pods[number].run().display().to_string();
        let variables = [("EVERY_S", "1".to_owned()), ("RUN", run)];
        let keeper = self.container(number, "keeper", "keep.sh", &variables);
        let pod = &mut self.pods[number];
        pod.nodes = nodes.into();
        pod.keeper = Some(keeper);
    }

    /// Stops a pod as the kubelet does: it signals the keeper first, which hands the shard over, and then the nodes.
    pub fn stop_pod(&mut self, number: usize) {
        let pod = &mut self.pods[number];
        let mut keeper = pod.keeper.take().unwrap();
        assert!(keeper.stop(Signal::TERM, STOPS_WITHIN), "the keeper of {} stops", pod.name);
        for mut node in pod.nodes.drain(..) {
            assert!(node.stop(Signal::TERM, STOPS_WITHIN), "a node of {} stops", pod.name);
        }
    }

    /// Kills all processes of a pod, as if its machine had failed.
    pub fn kill_pod(&mut self, number: usize) {
        self.pods[number].keeper = None;
        self.pods[number].nodes.clear();
    }

    /// Empties the volume of a pod, as if its disk had been replaced.
    pub fn lose_volume(&mut self, number: usize) {
        fs::remove_dir_all(self.pods[number].folder.join("data")).unwrap();
    }

    /// Writes the configuration of a pod; its nodes read it when they start.
    fn configure(&self, number: usize) {
        let pod = &self.pods[number];
        for name in ["config", "data", "run"] {
            fs::create_dir_all(pod.folder.join(name)).unwrap();
        }
        let shipped = fs::read_to_string(project("k8s/components/redis-cluster/redis.conf"));
        let secrets = self.secrets.0.join("redis-server");
        // All pods share this machine's network, so each listens on, and connects from, its own address.
        let text = shipped.unwrap().replace("/secrets", secrets.to_str().unwrap())
            + &format!("bind {0}\nbind-source-addr {0}\n", pod.address);
        fs::write(pod.folder.join("config/redis.conf"), text).unwrap();
    }

    fn node(&self, number: usize, port: u16) -> Process {
        let pod = &self.pods[number];
        let own = |name: &str| pod.folder.join(name).display().to_string();
        let name = format!("node-{port}");
        let folders = [("CONFIG", own("config")), ("DATA", own("data")), ("RUN", own("run"))];
        let port = [("PORT", port.to_string()), ("POD_NAME", pod.name.clone())];
        self.container(number, &name, "start.sh", &[folders.as_slice(), &port].concat())
    }

    fn container(
        &self,
        number: usize,
        name: &str,
        script: &str,
        variables: &[(&str, String)],
    ) -> Process {
        let pod = &self.pods[number];
        let mut command = self.script(script);
        command.env("POD_IP", pod.address.to_string());
        command.envs(variables.iter().map(|(name, value)| (name, value)));
        let (log, pid) = (format!("{name}.log"), format!("{name}.pid"));
        let folder = &pod.folder;
        Process::spawn(name, command, folder, &folder.join(log), &folder.join(pid)).unwrap()
    }

    /// Returns the command that runs a script of the component, with the variables that all scripts need.
    fn script(&self, name: &str) -> Command {
        self.script_in(Command::new("sh"), name)
    }

    fn script_in(&self, mut command: Command, name: &str) -> Command {
        let path = std::env::var("PATH").unwrap();
        command
            .arg(project("k8s/components/redis-cluster").join(name))
            .env("PATH", format!("{}:{path}", self.names.display()))
            .env("SECRETS", self.secrets.0.join("redis-server"))
            .env("PEERS", PODS.to_string())
            .env("SERVICE", SERVICE);
        command
    }

    /// Runs the script of the Job that forms the cluster, within its deadline, and returns its output.
    pub fn form(&self) -> String {
        let mut bounded = Command::new("timeout");
        bounded.args([FORMS_WITHIN_S, "sh"]);
        succeeds(&mut self.script_in(bounded, "form.sh"))
    }

    /// Runs the script of the Job that forms the cluster without any pod, and returns its output.
    pub fn form_without_pods(wait_s: u32) -> Output {
        let nobody = Self { secrets: Secrets::make(), names: folder("names"), pods: Vec::new() };
        nobody.script("form.sh").env("WAIT_S", wait_s.to_string()).output().unwrap()
    }

    /// Whether the readiness probe of this node succeeds.
    pub fn is_ready(&self, number: usize, port: u16) -> bool {
        let mut probe = self.script("ready.sh");
        probe.env("POD_IP", self.pods[number].address.to_string()).env("PORT", port.to_string());
        probe.output().unwrap().status.success()
    }

    pub fn all_ready(&self) -> bool {
        (0..PODS).all(|number| PORTS.iter().all(|&port| self.is_ready(number, port)))
    }

    /// Sends a command to a node as the operator, and returns the reply.
    pub fn ask(&self, number: usize, port: u16, words: &[&str]) -> String {
        self.ask_as("operator", number, port, words)
    }

    pub fn ask_as(&self, user: &str, number: usize, port: u16, words: &[&str]) -> String {
        let mut client = Command::new("redis-cli");
        client
            .args(["-c", "-h", &self.pods[number].address.to_string(), "-p", &port.to_string()])
            .args(["--user", user])
            .args(words)
            .env("PATH", format!("{}:/usr/bin:/bin:/usr/local/bin", self.names.display()))
            .env("REDISCLI_AUTH", self.secrets.read(&format!("passwords/redis-{user}")));
        succeeds(&mut client)
    }

    pub fn leads(&self, number: usize, port: u16) -> bool {
        self.ask(number, port, &["INFO", "replication"]).contains("role:master")
    }

    /// Checks that each pod leads its own shard and follows that of the next pod.
    pub fn in_their_places(&self) -> Result<(), String> {
        for number in 0..PODS {
            let next = (number + 1) % PODS;
            let own = self.ask(number, 6380, &["INFO", "replication"]);
            let follows = own.contains("role:slave")
                && own.contains(&format!("master_host:{}\r", self.pods[next].address))
                && own.contains("master_port:6379\r");
            if !self.leads(number, 6379) || !follows {
                return Err(format!("{number}: {own}"));
            }
        }
        Ok(())
    }

    pub fn said_by_keeper(&self, number: usize) -> String {
        fs::read_to_string(self.pods[number].folder.join("keeper.log")).unwrap()
    }
}

impl Pod {
    /// Returns the folder that the containers of the pod share.
    pub fn run(&self) -> PathBuf {
        self.folder.join("run")
    }
}

/// Runs the keeper's script until it has looked at both nodes twice, with a `redis-cli` that gives these answers to
/// `CLUSTER NODES` and `INFO replication`. Returns the commands that the script sent.
pub async fn keeper_with_answers(nodes: &str, replication: &str) -> String {
    let folder = folder("keeper");
    for (name, text) in [("nodes", nodes), ("replication", replication), ("sent", "")] {
        fs::write(folder.join(name), text).unwrap();
    }
    let client = folder.join("redis-cli");
    let script = "#!/bin/sh\ncd \"$(dirname \"$0\")\"\nshift 6\necho \"$*\" >>sent\n\
                  case $* in 'cluster nodes') cat nodes ;; 'info replication') cat replication ;; esac\n";
    fs::write(&client, script).unwrap();
    fs::set_permissions(&client, fs::Permissions::from_mode(0o755)).unwrap();
    fs::write(folder.join("keeper-password"), "secret").unwrap();
    let path = std::env::var("PATH").unwrap();
    let mut command = Command::new("sh");
    command
        .arg(project("k8s/components/redis-cluster/keep.sh"))
        .env("PATH", format!("{}:{path}", folder.display()))
        .env("SECRETS", &folder)
        .env("RUN", &folder)
        .envs([("POD_IP", "10.0.0.9"), ("PEERS", "1"), ("SERVICE", SERVICE), ("EVERY_S", "1")]);
    let log = folder.join("log");
    let _keeper = Process::spawn("keeper", command, &folder, &log, &folder.join("pid")).unwrap();
    let sent = || fs::read_to_string(folder.join("sent")).unwrap();
    testkit::eventually(Duration::from_secs(20), async || {
        (sent().matches("cluster nodes").count() >= 5).then_some(())
    })
    .await;
    sent()
}

/// Returns an unused address in 127.0.0.0/8, all of which is this machine.
fn new_address() -> Ipv4Addr {
    static NEXT: AtomicU8 = AtomicU8::new(1);
    let [.., high, low] = std::process::id().to_be_bytes();
    Ipv4Addr::new(127, high | 0x40, low, NEXT.fetch_add(1, Ordering::Relaxed))
}

/// Returns the name of the program that a process runs.
pub fn program(process: &Process) -> String {
    let comm = Path::new("/proc").join(process.pid().to_string()).join("comm");
    fs::read_to_string(comm).unwrap().trim().to_owned()
}

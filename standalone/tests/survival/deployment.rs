//! A deployment for one test: servers, a poll, and the real programs.

use std::{
    path::PathBuf,
    process::{Command, ExitStatus},
    time::Duration,
};

use standalone::servers::{Process, Signal, random_secret};
use testkit::{binary, database, eventually, folder, free_port};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use votestream_loadtest::{Config, Plan, Profile, Report, Shape, Stop, Target, run};

/// The longest that the tests wait for one event. A busy machine is slow.
pub const SOON: Duration = Duration::from_secs(60);
/// The slug of the poll in which the tests vote.
pub const POLL: &str = "pets";
/// The drain delay of the services: long enough for the balancer to notice, on a busy machine too.
const DRAIN_DELAY_MS: u64 = 1_500;

/// The addresses, secrets and folders of a deployment. It holds no processes.
pub struct Deployment {
    pub database_url: String,
    environment: Vec<(&'static str, String)>,
    folder: PathBuf,
    /// The file by which programs that are started resolve names, instead of `/etc/hosts`.
    hosts: Option<PathBuf>,
}

/// Runs a program that sees another file as `/etc/hosts`, in a mount namespace of its own.
const WITH_HOSTS: &str = r#"mount --bind "$0" /etc/hosts && exec "$@""#;

impl Deployment {
    /// Migrates a new database, with six partitions, and opens a poll on this Redis. `more` are further variables of
    /// the services.
    pub async fn on(redis_url: &str, more: &[(&'static str, &str)]) -> Self {
        Self::with_database(redis_url, database().await, more).await
    }

    /// Does the same as [`Deployment::on`], in an empty database of the test.
    pub async fn with_database(
        redis_url: &str,
        database_url: String,
        more: &[(&'static str, &str)],
    ) -> Self {
        let mut environment = vec![
            ("REDIS_URL", redis_url.to_owned()),
            ("DATABASE_URL", database_url.clone()),
            ("COOKIE_KEYS", random_secret()),
            ("DEFAULT_POLL", POLL.to_owned()),
            ("DRAIN_DELAY_MS", DRAIN_DELAY_MS.to_string()),
            ("BLOCK_MS", "200".to_owned()),
            ("LOG_LEVEL", "info".to_owned()),
        ];
        environment.extend(more.iter().map(|(name, value)| (*name, (*value).to_owned())));
        let deployment =
            Self { database_url, environment, folder: folder("survival"), hosts: None };
        deployment.votectl(&["migrate", "--partitions", "6"]);
        let create = ["poll", "create", "--slug", POLL, "--title", "Pets?", "--open"];
        deployment
            .votectl(&[create.as_slice(), &["--option", "cats", "--option", "dogs"]].concat());
        deployment
    }

    fn command(&self, program: &str) -> Command {
        let mut command = match &self.hosts {
            None => Command::new(binary(program)),
            Some(hosts) => {
                let mut command = Command::new("unshare");
                command.args(["--map-root-user", "--mount", "sh", "-c", WITH_HOSTS]);
                command.arg(hosts).arg(binary(program));
                command
            }
        };
        let environment = self.environment.iter().map(|(name, value)| (*name, value.as_str()));
        command.env_clear().envs(environment);
        command
    }

    /// Gives the programs that are started from now on another value of this variable.
    pub fn set(&mut self, variable: &str, value: &str) {
        for (name, old) in &mut self.environment {
            if *name == variable {
                value.clone_into(old);
            }
        }
    }

    /// Lets the programs that are started from now on resolve names by this file, which may change while they run. Returns
    /// false if this machine does not allow that.
    pub fn resolve_names_by(&mut self, hosts: PathBuf) -> bool {
        let mut attempt = Command::new("unshare");
        attempt
            .args(["--map-root-user", "--mount", "sh", "-c", WITH_HOSTS])
            .arg(&hosts)
            .arg("true");
        self.hosts = Some(hosts);
        attempt.status().is_ok_and(|status| status.success())
    }

    /// Runs votectl with these arguments, checks that it succeeds, and returns what it prints.
    pub fn votectl(&self, arguments: &[&str]) -> String {
        let output = self.command("votectl").args(arguments).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "votectl {arguments:?}: {said}");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// Starts a program without waiting until it is ready.
    pub fn start(&self, program: &str) -> Replica {
        let (port, admin_port) = (free_port(), free_port());
        let mut command = self.command(program);
        command
            .env("LISTEN_ADDR", format!("127.0.0.1:{port}"))
            .env("ADMIN_ADDR", format!("127.0.0.1:{admin_port}"));
        let name = format!("{program}-{port}");
        let (log, pid_file) =
            (self.folder.join(format!("{name}.log")), self.folder.join(format!("{name}.pid")));
        let process = Process::spawn(&name, command, &self.folder, &log, &pid_file).unwrap();
        Replica { process, port, admin_port }
    }

    /// Starts a program and waits until it is ready.
    pub async fn started(&self, program: &str) -> Replica {
        let service = self.start(program);
        service.ready().await;
        service
    }

    /// Returns the settings of a load of this many voters per second, which is audited voter by voter.
    pub fn load(&self, target: u16, results: Option<u16>, rate: f64, seconds: f64) -> Config {
        let shape = Shape {
            rate: Some(rate),
            seconds: Some(seconds),
            warm_up_seconds: Some(0.0),
            ..Shape::default()
        };
        let plan = Plan::of(Profile::Constant, &shape).unwrap();
        let address = |port: u16| Target::parse(&format!("http://127.0.0.1:{port}")).unwrap();
        let mut config = Config::new(address(target), POLL, plan);
        config.results = results.map(address);
        config.database_url = Some(self.database_url.clone());
        config
    }
}

/// Sends the load until `stop` is cancelled, and audits it.
pub async fn drive(config: Config, stop: Stop) -> Report {
    Box::pin(run(&config, &stop, &mut |_| {})).await.unwrap()
}

/// Checks that no ballot is lost, counted twice or invented.
pub fn expect_kept(report: &Report) {
    let Report { audit, ballots, samples, .. } = report;
    assert!(
        !audit.findings.is_violated() && audit.acknowledged_voters > 0,
        "{:?} {:?} {:?} {samples:?}",
        audit.verdict,
        audit.findings,
        ballots.outcomes
    );
    assert_eq!(audit.verdict, votestream_loadtest::AuditVerdict::Balanced, "{:?}", audit.notes);
}

/// A running replica of a service. Dropping the value kills it.
pub struct Replica {
    process: Process,
    pub port: u16,
    pub admin_port: u16,
}

impl Replica {
    /// Waits until `/readyz` answers 200.
    pub async fn ready(&self) {
        eventually(SOON, async || readiness(self.admin_port).await == Some(200)).await;
    }

    /// Returns the lines that it has logged so far.
    pub fn logged(&self) -> Vec<String> {
        let text = std::fs::read_to_string(self.process.log()).unwrap();
        text.lines().map(str::to_owned).collect()
    }

    /// Sends SIGTERM, as Kubernetes does to end a pod.
    pub fn terminate(&mut self) {
        self.process.signal(Signal::TERM);
    }

    /// Waits until the process has ended, and returns its exit status.
    pub async fn ended(&mut self) -> ExitStatus {
        eventually(SOON, async || self.process.exit_status()).await
    }
}

/// Returns the status code of `/readyz`; `None` if nobody answers.
pub async fn readiness(admin_port: u16) -> Option<u16> {
    let (head, _) = http(admin_port, "GET /readyz HTTP/1.1\r\nhost: x\r\n", "").await?;
    head.split(' ').nth(1)?.parse().ok()
}

/// Sends one request over a connection of its own and returns head and body of the reply. The connection asks to be
/// kept alive, except on the admin port.
pub async fn http(port: u16, head: &str, body: &str) -> Option<(String, String)> {
    let talk = async {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).await.ok()?;
        let length = body.len();
        let close = if head.contains("/readyz") { "connection: close\r\n" } else { "" };
        let request = format!("{head}{close}content-length: {length}\r\n\r\n{body}");
        stream.write_all(request.as_bytes()).await.ok()?;
        let mut bytes = Vec::new();
        let mut piece = [0; 4096];
        while !String::from_utf8_lossy(&bytes).contains("\r\n\r\n") {
            match stream.read(&mut piece).await.ok()? {
                0 => break,
                length => bytes.extend_from_slice(&piece[..length]),
            }
        }
        let text = String::from_utf8_lossy(&bytes).into_owned();
        text.split_once("\r\n\r\n").map(|(head, body)| (head.to_owned(), body.to_owned()))
    };
    tokio::time::timeout(Duration::from_secs(10), talk).await.ok().flatten()
}

/// Casts one ballot as a new voter. Returns the status code and the head of the reply in lower case.
pub async fn cast(port: u16) -> Option<(u16, String)> {
    let path = format!("/api/polls/{POLL}/ballots");
    let head = format!("POST {path} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n");
    let (head, _) = http(port, &head, r#"{"choices":["cats"]}"#).await?;
    let status = head.split(' ').nth(1)?.parse().ok()?;
    Some((status, head.to_lowercase()))
}

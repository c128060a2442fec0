//! The real supervisor with the real services: tests vote, kill it, stop it and start it again.

#![expect(clippy::unwrap_used, reason = "a helper of a test may fail as the test may")]

use std::{
    fs,
    io::{BufRead, BufReader, Read, Write},
    net::{Ipv4Addr, TcpListener, TcpStream},
    os::unix::{
        fs::{PermissionsExt, chown},
        process::CommandExt,
    },
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::mpsc,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, geteuid, kill_process, kill_process_group};
use serde_json::{Value, json};
use testkit::{binaries, binary, eventually, folder, forget_package, free_port};
use tokio::sync::Mutex;

const STARTED_WITHIN: Duration = Duration::from_secs(120);
const COUNTED_WITHIN: Duration = Duration::from_secs(30);
/// Debian's `nobody`.
const NOBODY: u32 = 65_534;

/// Tests take turns: two whole pipelines and a compiler make a small machine slow.
static ONE_AT_A_TIME: Mutex<()> = Mutex::const_new(());

/// The settings of one supervisor, and the user that it runs as.
struct Setup {
    programs: PathBuf,
    data_dir: PathBuf,
    vote_port: u16,
    results_port: u16,
    environment: Vec<(&'static str, String)>,
    user: Option<u32>,
}

impl Setup {
    fn new() -> Self {
        for program in ["votectl", "producer", "consumer", "dashboard", "host"] {
            let _ = binary(program);
        }
        Self {
            programs: binary("standalone").parent().unwrap().to_owned(),
            data_dir: folder("up").join("data"),
            vote_port: free_port(),
            results_port: free_port(),
            environment: Vec::new(),
            user: None,
        }
    }

    fn command(&self) -> Command {
        let mut command = Command::new(self.programs.join("standalone"));
        command
            .env("DATA_DIR", &self.data_dir)
            .env("VOTE_PORT", self.vote_port.to_string())
            .env("RESULTS_PORT", self.results_port.to_string())
            .env("HOST_PORT", "0")
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .current_dir("/")
            .stdin(Stdio::null());
        if let Some(user) = self.user {
            command.uid(user).gid(user);
        }
        command
    }

    /// The command `make up`, with the programs of this test: a release build would take minutes.
    fn make(&self) -> Command {
        let built = binaries();
        let profile = match built.file_name().and_then(|name| name.to_str()).unwrap() {
            "debug" => "dev",
            profile => profile,
        };
        let mut make = Command::new("make");
        make.arg("up")
            .arg(format!("PROFILE={profile}"))
            .arg(format!("DATA_DIR={}", self.data_dir.display()))
            .arg(format!("VOTE_PORT={}", self.vote_port))
            .arg(format!("RESULTS_PORT={}", self.results_port))
            .arg("HOST_PORT=0")
            .env("CARGO_TARGET_DIR", built.parent().unwrap())
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap())
            .stdin(Stdio::null())
            // In a terminal, Ctrl-C reaches make and all processes that it has started.
            .process_group(0);
        // This test may run below a make of its own.
        for name in ["MAKEFLAGS", "MFLAGS", "MAKELEVEL"] {
            make.env_remove(name);
        }
        forget_package(&mut make);
        make
    }

    /// Starts the supervisor and waits until it prints that the pipeline runs.
    fn up(&self) -> Up {
        Up::start(self.command())
    }

    fn tally(&self) -> Option<Value> {
        let reply = http(self.results_port, "GET", "/api/polls/cats-vs-dogs/tally", &[], "")?;
        assert_eq!(reply.status, 200, "{}", reply.body);
        Some(serde_json::from_str(&reply.body).expect("the tally is JSON"))
    }

    async fn expect_votes(&self, cats: u64, dogs: u64) {
        eventually(COUNTED_WITHIN, async || {
            let tally = self.tally().ok_or("no answer")?;
            let votes: Vec<u64> =
                [0, 1].iter().filter_map(|n| tally["options"][n]["votes"].as_u64()).collect();
            let counted = votes == [cats, dogs] && tally["voters"] == json!(cats + dogs);
            if counted { Ok(()) } else { Err(tally.to_string()) }
        })
        .await;
    }

    /// Votes with the form, as a visitor without a cookie.
    fn vote(&self, option: &str) {
        let form = [("Content-Type", "application/x-www-form-urlencoded")];
        let reply = http(self.vote_port, "POST", "/", &form, &format!("vote={option}")).unwrap();
        assert_eq!(reply.status, 303, "{}", reply.body);
    }
}

/// A running supervisor.
struct Up {
    child: Child,
    lines: mpsc::Receiver<String>,
    said: Vec<String>,
}

impl Up {
    /// Starts this command and waits until it prints that the pipeline runs.
    fn start(mut command: Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let (sender, lines) = mpsc::channel();
        let (output, errors) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
        for stream in [Box::new(output) as Box<dyn Read + Send>, Box::new(errors)] {
            let sender = sender.clone();
            std::thread::spawn(move || {
                for line in BufReader::new(stream).lines().map_while(Result::ok) {
                    let _ = sender.send(line);
                }
            });
        }
        drop(sender);
        let mut up = Up { child, lines, said: Vec::new() };
        up.hear("running");
        up
    }

    /// Waits for a line of output with this beginning.
    fn hear(&mut self, beginning: &str) {
        let deadline = Instant::now() + STARTED_WITHIN;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let line = self.lines.recv_timeout(left).unwrap_or_else(|error| {
                panic!("never said `{beginning}` ({error}), but:\n{}", self.said.join("\n"))
            });
            let heard = line.starts_with(beginning);
            self.said.push(line);
            if heard {
                return;
            }
        }
    }

    /// Checks that no child has logged a warning or an error, such as a missing permission.
    fn expect_no_complaints(&mut self) {
        self.said.extend(self.lines.try_iter());
        let is_child = |line: &&String| {
            ["producer:", "consumer-", "dashboard:", "redis", "postgres"]
                .iter()
                .any(|name| line.starts_with(name))
        };
        let complaints: Vec<&String> = self.said.iter().filter(is_child).collect();
        assert!(complaints.is_empty(), "{complaints:#?}");
    }

    fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(i32::try_from(self.child.id()).unwrap()).unwrap();
        kill_process(pid, signal).unwrap();
    }

    /// Kills the supervisor, and waits until make, which has started it, has ended too.
    fn kill_supervisor_of(mut self, setup: &Setup) {
        let pid = fs::read_to_string(setup.data_dir.join("lock")).unwrap();
        let pid = Pid::from_raw(pid.trim().parse().unwrap()).unwrap();
        assert_ne!(pid, Pid::from_child(&self.child));
        kill_process(pid, Signal::KILL).unwrap();
        assert_eq!(self.child.wait().unwrap().code(), Some(2));
    }

    /// Sends SIGINT to the whole process group, as Ctrl-C does in a terminal. Returns all output.
    fn interrupt(mut self) -> String {
        kill_process_group(Pid::from_child(&self.child), Signal::INT).unwrap();
        self.child.wait().unwrap();
        self.said.extend(self.lines.iter());
        self.said.join("\n")
    }

    fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Asks it to stop, and returns its exit code and all output.
    fn stop(mut self, signal: Signal) -> (Option<i32>, String) {
        self.signal(signal);
        let status = self.child.wait().unwrap();
        self.said.extend(self.lines.iter());
        (status.code(), self.said.join("\n"))
    }
}

impl Drop for Up {
    fn drop(&mut self) {
        // Only a test that failed gets here. An orderly stop leaves no children behind.
        if self.child.try_wait().is_ok_and(|status| status.is_none()) {
            self.signal(Signal::TERM);
            let _ = self.child.wait();
        }
    }
}

struct Reply {
    status: u16,
    body: String,
}

/// Sends one request over a connection of its own; `None` if nobody answers.
fn http(
    port: u16,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> Option<Reply> {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    let headers: String =
        headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    let length = body.len();
    write!(
        stream,
        "{method} {path} HTTP/1.1\r\nHost: localhost:{port}\r\nConnection: close\r\n{headers}\
         Content-Length: {length}\r\n\r\n{body}"
    )
    .ok()?;
    let mut text = String::new();
    stream.read_to_string(&mut text).ok()?;
    let (head, body) = text.split_once("\r\n\r\n")?;
    let status = head.split(' ').nth(1)?.parse().ok()?;
    Some(Reply { status, body: body.to_owned() })
}

/// Command lines of the processes whose working folder lies below `folder`, as that of every child does.
fn processes_in(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir("/proc").unwrap().flatten().map(|entry| entry.path());
    entries
        .filter(|process| {
            fs::read_link(process.join("cwd")).is_ok_and(|cwd| cwd.starts_with(folder))
        })
        .map(|process| fs::read_to_string(process.join("cmdline")).unwrap_or_default())
        .collect()
}

#[tokio::test]
async fn votes_survive_a_killed_supervisor_and_an_orderly_stop() {
    let _alone = ONE_AT_A_TIME.lock().await;
    let setup = Setup::new();

    let mut up = setup.up();
    let said = up.said.join("\n");
    for port in [setup.vote_port, setup.results_port] {
        assert!(said.contains(&format!("http://localhost:{port}")), "{said}");
    }
    for _ in 0..20 {
        setup.vote("a");
    }
    setup.expect_votes(20, 0).await;
    up.expect_no_complaints();
    let kept = processes_in(&setup.data_dir);
    for program in ["redis-server", "postgres", "producer", "dashboard", "consumer"] {
        assert!(kept.iter().any(|line| line.contains(program)), "{program}: {kept:#?}");
    }
    up.kill();

    // The killed supervisor's children still run, on the same ports, and still take votes.
    setup.vote("dogs");
    let up = setup.up();
    assert!(up.said.iter().any(|line| line.contains("earlier supervisor")), "{:?}", up.said);
    setup.expect_votes(20, 1).await;
    for _ in 0..4 {
        let json = [("Content-Type", "application/json")];
        let path = "/api/polls/cats-vs-dogs/ballots";
        let reply = http(setup.vote_port, "POST", path, &json, r#"{"choices":["dogs"]}"#).unwrap();
        assert_eq!(reply.status, 202, "{}", reply.body);
    }
    // The test does not wait until these are counted: the orderly stop must count them.
    let (code, said) = up.stop(Signal::TERM);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("all votes are kept"), "{said}");
    assert!(!said.contains("did not stop in time"), "{said}");
    assert_eq!(processes_in(&setup.data_dir), Vec::<String>::new());

    let mut up = setup.up();
    setup.expect_votes(20, 5).await;
    up.expect_no_complaints();
    let (code, said) = up.stop(Signal::INT);
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(processes_in(&setup.data_dir), Vec::<String>::new());
}

#[tokio::test]
async fn make_up_keeps_its_votes_however_it_ends() {
    let _alone = ONE_AT_A_TIME.lock().await;
    let mut setup = Setup::new();
    // Variables that the caller's shell may hold for another deployment. The supervisor must ignore them.
    setup.environment = [
        ("REDIS_URL", "redis://nowhere.invalid"),
        ("REDIS_URL_FILE", "/nowhere"),
        ("REDIS_CLUSTER", "true"),
        ("REDIS_CA_FILE", "/nowhere"),
        ("KEY_PREFIX", "another"),
        ("DATABASE_URL", "postgres://nowhere.invalid"),
        ("DATABASE_URL_FILE", "/nowhere"),
        ("DATABASE_CA_FILE", "/nowhere"),
        ("COOKIE_KEYS", "another"),
        ("CHECK_CONFIG", "true"),
    ]
    .map(|(name, value)| (name, value.to_owned()))
    .into();

    // The supervisor is killed, then stopped by SIGTERM, then by Ctrl-C. The votes are kept each time.
    let up = Up::start(setup.make());
    for _ in 0..20 {
        setup.vote("a");
    }
    setup.expect_votes(20, 0).await;
    up.kill_supervisor_of(&setup);

    let up = Up::start(setup.make());
    setup.expect_votes(20, 0).await;
    setup.vote("b");
    let (_, said) = up.stop(Signal::TERM);
    assert!(said.contains("all votes are kept"), "{said}");
    assert_eq!(processes_in(&setup.data_dir), Vec::<String>::new());

    let up = Up::start(setup.make());
    setup.expect_votes(20, 1).await;
    let said = up.interrupt();
    assert!(said.contains("all votes are kept"), "{said}");
    assert_eq!(processes_in(&setup.data_dir), Vec::<String>::new());

    // A taken port is an error that names the setting.
    let _taken = TcpListener::bind((Ipv4Addr::UNSPECIFIED, setup.vote_port)).unwrap();
    let refused = setup.make().output().unwrap();
    let error = String::from_utf8(refused.stderr).unwrap();
    assert_eq!(refused.status.code(), Some(2), "{error}");
    let taken = format!("port {} is taken by another program", setup.vote_port);
    assert!(error.contains(&taken) && error.contains("VOTE_PORT"), "{error}");
}

#[tokio::test]
async fn killed_children_are_started_again_and_a_second_supervisor_is_refused() {
    let _alone = ONE_AT_A_TIME.lock().await;
    let setup = Setup::new();
    let mut up = setup.up();

    let second = setup.command().output().unwrap();
    let error = String::from_utf8(second.stderr).unwrap();
    assert_eq!(second.status.code(), Some(1));
    assert!(error.contains(&format!("pid {}", up.child.id())), "{error}");
    assert!(error.contains("DATA_DIR"), "{error}");

    setup.vote("a");
    for name in ["producer", "consumer-1", "redis", "postgres"] {
        let file = setup.data_dir.join("run").join(format!("{name}.pid"));
        let text = fs::read_to_string(file).unwrap();
        let pid = text.split(' ').next().unwrap().parse().unwrap();
        kill_process(Pid::from_raw(pid).unwrap(), Signal::KILL).unwrap();
        up.hear(&format!("{name} is started again"));
    }
    let form = [("Content-Type", "application/x-www-form-urlencoded")];
    eventually(COUNTED_WITHIN, async || {
        let reply = http(setup.vote_port, "POST", "/", &form, "vote=b").ok_or("no answer")?;
        if reply.status == 303 { Ok(()) } else { Err(format!("{}", reply.status)) }
    })
    .await;
    setup.expect_votes(1, 1).await;
    let (code, said) = up.stop(Signal::TERM);
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(processes_in(&setup.data_dir), Vec::<String>::new());
}

#[tokio::test]
async fn a_cluster_on_one_machine_keeps_its_votes_over_a_restart() {
    let _alone = ONE_AT_A_TIME.lock().await;
    let mut setup = Setup::new();
    setup.environment = vec![("CLUSTER", "1".to_owned())];
    let up = setup.up();
    for _ in 0..20 {
        setup.vote("a");
    }
    setup.expect_votes(20, 0).await;
    let processes = processes_in(&setup.data_dir);
    let nodes = processes.iter().filter(|line| line.contains("redis-server")).count();
    assert_eq!(nodes, 6, "{processes:#?}");
    let (code, said) = up.stop(Signal::TERM);
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(processes_in(&setup.data_dir), Vec::<String>::new());

    let alone = setup.command().env("CLUSTER", "0").output().unwrap();
    assert_eq!(alone.status.code(), Some(1));
    let error = String::from_utf8(alone.stderr).unwrap();
    assert!(error.contains("CLUSTER=1"), "{error}");

    let up = setup.up();
    setup.vote("b");
    setup.expect_votes(20, 1).await;
    let (code, said) = up.stop(Signal::INT);
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(processes_in(&setup.data_dir), Vec::<String>::new());
}

#[test]
fn taken_port_is_a_plain_error_before_anything_starts() {
    let setup = Setup::new();
    let _taken = TcpListener::bind((Ipv4Addr::UNSPECIFIED, setup.results_port)).unwrap();
    let refused = setup.command().output().unwrap();
    assert_eq!(refused.status.code(), Some(1));
    let error = String::from_utf8(refused.stderr).unwrap();
    assert!(error.contains(&setup.results_port.to_string()), "{error}");
    assert!(error.contains("RESULTS_PORT"), "{error}");
    assert!(!setup.data_dir.join("postgres").exists());
    assert_eq!(processes_in(&setup.data_dir), Vec::<String>::new());
}

#[tokio::test]
async fn works_for_a_plain_user_and_with_labels_of_ones_own() {
    let _alone = ONE_AT_A_TIME.lock().await;
    let mut setup = Setup::new();
    setup.environment =
        vec![("OPTION_A", "Tea".to_owned()), ("OPTION_B", "Crème brûlée".to_owned())];
    let home = setup.data_dir.parent().unwrap().to_owned();
    if geteuid().is_root() {
        // A plain user may not be able to enter the checkout, so the programs are copied.
        for program in ["standalone", "votectl", "producer", "consumer", "dashboard", "host"] {
            fs::copy(setup.programs.join(program), home.join(program)).unwrap();
        }
        fs::set_permissions(&home, fs::Permissions::from_mode(0o755)).unwrap();
        chown(&home, Some(NOBODY), Some(NOBODY)).unwrap();
        setup.programs = home;
        setup.user = Some(NOBODY);
    }
    let up = setup.up();
    setup.vote("tea");
    let poll = "/api/polls/tea-vs-cr-me-br-l-e";
    let reply = http(setup.vote_port, "GET", poll, &[], "").unwrap();
    let poll: Value = serde_json::from_str(&reply.body).unwrap();
    assert_eq!(poll["title"], "Tea vs Crème brûlée");
    assert_eq!(poll["options"][1]["label"], "Crème brûlée");
    let (code, said) = up.stop(Signal::TERM);
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(processes_in(&setup.data_dir), Vec::<String>::new());
}

#[tokio::test]
async fn addresses_and_default_poll_of_the_shell_are_honoured() {
    let _alone = ONE_AT_A_TIME.lock().await;
    let mut setup = Setup::new();
    // Another address of this machine than the one that everybody would guess, with a path of its own.
    let vote = format!("http://127.0.0.2:{}/ballots", setup.vote_port);
    let results = format!("http://127.0.0.2:{}", setup.results_port);
    setup.environment = vec![("PUBLIC_URL", vote.clone()), ("DEFAULT_POLL", "supper".to_owned())];
    let up = setup.up();
    let said = up.said.join("\n");
    for (name, address) in [("vote", &vote), ("results", &results)] {
        assert!(said.contains(&format!("{name:10} {address} ")), "{said}");
    }
    assert!(!said.contains("nothing answers"), "{said}");
    let page = |port: u16, path: &str| http(port, "GET", path, &[], "").unwrap().body;
    let ballot = page(setup.vote_port, "/ballots");
    assert!(ballot.contains(&format!("href=\"{results}/\"")), "{ballot}");
    assert!(ballot.contains("action=\"/ballots/\""), "{ballot}");
    let polls = ["supper", "cats-vs-dogs"].map(|slug| {
        http(setup.vote_port, "GET", &format!("/api/polls/{slug}"), &[], "").unwrap().status
    });
    assert_eq!(polls, [200, 404], "the poll at / is the only one");
    let shown = page(setup.results_port, "/");
    assert!(shown.contains(&format!("href=\"{vote}/\"")), "{shown}");
    let (code, said) = up.stop(Signal::TERM);
    assert_eq!(code, Some(0), "{said}");

    // Nothing listens there.
    let nowhere = "http://127.0.0.2:1".to_owned();
    setup.environment = vec![("VOTE_URL", vote), ("RESULTS_URL", nowhere.clone())];
    let up = setup.up();
    let said = up.said.join("\n");
    assert!(said.contains(&format!("nothing answers at {nowhere}")), "{said}");
    let (code, said) = up.stop(Signal::TERM);
    assert_eq!(code, Some(0), "{said}");
}

#[test]
fn addresses_that_make_no_sense_are_plain_errors_before_anything_starts() {
    let refused = |environment: &[(&str, &str)]| {
        let setup = Setup::new();
        let refused = setup.command().envs(environment.iter().copied()).output().unwrap();
        assert!(!refused.status.success());
        assert!(!setup.data_dir.join("postgres").exists());
        String::from_utf8(refused.stderr).unwrap()
    };
    let error = refused(&[("PUBLIC_URL", "vote.example")]);
    assert!(error.contains("write an address such as http://192.168.1.20:8080"), "{error}");
    let error = refused(&[("RESULTS_URL", "http://vote.example/?results")]);
    assert!(error.contains("leave out what stands behind the path"), "{error}");
    let two = [("PUBLIC_URL", "http://one.example"), ("VOTE_URL", "http://two.example")];
    let error = refused(&two);
    assert!(error.contains("PUBLIC_URL") && error.contains("VOTE_URL"), "{error}");
}

//! Witnesses that know nothing of this project sign the log of a real consumer, and `votectl verify` sees what they saw.

use std::path::Path;
use std::process::{Command, Output};
use std::time::Duration;

use serde_json::Value;
use testkit::{Process, eventually};
use votestream_schema::poll::now_ms;

use super::deployment::{Deployment, Said, ballot};
use super::log_builder::LogBuilder;
use super::verify::{Dashboard, expect};

/// Every step may take so long on a busy machine.
const SOON: Duration = Duration::from_secs(40);

/// A process with its public key and address.
struct Witness {
    key: String,
    address: String,
    _process: Process,
}

/// Compiles the witness, if Go is there.
fn compile() -> Option<std::path::PathBuf> {
    let program = testkit::folder("witness").join("witness");
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/log_reader");
    let mut go = Command::new("go");
    go.args(["build", "-o"]).arg(&program).arg("./witness").current_dir(source);
    match go.output() {
        Ok(Output { status, .. }) if status.success() => Some(program),
        other => {
            eprintln!(
                "NOT CHECKED: Go or its module golang.org/x/mod is missing, so there is no witness: {other:?}"
            );
            None
        }
    }
}

async fn start(program: &Path, name: &str, log_key: &str) -> Witness {
    let folder = testkit::folder("witness");
    let mut command = Command::new(program);
    command.args([name, &format!("{:064x}", name.len()), log_key]);
    let (log, pid) = (folder.join("witness.log"), folder.join("witness.pid"));
    let process = Process::spawn("witness", command, &folder, &log, &pid).unwrap();
    let line = eventually(SOON, async || {
        let text = std::fs::read_to_string(&log).unwrap_or_default();
        text.lines().next().map(str::to_owned)
    })
    .await;
    let (key, address) = line.split_once(' ').unwrap();
    Witness { key: key.to_owned(), address: address.to_owned(), _process: process }
}

fn consumer(deployment: &Deployment, flags: &[String], log: &Path) -> Process {
    let folder = testkit::folder("consumer");
    let mut command = Command::new(testkit::binary("consumer"));
    command.args([
        format!("--redis-url={}", deployment.redis_url),
        format!("--database-url={}", deployment.database_url),
        format!("--key-prefix={}", deployment.prefix),
        format!("--admin-addr=127.0.0.1:{}", testkit::free_port()),
    ]);
    command.args(flags);
    Process::spawn("consumer", command, &folder, log, &folder.join("consumer.pid")).unwrap()
}

fn verify(deployment: &Deployment, port: u16, memory: &Path, more: &[&str]) -> Said {
    let address = format!("http://127.0.0.1:{port}/polls/pets");
    let state = format!("--state={}", memory.display());
    let arguments = ["verify", address.as_str(), "--json", state.as_str()];
    deployment.run(&[&arguments, more].concat())
}

#[tokio::test]
async fn witnesses_sign_the_log_and_whoever_knows_them_notices_a_fork() {
    let Some(program) = compile() else { return };
    let mut deployment = Deployment::new().await;
    deployment.create(&["--open"]);
    let poll = deployment.poll().await;
    let mut other_history = LogBuilder::new(&deployment.postgres, "pets", now_ms() - 500_000).await;
    let keys = other_history.keys.clone();
    let log_key = keys.public(&keys.origin_of("pets")).remove(0);
    let (one, two) = (
        start(&program, "one.example/w", &log_key).await,
        start(&program, "two.example", &log_key).await,
    );
    // This one does not know the log, and the last one is down.
    let strange_key = keys.public(&keys.origin_of("cars")).remove(0);
    let stranger = start(&program, "stranger.example", &strange_key).await;
    let down = start(&program, "down.example.org", &log_key).await;
    let (down_key, down_address) = (down.key.clone(), down.address.clone());
    drop(down);
    let folder = testkit::folder("witnesses");
    let list = folder.join("witnesses");
    let line = |name: &str, key: &str, address: &str| format!("witness {name} {key} {address}\n");
    let lines = [
        line("one", &one.key, &one.address),
        line("two", &two.key, &two.address),
        line("stranger", &stranger.key, &stranger.address),
        line("down", &down_key, &down_address),
    ];
    std::fs::write(&list, lines.concat()).unwrap();
    let log = folder.join("consumer.log");
    let flags = [
        format!("--signing-keys={}", keys.reveal()),
        format!("--witnesses-file={}", list.display()),
    ];
    let running = consumer(&deployment, &flags, &log);

    // Both sign as the log grows; each checkpoint continues the one before, or they would refuse.
    let mut dashboard = None;
    let good = ["--witness", &one.key, "--witness", &two.key];
    for round in 1..=3_usize {
        for position in [0, 1, 1] {
            for _ in 0..100 {
                deployment.accept(&ballot(&poll, position)).await;
            }
        }
        let port = match &dashboard {
            None => dashboard.insert(Dashboard::start(&deployment.database_url).await).port,
            Some(running) => running.port,
        };
        let wanted = format!("the checkpoint of {0} of the {0} entries", 300 * round);
        eventually(SOON, async || {
            let said = verify(&deployment, port, &folder.join("memory"), &good);
            let signed = said.out.matches(&wanted).count();
            (said.code == 0 && signed == 2).then_some(()).ok_or(said)
        })
        .await;
    }
    let dashboard = dashboard.unwrap();
    let state = dashboard.get("/api/polls/pets/log").unwrap();
    let state: Value = serde_json::from_slice(&state).unwrap();
    assert_eq!((&state["cosigned_size"], &state["size"]), (&900.into(), &900.into()));
    let said = verify(&deployment, dashboard.port, &folder.join("new"), &["--witness", &down_key]);
    expect(&said, 1, &["witnesses unknown|down.example.org has not signed"]);
    let said = verify(&deployment, dashboard.port, &folder.join("new"), &["--witness", &log_key]);
    said.refused(1, &["public key of a witness"]);
    eventually(SOON, async || {
        let text = std::fs::read_to_string(&log).unwrap();
        let said = ["it does not know this log", "cannot be asked to sign the public logs"];
        said.iter().all(|words| text.contains(words)).then_some(()).ok_or(text)
    })
    .await;

    // The database is turned back: what is appended now is another history, and no witness signs it.
    let sql = &deployment.postgres;
    let forget = "DELETE FROM logs; DELETE FROM log_tiles; DELETE FROM log_bundles; DELETE FROM log_checkpoints WHERE size < 900";
    sql.batch_execute(forget).await.unwrap();
    deployment.accept(&ballot(&poll, 0)).await;
    eventually(SOON, async || {
        let text = std::fs::read_to_string(&log).unwrap();
        let is_said =
            text.contains("it has signed a checkpoint with 900 entries, and the log has 1");
        is_said.then_some(()).ok_or(text)
    })
    .await;
    drop(running);

    // A longer history of other ballots, signed with the right key. Somebody who never saw the log before notices it.
    other_history.add_ballots(0..1_000);
    let sql = &deployment.postgres;
    sql.batch_execute("DELETE FROM log_checkpoints WHERE size < 900").await.unwrap();
    other_history.store(sql).await;
    other_history.publish_count(sql).await;
    drop(dashboard);
    let dashboard = Dashboard::start(&deployment.database_url).await;
    eventually(SOON, async || {
        let said = verify(&deployment, dashboard.port, &folder.join("first"), &good);
        said.out
            .contains("FORK: witnesses have signed a log with 900 entries")
            .then_some(())
            .ok_or(said)
    })
    .await;
    // Nobody is told that a witness saw this log.
    let said = verify(&deployment, dashboard.port, &folder.join("third"), &good);
    assert!(said.out.contains("FORK") && !said.out.contains("saw the same log"), "{said:?}");
    let said = verify(&deployment, dashboard.port, &folder.join("second"), &[]);
    assert_eq!(said.code, 2, "{said:?}");
    let report: Value = serde_json::from_str(&said.out).unwrap();
    let evidence: Vec<&str> =
        report["evidence"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
    assert!(evidence[0].starts_with("vote.example/polls/pets\n900\n"), "{evidence:#?}");
    assert!(evidence[0].contains("\n— one.example/w "), "{evidence:#?}");
    assert!(evidence[1].starts_with("vote.example/polls/pets\n1000\n"), "{evidence:#?}");
}

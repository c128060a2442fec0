//! `votectl verify` against a real dashboard: an honest log is good, and whatever is wrong is named.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde_json::Value;
use testkit::{Process, eventually};
use votestream_schema::poll::now_ms;
use votestream_schema::{BallotId, Choices};
use votestream_transparency::entry::{self, Outcome};
use votestream_transparency::receipt::Receipt;

use super::deployment::{Deployment, Said};
use super::log_builder::LogBuilder;

/// A final poll with a log of 600 entries, on a dashboard.
struct Scene {
    deployment: Deployment,
    log: LogBuilder,
    folder: PathBuf,
    dashboard: Dashboard,
}

/// The process ends when it is dropped.
pub(super) struct Dashboard {
    process: Process,
    pub(super) port: u16,
}

impl Dashboard {
    pub(super) async fn start(database_url: &str) -> Self {
        Self::start_at(testkit::free_port(), database_url).await
    }

    async fn start_at(port: u16, database_url: &str) -> Self {
        let admin = testkit::free_port();
        let folder = testkit::folder("dashboard");
        let mut command = Command::new(testkit::binary("dashboard"));
        command.args([
            format!("--database-url={database_url}"),
            format!("--listen-addr=127.0.0.1:{port}"),
            format!("--admin-addr=127.0.0.1:{admin}"),
            "--tick-ms=20".to_owned(),
            "--default-poll=pets".to_owned(),
        ]);
        let (log, pid) = (folder.join("dashboard.log"), folder.join("dashboard.pid"));
        let process = Process::spawn("dashboard", command, &folder, &log, &pid).unwrap();
        let started = Self { process, port };
        eventually(Duration::from_secs(20), async || {
            started.get("/polls/pets/log/checkpoint").is_some()
        })
        .await;
        started
    }

    pub(super) fn get(&self, path: &str) -> Option<Vec<u8>> {
        let reply = ureq::get(format!("http://127.0.0.1:{}{path}", self.port)).call();
        reply.ok()?.body_mut().read_to_vec().ok()
    }
}

impl Scene {
    async fn new(more: &[&str]) -> Self {
        let deployment = Deployment::new().await;
        deployment.create(&[&["--open"], more].concat());
        let sql = &deployment.postgres;
        let mut log = LogBuilder::new(sql, "pets", now_ms() - 500_000).await;
        log.add(3, 2, Outcome::Superseded, None);
        log.add_ballots(0..3);
        log.add_ballots(4..7);
        log.add(7, 2, Outcome::Counts, Some(5));
        log.add_ballots(8..599);
        log.add(599, 1, Outcome::OutOfTime, None);
        log.store(sql).await;
        log.publish_count(sql).await;
        let dashboard = Dashboard::start(&deployment.database_url).await;
        let folder = testkit::folder("verify");
        Self { deployment, log, folder, dashboard }
    }

    /// The result cannot change any more.
    async fn finish(&self) {
        let sql = &self.deployment.postgres;
        let close = "UPDATE polls SET opens_at_ms = $1::int8 - 600000, closes_at_ms = $1::int8 - 5000, revision = revision + 1";
        sql.execute(close, &[&now_ms()]).await.unwrap();
        let complete = "INSERT INTO watermarks SELECT n, $1 FROM deployment, generate_series(0, partitions - 1) n";
        sql.execute(complete, &[&now_ms()]).await.unwrap();
        self.expect_final().await;
    }

    /// Starts the dashboard anew, at the same address, because it caches tiles, which never change in an honest log.
    async fn restart(&mut self) {
        self.dashboard.process.kill();
        let port = self.dashboard.port;
        self.dashboard = Dashboard::start_at(port, &self.deployment.database_url).await;
    }

    /// Waits until the dashboard knows that the result is final.
    async fn expect_final(&self) {
        self.until(|tally| tally["final"] == true).await;
    }

    /// Waits until the dashboard shows this tally.
    async fn until(&self, wanted: impl Fn(&Value) -> bool) {
        eventually(Duration::from_secs(20), async || {
            let tally = self.dashboard.get("/api/polls/pets/tally")?;
            let tally: Value = serde_json::from_slice(&tally).ok()?;
            wanted(&tally).then_some(())
        })
        .await;
    }

    /// Runs `votectl verify` with these receipts. Its memory has this name.
    fn verify(&self, memory: &str, more: &[&str], receipts: &[(&str, &Receipt)]) -> Said {
        let state = self.folder.join(memory);
        let mut arguments = vec![
            "verify".to_owned(),
            format!("http://127.0.0.1:{}/polls/pets", self.dashboard.port),
            "--json".to_owned(),
            format!("--state={}", state.display()),
        ];
        for (name, receipt) in receipts {
            let file = self.folder.join(name);
            std::fs::write(&file, serde_json::to_string(receipt).unwrap()).unwrap();
            arguments.push(format!("--receipt={}", file.display()));
        }
        arguments.extend(more.iter().map(|it| (*it).to_owned()));
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        self.deployment.run(&arguments)
    }
}

/// The checks that did not come to `good`, each as its name, its verdict and its words.
fn faults(said: &Said) -> Vec<String> {
    let report: Value = serde_json::from_str(&said.out).unwrap_or_else(|_| panic!("{said:?}"));
    let of = |checks: &Value| -> Vec<String> {
        let all = checks.as_array().unwrap().iter().filter(|it| it["verdict"] != "good");
        let text = |it: &Value, name: &str| it[name].as_str().unwrap().to_owned();
        all.map(|it| {
            format!("{} {}: {}", text(it, "check"), text(it, "verdict"), text(it, "words"))
        })
        .collect()
    };
    let mut found = of(&report["checks"]);
    found.extend(report["receipts"].as_array().unwrap().iter().flat_map(|it| of(&it["checks"])));
    found
}

/// Expects these faults and no others; parts of one are separated by `|`.
#[track_caller]
pub(super) fn expect(said: &Said, code: i32, wanted: &[&str]) {
    let found = faults(said);
    let fits = found
        .iter()
        .zip(wanted)
        .all(|(found, wanted)| wanted.split('|').all(|part| found.contains(part)));
    assert!(fits && found.len() == wanted.len(), "{found:#?} instead of {wanted:#?}");
    assert_eq!(said.code, code, "{said:?}");
}

#[tokio::test]
async fn an_honest_log_is_good_and_each_fault_is_named() {
    let mut scene = Scene::new(&["--vote-policy", "replace"]).await;
    scene.finish().await;
    let good = ["counts.json", "replaced.json", "aside.json", "late.json"];
    let receipts: Vec<Receipt> = [10, 5, 0, 599].map(|at| scene.log.receipt(at)).into();
    let named: Vec<(&str, &Receipt)> = good.into_iter().zip(&receipts).collect();
    let said = scene.verify("state", &[], &named);
    expect(&said, 0, &[]);
    let report: Value = serde_json::from_str(&said.out).unwrap();
    let (votes, voters) = scene.log.count();
    assert_eq!((&report["voters"], &report["checkpoint"]["size"]), (&voters.into(), &600.into()));
    assert_eq!(report["counted"][1]["votes"], votes[1]);
    let standing: Vec<&str> =
        (0..4).map(|at| report["receipts"][at]["checks"][2]["words"].as_str().unwrap()).collect();
    for (words, wanted) in standing.iter().zip(["it counts", "entry 7", "set aside", "not open"]) {
        assert!(words.contains(wanted), "{standing:#?}");
    }
    // The same as text.
    let text = scene.deployment.run(&[
        "verify",
        &format!("http://127.0.0.1:{}/polls/pets", scene.dashboard.port),
        &format!("--state={}", scene.folder.join("state").display()),
    ]);
    assert!(text.ok().contains("good    history    the log begins with all 1 checkpoints"));

    // Receipts that were changed or made up, and promises that were broken or are not due.
    let mut forged = receipts[0].clone();
    forged.signed = forged.signed.replacen("\n3\n", "\n4\n", 1);
    let mut changed = receipts[0].clone();
    changed.choices = "2".to_owned();
    let one = Choices::from_mask(1).unwrap();
    let promise = |number: usize| {
        scene.log.receipt_of(scene.log.stream_entry(number), Some(BallotId::new()), one)
    };
    let said = scene.verify(
        "state",
        &[],
        &[
            ("forged.json", &forged),
            ("changed.json", &changed),
            ("due.json", &promise(700)),
            ("early.json", &promise(600_000)),
            ("other.json", &promise(8)),
        ],
    );
    let wanted = [
        "receipt wrong|the signature of the checkpoint is wrong",
        "receipt wrong|the choices in it are not those that were signed",
        "log wrong|EVIDENCE: it is not in the log",
        "log unknown|not due before",
        "log wrong|EVIDENCE: entry 8 of the log is not the promised ballot",
    ];
    expect(&said, 2, &wanted);
    expect(
        &scene.verify("state", &[], &[("early.json", &promise(600_000))]),
        1,
        &["not due before"],
    );

    // The published result is not that of the log.
    let sql = &scene.deployment.postgres;
    sql.execute("UPDATE tally SET votes = votes + 2 WHERE position = 1", &[]).await.unwrap();
    sql.execute("UPDATE poll_tally SET version = version + 1", &[]).await.unwrap();
    scene.until(|tally| tally["options"][1]["votes"] == votes[1] + 2).await;
    let said = scene.verify("state", &[], &[]);
    expect(&said, 2, &["tally wrong|`Dogs` has|in the log (+2)"]);
    scene.log.publish_count(sql).await;

    // Tiles that were rewritten: the entries are still those that were signed.
    let flip = |level: i16| {
        format!(
            "UPDATE log_tiles SET hashes = set_byte(hashes, 40, get_byte(hashes, 40) # 1) WHERE level = {level} AND index = 0"
        )
    };
    for (level, words) in [
        (0, "tiles wrong|hash 1 of tile 0 of level 0|so the tile was rewritten"),
        (1, "tiles wrong|hash 1 of tile 0 of level 1|so the tile was rewritten"),
    ] {
        scene.deployment.postgres.execute(&flip(level), &[]).await.unwrap();
        scene.restart().await;
        scene.expect_final().await;
        let said = scene.verify(&format!("tile-{level}"), &[], &[]);
        expect(&said, 2, &[words]);
        scene.deployment.postgres.execute(&flip(level), &[]).await.unwrap();
    }

    // One entry was left out of its bundle, and one was changed.
    let lines: Vec<String> = scene.log.entries.iter().map(ToString::to_string).collect();
    let mut left_out = lines[512..].to_vec();
    left_out.remove(20);
    let mut changed = lines[512..].to_vec();
    let mask = if changed[30].contains(" 1 - ") { " 1 - " } else { " 2 - " };
    changed[30] = changed[30].replace(mask, " 3 - ");
    for (lines, named) in [
        (
            left_out,
            "does not give out tile/entries/002.p/88, although the signed checkpoint covers it",
        ),
        (changed, "hash 30 of tile 2 of level 0 is not that of the entries below it"),
    ] {
        let bundle = entry::bundle(lines.iter().map(String::as_str));
        let store = "UPDATE log_bundles SET entries = $1 WHERE index = 2";
        scene.deployment.postgres.execute(store, &[&bundle]).await.unwrap();
        scene.restart().await;
        scene.expect_final().await;
        let said = scene.verify("bundles", &[], &[]);
        expect(
            &said,
            2,
            &["entries wrong|do not have the signed root hash", &format!("entries wrong|{named}")],
        );
    }
}

#[tokio::test]
async fn two_histories_of_one_log_are_a_fork_and_a_strange_key_is_not_believed() {
    let mut scene = Scene::new(&[]).await;
    scene.finish().await;
    let sql = &scene.deployment.postgres;
    let checkpoint = || scene.dashboard.get("/polls/pets/log/checkpoint");
    expect(&scene.verify("state", &[], &[]), 0, &[]);
    // It grows, and is the same log.
    let before = checkpoint();
    scene.log.add_ballots(600..700);
    scene.log.store(sql).await;
    scene.log.publish_count(sql).await;
    let voters = scene.log.count().1;
    eventually(Duration::from_secs(20), async || checkpoint() != before).await;
    scene.until(|tally| tally["voters"] == voters).await;
    let grown = scene.verify("state", &[], &[]);
    expect(&grown, 0, &[]);
    assert!(grown.out.contains("begins with all 1 checkpoints"), "{grown:?}");

    // A key that nobody has seen, and one that is pinned.
    let mine = scene.log.keys.public("any")[0].clone();
    expect(&scene.verify("pinned", &["--key", &mine], &[]), 0, &[]);
    let strange = votestream_transparency::keys::SigningKeys::generate("vote.example").unwrap();
    let other = strange.public("any")[0].clone();
    let said = scene.verify("strange", &["--key", &other], &[]);
    expect(
        &said,
        1,
        &[
            "signature unknown|signed with a key that is not believed here: vote.example/polls/pets+",
        ],
    );

    // The same size with other entries, and then a log that became shorter.
    let honest = scene.log.entries.clone();
    scene.log.entries.swap(620, 621);
    let before = checkpoint();
    scene.log.store(sql).await;
    eventually(Duration::from_secs(20), async || checkpoint() != before).await;
    scene.restart().await;
    scene.expect_final().await;
    let said = scene.verify("state", &[], &[]);
    expect(&said, 2, &["history wrong|FORK|its 700 entries are others than on"]);
    let report: Value = serde_json::from_str(&said.out).unwrap();
    let notes: Vec<&str> =
        report["evidence"].as_array().unwrap().iter().map(|it| it.as_str().unwrap()).collect();
    assert!(notes.len() == 2 && notes[0] != notes[1], "{notes:#?}");
    for note in notes {
        assert!(note.starts_with("vote.example/polls/pets\n700\n"), "{note}");
    }
    scene.log.entries = honest[..650].to_vec();
    let sql = &scene.deployment.postgres;
    sql.execute("DELETE FROM log_checkpoints", &[]).await.unwrap();
    scene.log.store(sql).await;
    scene.log.publish_count(sql).await;
    scene.restart().await;
    let voters = scene.log.count().1;
    scene.until(|tally| tally["voters"] == voters).await;
    let said = scene.verify("state", &[], &[]);
    expect(&said, 2, &["history wrong|FORK|it had 700 entries|and has 650 now"]);
    // Whoever sees it for the first time has nothing to compare it with.
    expect(&scene.verify("new", &[], &[]), 0, &[]);
}

#[tokio::test]
async fn hidden_entries_are_checked_as_far_as_hashes_go() {
    let mut scene = Scene::new(&["--visibility", "after_close"]).await;
    let receipt = scene.log.receipt(10);
    let said = scene.verify("state", &[], &[("receipt.json", &receipt)]);
    let hidden = [
        "entries unknown|hidden as long as the results are",
        "standing unknown|nobody can see yet",
    ];
    expect(&said, 1, &hidden);
    assert!(said.out.contains("it is entry 10 of the log"), "{said:?}");
    // It grows, and the tiles prove that it is the same log.
    scene.log.add_ballots(600..1_000);
    let sql = &scene.deployment.postgres;
    scene.log.store(sql).await;
    scene.restart().await;
    let said = scene.verify("state", &[], &[("receipt.json", &receipt)]);
    expect(&said, 1, &hidden);
    assert!(said.out.contains("begins with all 1 checkpoints"), "{said:?}");
    // Another history is a fork, whether or not its entries can be read.
    scene.log.entries.swap(20, 21);
    scene.log.add_ballots(1_000..1_001);
    scene.log.store(&scene.deployment.postgres).await;
    scene.restart().await;
    let said = scene.verify("state", &[], &[]);
    expect(&said, 2, &["history wrong|FORK|it does not begin with the 600 entries", hidden[0]]);
}

/// The log is read by programs that know nothing of this project.
#[tokio::test]
async fn other_implementations_read_the_log() {
    let scene = Scene::new(&["--vote-policy", "replace"]).await;
    let address = format!("http://127.0.0.1:{}/polls/pets/log", scene.dashboard.port);
    let reader = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/log_reader");
    let (votes, _) = scene.log.count();
    let python =
        Command::new("python3").arg(reader.join("read_log.py")).arg(&address).output().unwrap();
    let said = String::from_utf8_lossy(&python.stdout);
    assert_eq!(said.trim(), format!("600 True {} {}", votes[0], votes[1]), "{python:?}");

    let download = Command::new("go").args(["mod", "download"]).current_dir(&reader).output();
    match download {
        Ok(output) if output.status.success() => {}
        other => {
            eprintln!(
                "NOT CHECKED: Go or its module golang.org/x/mod is missing, so Go has not read the log: {other:?}"
            );
            return;
        }
    }
    for path in [
        "keys",
        "checkpoint",
        "tile/0/000",
        "tile/0/001",
        "tile/0/002.p/88",
        "tile/1/000.p/2",
        "tile/entries/000",
        "tile/entries/001",
        "tile/entries/002.p/88",
    ] {
        let file = scene.folder.join(path);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(file, scene.dashboard.get(&format!("/polls/pets/log/{path}")).unwrap())
            .unwrap();
    }
    let read = || {
        Command::new("go")
            .args(["run", "."])
            .arg(&scene.folder)
            .current_dir(&reader)
            .output()
            .unwrap()
    };
    let output = read();
    assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), "600", "{output:?}");
    // It would notice a change.
    let file = scene.folder.join("tile/entries/001");
    let mut bundle = std::fs::read(&file).unwrap();
    bundle[20] ^= 1;
    std::fs::write(file, bundle).unwrap();
    let output = read();
    assert!(String::from_utf8_lossy(&output.stderr).contains("entry 256"), "{output:?}");
}

#[tokio::test]
async fn the_result_of_a_past_second_is_in_the_log() {
    let deployment = Deployment::new().await;
    deployment.create(&["--open", "--vote-policy", "replace"]);
    let sql = &deployment.postgres;
    let start_ms = now_ms() / 1_000 * 1_000 - 500_000;
    let mut log = LogBuilder::new(sql, "pets", start_ms).await;
    // One ballot in each millisecond, of which ballot 1200 replaces that of another second.
    log.add_ballots(0..1_200);
    log.add(1_200, 2, Outcome::Counts, Some(1));
    log.add_ballots(1_201..1_500);
    log.store(sql).await;
    // 1,000 ballots came in the first second, and the replaced one of them stands no longer.
    for (second, people) in [(0, 999_i64), (1, 500)] {
        let store = "INSERT INTO series (poll_id, second, votes) VALUES ($1, $2, $3)";
        sql.execute(store, &[&log.poll.0, &(start_ms / 1_000 + second), &people]).await.unwrap();
    }
    let at = |ms: i64| jiff::Timestamp::from_millisecond(start_ms + ms).unwrap().to_string();
    let past = |ms: i64| deployment.run(&["poll", "at", "pets", &at(ms), "--json"]).json();
    // Every third ballot, from 0 on, is for dogs.
    for (ms, votes, voters) in
        [(-1, [0, 0], 0), (700, [666, 334], 1_000), (1_000, [999, 500], 1_499)]
    {
        let past = past(ms);
        let counted = [&past["options"][0]["votes"], &past["options"][1]["votes"]];
        assert_eq!(
            (counted, &past["voters"]),
            ([&votes[0].into(), &votes[1].into()], &voters.into())
        );
        assert_eq!(past["series_agrees"], true, "{past}");
    }
    sql.execute("UPDATE series SET votes = votes - 1", &[]).await.unwrap();
    let said = deployment.run(&["poll", "at", "pets", &at(700)]);
    assert!(
        said.code == 1 && said.out.contains("999 stand today, and 998 in the series: DIFFERENT"),
        "{said:?}"
    );
}

//! The page that checks receipts, in a real browser: every fault is named, and an unknown outcome is not called right.

use serde_json::json;
use testkit::fantoccini::Locator;
use testkit::sentences::shown_unbracketed;
use testkit::{Browser, BrowserOptions, eventually};
use votestream_schema::poll::{Definition, Visibility, now_ms};
use votestream_schema::{BallotId, Choices};
use votestream_transparency::Hash;
use votestream_transparency::checkpoint::{self, Head};
use votestream_transparency::entry::Outcome;
use votestream_transparency::receipt::Receipt;

use super::builder::LogBuilder;
use crate::browser::ONE_AT_A_TIME;
use crate::harness::{Database, Service, Setup, in_ms, poll};

/// A closed poll with a log of 300 ballots, of which number 7 replaced number 5, and its browser.
struct Scene {
    database: Database,
    log: LogBuilder,
    browser: Browser,
    address: String,
    service: Service,
}

impl Scene {
    async fn new(visibility: Visibility) -> Self {
        let mut database = Database::new().await;
        let closes_at = match visibility {
            Visibility::Always => in_ms(-120_000),
            _ => in_ms(600_000),
        };
        let definition = Definition {
            visibility,
            opens_at: Some(in_ms(-600_000)),
            closes_at: Some(closes_at),
            ..poll("pets")
        };
        database.create(&definition).await;
        let mut log = LogBuilder::new(&database.client, "pets", now_ms() - 500_000).await;
        log.add_ballots(0..7);
        log.add(7, 2, Outcome::Counts, Some(5));
        log.add_ballots(8..300);
        log.store(&database.client).await;
        log.publish_count(&database.client).await;
        database.complete_to(in_ms(0), 0, log.poll).await;
        let service = Setup::on(&database.url).start().await;
        let size = BrowserOptions { width: 360, height: 800, ..Default::default() };
        let browser = Browser::start(size).await;
        let port = service.client.address.port();
        let address = format!("http://localhost:{port}/polls/pets/receipt");
        browser.goto(&address).await.unwrap();
        Self { database, log, browser, address, service }
    }

    /// Starts the dashboard anew, because it caches tiles, which never change in an honest log.
    async fn restart(&mut self) {
        self.service = Setup::on(&self.database.url).start().await;
        self.address =
            format!("http://localhost:{}/polls/pets/receipt", self.service.client.address.port());
        self.browser.goto(&self.address).await.unwrap();
    }

    /// Checks a receipt on the open page, and returns the verdict and the outcome of each step that ran.
    async fn check(&self, receipt: &Receipt) -> (String, Vec<String>) {
        let text = serde_json::to_string(receipt).unwrap();
        let put = "document.getElementById('receipt-text').value = arguments[0]";
        self.browser.execute(put, vec![json!(text)]).await.unwrap();
        self.browser.click("#receipt-button").await;
        let read = "const list = [...document.querySelectorAll('#receipt-steps li')];
            return [document.getElementById('receipt-verdict').dataset.balance,
                list.map((item) => `${item.id.slice(5)} ${item.dataset.outcome}: ${item.querySelector('span').textContent}`)]";
        let found = eventually(std::time::Duration::from_secs(40), async || {
            let found = self.browser.execute(read, vec![]).await.unwrap();
            let is_over = found[0].as_str().is_some_and(|it| it != "busy");
            is_over.then_some(found).ok_or("busy")
        })
        .await;
        serde_json::from_value(found).unwrap()
    }

    /// The steps that did not come to `good`.
    async fn faults(&self, receipt: &Receipt) -> Vec<String> {
        let (_, steps) = self.check(receipt).await;
        let bad = steps.into_iter().filter(|step| !step.contains(" good: "));
        bad.collect()
    }
}

#[track_caller]
fn expect(found: &[String], wanted: &[&str]) {
    let fits = found
        .iter()
        .zip(wanted)
        .all(|(found, wanted)| wanted.split('|').all(|part| found.contains(part)));
    assert!(fits && found.len() == wanted.len(), "{found:#?} instead of {wanted:#?}");
}

#[tokio::test]
async fn a_receipt_is_checked_step_by_step_and_each_fault_is_named() {
    let _turn = ONE_AT_A_TIME.lock().await;
    let mut scene = Scene::new(Visibility::Always).await;
    let (verdict, steps) = scene.check(&scene.log.receipt(9)).await;
    assert_eq!((verdict.as_str(), steps.len()), ("good", 6), "{steps:#?}");
    assert!(steps[1].contains("It promises: Dogs"), "{steps:#?}");
    assert!(steps[4].contains("entry 9 of the log"), "{steps:#?}");
    assert!(steps[5].contains("all 300 entries"), "{steps:#?}");
    let mut flaws = scene.browser.flaws("receipt-good").await;
    // A ballot that was replaced is in the log, and the page says by which.
    let (verdict, steps) = scene.check(&scene.log.receipt(5)).await;
    assert!(verdict == "good" && steps[5].contains("replaced it: entry 7"), "{steps:#?}");

    // The link of the ballot page has the receipt behind its hash sign.
    let json = serde_json::to_string(&scene.log.receipt(9)).unwrap();
    let encode = "return btoa(String.fromCharCode(...new TextEncoder().encode(arguments[0]))).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '')";
    let encoded = scene.browser.execute(encode, vec![json!(json)]).await.unwrap();
    let linked = format!("{}#{}", scene.address, encoded.as_str().unwrap());
    scene.browser.goto(&linked).await.unwrap();
    scene
        .browser
        .until("#receipt-verdict", |words| words.starts_with("Everything was checked"))
        .await;
    scene.browser.goto(&scene.address).await.unwrap();

    // Receipts that were changed, made up, or are not kept.
    let mut forged = scene.log.receipt(9);
    forged.signed = forged.signed.replacen("\n3\n", "\n4\n", 1);
    let found = scene.faults(&forged).await;
    expect(&found, &["signature wrong|changed or made up"]);
    let mut other_choices = scene.log.receipt(9);
    other_choices.choices = "1".to_owned();
    expect(
        &scene.faults(&other_choices).await,
        &["choices wrong|not those that were signed", "leaf wrong|does not fit", "counts unknown"],
    );
    let one = Choices::from_mask(1).unwrap();
    let lost = scene.log.receipt_of(scene.log.stream_entry(600_000), Some(BallotId::new()), one);
    expect(&scene.faults(&lost).await, &["leaf unknown|not in the log yet", "counts unknown"]);
    let missing = scene.log.receipt_of(scene.log.stream_entry(301), Some(BallotId::new()), one);
    expect(&scene.faults(&missing).await, &["leaf wrong|it is evidence", "counts unknown"]);
    flaws.extend(scene.browser.flaws("receipt-missing").await);
    let other = scene.log.receipt_of(scene.log.stream_entry(9), Some(BallotId::new()), one);
    expect(
        &scene.faults(&other).await,
        &["leaf wrong|another ballot in its place", "counts unknown"],
    );

    // The published result is not that of the log.
    let sql = &scene.database.client;
    sql.execute("UPDATE tally SET votes = votes + 1 WHERE position = 1", &[]).await.unwrap();
    sql.execute("UPDATE poll_tally SET version = version + 1", &[]).await.unwrap();
    let good = scene.log.receipt(9);
    expect(&scene.faults(&good).await, &["counts wrong|Dogs: 102 published, 101 in the log"]);
    scene.log.publish_count(sql).await;

    // A tile was rewritten, an entry was changed: the proofs end at another root hash.
    let flip = "UPDATE log_tiles SET hashes = set_byte(hashes, 320, get_byte(hashes, 320) # 1) WHERE level = 0 AND index = 0";
    sql.execute(flip, &[]).await.unwrap();
    scene.restart().await;
    let neighbour = scene.log.receipt(11);
    expect(
        &scene.faults(&neighbour).await,
        &["leaf wrong|not in the signed log", "counts unknown"],
    );
    scene.database.client.execute(flip, &[]).await.unwrap();
    let mut lines: Vec<String> = scene.log.entries.iter().map(ToString::to_string).collect();
    lines.remove(100);
    let change = "UPDATE log_bundles SET entries = $1 WHERE index = 0";
    let shorter = votestream_transparency::entry::bundle(lines[..256].iter().map(String::as_str));
    scene.database.client.execute(change, &[&shorter]).await.unwrap();
    scene.restart().await;
    expect(&scene.faults(&good).await, &["counts wrong|changed or is missing"]);
    assert!(flaws.is_empty(), "{}", flaws.join("\n"));
}

#[tokio::test]
async fn what_witnesses_have_signed_is_compared_with_the_log() {
    let _turn = ONE_AT_A_TIME.lock().await;
    let mut scene = Scene::new(Visibility::Always).await;
    let cosign =
        "INSERT INTO log_cosignatures VALUES ($1, $2, 'key', '— one.example/w AAAAAAECAwQFBgcI')";
    let sql = &scene.database.client;
    sql.execute(cosign, &[&scene.log.poll.0, &300_i64]).await.unwrap();
    scene.restart().await;
    let receipt = scene.log.receipt(9);
    let (verdict, steps) = scene.check(&receipt).await;
    let wanted = "Witnesses have signed its first 300 entries too, whose keys this page does not know: one.example/w.";
    assert!(verdict == "good" && steps[2].contains(wanted), "{verdict} {steps:#?}");
    let mut flaws = scene.browser.flaws("receipt-cosigned").await;

    // They saw other entries.
    let keys = &scene.log.keys;
    let head = Head { size: 299, root: Hash([7; 32]) };
    let note = checkpoint::sign(&keys.signer(&keys.origin_of("pets")), head);
    let sql = &scene.database.client;
    sql.execute("DELETE FROM log_cosignatures", &[]).await.unwrap();
    let store = "INSERT INTO log_checkpoints VALUES ($1, 299, '', $2, $3)";
    sql.execute(store, &[&scene.log.poll.0, &now_ms(), &note]).await.unwrap();
    sql.execute(cosign, &[&scene.log.poll.0, &299_i64]).await.unwrap();
    scene.restart().await;
    let faults = scene.faults(&receipt).await;
    expect(&faults, &["checkpoint wrong|witnesses have signed a log with 299 entries"]);
    flaws.extend(scene.browser.flaws("receipt-cosigned-fork").await);
    assert!(flaws.is_empty(), "{}", flaws.join("\n"));
}

#[tokio::test]
async fn a_log_that_was_rewritten_is_noticed_by_a_browser_that_saw_it_before() {
    let _turn = ONE_AT_A_TIME.lock().await;
    let mut scene = Scene::new(Visibility::Always).await;
    let receipt = scene.log.receipt(9);
    assert_eq!(scene.check(&receipt).await.0, "good");
    // It grows by one entry, and is still the same log.
    scene.log.add_ballots(300..301);
    let sql = &scene.database.client;
    scene.log.store(sql).await;
    scene.log.publish_count(sql).await;
    eventually(std::time::Duration::from_secs(20), async || {
        let (verdict, steps) = scene.check(&receipt).await;
        let is_seen = verdict == "good"
            && steps[2].contains("Entries: 301")
            && steps[3].contains("The 300 entries");
        is_seen.then_some(()).ok_or(steps)
    })
    .await;
    // Another history, signed with the same key. The browser keeps one storage for each address, so the dashboard stays.
    sql.execute("DELETE FROM log_checkpoints", &[]).await.unwrap();
    scene.log.entries.swap(200, 201);
    scene.log.add_ballots(301..302);
    scene.log.store(sql).await;
    scene.log.publish_count(sql).await;
    eventually(std::time::Duration::from_secs(20), async || {
        let (verdict, steps) = scene.check(&receipt).await;
        let is_seen =
            verdict == "wrong" && steps[3].contains("append wrong: The log was rewritten");
        is_seen.then_some(()).ok_or(steps)
    })
    .await;
}

#[tokio::test]
async fn what_cannot_be_checked_is_not_called_right() {
    let _turn = ONE_AT_A_TIME.lock().await;
    let scene = Scene::new(Visibility::AfterClose).await;
    let (verdict, steps) = scene.check(&scene.log.receipt(9)).await;
    assert_eq!(verdict, "unknown", "{steps:#?}");
    assert!(steps[4].starts_with("leaf good: It is entry 9"), "{steps:#?}");
    assert!(steps[5].starts_with("counts unknown: The results are hidden"), "{steps:#?}");
    // A text that is no receipt, and one of another poll.
    let mut other = scene.log.receipt(9);
    other.log = "vote.example/polls/cars".to_owned();
    let (verdict, steps) = scene.check(&other).await;
    assert_eq!((verdict.as_str(), steps.len()), ("unknown", 0));
    assert!(scene.browser.text("#receipt-verdict").await.contains("vote.example/polls/cars"));
    // Every sentence comes from the catalogue. A browser that sees the log again would also show a time.
    scene.browser.execute("localStorage.clear()", vec![]).await.unwrap();
    scene.browser.goto(&format!("{}?lang=en-XA", scene.address)).await.unwrap();
    scene.check(&scene.log.receipt(9)).await;
    let typed =
        ["Cats vs Dogs", "Cats", "Dogs", "vote.example/polls/pets", "vote.example", "Votestream"];
    assert_eq!(shown_unbracketed(&scene.browser, &typed).await, Vec::<String>::new());

    // Over plain HTTP from another machine, browsers have no WebCrypto.
    let port = scene.service.client.address.port();
    let resolved = BrowserOptions {
        arguments: vec!["--host-resolver-rules=MAP plain.example 127.0.0.1".to_owned()],
        ..Default::default()
    };
    let plain = Browser::start(resolved).await;
    plain.goto(&format!("http://plain.example:{port}/polls/pets/receipt")).await.unwrap();
    let text = serde_json::to_string(&scene.log.receipt(9)).unwrap();
    let put = "document.getElementById('receipt-text').value = arguments[0]";
    plain.execute(put, vec![json!(text)]).await.unwrap();
    plain.find(Locator::Css("#receipt-button")).await.unwrap().click().await.unwrap();
    plain.until("#receipt-verdict", |words| words.starts_with("Nothing was checked")).await;
}

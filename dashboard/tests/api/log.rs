//! The public log: who may read which part of it, and in which form.

mod builder;
mod page;
mod past;

use std::time::Duration;

use serde_json::json;
use testkit::eventually;
use votestream_schema::poll::{Definition, Visibility, now_ms};
use votestream_transparency::checkpoint;
use votestream_transparency::entry::{self, Outcome};
use votestream_transparency::keys::PublicKeys;

use crate::harness::{Database, Service, Setup, in_ms, poll};
use builder::LogBuilder;

const SOON: Duration = Duration::from_secs(60);

/// A poll with a log of 600 entries, of which ballot 3 has two.
async fn logged(visibility: Visibility) -> (Database, LogBuilder, Service) {
    let mut database = Database::new().await;
    let definition = Definition { visibility, closes_at: Some(in_ms(600_000)), ..poll("pets") };
    database.create(&definition).await;
    let mut log = LogBuilder::new(&database.client, "pets", now_ms() - 100_000).await;
    log.add(3, 1, Outcome::Superseded, None);
    log.add_ballots(0..599);
    log.store(&database.client).await;
    let service = Setup::on(&database.url).start().await;
    (database, log, service)
}

#[tokio::test]
async fn the_log_is_served_in_the_forms_of_the_standards() {
    let (database, log, service) = logged(Visibility::Always).await;
    let get = |path: &str| service.client.get(&format!("/polls/pets/log/{path}")).send();
    let origin = "vote.example/polls/pets";
    let keys = get("keys").await.text();
    let keys = PublicKeys::new(keys.lines().map(str::to_owned)).unwrap();
    assert_eq!(keys.as_lines(), log.keys.public(origin));
    let reply = get("checkpoint").await;
    let head = checkpoint::open(&reply.text(), origin, &keys).unwrap();
    assert_eq!((head.size, reply.header("cache-control")), (600, Some("public, max-age=1")));
    let old = get("checkpoint/600").await;
    assert_eq!((old.status, old.text()), (200, reply.text()));
    for missing in ["checkpoint/599", "checkpoint/0600", "checkpoint/x", "", "other", "tile/0/0"] {
        assert_eq!(get(missing).await.status, 404, "{missing}");
    }

    // Hashes and entries, as wide as the checkpoint is and no wider.
    let lines: Vec<String> = log.entries.iter().map(ToString::to_string).collect();
    let tile = get("tile/0/001").await;
    assert_eq!(tile.header("cache-control"), Some("public, max-age=31536000, immutable"));
    assert_eq!(tile.body.len(), 256 * 32);
    assert_eq!(get("tile/0/001.p/7").await.body, tile.body[..7 * 32]);
    assert_eq!(get("tile/0/002.p/88").await.body.len(), 88 * 32);
    assert_eq!(get("tile/1/000.p/2").await.body.len(), 64);
    let bundle = get("tile/entries/002.p/88").await;
    assert_eq!(entry::lines(&bundle.body).unwrap(), lines[512..]);
    let bundle = get("tile/entries/000.p/2").await;
    assert_eq!(entry::lines(&bundle.body).unwrap(), lines[..2]);
    for wide in
        ["tile/0/002", "tile/0/002.p/89", "tile/1/000.p/3", "tile/entries/002", "tile/0/x001/000"]
    {
        assert_eq!(get(wide).await.status, 404, "{wide}");
    }

    // The entries of one ballot, and the log as JSON.
    let named = get(&format!("entry/{}", log.stream_entry(3))).await.json();
    let expected = [0, 4].map(|index| json!({ "index": index, "line": lines[index] }));
    assert_eq!(named["entries"], json!(expected));
    assert_eq!(get("entry/9-1-1").await.json()["entries"], json!([]));
    assert_eq!(get("entry/x").await.status, 404);
    let state = service.client.get("/api/polls/pets/log").send().await.json();
    assert_eq!((&state["size"], &state["entries"]), (&json!(600), &json!("open")));
    assert_eq!((&state["origin"], &state["root"]), (&json!(origin), &json!(head.root.to_string())));
    // The results link the page that checks receipts.
    let page = service.client.get("/polls/pets").send().await.text();
    assert!(page.contains("href=\"/polls/pets/receipt\""), "{page}");

    // The newest checkpoint has the signatures of witnesses; the one of a given size never changes.
    let unsigned = get("checkpoint/600").await;
    let sql =
        "INSERT INTO log_cosignatures VALUES ($1, 600, 'key', '— one.example/w AAAAAAECAwQFBgcI')";
    database.client.execute(sql, &[&log.poll.0]).await.unwrap();
    eventually(SOON, async || get("checkpoint").await.text().ends_with("AAAAAAECAwQFBgcI\n")).await;
    let still = get("checkpoint/600").await;
    assert_eq!(still.header("cache-control"), Some("public, max-age=31536000, immutable"));
    assert_eq!(still.text(), unsigned.text());
}

#[tokio::test]
async fn entries_are_as_hidden_as_results_and_a_receipt_opens_its_own() {
    for visibility in [Visibility::AfterClose, Visibility::AfterVote, Visibility::Admin] {
        let (_database, log, service) = logged(visibility).await;
        let get = |path: &str| service.client.get(&format!("/polls/pets/log/{path}")).send();
        for bundle in ["tile/entries/000", "tile/entries/002.p/88", "tile/entries/009"] {
            let reply = get(bundle).await;
            assert_eq!((reply.status, reply.problem().as_str()), (403, "results-hidden"));
        }
        assert_eq!(get("tile/0/000").await.status, 200);
        assert_eq!(
            service.client.get("/api/polls/pets/log").send().await.json()["entries"],
            "hidden"
        );
        let receipt = log.receipt(4);
        let path = format!("entry/{}", receipt.entry);
        let other = log.receipt(5).nonce;
        for (query, is_shown) in [
            (String::new(), false),
            ("?nonce=x".to_owned(), false),
            (format!("?nonce={other}"), false),
            (format!("?nonce={}", receipt.nonce), true),
        ] {
            let entries = get(&format!("{path}{query}")).await.json()["entries"].clone();
            let indexes = [&entries[0]["index"], &entries[1]["index"]];
            assert_eq!(indexes, [&json!(0), &json!(4)]);
            assert_eq!(entries[1]["line"].is_string(), is_shown, "{query}: {entries}");
            assert_eq!(entries.to_string().contains(&receipt.nonce), is_shown);
        }
    }
}

#[tokio::test]
async fn a_poll_without_a_log_and_one_whose_entries_are_deleted_say_so() {
    let (database, _, service) = logged(Visibility::Always).await;
    let get = |path: &str| service.client.get(&format!("/polls/pets/log/{path}")).send();
    let sql = "UPDATE polls SET sealed_at_ms = 1, revision = revision + 1";
    database.client.execute(sql, &[]).await.unwrap();
    eventually(SOON, async || {
        service.client.get("/api/polls/pets/log").send().await.json()["entries"] == "deleted"
    })
    .await;
    for path in ["tile/entries/000", "entry/0-1-1"] {
        let reply = get(path).await;
        assert_eq!(reply.status, 404);
        assert!(reply.text().contains("were deleted when the poll was sealed"), "{}", reply.text());
    }
    assert_eq!((get("tile/0/000").await.status, get("checkpoint").await.status), (200, 200));

    // A consumer without a key stores checkpoints that nobody signed.
    database.client.execute("UPDATE log_checkpoints SET note = NULL", &[]).await.unwrap();
    eventually(SOON, async || get("checkpoint").await.status == 404).await;
    assert!(get("keys").await.text().contains("has no signed checkpoint"));
    let sql = "UPDATE polls SET receipts = false, revision = revision + 1";
    database.client.execute(sql, &[]).await.unwrap();
    eventually(SOON, async || get("keys").await.text().contains("no public log")).await;
    let page = service.client.get("/polls/pets/receipt").send().await;
    assert_eq!(page.status, 200);
    assert!(page.text().contains("gives no receipts") && !page.text().contains("receipt-form"));
}

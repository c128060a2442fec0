//! Organisers, and the audit trail of every step.

use serde_json::json;
use votestream_schema::db;
use votestream_schema::organiser::Token;

use crate::deployment::Deployment;

#[tokio::test]
async fn an_organiser_is_added_once_and_the_token_is_stored_nowhere() {
    let deployment = Deployment::new().await;
    let anna = ["organisers", "add", "anna", "--role", "admin"];
    let added = deployment.run(&[&anna, ["--json"].as_slice()].concat()).json();
    let token = added["token"].as_str().unwrap().to_owned();
    deployment.run(&anna).refused(1, &["`anna` exists already"]);
    let kept = deployment.run(&[&anna, ["--if-missing"].as_slice()].concat()).ok();
    assert!(kept.contains("left as it is") && !kept.contains(&token), "{kept}");

    let found: Token = token.parse().unwrap();
    let found = db::organisers::by_token(&deployment.postgres, &found).await.unwrap().unwrap();
    assert_eq!(found.name.as_str(), "anna");
    for table in ["organisers", "audit_trail"] {
        let sql = format!("SELECT t::text FROM {table} t");
        for row in deployment.postgres.query(&sql, &[]).await.unwrap() {
            assert!(!row.get::<_, String>(0).contains(&token), "{table}");
        }
    }

    // A role that contradicts the polls, and a name that the log uses for the command line.
    deployment.run(&["organisers", "add", "ben", "--role", "host"]).refused(1, &["--poll"]);
    let both = ["organisers", "add", "ben", "--role", "admin", "--poll", "pets"];
    deployment.run(&both).refused(1, &["may use all polls"]);
    deployment
        .run(&["organisers", "add", "votectl", "--role", "admin"])
        .refused(1, &["another name"]);

    let link =
        deployment.run(&["organisers", "link", "anna", "--url", "https://host.example/"]).ok();
    let (address, link) = link.trim().rsplit_once('/').unwrap();
    assert_eq!(address, "https://host.example/sign-in");
    deployment.run(&["organisers", "revoke", "anna"]).ok();
    let link: Token = link.parse().unwrap();
    assert_eq!(db::organisers::use_link(&deployment.postgres, &link).await.unwrap(), None);
    let token: Token = token.parse().unwrap();
    assert_eq!(db::organisers::by_token(&deployment.postgres, &token).await.unwrap(), None);
    deployment.run(&["organisers", "link", "anna"]).refused(1, &["no organiser `anna`"]);
    let list = deployment.run(&["organisers", "list", "--json"]).json();
    assert!(list[0]["revoked_at_ms"].is_number(), "{list}");
}

#[tokio::test]
async fn a_token_that_was_made_before_is_taken_from_a_file() {
    let deployment = Deployment::new().await;
    let file = testkit::folder("token").join("token");
    let token = Token::generate();
    std::fs::write(&file, token.reveal() + "\n").unwrap();
    let file = file.to_str().unwrap();
    let ben =
        ["organisers", "add", "ben", "--role", "host", "--poll", "pets", "--token-file", file];
    let text = deployment.run(&ben).ok();
    assert!(!text.contains(&token.reveal()), "{text}");
    let found = db::organisers::by_token(&deployment.postgres, &token).await.unwrap().unwrap();
    assert_eq!(found.polls, ["pets".parse().unwrap()]);
    std::fs::write(file, "0123").unwrap();
    let carl = ["organisers", "add", "carl", "--role", "admin", "--token-file", file];
    deployment.run(&carl).refused(1, &["64 digits"]);
}

#[tokio::test]
async fn the_log_lists_every_step_of_a_poll_with_the_values_before_and_after() {
    let deployment = Deployment::new().await;
    deployment.create(&[]);
    deployment.run(&["poll", "open", "pets", "--at", "+1h"]).ok();
    deployment.run(&["poll", "cancel", "pets"]).ok();
    deployment.run(&["poll", "open", "pets", "--closes-at", "+1h"]).ok();
    deployment.run(&["poll", "extend", "pets", "--by", "10m"]).ok();
    deployment.run(&["poll", "set", "pets", "--title", "Which pets?"]).ok();
    deployment.run(&["poll", "set", "pets", "--title", "Which pets?"]).ok();
    deployment.run(&["poll", "close", "pets"]).ok();
    deployment.run(&["poll", "archive", "pets"]).ok();
    deployment.run(&["poll", "archive", "pets"]).ok();
    let other =
        ["poll", "create", "--slug", "other", "--title", "O", "--option", "A", "--option", "B"];
    deployment.run(&other).ok();

    let steps = deployment.run(&["log", "--poll", "pets", "--json"]).json();
    let steps = steps.as_array().unwrap();
    let actions: Vec<&str> = steps.iter().map(|step| step["action"].as_str().unwrap()).collect();
    let expected = ["create", "open", "cancel", "open", "extend", "set", "close", "archive"];
    // What changes nothing is no step.
    assert_eq!(actions, expected.map(|action| format!("poll {action}")));
    assert!(steps.iter().all(|step| step["actor"] == "votectl" && step["poll"] == "pets"));
    assert!(steps.iter().all(|step| !step["db_role"].as_str().unwrap().is_empty()));
    let changed = (&steps[5]["before"], &steps[5]["after"]);
    assert_eq!(changed, (&json!({ "title": "Pets?" }), &json!({ "title": "Which pets?" })));
    let extended = |when: &str| steps[4][when]["closes_at_ms"].as_i64().unwrap();
    assert_eq!(extended("after") - extended("before"), 600_000);

    let all = deployment.run(&["log"]).ok();
    assert!(all.contains("title: Which pets? (before: Pets?)") && all.contains("other"), "{all}");
    let last = deployment.run(&["log", "--steps", "1", "--json"]).json();
    assert_eq!(last.as_array().unwrap().len(), 1);
    assert_eq!(last[0]["poll"], "other");
    deployment.run(&["log", "--poll", "birds"]).refused(1, &["no poll `birds`"]);
}

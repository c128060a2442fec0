//! The API: every task once, what it refuses, and who may use which poll.

use serde_json::json;

use crate::harness::Deployment;

#[tokio::test]
async fn a_program_does_every_task_under_its_own_name() {
    let deployment = Deployment::new().await;
    let anna = deployment.add("anna", &["--role", "admin"]);
    let service = deployment.start(&[]).await;
    let options = json!([{ "slug": "cats", "label": "Cats" }, { "slug": "dogs", "label": "Dogs" }]);
    let poll =
        json!({ "slug": "pets", "title": "Pets?", "options": options, "visibility": "admin" });
    let created = service.post("/api/polls", &anna, &poll).await;
    assert_eq!((created.status, &created.json()["state"]), (201, &json!("draft")));
    let again = service.post("/api/polls", &anna, &poll).await;
    assert_eq!((again.status, again.problem().as_str()), (409, "refused"));

    let steps = [
        ("open", json!({ "opens_at": "+1h", "closes_at": "+2h" }), "scheduled"),
        ("cancel", json!({}), "draft"),
        ("open", json!({ "closes_at": "+1h" }), "open"),
        ("extend", json!({ "closes_at": "+10m" }), "open"),
        ("reveal", json!({}), "open"),
        ("hide", json!({ "until": "close" }), "open"),
        ("correct", json!({ "title": "Which pets?", "label": { "cats": "All cats" } }), "open"),
        ("close", json!({}), "closed"),
        ("archive", json!({}), "archived"),
    ];
    for (task, fields, state) in &steps {
        let reply = service.post(&format!("/api/polls/pets/{task}"), &anna, fields).await;
        assert_eq!(reply.status, 200, "{task}: {}", reply.text());
        assert_eq!(reply.json()["state"], *state, "{task}");
    }
    let stored = deployment.poll("pets").await;
    assert_eq!(
        (stored.title.as_str(), stored.options[0].label.as_str()),
        ("Which pets?", "All cats")
    );
    let shown = service.get("/api/polls/pets", &anna).await.json();
    assert_eq!(shown["tasks"], json!([]));
    assert_eq!(shown["changes"].as_array().unwrap().len(), 4);
    let list = service.get("/api/polls", &anna).await.json();
    assert_eq!(list["polls"][0]["state"], "archived");

    // Each step is in the log once, under the organiser's name and the role of the service.
    let log = deployment.votectl(&["log", "--poll", "pets", "--json"]);
    let log: Vec<serde_json::Value> = serde_json::from_str(&log).unwrap();
    assert_eq!(log.len(), 1 + steps.len());
    for step in &log {
        assert_eq!(step["actor"], "anna", "{step}");
        assert!(step["db_role"].as_str().unwrap().starts_with("host_"), "{step}");
    }
    assert!(service.metric("votestream_host_orders_total{outcome=\"done\"}") >= 10.0);
}

#[tokio::test]
async fn an_order_that_the_poll_refuses_changes_nothing() {
    let deployment = Deployment::new().await;
    let anna = deployment.add("anna", &["--role", "admin"]);
    deployment.create("pets", &["--open", "--closes-at", "+1h"]);
    deployment.create("secret", &["--secret"]);
    let service = deployment.start(&[]).await;
    let before = deployment.poll("pets").await;
    for (path, fields) in [
        ("/api/polls/pets/open", json!({})),
        ("/api/polls/pets/archive", json!({})),
        ("/api/polls/pets/cancel", json!({})),
        ("/api/polls/pets/extend", json!({ "closes_at": "2001-01-01T00:00:00Z" })),
        ("/api/polls/pets/close", json!({ "at": "yesterday" })),
        ("/api/polls/pets/correct", json!({ "label": { "birds": "Birds" } })),
        ("/api/polls/pets/correct", json!({ "title": "x".repeat(201) })),
        ("/api/polls/secret/archive", json!({})),
    ] {
        let reply = service.post(path, &anna, &fields).await;
        assert_eq!((reply.status, reply.problem().as_str()), (409, "refused"), "{path}");
    }
    let much = json!({ "title": "x".repeat(300_000) });
    let much = service.post("/api/polls/pets/correct", &anna, &much).await;
    assert_eq!((much.status, much.problem().as_str()), (413, "too-large"));
    let bad = service.post("/api/polls/pets/close", &anna, &json!({ "at": 5 })).await;
    assert_eq!((bad.status, bad.problem().as_str()), (400, "malformed"));
    let unknown = service.post("/api/polls/birds/open", &anna, &json!({})).await;
    assert_eq!((unknown.status, unknown.problem().as_str()), (404, "unknown-poll"));
    assert_eq!(deployment.poll("pets").await, before);
    assert_eq!(deployment.poll("secret").await.archived_at_ms, None);
}

#[tokio::test]
async fn a_host_sees_and_changes_the_named_polls_alone() {
    let deployment = Deployment::new().await;
    let ben = deployment.add("ben", &["--role", "host", "--poll", "pets", "--poll", "new"]);
    deployment.create("pets", &[]);
    deployment.create("lunch", &[]);
    let service = deployment.start(&[]).await;
    let list = service.get("/api/polls", &ben).await.json();
    let slugs: Vec<_> =
        list["polls"].as_array().unwrap().iter().map(|poll| &poll["slug"]).collect();
    assert_eq!(slugs, ["pets"]);
    for reply in [
        service.get("/api/polls/lunch", &ben).await,
        service.post("/api/polls/lunch/open", &ben, &json!({})).await,
    ] {
        assert_eq!((reply.status, reply.problem().as_str()), (404, "unknown-poll"));
    }
    let options = json!([{ "slug": "a", "label": "A" }, { "slug": "b", "label": "B" }]);
    for (slug, status) in [("other", 404), ("new", 201)] {
        let poll = json!({ "slug": slug, "title": "New?", "options": options });
        assert_eq!(service.post("/api/polls", &ben, &poll).await.status, status, "{slug}");
    }
    assert_eq!(deployment.poll("lunch").await.opens_at_ms, None);

    deployment.votectl(&["organisers", "revoke", "ben"]);
    let reply = service.get("/api/polls", &ben).await;
    assert_eq!((reply.status, reply.problem().as_str()), (401, "not-signed-in"));
}

#[tokio::test]
async fn a_network_that_guesses_is_held_back() {
    let deployment = Deployment::new().await;
    let anna = deployment.add("anna", &["--role", "admin"]);
    let service = deployment.start(&["--trusted-proxies=127.0.0.1/32", "--cookie-secure"]).await;
    let ask = async |token: &str, from: &str| {
        let bearer = format!("Bearer {token}");
        let request = service.client.get("/api/polls").header("authorization", &bearer);
        request.header("x-forwarded-for", from).send().await
    };
    let mut wrong = 0;
    let held = loop {
        let reply = ask(&"00".repeat(32), "203.0.113.7").await;
        if reply.status != 401 {
            break reply;
        }
        assert_eq!(reply.header("www-authenticate"), Some("Bearer"));
        wrong += 1;
        assert!(wrong < 100, "nobody is held back");
    };
    assert!(wrong >= 10, "{wrong}");
    assert_eq!((held.status, held.problem().as_str()), (429, "too-many-attempts"));
    assert_eq!(ask(&anna, "198.51.100.7").await.status, 200, "another network");
    assert_eq!(service.client.get("/api/polls").send().await.status, 401, "no token is no guess");

    // The form that signs in counts the same attempts, and refuses the right token meanwhile.
    let sign_in = async |from: &str| {
        let request = service.client.post("/sign-in").form(format!("token={anna}"));
        request.header("x-forwarded-for", from).send().await
    };
    let refused = sign_in("203.0.113.7").await;
    assert_eq!((refused.status, refused.header("retry-after")), (429, Some("10")));
    assert_eq!(sign_in("198.51.100.7").await.status, 303);
    assert!(service.metric("votestream_host_sign_ins_total{outcome=\"held_back\"}") >= 2.0);
}

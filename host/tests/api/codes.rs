//! Voting codes, and results as files.

use serde_json::{Value, json};

use crate::harness::{Deployment, Service};

/// A form of a poll's page, as a browser sends it.
async fn send(service: &Service, cookie: &str, slug: &str, fields: &str) -> testkit::http::Reply {
    let token = service.form_token(&format!("/polls/{slug}/codes"), cookie).await;
    let form = format!("form_token={token}&{fields}");
    service.client.post(&format!("/polls/{slug}/codes")).cookie(cookie).form(form).send().await
}

/// The numbers of codes that the operator sees: issued, and revoked.
fn issued(deployment: &Deployment, slug: &str) -> i64 {
    let counted = deployment.votectl(&["codes", "count", slug, "--json"]);
    serde_json::from_str::<Value>(&counted).unwrap()["issued"].as_i64().unwrap()
}

#[tokio::test]
async fn new_codes_are_shown_once_and_are_codes_of_the_poll() {
    let deployment = Deployment::new().await;
    let anna = deployment.add("anna", &["--role", "admin"]);
    deployment.create("members", &["--voter-policy", "code"]);
    let service = deployment.start(&["--vote-url=https://vote.example/"]).await;
    let cookie = service.sign_in(&anna).await;
    let cards = send(&service, &cookie, "members", "count=3").await;
    assert_eq!((cards.status, cards.header("cache-control")), (200, Some("no-store")));
    let html = cards.text();
    assert_eq!(html.matches("<li class=\"card\">").count(), 3);
    assert_eq!(html.matches("<svg class=\"qr\"").count(), 3, "each has its link as a picture");
    assert!(html.contains("https://vote.example/polls/members"), "{html}");
    assert_eq!(issued(&deployment, "members"), 3);

    // A code of the page is one of the poll: it is there already when it comes again.
    let (_, code) = html.split_once("<p class=\"code\" dir=\"ltr\">").unwrap();
    let code = code.split('<').next().unwrap();
    let again = send(&service, &cookie, "members", &format!("codes={code}%0D%0A")).await;
    let text = again.text();
    assert!(text.contains("0 codes added. Already there: 1."), "{text}");
    assert!(!text.contains(code), "no other page shows a code");
    let own = "codes=2345-6789-ABCD-EFGH%0D%0AZ0Y1-X2W3-V4T5-S6R7";
    let added = send(&service, &cookie, "members", own).await.text();
    assert!(added.contains("2 codes added.") && !added.contains("id=\"warning\""), "{added}");
    let counted = (1..6).map(|n| format!("AAAA-AAAA-AAAA-AAA{n}")).collect::<Vec<_>>();
    let added = send(&service, &cookie, "members", &format!("codes={}", counted.join("%0A"))).await;
    assert!(added.text().contains("id=\"warning\""), "{}", added.text());
    assert_eq!(issued(&deployment, "members"), 10);

    let log = deployment.votectl(&["log", "--poll", "members", "--json"]);
    let log: Vec<Value> = serde_json::from_str(&log).unwrap();
    let codes: Vec<_> = log.iter().filter(|step| step["action"] == "codes add").collect();
    assert_eq!(codes.len(), 4);
    assert!(codes.iter().all(|step| step["actor"] == "anna"), "{codes:?}");
    assert_eq!(codes[0]["after"], json!({ "codes": 3 }));
    assert!(!serde_json::to_string(&log).unwrap().contains(code), "no step holds a code");
}

#[tokio::test]
async fn an_order_for_codes_that_is_refused_adds_none() {
    let deployment = Deployment::new().await;
    let anna = deployment.add("anna", &["--role", "admin"]);
    let ben = deployment.add("ben", &["--role", "host", "--poll", "open"]);
    deployment.create("members", &["--voter-policy", "code"]);
    deployment.create("open", &["--open"]);
    deployment.create("over", &["--voter-policy", "code", "--open"]);
    deployment.votectl(&["poll", "close", "over"]);
    let service = deployment.start(&[]).await;
    for (slug, body, status) in [
        ("members", json!({ "count": 0 }), 409),
        ("members", json!({ "count": 1_001 }), 409),
        ("members", json!({ "codes": [] }), 409),
        ("members", json!({ "codes": ["0123-4567-89AB-CDEF", "short"] }), 409),
        ("members", json!({ "count": "many" }), 400),
        ("open", json!({ "count": 1 }), 409),
        ("over", json!({ "count": 1 }), 409),
        ("nowhere", json!({ "count": 1 }), 404),
    ] {
        let reply = service.post(&format!("/api/polls/{slug}/codes"), &anna, &body).await;
        assert_eq!(reply.status, status, "{slug} {body}: {}", reply.text());
    }
    let foreign = json!({ "count": 1 });
    assert_eq!(service.post("/api/polls/members/codes", &ben, &foreign).await.status, 404);
    assert_eq!(issued(&deployment, "members"), 0);
    let some = service.post("/api/polls/members/codes", &anna, &json!({ "count": 2 })).await;
    assert_eq!(some.status, 201);
    let mut codes = some.json()["codes"].as_array().unwrap().clone();
    codes.push("2345-6789-ABCD-EFGH".into());
    let added = service.post("/api/polls/members/codes", &anna, &json!({ "codes": codes })).await;
    assert_eq!(added.json(), json!({ "added": 1, "already_there": 2 }));

    // Pages refuse the same, and a form of another session changes nothing.
    let cookie = service.sign_in(&anna).await;
    for path in ["/polls/open/codes", "/polls/over/codes"] {
        let page = service.client.get(path).cookie(cookie.as_str()).send().await;
        assert_eq!(page.status, 409, "{path}");
    }
    let poll = service.client.get("/polls/open").cookie(cookie.as_str()).send().await.text();
    assert!(!poll.contains("task-codes"), "{poll}");
    let path = "/polls/members/codes";
    let forged = service.client.post(path).cookie(cookie.as_str()).form("count=1").send().await;
    assert_eq!(forged.status, 403);
    let bad = send(&service, &cookie, "members", "codes=2345-6789-ABCD-EFGH%0D%0Asecret").await;
    assert!(bad.status == 409 && bad.text().contains("Line 2 is no code"), "{}", bad.text());
    assert!(!bad.text().contains("2345") && !bad.text().contains("secret"), "{}", bad.text());
    let other = service.sign_in(&ben).await;
    let foreign = service.client.get(path).cookie(other.as_str()).send().await;
    assert_eq!(foreign.status, 404);
    assert_eq!(issued(&deployment, "members"), 3);
}

#[tokio::test]
async fn results_are_files_for_spreadsheets_and_programs() {
    let deployment = Deployment::new().await;
    let anna = deployment.add("anna", &["--role", "admin"]);
    let ben = deployment.add("ben", &["--role", "host", "--poll", "lunch"]);
    deployment.create("pets", &["--open", "--visibility", "admin"]);
    deployment.votectl(&["poll", "set", "pets", "--label", "cats==SUM(A1)"]);
    let service = deployment.start(&[]).await;
    let cookie = service.sign_in(&anna).await;
    for (path, bearer) in
        [("/polls/pets/results.csv", None), ("/api/polls/pets/results.csv", Some(&anna))]
    {
        let reply = match bearer {
            Some(token) => service.get(path, token).await,
            None => service.client.get(path).cookie(cookie.as_str()).send().await,
        };
        assert_eq!(reply.header("content-type"), Some("text/csv; charset=utf-8"), "{path}");
        assert_eq!(reply.header("content-disposition"), Some("attachment; filename=\"pets.csv\""));
        assert_eq!(reply.header("cache-control"), Some("no-store"));
        let text = reply.text();
        assert!(text.contains("option,cats,'=SUM(A1),,0,0.0000"), "{text}");
        // But for the moment, it is what the operator's command writes.
        let written = deployment.votectl(&["poll", "export", "pets", "--format", "csv"]);
        let options = |text: &str| -> Vec<String> {
            text.lines().filter(|line| line.starts_with("option,")).map(str::to_owned).collect()
        };
        assert_eq!(options(&text), options(&written));
    }
    let json = service.get("/api/polls/pets/results.json", &anna).await.json();
    assert_eq!((&json["slug"], &json["results"]["voters"]), (&json!("pets"), &json!(0)));
    let file = service.client.get("/polls/pets/results.json").cookie(cookie.as_str()).send().await;
    assert_eq!(file.json()["results"], json["results"]);

    assert_eq!(service.get("/api/polls/pets/results.csv", &ben).await.status, 404);
    assert_eq!(service.get("/api/polls/pets/results.csv", "x").await.status, 401);
    let other = service.sign_in(&ben).await;
    let foreign = service.client.get("/polls/pets/results.csv").cookie(other.as_str()).send().await;
    assert_eq!(foreign.status, 404);
    let unknown = service.client.get("/polls/pets/results.csv").send().await;
    assert_eq!(unknown.status, 303);
}

//! Sessions of browsers: how they begin and end, and whose forms are taken.

use crate::harness::Deployment;

#[tokio::test]
async fn a_link_signs_in_once_and_opening_it_uses_nothing_up() {
    let deployment = Deployment::new().await;
    deployment.add("anna", &["--role", "admin"]);
    let service = deployment.start(&[]).await;
    let link = deployment.votectl(&["organisers", "link", "anna"]);
    let link = link.trim().rsplit('/').next().unwrap().to_owned();
    for _ in 0..2 {
        let page = service.client.get(&format!("/sign-in/{link}")).send().await;
        assert!(page.status == 200 && page.text().contains(&link));
    }
    let reply = service.client.post("/sign-in").form(format!("link={link}")).send().await;
    let cookie = reply.header("set-cookie").unwrap();
    assert!(cookie.starts_with("organiser=") && !cookie.contains("Secure"), "{cookie}");
    assert!(cookie.contains("HttpOnly; SameSite=Strict"), "{cookie}");
    let pair = cookie.split(';').next().unwrap();
    let list = service.client.get("/").cookie(pair).send().await;
    assert!(list.status == 200 && list.text().contains("anna"), "{}", list.text());
    let again = service.client.post("/sign-in").form(format!("link={link}")).send().await;
    assert_eq!(again.status, 401);
    let log = deployment.votectl(&["log"]);
    assert!(log.contains("organisers link") && log.contains("sign in"), "{log}");
}

#[tokio::test]
async fn a_session_ends_with_sign_out_and_when_the_organiser_is_revoked() {
    let deployment = Deployment::new().await;
    let anna = deployment.add("anna", &["--role", "admin"]);
    let ben = deployment.add("ben", &["--role", "admin"]);
    let service = deployment.start(&[]).await;
    let (anna, ben) = (service.sign_in(&anna).await, service.sign_in(&ben).await);
    let token = service.form_token("/", &anna).await;
    let form = format!("form_token={token}");
    let reply = service.client.post("/sign-out").cookie(anna.as_str()).form(form).send().await;
    assert_eq!(reply.status, 303);
    assert!(reply.header("set-cookie").unwrap().contains("Max-Age=0"));
    deployment.votectl(&["organisers", "revoke", "ben"]);
    for cookie in [anna.as_str(), ben.as_str(), "organiser=00", "organiser="] {
        for path in ["/", "/create", "/polls/pets", "/polls/pets/open"] {
            let reply = service.client.get(path).cookie(cookie).send().await;
            let leads_to = (reply.status, reply.header("location"));
            assert_eq!(leads_to, (303, Some("/sign-in")), "{path} {cookie}");
        }
    }
    let sent = service.client.post("/polls/pets/open").cookie(ben.as_str()).form("").send().await;
    assert_eq!(sent.status, 401);
}

#[tokio::test]
async fn a_form_counts_only_from_a_page_of_the_same_session() {
    let deployment = Deployment::new().await;
    let anna = deployment.add("anna", &["--role", "admin"]);
    deployment.create("pets", &[]);
    let service = deployment.start(&[]).await;
    let cookie = service.sign_in(&anna).await;
    let other = service.form_token("/", &service.sign_in(&anna).await).await;
    let token = service.form_token("/polls/pets/open", &cookie).await;
    let open =
        |form: String| service.client.post("/polls/pets/open").cookie(cookie.as_str()).form(form);
    for request in [
        open(String::new()),
        open(format!("form_token={other}")),
        open(format!("form_token={token}")).header("origin", "https://evil.example"),
        open(format!("form_token={token}")).header("sec-fetch-site", "cross-site"),
        open(format!("form_token={token}")).header("sec-fetch-site", "same-site"),
    ] {
        assert_eq!(request.send().await.status, 403);
    }
    let foreign = service.client.post("/sign-in").form(format!("token={anna}"));
    assert_eq!(foreign.header("sec-fetch-site", "cross-site").send().await.status, 403);
    assert_eq!(deployment.poll("pets").await.opens_at_ms, None);
    let reply = open(format!("form_token={token}")).send().await;
    let leads_to = (reply.status, reply.header("location"));
    assert_eq!(leads_to, (303, Some("/polls/pets?done=open")));
    assert!(deployment.poll("pets").await.opens_at_ms.is_some());
}

#[tokio::test]
async fn a_task_that_cannot_be_taken_back_needs_the_token_of_the_same_organiser() {
    let deployment = Deployment::new().await;
    let anna = deployment.add("anna", &["--role", "admin"]);
    let ben = deployment.add("ben", &["--role", "admin"]);
    deployment.create("pets", &["--open"]);
    let service = deployment.start(&[]).await;
    let cookie = service.sign_in(&anna).await;
    let token = service.form_token("/polls/pets/close", &cookie).await;
    let close = async |more: &str| {
        let form = format!("form_token={token}&at=%2B1h{more}");
        service.client.post("/polls/pets/close").cookie(cookie.as_str()).form(form).send().await
    };
    let old = "UPDATE host_sessions SET confirmed_at = now() - interval '301 seconds'";
    deployment.postgres.batch_execute(old).await.unwrap();
    let page = service.client.get("/polls/pets/close").cookie(cookie.as_str()).send().await;
    assert!(page.text().contains("id=\"field-token\""));
    for (more, status) in [("", 403), ("&token=x", 401), (&*format!("&token={ben}"), 401)] {
        assert_eq!(close(more).await.status, status, "{more}");
    }
    assert_eq!(deployment.poll("pets").await.closes_at_ms, None);
    assert_eq!(close(&format!("&token={anna}")).await.status, 303);
    assert!(deployment.poll("pets").await.closes_at_ms.is_some());
    // A page that shows the form now needs no token for the next five minutes.
    let page = service.client.get("/polls/pets/close").cookie(cookie.as_str()).send().await;
    assert!(!page.text().contains("id=\"field-token\""));
}

#[tokio::test]
async fn every_task_that_cannot_be_taken_back_asks_for_the_token_and_no_other_does() {
    let deployment = Deployment::new().await;
    let anna = deployment.add("anna", &["--role", "admin"]);
    deployment.create("draft", &["--visibility", "admin"]);
    deployment.create("open", &["--open", "--closes-at", "+1h", "--visibility", "admin"]);
    deployment.create("scheduled", &["--opens-at", "+1h", "--closes-at", "+2h"]);
    let service = deployment.start(&[]).await;
    let cookie = service.sign_in(&anna).await;
    let old = "UPDATE host_sessions SET confirmed_at = now() - interval '301 seconds'";
    deployment.postgres.batch_execute(old).await.unwrap();
    let token = service.form_token("/create", &cookie).await;
    for (path, more, status) in [
        ("/polls/open/close", "", 403),
        ("/polls/open/reveal", "", 403),
        ("/polls/draft/archive", "", 403),
        ("/polls/open/extend", "&closes_at=%2B1m", 303),
        ("/polls/open/hide", "&until=close", 303),
        ("/polls/open/correct", "&title=Which%3F", 303),
        ("/polls/scheduled/cancel", "", 303),
        ("/polls/draft/open", "&opens_at=%2B1h", 303),
    ] {
        let form = format!("form_token={token}{more}");
        let reply = service.client.post(path).cookie(cookie.as_str()).form(form).send().await;
        assert_eq!(reply.status, status, "{path}: {}", reply.text());
        assert_eq!(reply.text().contains("id=\"field-token\""), status == 403, "{path}");
    }
    let open = deployment.poll("open").await;
    assert_eq!((open.visibility.as_str(), open.archived_at_ms), ("after_close", None));
    assert_eq!(deployment.poll("draft").await.archived_at_ms, None);
}

#[tokio::test]
async fn a_host_reaches_no_page_and_no_form_of_another_poll() {
    let deployment = Deployment::new().await;
    let ben = deployment.add("ben", &["--role", "host", "--poll", "pets"]);
    deployment.create("pets", &["--open"]);
    deployment.create("lunch", &["--open", "--closes-at", "+1h", "--visibility", "admin"]);
    let before = deployment.poll("lunch").await;
    let service = deployment.start(&[]).await;
    let cookie = service.sign_in(&ben).await;
    let list = service.client.get("/").cookie(cookie.as_str()).send().await.text();
    assert!(list.contains("/polls/pets") && !list.contains("lunch"), "{list}");
    let token = service.form_token("/polls/pets/close", &cookie).await;
    for task in ["", "/open", "/extend", "/close", "/reveal", "/hide", "/correct", "/archive"] {
        let path = format!("/polls/lunch{task}");
        let page = service.client.get(&path).cookie(cookie.as_str()).send().await;
        assert_eq!(page.status, 404, "{path}");
        if !task.is_empty() {
            let form = format!("form_token={token}&closes_at=%2B1m&title=Mine");
            let sent = service.client.post(&path).cookie(cookie.as_str()).form(form).send().await;
            assert_eq!(sent.status, 404, "{path}: {}", sent.text());
        }
    }
    let form = format!("form_token={token}&slug=dinner&title=Dinner&options=a%0Ab");
    let made = service.client.post("/create").cookie(cookie.as_str()).form(form).send().await;
    assert!(made.status == 409 && made.text().contains("none of those named for you"));
    assert_eq!(deployment.poll("lunch").await, before);
    assert_eq!(deployment.votectl(&["poll", "list", "--all"]).matches("dinner").count(), 0);
}

#[tokio::test]
async fn a_token_is_taken_through_tls_or_on_this_machine() {
    let deployment = Deployment::new().await;
    let anna = deployment.add("anna", &["--role", "admin"]);
    let behind = deployment.start(&["--trusted-proxies=127.0.0.1/32"]).await;
    let sign_in = async |proto: &str| {
        let request = behind.client.post("/sign-in").form(format!("token={anna}"));
        let request = request.header("x-forwarded-for", "203.0.113.7");
        request.header("x-forwarded-proto", proto).send().await
    };
    let reply = sign_in("https").await;
    let cookie = reply.header("set-cookie").unwrap();
    assert!(cookie.starts_with("__Host-organiser=") && cookie.ends_with("; Secure"), "{cookie}");
    assert!(reply.header("strict-transport-security").is_some());
    assert_eq!(sign_in("http").await.status, 403);
    // A stranger who says that TLS was used, and a proxy that nobody trusts.
    let plain = deployment.start(&["--plain-http-from="]).await;
    for name in ["x-forwarded-proto", "x-other"] {
        let request = plain.client.post("/sign-in").form(format!("token={anna}"));
        assert_eq!(request.header(name, "https").send().await.status, 403);
    }
    let bearer = format!("Bearer {anna}");
    let reply = plain.client.get("/api/polls").header("authorization", &bearer).send().await;
    assert_eq!((reply.status, reply.problem().as_str()), (403, "needs-tls"));
    assert_eq!(plain.client.get("/sign-in").send().await.status, 403);
}

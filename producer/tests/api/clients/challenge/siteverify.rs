//! The check of another service: right, wrong, slow, away, or answering nonsense.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use testkit::eventually;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use votestream_schema::VoterId;
use votestream_schema::poll::now_ms;
use votestream_schema::submission::work::Challenge;

use super::super::super::harness::{Service, Setup};
use super::{challenge_in, challenging, solution_of, solved};

const SOON: Duration = Duration::from_secs(60);

/// The behaviour of a [`Verifier`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mood {
    /// Accepts the token `good`, once.
    Right,
    /// Answers after a minute.
    Slow,
    /// Answers with a page.
    Nonsense,
    /// Answers with status 500.
    Broken,
    /// Answers a token that it cannot read with status 400, and refuses the question.
    Choosy,
    /// Does not know our secret.
    Refusing,
    /// Closes connections without an answer.
    Away,
}

/// A fake of the other service. It also serves a script for pages.
pub struct Verifier {
    pub port: u16,
    mood: Arc<Mutex<Mood>>,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Verifier {
    pub async fn start() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (mood, asked) =
            (Arc::new(Mutex::new(Mood::Right)), Arc::<Mutex<Vec<String>>>::default());
        let verifier = Self { port, mood: mood.clone(), asked: asked.clone() };
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(answer(stream, mood.clone(), asked.clone()));
            }
        });
        verifier
    }

    pub fn be(&self, mood: Mood) {
        *self.mood.lock().unwrap() = mood;
    }

    /// The forms that it was sent.
    fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }

    /// A service that asks this one.
    pub fn setup(&self, secret: &std::path::Path) -> Setup {
        let on = format!("http://127.0.0.1:{}", self.port);
        challenging("always")
            .flag("challenge-verifier-url", &format!("{on}/siteverify"))
            .flag("challenge-verifier-secret-file", &secret.display().to_string())
            .flag("challenge-site-key", "our site")
            .flag("challenge-script-url", &format!("{on}/api.js?render=explicit"))
            .flag("challenge-verifier-timeout-ms", "500")
    }
}

const SCRIPT: &str = "window.turnstile = { render(box, { sitekey, callback }) {
    const button = document.createElement('button');
    button.type = 'button'; button.id = 'person'; button.textContent = `I am a person (${sitekey})`;
    button.addEventListener('click', () => callback('good'));
    box.append(button);
} };";

async fn answer(mut stream: TcpStream, mood: Arc<Mutex<Mood>>, asked: Arc<Mutex<Vec<String>>>) {
    let mut request = Vec::new();
    let form = loop {
        if stream.read_buf(&mut request).await.unwrap_or(0) == 0 {
            return;
        }
        let text = String::from_utf8_lossy(&request).into_owned();
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
        if body.len() >= length.map_or(0, |length| length.parse().unwrap()) {
            break if text.starts_with("GET ") { None } else { Some(body.to_owned()) };
        }
    };
    let (status, content_type, body) = match form {
        None => ("200 OK", "text/javascript", SCRIPT.to_owned()),
        Some(form) => {
            let mood = *mood.lock().unwrap();
            let is_first = {
                let mut asked = asked.lock().unwrap();
                asked.push(form.clone());
                asked.iter().filter(|one| one.contains("response=good")).count() == 1
            };
            let json = |body: &str| ("200 OK", "application/json", body.to_owned());
            match mood {
                Mood::Right if form.contains("response=good") && is_first => {
                    json(r#"{"success":true,"hostname":"localhost","error-codes":[]}"#)
                }
                Mood::Right => json(r#"{"success":false,"error-codes":["timeout-or-duplicate"]}"#),
                Mood::Refusing => {
                    json(r#"{"success":false,"error-codes":["invalid-input-secret"]}"#)
                }
                Mood::Choosy => (
                    "400 Bad Request",
                    "application/json",
                    r#"{"success":false,"error-codes":["bad-request"]}"#.to_owned(),
                ),
                Mood::Slow => {
                    tokio::time::sleep(Duration::from_secs(60)).await;
                    json(r#"{"success":true}"#)
                }
                Mood::Nonsense => ("200 OK", "text/html", "<h1>success: true</h1>".to_owned()),
                Mood::Broken => ("500 Oops", "application/json", r#"{"success":true}"#.to_owned()),
                Mood::Away => return,
            }
        }
    };
    let head = format!(
        "HTTP/1.1 {status}\r\ncontent-type: {content_type}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
        body.len()
    );
    let _ = stream.write_all(format!("{head}{body}").as_bytes()).await;
}

/// A file with the secret.
pub fn secret_file() -> std::path::PathBuf {
    let file = std::env::temp_dir().join(format!("{}.secret", testkit::unique_name()));
    std::fs::write(&file, "hush\n").unwrap();
    file
}

/// Sends a token as a new voter whose cookie is this; the reply.
async fn send(service: &Service, cookie: &str, token: &str) -> testkit::http::Reply {
    let ballot = solved(service, "pets", "cats", token).cookie(cookie);
    ballot.header("x-forwarded-for", "203.0.113.9").send().await
}

/// Casts a ballot without a solution; the cookie of the voter, and the kind of the challenge.
async fn asked(service: &Service) -> (String, String) {
    let asked = service.ballot("pets", &["cats"]).send().await;
    let kind = challenge_in(&asked)["kind"].as_str().unwrap().to_owned();
    (asked.cookie().unwrap().to_owned(), kind)
}

#[tokio::test]
async fn a_token_that_the_other_service_accepts_lets_its_voter_in() {
    let verifier = Verifier::start().await;
    let service = verifier.setup(&secret_file()).start().await;
    let first = service.ballot("pets", &["cats"]).send().await;
    let challenge = challenge_in(&first);
    assert_eq!(
        (&challenge["kind"], &challenge["site_key"]),
        (&"siteverify".into(), &"our site".into())
    );
    let cookie = first.cookie().unwrap();
    let wrong = send(&service, cookie, "bad").await;
    assert_eq!(challenge_in(&wrong)["kind"], "siteverify");
    assert!(wrong.json()["detail"].as_str().unwrap().contains("did not accept it"));
    assert_eq!(
        challenge_in(&send(&service, cookie, &"x".repeat(9_000)).await)["kind"],
        "siteverify"
    );
    assert_eq!(send(&service, cookie, "good").await.status, 202);
    assert_eq!(send(&service, cookie, "good").await.problem(), "already-voted");
    let asked = verifier.asked();
    assert_eq!(asked[0], "secret=hush&response=bad&remoteip=203.0.113.9");
    assert!(!asked.iter().any(|form| form.len() > 1_000), "what is too long is not sent on");
    assert_eq!(service.entries().await.len(), 1);
}

#[tokio::test]
async fn while_the_other_service_cannot_check_a_proof_of_work_takes_its_place() {
    let verifier = Verifier::start().await;
    for mood in [Mood::Slow, Mood::Nonsense, Mood::Broken, Mood::Refusing, Mood::Away] {
        let service = verifier.setup(&secret_file()).start().await;
        verifier.be(mood);
        // The first voters wait for it; the next ones do not.
        for voter in 0..3 {
            let (cookie, kind) = asked(&service).await;
            assert_eq!(kind, "siteverify", "{mood:?} {voter}");
            let unchecked = send(&service, &cookie, "good").await;
            let solution = solution_of(&unchecked);
            assert_eq!(send(&service, &cookie, &solution).await.status, 202, "{mood:?}");
        }
        assert_eq!(asked(&service).await.1, "work", "{mood:?}");
        let questions = verifier.asked().len();
        let (cookie, _) = asked(&service).await;
        solution_of(&send(&service, &cookie, "good").await);
        assert_eq!(verifier.asked().len(), questions, "{mood:?}: it is left alone");
        assert_eq!(service.entries().await.len(), 3);
    }
}

/// Whoever makes up tokens gets no cheaper challenge by it, and does not switch the other service off for everybody.
#[tokio::test]
async fn tokens_that_the_other_service_cannot_read_are_wrong_and_not_unchecked() {
    let verifier = Verifier::start().await;
    let service = verifier.setup(&secret_file()).start().await;
    verifier.be(Mood::Choosy);
    for _ in 0..5 {
        let (cookie, _) = asked(&service).await;
        let wrong = send(&service, &cookie, "made-up").await;
        assert_eq!(challenge_in(&wrong)["kind"], "siteverify");
    }
    verifier.be(Mood::Right);
    let (cookie, kind) = asked(&service).await;
    assert_eq!(kind, "siteverify", "it is still asked");
    assert_eq!(send(&service, &cookie, "good").await.status, 202);
}

#[tokio::test]
async fn it_is_asked_again_after_a_while() {
    let verifier = Verifier::start().await;
    let service = verifier.setup(&secret_file()).start().await;
    verifier.be(Mood::Away);
    for _ in 0..3 {
        let (cookie, _) = asked(&service).await;
        solution_of(&send(&service, &cookie, "other").await);
    }
    verifier.be(Mood::Right);
    eventually(SOON, async || asked(&service).await.1 == "siteverify").await;
    let (cookie, _) = asked(&service).await;
    assert_eq!(send(&service, &cookie, "good").await.status, 202);
}

#[tokio::test]
async fn ballots_are_refused_meanwhile_if_the_operator_wants_that() {
    let verifier = Verifier::start().await;
    let setup = verifier.setup(&secret_file()).flag("challenge-verifier-down", "refuse");
    let service = setup.start().await;
    verifier.be(Mood::Nonsense);
    for _ in 0..5 {
        let cookie = service.client.get("/").send().await.cookie().unwrap().to_owned();
        let refused = send(&service, &cookie, "good").await;
        assert_eq!((refused.status, refused.problem().as_str()), (503, "unavailable"));
        assert_eq!(refused.header("retry-after"), Some("10"));
        let detail = refused.json()["detail"].as_str().unwrap().to_owned();
        assert!(detail.contains("try again in 10 s"), "{detail}");
    }
    assert!(service.entries().await.is_empty());
}

#[tokio::test]
async fn a_token_that_was_good_lets_its_voter_in_though_the_ballot_is_stored_later() {
    let verifier = Verifier::start().await;
    let setup = verifier.setup(&secret_file()).flag("new-voters-at-once", "1");
    let service = setup.flag("new-voters-per-minute", "20").start().await;
    // Another voter has used up the limit of the network, for three seconds.
    let key = service.key_ring();
    let (first, _) = asked(&service).await;
    let id = first.split("v1.").nth(1).unwrap().split('.').next().unwrap().parse().unwrap();
    let (poll, now_s) = (service.poll("pets").id, now_ms() / 1_000);
    let work = Challenge::new(&key, poll, VoterId(id), 100, now_s).solve();
    assert_eq!(send(&service, &first, &work).await.status, 202);

    let (cookie, _) = asked(&service).await;
    let unstored = send(&service, &cookie, "good").await;
    assert_eq!((unstored.status, unstored.problem().as_str()), (429, "too-many-new-voters"));
    let pass = unstored.json()["solution"].as_str().unwrap().to_owned();
    let (another, _) = asked(&service).await;
    challenge_in(&send(&service, &another, &pass).await);
    let is_stored = async || send(&service, &cookie, &pass).await.status == 202;
    eventually(SOON, is_stored).await;
    let with_pass = verifier.asked().iter().filter(|form| form.contains("response=p1.")).count();
    assert_eq!(with_pass, 1, "a pass of another voter is no pass");
    assert_eq!(service.entries().await.len(), 2);
}

#[tokio::test]
async fn the_secret_is_read_again_when_its_file_changes() {
    let verifier = Verifier::start().await;
    let secret = secret_file();
    let service = verifier.setup(&secret).start().await;
    std::fs::write(&secret, "new secret").unwrap();
    let (cookie, _) = asked(&service).await;
    eventually(SOON, async || {
        send(&service, &cookie, "bad").await;
        verifier.asked().last().is_some_and(|form| form.starts_with("secret=new+secret&"))
    })
    .await;
}

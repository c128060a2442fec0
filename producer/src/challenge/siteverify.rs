//! A challenge of another service, which checks solutions at an address of the usual siteverify form: Turnstile, hCaptcha
//! and reCAPTCHA have it.
//!
//! The ballot page loads that service's script, which gives it a token. We send the token and the address of the client,
//! and the service answers whether the token is good. A token is good once, so a voter whose ballot could not be stored
//! gets a signed pass instead ([`Pass`]).
//!
//! Absent on purpose: what happens to a voter whose token nobody could check; [`super::Challenges`] decides it.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::future::BoxFuture;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::Semaphore;
use tokio::time::Instant;
use votestream_schema::voter::KeyRing;
use votestream_schema::{Poll, VoterId};
use votestream_service::config::Secret;
use votestream_service::http::outbound::{self, Client};
use votestream_service::reloadable::Reloadable;
use votestream_service::telemetry::log_throttle::LogThrottle;

use super::kind::{Challenge, Challenged, Verdict};
use crate::config::VerifierArgs;

/// The most questions under way at once. Whoever comes while so many are gets a proof of work.
const ASKED_MAX: usize = 128;
/// The longest token in bytes. Those of Turnstile and reCAPTCHA have up to about 2,000.
const TOKEN_BYTES_MAX: usize = 4 * 1024;
/// The longest answer in bytes.
const ANSWER_BYTES_MAX: usize = 16 * 1024;
/// After so many questions in a row without an answer, the service is not asked for a while.
const FAILURES_MAX: u32 = 3;
/// How long it is not asked then.
const AWAY: Duration = Duration::from_secs(10);
/// Shortest time between two warnings.
const WARN_PERIOD: Duration = Duration::from_secs(30);
/// The name of its settings in the log.
const NAME: &str = "the verifier's secret";

/// The error codes that are our fault, or the service's own: they say nothing about the voter.
const FAULTS: [&str; 5] = [
    "missing-input-secret",
    "invalid-input-secret",
    "internal-error",
    "sitekey-secret-mismatch",
    "not-using-dummy-secret",
];

/// Replies of the class 4xx that are not about the token: login, proxy, address, method, time-out, too many questions.
const NOT_THE_VOTERS_FAULT: [u16; 7] = [401, 403, 404, 405, 407, 408, 429];

/// The service that checks solutions.
pub(super) struct Siteverify {
    args: VerifierArgs,
    timeout: Duration,
    client: Client,
    reloadable: Reloadable<Secret, Secret>,
    secret: Mutex<Secret>,
    places: Semaphore,
    failures: AtomicU32,
    away_until: Mutex<Option<Instant>>,
    warnings: Mutex<LogThrottle>,
}

/// The service's answer.
#[derive(Deserialize)]
struct Answer {
    success: bool,
    #[serde(default, rename = "error-codes")]
    error_codes: Vec<String>,
}

/// Why a solution could not be checked.
#[derive(Debug, thiserror::Error)]
enum Unchecked {
    #[error("it did not answer within {0} ms")]
    Slow(u128),
    #[error(transparent)]
    Away(#[from] outbound::Error),
    #[error("it answered with status {0}")]
    Status(u16),
    #[error("it answered with something else than the JSON that was expected: {0}")]
    Nonsense(#[from] serde_json::Error),
    #[error("it refused the question: {0}")]
    Refused(String),
}

impl Siteverify {
    /// Creates the challenge; each question may take as long as `timeout`.
    ///
    /// # Errors
    /// Returns an error if the secret cannot be read.
    pub(super) fn new(args: VerifierArgs, timeout: Duration) -> anyhow::Result<Self> {
        let reloadable = Reloadable::new(args.secret(), same)?;
        let secret = Mutex::new(reloadable.get(NAME, args.secret(), same));
        Ok(Self {
            args,
            timeout,
            client: Client::new(None)?,
            reloadable,
            secret,
            places: Semaphore::new(ASKED_MAX),
            failures: AtomicU32::new(0),
            away_until: Mutex::new(None),
            warnings: Mutex::new(LogThrottle::new(WARN_PERIOD)),
        })
    }

    /// Reads the secret again.
    pub(super) fn refresh(&self) {
        let secret = self.reloadable.get(NAME, self.args.secret(), same);
        *lock(&self.secret) = secret;
    }

    async fn verdict(&self, of: Challenged<'_>, token: &str) -> Verdict {
        if token.len() > TOKEN_BYTES_MAX {
            return Verdict::Wrong("it is too long".to_owned());
        }
        if !self.is_up() {
            return Verdict::Unknown;
        }
        // Waiting for a place would let voters with made-up tokens make the service look slow.
        let Ok(_place) = self.places.try_acquire() else { return Verdict::Unknown };
        let late = || Unchecked::Slow(self.timeout.as_millis());
        let asked = tokio::time::timeout(self.timeout, self.ask(of, token)).await;
        match asked.unwrap_or_else(|_| Err(late())) {
            Ok(is_good) => {
                self.failures.store(0, Ordering::Relaxed);
                match is_good {
                    true => Verdict::Solved,
                    false => {
                        Verdict::Wrong("the service that checks it did not accept it".to_owned())
                    }
                }
            }
            Err(unchecked) => {
                self.failed(&unchecked);
                Verdict::Unknown
            }
        }
    }

    async fn ask(&self, of: Challenged<'_>, token: &str) -> Result<bool, Unchecked> {
        let form = self.form(of, token);
        let content_type = "application/x-www-form-urlencoded";
        let reply = self.client.post(&self.args.url, content_type, form.into()).await?;
        match reply.status().as_u16() {
            200..300 => {}
            // The service does not like the token: that is the voter's fault. The others are ours, or mean "not now".
            400..500 if !NOT_THE_VOTERS_FAULT.contains(&reply.status().as_u16()) => {
                return Ok(false);
            }
            status => return Err(Unchecked::Status(status)),
        }
        let body = reply.into_body().all(ANSWER_BYTES_MAX).await?;
        let answer: Answer = serde_json::from_slice(&body)?;
        let fault = answer.error_codes.iter().find(|code| FAULTS.contains(&code.as_str()));
        match fault {
            Some(code) if !answer.success => Err(Unchecked::Refused(code.clone())),
            _ => Ok(answer.success),
        }
    }

    fn form(&self, of: Challenged<'_>, token: &str) -> String {
        let mut form = form_urlencoded::Serializer::new(String::new());
        form.append_pair("secret", lock(&self.secret).reveal()).append_pair("response", token);
        if let Some(address) = of.address() {
            form.append_pair("remoteip", &address.to_string());
        }
        form.finish()
    }

    fn failed(&self, unchecked: &Unchecked) {
        if self.failures.fetch_add(1, Ordering::Relaxed) + 1 >= FAILURES_MAX {
            self.failures.store(0, Ordering::Relaxed);
            *lock(&self.away_until) = Some(Instant::now() + AWAY);
        }
        if let Some(solutions) = lock(&self.warnings).happened() {
            tracing::warn!(
                solutions,
                "{} could not check {solutions} solutions of challenges: {unchecked}; see that it can be reached, and that \
                 CHALLENGE_VERIFIER_SECRET_FILE holds its secret for this site",
                self.args.url.authority().map_or("the verifier", |host| host.as_str())
            );
        }
    }
}

impl Challenge for Siteverify {
    fn describe(&self, _of: Challenged<'_>) -> Value {
        json!({
            "kind": "siteverify",
            "site_key": self.args.site_key,
            "script": self.args.script_url.to_string(),
        })
    }

    fn check<'a>(&'a self, of: Challenged<'a>, solution: &'a str) -> BoxFuture<'a, Verdict> {
        Box::pin(self.verdict(of, solution))
    }

    fn is_up(&self) -> bool {
        lock(&self.away_until).is_none_or(|until| Instant::now() >= until)
    }
}

fn same(secret: &Secret) -> anyhow::Result<Secret> {
    Ok(secret.clone())
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A signed text that takes the place of a token that was good, for the voter who brought it.
pub(super) struct Pass;

impl Pass {
    /// The first characters of every pass.
    pub(super) const PREFIX: &str = "p1.";
    /// How long a pass is good, in seconds.
    const AGE_MAX_S: i64 = 600;

    /// Makes the pass of a voter in a poll.
    pub(super) fn make(keys: &KeyRing, poll: &Poll, voter: VoterId, now_s: i64) -> String {
        let signed = format!("{}{:x}", Self::PREFIX, now_s + Self::AGE_MAX_S);
        let tag = keys.tag(&Self::scope(poll, voter), &signed);
        format!("{signed}.{tag}")
    }

    /// Whether a text is the pass of this voter in this poll.
    pub(super) fn is_good(
        keys: &KeyRing,
        poll: &Poll,
        voter: VoterId,
        pass: &str,
        now_s: i64,
    ) -> bool {
        let Some((signed, tag)) = pass.rsplit_once('.') else { return false };
        let expires_s = signed.strip_prefix(Self::PREFIX);
        let expires_s = expires_s.and_then(|text| i64::from_str_radix(text, 16).ok());
        expires_s.is_some_and(|expires_s| now_s <= expires_s)
            && keys.is_tag(&Self::scope(poll, voter), signed, tag)
    }

    fn scope(poll: &Poll, voter: VoterId) -> String {
        format!("passed {} {}", poll.id, voter.0.simple())
    }
}

//! Decides who asks: the organiser of a session cookie, of a bearer token, or of a link that signs in once.
//!
//! Invariants: a token or a cookie is taken only where no network sees it ([`Access::transport`]). A form is taken only from
//! a page of this site that was made for the same session.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use ipnet::IpNet;
use votestream_schema::db;
use votestream_schema::db::audit_trail::Step;
use votestream_schema::organiser::{Organiser, Token};
use votestream_schema::submission::forwarded;
use votestream_service::http;
use votestream_service::language::Message;
use votestream_service::listener::{Head, budget};
use votestream_service::postgres::{self, Pool};
use votestream_service::problem::Problem;
use warp::http::{HeaderMap, HeaderName, HeaderValue, header};

use crate::attempts::Attempts;
use crate::fields::Fields;
use crate::problems::{FORGED, NEEDS_TLS, NOT_SIGNED_IN, TOO_MANY_ATTEMPTS};
use crate::{Config, metrics};

/// How long a session lasts.
const SESSION_VALID: Duration = Duration::from_secs(12 * 3_600);
/// How long ago the organiser may have shown the token, for a task that cannot be taken back.
const CONFIRMED_FOR: Duration = Duration::from_secs(5 * 60);
/// Seconds after which a network that was held back may try again.
const TRY_AGAIN_S: u32 = 10;

static X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// The way on which a request came, if no network could see it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Transport {
    /// Through TLS.
    Tls,
    /// Over plain HTTP, from a network that may do so.
    Plain,
}

impl Transport {
    fn cookie_name(self) -> &'static str {
        match self {
            Self::Tls => "__Host-organiser",
            Self::Plain => "organiser",
        }
    }

    /// The cookie of a session that lasts for so long; an empty value and no time forget it.
    fn cookie(self, value: &str, valid: Duration) -> HeaderValue {
        let secure = if self == Self::Tls { "; Secure" } else { "" };
        let (name, age_s) = (self.cookie_name(), valid.as_secs());
        let cookie =
            format!("{name}={value}; Path=/; Max-Age={age_s}; HttpOnly; SameSite=Strict{secure}");
        HeaderValue::try_from(cookie).expect("hexadecimal digits are visible ASCII")
    }
}

/// Somebody who is signed in.
#[derive(Clone, Debug)]
pub(crate) struct Visitor {
    /// Who it is.
    pub(crate) organiser: Organiser,
    /// Whether they have shown their token lately.
    pub(crate) is_confirmed: bool,
    cookie: Token,
}

impl Visitor {
    /// The text that each form of this session carries, and that no other site can know.
    pub(crate) fn form_token(&self) -> String {
        self.cookie.derived("form")
    }
}

/// Decides who asks.
pub(crate) struct Access {
    pool: Pool,
    proxies: Vec<IpNet>,
    plain_http_from: Vec<IpNet>,
    always_tls: bool,
    attempts: Attempts,
}

impl Access {
    pub(crate) fn new(pool: Pool, config: &Config) -> Self {
        Self {
            pool,
            proxies: config.trusted_proxies.0.clone(),
            plain_http_from: config.plain_http_from.0.clone(),
            always_tls: config.cookie_secure,
            attempts: Attempts::default(),
        }
    }

    /// Checks that a token would cross no network as it is.
    ///
    /// # Errors
    /// Returns the problem `needs-tls`.
    pub(crate) fn check_transport(&self, head: &Head) -> Result<(), Problem> {
        self.transport(head).map(drop)
    }

    /// The organiser of the session, or `None` if the request has no session that is valid.
    pub(crate) async fn visitor(&self, head: &Head) -> Result<Option<Visitor>, Problem> {
        let Ok(transport) = self.transport(head) else { return Ok(None) };
        let Some(cookie) = session_cookie(&head.headers, transport) else { return Ok(None) };
        let session = self.pool().await?;
        let found =
            db::organisers::session(&session, &cookie).await.map_err(|error| unreadable(&error))?;
        Ok(found.map(|found| Visitor {
            organiser: found.organiser,
            is_confirmed: found.confirmed_age < CONFIRMED_FOR,
            cookie,
        }))
    }

    /// The organiser of the token in the header `Authorization`.
    ///
    /// # Errors
    /// Returns a problem if there is none, or the token is not valid.
    pub(crate) async fn bearer(&self, head: &Head) -> Result<Organiser, Problem> {
        self.transport(head)?;
        let text = head.headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        let token = text.and_then(|text| {
            let (scheme, token) = text.split_once(' ')?;
            scheme.eq_ignore_ascii_case("bearer").then_some(token)
        });
        match token {
            Some(token) => self.organiser_of(head, token).await,
            None => {
                let detail = "send the header `Authorization: Bearer TOKEN`";
                Err(Problem::new(&NOT_SIGNED_IN, detail))
            }
        }
    }

    /// Signs in with the token, or with the link, of a form. Returns the cookie of the new session.
    ///
    /// # Errors
    /// Returns a problem if neither is valid, or the request may not sign in.
    pub(crate) async fn sign_in(&self, head: &Head, form: &Fields) -> Result<HeaderValue, Problem> {
        let transport = self.transport(head)?;
        self.check_own_page(head)?;
        let organiser = match (form.get("link"), form.get("token")) {
            (Some(link), _) => self.organiser_of_link(head, link).await?,
            (None, token) => self.organiser_of(head, token.unwrap_or_default()).await?,
        };
        metrics::SIGN_INS.with(["signed_in"]).increment(1);
        let (cookie, mut session) = (Token::generate(), self.pool().await?);
        let transaction = session.begin().await.map_err(|error| unreachable_postgres(&error))?;
        let started = async {
            db::organisers::start_session(&transaction, &organiser, &cookie, SESSION_VALID).await?;
            let actor = organiser.name.as_str();
            let step = Step { actor, action: "sign in", ..Step::default() };
            db::audit_trail::store(&transaction, &step).await
        };
        started.await.map_err(|error| unreadable(&error))?;
        transaction.commit().await.map_err(|error| unreachable_postgres(&error))?;
        Ok(transport.cookie(&cookie.reveal(), SESSION_VALID))
    }

    /// Ends the session. Returns the cookie that makes the browser forget it.
    ///
    /// # Errors
    /// Returns a problem if Postgres cannot be asked.
    pub(crate) async fn sign_out(
        &self,
        head: &Head,
        visitor: &Visitor,
    ) -> Result<HeaderValue, Problem> {
        let transport = self.transport(head)?;
        let session = self.pool().await?;
        db::organisers::end_session(&session, &visitor.cookie)
            .await
            .map_err(|error| unreadable(&error))?;
        Ok(transport.cookie("", Duration::ZERO))
    }

    /// Confirms the session with the token of its organiser.
    ///
    /// # Errors
    /// Returns a problem if the token is not valid, or another organiser's.
    pub(crate) async fn confirm(
        &self,
        head: &Head,
        visitor: &Visitor,
        token: &str,
    ) -> Result<(), Problem> {
        let organiser = self.organiser_of(head, token).await?;
        if organiser.id != visitor.organiser.id {
            return Err(self.wrong(head));
        }
        let session = self.pool().await?;
        db::organisers::confirm_session(&session, &visitor.cookie)
            .await
            .map_err(|error| unreadable(&error))
    }

    /// Checks that a form was sent by a page of this session.
    ///
    /// # Errors
    /// Returns a problem if another page may have sent it.
    pub(crate) fn check_form(
        &self,
        head: &Head,
        visitor: &Visitor,
        form: &Fields,
    ) -> Result<(), Problem> {
        self.check_own_page(head)?;
        match form.get("form_token") == Some(visitor.form_token().as_str()) {
            true => Ok(()),
            false => Err(forged("host-detail-earlier-session")),
        }
    }

    /// Refuses requests that a page of another site sent. Clients that are no browsers send neither header.
    fn check_own_page(&self, head: &Head) -> Result<(), Problem> {
        let lines = |name: &str| -> Vec<&[u8]> {
            head.headers.get_all(name).iter().map(HeaderValue::as_bytes).collect()
        };
        let by_proxy = self.is_proxy(head.peer.0).then(|| {
            let elements = forwarded::forwarded(&lines("forwarded"));
            forwarded::forwarded_host(&lines("x-forwarded-host"), &elements)
        });
        let by_proxy = by_proxy.flatten();
        let own = by_proxy.as_deref().or_else(|| text(&head.headers, "host"));
        let is_own = match text(&head.headers, "sec-fetch-site") {
            Some(site) => matches!(site, "same-origin" | "none"),
            None => text(&head.headers, "origin")
                .is_none_or(|origin| origin.split_once("://").map(|(_, host)| host) == own),
        };
        if is_own { Ok(()) } else { Err(forged("host-detail-other-site")) }
    }

    /// How the request came.
    ///
    /// # Errors
    /// Returns the problem `needs-tls` if a network could read it on its way.
    fn transport(&self, head: &Head) -> Result<Transport, Problem> {
        let proto = head.headers.get("x-forwarded-proto").map(HeaderValue::as_bytes);
        let by_proxy = self.is_proxy(head.peer.0) && proto.is_some_and(http::is_https);
        if self.always_tls || by_proxy {
            return Ok(Transport::Tls);
        }
        // Behind a proxy on this machine, the other end of the connection says nothing about the client.
        let is_forwarded = [&X_FORWARDED_FOR, &header::FORWARDED]
            .into_iter()
            .any(|name| head.headers.contains_key(name));
        let peer = head.peer.0.to_canonical();
        match !is_forwarded && self.plain_http_from.iter().any(|network| network.contains(&peer)) {
            true => Ok(Transport::Plain),
            false => Err(Problem::new(&NEEDS_TLS, Message::new("host-detail-needs-tls"))),
        }
    }

    async fn organiser_of(&self, head: &Head, token: &str) -> Result<Organiser, Problem> {
        self.check_attempts(head)?;
        let Ok(token) = token.parse::<Token>() else { return Err(self.wrong(head)) };
        let session = self.pool().await?;
        let found =
            db::organisers::by_token(&session, &token).await.map_err(|error| unreadable(&error))?;
        found.ok_or_else(|| self.wrong(head))
    }

    async fn organiser_of_link(&self, head: &Head, link: &str) -> Result<Organiser, Problem> {
        self.check_attempts(head)?;
        let Ok(link) = link.parse::<Token>() else { return Err(self.wrong(head)) };
        let session = self.pool().await?;
        let found =
            db::organisers::use_link(&session, &link).await.map_err(|error| unreadable(&error))?;
        found.ok_or_else(|| {
            self.note_wrong(head);
            Problem::new(&NOT_SIGNED_IN, Message::new("host-detail-used-link"))
        })
    }

    fn check_attempts(&self, head: &Head) -> Result<(), Problem> {
        if self.attempts.may_try(self.network(head), Instant::now()) {
            return Ok(());
        }
        metrics::SIGN_INS.with(["held_back"]).increment(1);
        let detail = Message::new("host-detail-attempts");
        Err(Problem::new(&TOO_MANY_ATTEMPTS, detail).retry_after(TRY_AGAIN_S))
    }

    fn wrong(&self, head: &Head) -> Problem {
        self.note_wrong(head);
        Problem::new(&NOT_SIGNED_IN, Message::new("host-detail-wrong-token"))
    }

    fn note_wrong(&self, head: &Head) {
        metrics::SIGN_INS.with(["wrong"]).increment(1);
        self.attempts.note_wrong(self.network(head), Instant::now());
    }

    /// The key of the client's network; trusted proxies say where the client is.
    fn network(&self, head: &Head) -> u64 {
        let peer = head.peer.0;
        let client: Option<IpAddr> = self
            .is_proxy(peer)
            .then(|| {
                let lines: Vec<&[u8]> = head
                    .headers
                    .get_all(&X_FORWARDED_FOR)
                    .iter()
                    .map(HeaderValue::as_bytes)
                    .collect();
                let mut hops = forwarded::x_forwarded_for(&lines);
                hops.find(|hop| hop.is_none_or(|address| !self.is_proxy(address))).flatten()
            })
            .flatten();
        budget::network(client.unwrap_or(peer).to_canonical())
    }

    fn is_proxy(&self, address: IpAddr) -> bool {
        self.proxies.iter().any(|network| network.contains(&address))
    }

    async fn pool(&self) -> Result<postgres::Borrowed<'_>, Problem> {
        self.pool.get().await.map_err(|error| {
            let error = postgres::describe_checkout(error);
            tracing::warn!("no session with postgres, the request is answered with 503: {error}");
            Problem::unavailable(Message::new("host-detail-database"))
        })
    }
}

fn forged(detail: &'static str) -> Problem {
    Problem::new(&FORGED, Message::new(detail))
}

fn unreadable(error: &db::Error) -> Problem {
    tracing::warn!("organisers could not be read, the request is answered with 503: {error}");
    Problem::unavailable(Message::new("host-detail-database"))
}

fn unreachable_postgres(error: &impl std::fmt::Display) -> Problem {
    tracing::warn!("a session could not be stored, the request is answered with 503: {error}");
    Problem::unavailable(Message::new("host-detail-database"))
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

/// The session cookie of a request. Other applications on this host may have cookies with any bytes.
fn session_cookie(headers: &HeaderMap, transport: Transport) -> Option<Token> {
    headers.get_all(header::COOKIE).iter().find_map(|line| {
        let line = String::from_utf8_lossy(line.as_bytes()).into_owned();
        line.split(';').find_map(|pair| {
            let (name, value) = pair.trim().split_once('=')?;
            (name == transport.cookie_name()).then(|| value.parse().ok()).flatten()
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cookie_counts_on_the_way_for_which_it_was_made() {
        let token = Token::generate();
        let both =
            format!("x=1; organiser={0}; __Host-organiser={1}", "00".repeat(32), token.reveal());
        let mut headers = HeaderMap::new();
        headers.insert(header::COOKIE, both.parse().unwrap());
        assert_eq!(session_cookie(&headers, Transport::Tls), Some(token));
        assert_eq!(session_cookie(&headers, Transport::Plain), "00".repeat(32).parse().ok());
        headers.insert(header::COOKIE, "organiser=x".parse().unwrap());
        assert_eq!(session_cookie(&headers, Transport::Plain), None);
        let set = Transport::Tls.cookie("ab", SESSION_VALID);
        assert_eq!(
            set,
            "__Host-organiser=ab; Path=/; Max-Age=43200; HttpOnly; SameSite=Strict; Secure"
        );
    }
}

//! Casts ballots at the producer, as one voter as long as it goes well.
//!
//! Invariant: it is known which choice of the voter stands. Once it is not, because a ballot had no reply, the canary goes on
//! as another voter.

use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{CONTENT_TYPE, COOKIE, HeaderMap, SET_COOKIE};
use hyper::{Request, Uri};
use votestream_service::http::outbound::{Client, Error};

use crate::config::Config;

/// Most bytes of a reply that are read.
const REPLY_BYTES_MAX: usize = 16 * 1024;
/// Most letters of a refusal that the log repeats.
const REASON_MAX: usize = 300;

/// The synthetic voter.
#[derive(Debug)]
pub(crate) struct Voter {
    client: Client,
    address: Uri,
    /// The cookies that name the voter; `None` before its first ballot.
    cookies: Option<String>,
    /// The slug of the option that stands.
    standing: Option<String>,
}

/// What became of a ballot at the producer.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Reply {
    /// The ballot is stored.
    Accepted,
    /// The producer refused it, for this reason.
    Refused(String),
}

impl Voter {
    /// Creates a voter who has not voted.
    pub(crate) fn new(client: Client, config: &Config) -> Self {
        let path = format!("/api/polls/{}/ballots", config.canary_poll);
        let address = on_server(&config.producer_url, &path);
        Self { client, address, cookies: None, standing: None }
    }

    /// Returns whether the next ballot is this voter's first one, and the option that it is for: another one than the one
    /// that stands, so that the ballot changes the result. Returns `None` if there are fewer than two options.
    pub(crate) fn next(&self, options: &[String]) -> Option<(bool, String)> {
        let other = options.iter().find(|option| Some(*option) != self.standing.as_ref());
        let option = other.filter(|_| options.len() > 1)?;
        Some((self.standing.is_none(), option.clone()))
    }

    /// Casts a ballot for this option.
    ///
    /// # Errors
    /// Returns the error if there is no reply; whether the ballot is stored is not known then.
    pub(crate) async fn cast(&mut self, option: &str) -> Result<Reply, Error> {
        let body = serde_json::json!({ "choices": [option] }).to_string();
        let mut request =
            Request::post(self.address.clone()).header(CONTENT_TYPE, "application/json");
        if let Some(cookies) = &self.cookies {
            request = request.header(COOKIE, cookies);
        }
        let request = request.body(Full::new(Bytes::from(body))).map_err(Error::Request)?;
        let reply = self.client.send(request).await?;
        if let Some(cookies) = cookies(reply.headers()) {
            self.cookies = Some(cookies);
        }
        let status = reply.status();
        if status.is_success() {
            self.standing = Some(option.to_owned());
            return Ok(Reply::Accepted);
        }
        if status.is_server_error() {
            // The producer does not know whether it is stored.
            self.start_again();
        }
        let text = reply.into_body().all(REPLY_BYTES_MAX).await?;
        let text: String = String::from_utf8_lossy(&text).chars().take(REASON_MAX).collect();
        Ok(Reply::Refused(format!("{status}: {}", text.trim().escape_debug())))
    }

    /// Goes on as another voter, because it is not known which choice of this one stands.
    pub(crate) fn start_again(&mut self) {
        (self.cookies, self.standing) = (None, None);
    }
}

/// Returns an address on a server.
pub(crate) fn on_server(server: &Uri, path: &str) -> Uri {
    let mut parts = server.clone().into_parts();
    parts.path_and_query = path.parse().ok();
    Uri::from_parts(parts).unwrap_or_else(|_| server.clone())
}

/// Returns the cookies that a reply sets, as a client sends them back.
fn cookies(headers: &HeaderMap) -> Option<String> {
    let lines = headers.get_all(SET_COOKIE).iter().filter_map(|line| line.to_str().ok());
    let pairs: Vec<&str> = lines.filter_map(|line| line.split(';').next()).map(str::trim).collect();
    (!pairs.is_empty()).then(|| pairs.join("; "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cookies_are_sent_back_without_their_attributes() {
        let mut headers = HeaderMap::new();
        assert_eq!(cookies(&headers), None);
        headers.append(SET_COOKIE, "voter=abc; Path=/; HttpOnly".parse().unwrap());
        headers.append(SET_COOKIE, "b=2".parse().unwrap());
        assert_eq!(cookies(&headers).as_deref(), Some("voter=abc; b=2"));
    }

    #[test]
    fn an_address_of_the_api_is_on_the_server() {
        let server = Uri::from_static("https://vote.example.org:444");
        let address = on_server(&server, "/api/polls/a/ballots");
        assert_eq!(address, "https://vote.example.org:444/api/polls/a/ballots");
    }
}

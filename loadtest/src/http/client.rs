//! A client for the few requests that are no load: the poll, the tally and the metrics.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail};

use crate::http::connection::{Connection, ExchangeError};
use crate::http::endpoint::Endpoint;
use crate::http::request;
use crate::poll::{Poll, Snapshot};

/// A client of one server, which uses one connection.
pub(crate) struct ApiClient {
    endpoint: Arc<Endpoint>,
    connection: Connection,
    reply_time_max: Duration,
}

impl ApiClient {
    pub(crate) fn new(endpoint: Arc<Endpoint>, reply_time_max: Duration) -> Self {
        Self { connection: Connection::new(Arc::clone(&endpoint)), endpoint, reply_time_max }
    }

    /// Sends a GET request for this path. Returns the status and the body.
    pub(crate) async fn get(&mut self, path: &str) -> anyhow::Result<(u16, Vec<u8>)> {
        let request = request::get(&self.endpoint, path, "");
        let mut reply = self.connection.exchange(&request, self.reply_time_max).await;
        // The server may have closed an idle connection just then. A GET may be sent again.
        if let Err(ExchangeError::Broken(_)) = reply {
            reply = self.connection.exchange(&request, self.reply_time_max).await;
        }
        let reply = reply.with_context(|| format!("GET {}{path}", self.endpoint.target))?;
        if let Some(location) = reply.location.filter(|_| (300..400).contains(&reply.status)) {
            bail!(
                "GET {}{path}: status {}, redirected to {}. Redirects are not followed: give the address \
                 to which it leads",
                self.endpoint.target,
                reply.status,
                crate::text::printable(self.connection.text(&location), 200)
            );
        }
        Ok((reply.status, self.connection.text(&reply.body).to_vec()))
    }

    /// Reads the poll from the producer.
    ///
    /// # Errors
    /// Returns an error if the producer does not answer, has no such poll, or describes it in
    /// unknown JSON.
    pub(crate) async fn poll(&mut self, slug: &str) -> anyhow::Result<Poll> {
        match self.get(&format!("/api/polls/{slug}")).await? {
            (200, body) => Poll::parse(&body),
            (404, _) => bail!("{} has no poll '{slug}'", self.endpoint.target),
            (status, body) => bail!(
                "{} answers {status} for the poll '{slug}': {}",
                self.endpoint.target,
                start(&body)
            ),
        }
    }

    /// Reads the tally from the dashboard. Returns `None` if the results are hidden.
    ///
    /// # Errors
    /// Returns an error if the dashboard does not answer, has no such tally, or shows a stale one.
    pub(crate) async fn tally(&mut self, poll: &Poll) -> anyhow::Result<Option<Snapshot>> {
        match self.get(&format!("/api/polls/{}/tally", poll.slug)).await? {
            (200, body) => Snapshot::parse(&body, poll).map(Some),
            (403, _) => Ok(None),
            (404, _) => bail!("{} has no tally of '{}'", self.endpoint.target, poll.slug),
            (status, body) => {
                bail!("{} answers {status} for the tally: {}", self.endpoint.target, start(&body))
            }
        }
    }
}

fn start(body: &[u8]) -> String {
    crate::text::printable(body, 200)
}

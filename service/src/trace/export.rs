//! Sends spans to the collector, over one connection per export, with or without TLS.
//!
//! OpenTelemetry's exporter runs on a thread outside the runtime. Connections need the runtime, so each
//! request is spawned there.

use std::pin::Pin;
use std::time::Duration;

use http_body_util::Full;
use opentelemetry_http::{Bytes, HttpClient, HttpError, Request, Response};
use tokio::runtime::Handle;

use crate::http::outbound;

/// Longest time for one export.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);
/// Most bytes read of a collector's answer, which says little more than whether it took the spans.
const ANSWER_BYTES_MAX: usize = 64 * 1024;

/// An HTTP client that works in the runtime in which it was created.
#[derive(Clone, Debug)]
pub(super) struct Client {
    runtime: Handle,
    client: outbound::Client,
}

impl Client {
    pub(super) fn new() -> anyhow::Result<Self> {
        Ok(Self { runtime: Handle::try_current()?, client: outbound::Client::new(None)? })
    }
}

/// Sends one request and reads the whole answer.
async fn exchange(
    client: outbound::Client,
    request: Request<Bytes>,
) -> Result<Response<Bytes>, HttpError> {
    let (head, body) = client.send(request.map(Full::new)).await?.into_parts();
    Ok(Response::from_parts(head, body.all(ANSWER_BYTES_MAX).await?))
}

impl HttpClient for Client {
    fn send_bytes<'life0, 'async_trait>(
        &'life0 self,
        request: Request<Bytes>,
    ) -> Pin<Box<dyn Future<Output = Result<Response<Bytes>, HttpError>> + Send + 'async_trait>>
    where
        'life0: 'async_trait,
        Self: 'async_trait,
    {
        let exchange = exchange(self.client.clone(), request);
        // The timer, too, must be created inside the runtime.
        let answer =
            self.runtime.spawn(async { tokio::time::timeout(ANSWER_WITHIN, exchange).await });
        Box::pin(async move {
            let outcome: Result<_, HttpError> = match answer.await {
                Ok(Ok(outcome)) => outcome,
                Ok(Err(elapsed)) => Err(elapsed.into()),
                Err(stopped) => Err(stopped.into()),
            };
            if let Err(error) = &outcome {
                tracing::debug!("the collector did not take spans: {error}");
            }
            outcome
        })
    }
}

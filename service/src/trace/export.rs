//! Sends spans to the collector, over one connection per export, with or without TLS.
//!
//! OpenTelemetry's exporter runs on a thread outside the runtime. Connections need the runtime, so each
//! request is spawned there.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::{BodyExt, Full, Limited};
use hyper::client::conn::http1;
use hyper::header::HOST;
use hyper_util::rt::TokioIo;
use opentelemetry_http::{Bytes, HttpClient, HttpError, Request, Response};
use rustls_pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::runtime::Handle;
use tokio_rustls::TlsConnector;

use crate::tls;

/// Longest time for one export.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);
/// Most bytes read of a collector's answer, which says little more than whether it took the spans.
const ANSWER_BYTES_MAX: usize = 64 * 1024;

/// An HTTP client that works in the runtime in which it was created.
#[derive(Clone, Debug)]
pub(super) struct Client {
    runtime: Handle,
    /// `None` if the system has no certificate authorities; then only `http://` collectors are reachable.
    tls: Option<Arc<rustls::ClientConfig>>,
}

impl Client {
    pub(super) fn new() -> anyhow::Result<Self> {
        let tls = tls::client_config(None, tls::Verification::Full).ok().map(Arc::new);
        Ok(Self { runtime: Handle::try_current()?, tls })
    }

    async fn exchange(self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let host = request.uri().host().ok_or("the collector's address names no host")?;
        let secure = request.uri().scheme_str() == Some("https");
        let port = request.uri().port_u16().unwrap_or(if secure { 443 } else { 80 });
        let stream = TcpStream::connect((host.trim_matches(['[', ']']), port)).await?;
        if !secure {
            return send(stream, request).await;
        }
        let tls = self
            .tls
            .ok_or("the system has no certificate authorities to verify the collector with")?;
        let name = ServerName::try_from(host.to_owned())?;
        send(TlsConnector::from(tls).connect(name, stream).await?, request).await
    }
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
        let exchange = self.clone().exchange(request);
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

/// Sends one request and reads the whole answer.
async fn send(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    request: Request<Bytes>,
) -> Result<Response<Bytes>, HttpError> {
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    let driver = tokio::spawn(connection);
    let (mut head, body) = request.into_parts();
    let authority = head.uri.authority().map(ToString::to_string).unwrap_or_default();
    head.headers.insert(HOST, authority.parse()?);
    let path = head.uri.path_and_query().map_or("/", |path| path.as_str());
    head.uri = path.parse()?;
    let response = sender.send_request(Request::from_parts(head, Full::new(body))).await?;
    let (head, body) = response.into_parts();
    let body = Limited::new(body, ANSWER_BYTES_MAX).collect().await?.to_bytes();
    driver.abort();
    Ok(Response::from_parts(head, body))
}

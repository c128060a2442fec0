//! Sends requests to other HTTP servers, over one connection each, with or without TLS.
//!
//! Absent on purpose: time-outs, which the caller sets around a request, and connections that are kept.

use std::path::Path;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper::header::{CONTENT_TYPE, HOST, HeaderValue};
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use rustls_pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_util::task::AbortOnDropHandle;

use crate::tls;

pub use hyper::Uri;

/// Why a request had no reply.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The address names no server.
    #[error("the address names no host")]
    NoHost,
    /// The request has an address or a header that HTTP does not allow.
    #[error("the request is not one of HTTP: {0}")]
    Request(hyper::http::Error),
    /// The server cannot be reached, or its certificate is not trusted.
    #[error("cannot connect: {0}")]
    Connect(#[from] std::io::Error),
    /// The host is no name that a certificate could be issued to.
    #[error("no certificate can be issued to this host: {0}")]
    Name(#[from] rustls_pki_types::InvalidDnsNameError),
    /// The system has no certificate authorities.
    #[error("the system has no certificate authorities to verify the server with")]
    NoAuthorities,
    /// The connection ended, or the server does not speak HTTP.
    #[error("no reply: {0}")]
    Http(#[from] hyper::Error),
    /// The reply is longer than the caller reads.
    #[error("the reply is longer than {0} bytes")]
    TooLong(usize),
}

/// A client that connects for each request; clones are cheap.
#[derive(Clone, Debug)]
pub struct Client {
    /// `None` if the system has no certificate authorities; then only `http://` servers are reachable.
    tls: Option<Arc<rustls::ClientConfig>>,
}

impl Client {
    /// Creates a client that trusts the authorities in this file, or else those of the system.
    ///
    /// # Errors
    /// Returns an error if the file cannot be read or has no certificate.
    pub fn new(ca_file: Option<&Path>) -> anyhow::Result<Self> {
        match tls::client_config(ca_file, tls::Verification::Full) {
            Ok(config) => Ok(Self { tls: Some(Arc::new(config)) }),
            Err(error) if ca_file.is_some() => Err(error.into()),
            Err(_) => Ok(Self { tls: None }),
        }
    }

    /// Sends this body to an address by POST.
    ///
    /// # Errors
    /// Returns why there is no reply.
    pub async fn post(
        &self,
        address: &Uri,
        content_type: &'static str,
        body: Bytes,
    ) -> Result<Response<Body>, Error> {
        let request = Request::post(address).header(CONTENT_TYPE, content_type);
        self.send(request.body(Full::new(body)).map_err(Error::Request)?).await
    }

    /// Sends a request to the server that its address names, and returns the reply as soon as its head has come.
    ///
    /// # Errors
    /// Returns why there is no reply.
    pub async fn send(&self, request: Request<Full<Bytes>>) -> Result<Response<Body>, Error> {
        let host = request.uri().host().ok_or(Error::NoHost)?.to_owned();
        let host = host.trim_matches(['[', ']']);
        let secure = request.uri().scheme_str() == Some("https");
        let port = request.uri().port_u16().unwrap_or(if secure { 443 } else { 80 });
        let stream = TcpStream::connect((host, port)).await?;
        stream.set_nodelay(true)?;
        if !secure {
            return exchange(stream, request).await;
        }
        let tls = self.tls.clone().ok_or(Error::NoAuthorities)?;
        let name = ServerName::try_from(host.to_owned())?;
        exchange(TlsConnector::from(tls).connect(name, stream).await?, request).await
    }
}

/// The body of a reply, with its connection, which ends with it.
#[derive(Debug)]
pub struct Body {
    incoming: Incoming,
    _connection: AbortOnDropHandle<hyper::Result<()>>,
}

impl Body {
    /// Returns the next bytes, or `None` at the end.
    ///
    /// # Errors
    /// Returns the error if the connection ends in the middle of the reply.
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, Error> {
        while let Some(frame) = self.incoming.frame().await {
            if let Ok(bytes) = frame?.into_data() {
                return Ok(Some(bytes));
            }
        }
        Ok(None)
    }

    /// Returns the whole body, if it has at most `bytes_max` bytes.
    ///
    /// # Errors
    /// Returns the error if the connection ends before, or if the body is longer.
    pub async fn all(mut self, bytes_max: usize) -> Result<Bytes, Error> {
        let mut all = BytesMut::new();
        while let Some(chunk) = self.chunk().await? {
            if all.len() + chunk.len() > bytes_max {
                return Err(Error::TooLong(bytes_max));
            }
            all.extend_from_slice(&chunk);
        }
        Ok(all.freeze())
    }
}

/// Sends one request over a new connection, and reads the head of the reply.
async fn exchange(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    request: Request<Full<Bytes>>,
) -> Result<Response<Body>, Error> {
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    let connection = AbortOnDropHandle::new(tokio::spawn(connection));
    let (mut head, body) = request.into_parts();
    let authority = head.uri.authority().map(ToString::to_string).unwrap_or_default();
    let authority = HeaderValue::try_from(authority).map_err(|e| Error::Request(e.into()))?;
    head.headers.insert(HOST, authority);
    let path = head.uri.path_and_query().map_or("/", |path| path.as_str());
    head.uri = path.parse().map_err(|e: hyper::http::uri::InvalidUri| Error::Request(e.into()))?;
    let reply = sender.send_request(Request::from_parts(head, body)).await?;
    Ok(reply.map(|incoming| Body { incoming, _connection: connection }))
}

//! Watches when the certificates expire on which the connections to Redis and Postgres depend.
//!
//! Once an hour it reads the file of certificate authorities, and connects to each server to see the
//! certificates that it presents. That handshake is verified like any other, and then closed.
//!
//! Absent on purpose: certificates towards voters and viewers. The services speak plain HTTP, and the proxy
//! that adds TLS watches its own certificate.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Context;
use redis::{ConnectionAddr, IntoConnectionInfo};
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::{DigitallySignedStruct, SignatureScheme};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_postgres::config::Host;
use tokio_rustls::TlsConnector;
use tokio_util::sync::CancellationToken;
use x509_cert::der::Decode;

use crate::config::{PostgresArgs, RedisArgs};
use crate::{metrics, postgres, tls};

/// Time between two checks.
const CHECK_EVERY: Duration = Duration::from_secs(3_600);
/// Time to the next check after one in which a server did not answer.
const RETRY_AFTER: Duration = Duration::from_secs(30);
/// Longest time for connecting to one server and its handshake.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(5);
/// The SSLRequest message, with which a Postgres client asks for TLS (protocol 3.0).
const SSL_REQUEST: [u8; 8] = [0, 0, 0, 8, 4, 210, 22, 47];
/// The server's answer to SSLRequest if it speaks TLS.
const SSL_CONSENT: u8 = b'S';

/// One kind of server that is reached over TLS, with the certificates involved.
#[derive(Debug)]
pub struct TlsEndpoint {
    /// Values of the metric's `certificate` label: the authorities', the server's.
    names: [&'static str; 2],
    ca_file: Option<PathBuf>,
    /// Host and port of each server that is reached over TLS; empty without TLS.
    servers: Vec<(String, u16)>,
    /// Whether the client must send SSLRequest before the handshake, as Postgres wants it.
    sends_ssl_request: bool,
}

impl TlsEndpoint {
    /// Returns the endpoint for Redis; it has no servers if the URL asks for no TLS.
    ///
    /// # Errors
    /// Returns an error if the URL does not parse or its file cannot be read.
    pub fn of_redis(args: &RedisArgs) -> anyhow::Result<Self> {
        let mut servers = Vec::new();
        let urls = args.url()?;
        for url in urls.reveal().split(',').map(str::trim).filter(|url| !url.is_empty()) {
            let info = url.into_connection_info().context("REDIS_URL does not parse")?;
            if let ConnectionAddr::TcpTls { host, port, .. } = info.addr() {
                servers.push((host.clone(), *port));
            }
        }
        let ca_file = args.redis_ca_file.clone();
        Ok(Self { names: ["redis_ca", "redis_server"], ca_file, servers, sends_ssl_request: false })
    }

    /// Returns the endpoint for Postgres; it has no servers if the settings do not insist on TLS.
    ///
    /// # Errors
    /// Returns an error if the URL does not parse or its file cannot be read.
    pub fn of_postgres(args: &PostgresArgs) -> anyhow::Result<Self> {
        let config = postgres::address(&args.url()?)?;
        let mut servers = Vec::new();
        if postgres::wants_tls(args, &config) {
            for (index, host) in config.get_hosts().iter().enumerate() {
                let ports = config.get_ports();
                let port = ports.get(index).or(ports.first()).copied().unwrap_or(5432);
                if let Host::Tcp(host) = host {
                    servers.push((host.clone(), port));
                }
            }
        }
        let ca_file = args.database_ca_file.clone();
        Ok(Self {
            names: ["postgres_ca", "postgres_server"],
            ca_file,
            servers,
            sends_ssl_request: true,
        })
    }

    /// Records when the certificates expire; returns whether all of them could be read.
    async fn check(&self) -> bool {
        let mut complete = true;
        let [ca, server] = self.names;
        if let Some(path) = &self.ca_file {
            match tls::read_certificates(path) {
                Ok(certificates) => record(ca, first_end(&certificates)),
                Err(error) => {
                    complete = false;
                    tracing::warn!("the expiry of a certificate file is unknown: {error}");
                }
            }
        }
        let mut first = None;
        for (host, port) in &self.servers {
            let reading =
                tokio::time::timeout(HANDSHAKE_TIMEOUT, self.server_expiry(host, *port)).await;
            let end = reading.unwrap_or_else(|_| {
                Err(anyhow::anyhow!("no handshake within {HANDSHAKE_TIMEOUT:?}"))
            });
            match end {
                Ok(end) => first = first.into_iter().chain(end).min(),
                Err(error) => {
                    complete = false;
                    tracing::debug!(
                        host,
                        port,
                        "the expiry of the certificate of {host}:{port} is unknown: {error:#}"
                    );
                }
            }
        }
        record(server, first);
        complete
    }

    /// Returns when the first certificate expires that a server presents, in seconds since 1970, even if
    /// the verification refuses them.
    async fn server_expiry(&self, host: &str, port: u16) -> anyhow::Result<Option<i64>> {
        let roots = Arc::new(tls::roots(self.ca_file.as_deref())?);
        let inner = WebPkiServerVerifier::builder(roots).build()?;
        let recorder = Arc::new(ExpiryRecorder { inner, end: Mutex::default() });
        let config = rustls::ClientConfig::builder()
            .dangerous()
            .with_custom_certificate_verifier(recorder.clone())
            .with_no_client_auth();
        let mut stream = TcpStream::connect((host, port)).await?;
        if self.sends_ssl_request {
            stream.write_all(&SSL_REQUEST).await?;
            anyhow::ensure!(
                stream.read_u8().await? == SSL_CONSENT,
                "the server does not speak TLS"
            );
        }
        let name = ServerName::try_from(host.to_owned())?;
        let outcome = TlsConnector::from(Arc::new(config)).connect(name, stream).await;
        let end = *recorder.end.lock().unwrap_or_else(PoisonError::into_inner);
        match outcome {
            Ok(mut stream) => {
                // The answer is known; a failed farewell changes nothing.
                let _ = stream.shutdown().await;
                Ok(end)
            }
            Err(_) if end.is_some() => Ok(end),
            Err(error) => Err(error.into()),
        }
    }
}

/// Checks all endpoints every hour until `shutdown` is cancelled.
pub async fn watch(endpoints: Vec<TlsEndpoint>, shutdown: CancellationToken) {
    let checking = async {
        loop {
            let mut complete = true;
            for endpoint in &endpoints {
                complete &= endpoint.check().await;
            }
            tokio::time::sleep(if complete { CHECK_EVERY } else { RETRY_AFTER }).await;
        }
    };
    tokio::select! {
        () = shutdown.cancelled() => {}
        () = checking => {}
    }
}

fn record(certificate: &'static str, end: Option<i64>) {
    if let Some(end) = end {
        metrics::CERTIFICATE_EXPIRY_TIMESTAMP_SECONDS.with([certificate]).set(end as f64);
    }
}

/// Returns when the first of these certificates expires, in seconds since 1970.
fn first_end(certificates: &[CertificateDer<'_>]) -> Option<i64> {
    let ends = certificates.iter().filter_map(|certificate| {
        let certificate = x509_cert::Certificate::from_der(certificate).ok()?;
        let end = certificate.tbs_certificate.validity.not_after.to_unix_duration().as_secs();
        i64::try_from(end).ok()
    });
    ends.min()
}

/// A verifier that checks like rustls does, and keeps when the presented certificates expire.
#[derive(Debug)]
struct ExpiryRecorder {
    inner: Arc<WebPkiServerVerifier>,
    end: Mutex<Option<i64>>,
}

impl ServerCertVerifier for ExpiryRecorder {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let shown: Vec<_> = std::iter::once(end_entity).chain(intermediates).cloned().collect();
        *self.end.lock().unwrap_or_else(PoisonError::into_inner) = first_end(&shown);
        self.inner.verify_server_cert(end_entity, intermediates, name, ocsp, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.inner.verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.inner.verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.inner.supported_verify_schemes()
    }
}

//! When the certificates end that connections to Redis and Postgres depend on.
//!
//! Looks once an hour: at the file of the issuer's certificates, and at what the server shows in a
//! handshake of its own, which is verified like any other and then closed.
//! Absent on purpose: certificates towards voters and viewers; the services speak plain HTTP, and
//! whoever puts TLS in front watches over it.

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

const LOOK_EVERY: Duration = Duration::from_secs(3_600);
/// After a server could not be asked.
const LOOK_AGAIN_AFTER: Duration = Duration::from_secs(30);
const HANDSHAKE_WITHIN: Duration = Duration::from_secs(5);
/// What a Postgres client says before TLS (protocol 3.0, SSLRequest), and the consent.
const SSL_REQUEST: [u8; 8] = [0, 0, 0, 8, 4, 210, 22, 47];
const SSL_CONSENT: u8 = b'S';

/// The certificates between us and one kind of server.
#[derive(Debug)]
pub struct Seal {
    /// As `certificate` labels name them: the issuer's, the server's.
    names: [&'static str; 2],
    ca_file: Option<PathBuf>,
    /// Servers reached over TLS; none when TLS is not used.
    servers: Vec<(String, u16)>,
    asks_first: bool,
}

impl Seal {
    /// Between us and Redis.
    ///
    /// # Errors
    /// When the URL does not parse.
    pub fn of_redis(args: &RedisArgs) -> anyhow::Result<Self> {
        let mut servers = Vec::new();
        let urls = args.url()?;
        for url in urls.reveal().split(',').map(str::trim).filter(|url| !url.is_empty()) {
            let info = url.into_connection_info().context("REDIS_URL")?;
            if let ConnectionAddr::TcpTls { host, port, .. } = info.addr() {
                servers.push((host.clone(), *port));
            }
        }
        let ca_file = args.redis_ca_file.clone();
        Ok(Self { names: ["redis_ca", "redis_server"], ca_file, servers, asks_first: false })
    }

    /// Between us and Postgres.
    ///
    /// # Errors
    /// When the URL does not parse.
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
        Ok(Self { names: ["postgres_ca", "postgres_server"], ca_file, servers, asks_first: true })
    }

    /// Looks once; whether all could be seen.
    async fn look(&self) -> bool {
        let mut complete = true;
        let [ca, server] = self.names;
        if let Some(path) = &self.ca_file {
            match tls::read_certificates(path) {
                Ok(certificates) => record(ca, first_end(&certificates)),
                Err(error) => {
                    complete = false;
                    tracing::warn!(%error, "cannot tell when the certificates end");
                }
            }
        }
        let mut first = None;
        for (host, port) in &self.servers {
            let looking = tokio::time::timeout(HANDSHAKE_WITHIN, self.ask(host, *port)).await;
            let end = looking.unwrap_or_else(|_| Err(anyhow::anyhow!("no answer in time")));
            match end {
                Ok(end) => first = first.into_iter().chain(end).min(),
                Err(error) => {
                    complete = false;
                    let error = format!("{error:#}");
                    tracing::debug!(host, port, error, "cannot tell when its certificate ends");
                }
            }
        }
        record(server, first);
        complete
    }

    /// When the first of the certificates ends that a server shows; known even when they are refused.
    async fn ask(&self, host: &str, port: u16) -> anyhow::Result<Option<i64>> {
        let roots = Arc::new(tls::roots(self.ca_file.as_deref())?);
        let inner = WebPkiServerVerifier::builder(roots).build()?;
        let witness = Arc::new(Witness { inner, end: Mutex::default() });
        let config = rustls::ClientConfig::builder()
            .dangerous()
            .with_custom_certificate_verifier(witness.clone())
            .with_no_client_auth();
        let mut stream = TcpStream::connect((host, port)).await?;
        if self.asks_first {
            stream.write_all(&SSL_REQUEST).await?;
            anyhow::ensure!(stream.read_u8().await? == SSL_CONSENT, "it does not speak TLS");
        }
        let name = ServerName::try_from(host.to_owned())?;
        let outcome = TlsConnector::from(Arc::new(config)).connect(name, stream).await;
        let end = *witness.end.lock().unwrap_or_else(PoisonError::into_inner);
        match outcome {
            Ok(mut stream) => {
                // Whether it takes our leave concerns nobody.
                let _ = stream.shutdown().await;
                Ok(end)
            }
            Err(_) if end.is_some() => Ok(end),
            Err(error) => Err(error.into()),
        }
    }
}

/// Looks at all of them every hour until `shutdown`.
pub async fn watch(seals: Vec<Seal>, shutdown: CancellationToken) {
    let look = async {
        loop {
            let mut complete = true;
            for seal in &seals {
                complete &= seal.look().await;
            }
            tokio::time::sleep(if complete { LOOK_EVERY } else { LOOK_AGAIN_AFTER }).await;
        }
    };
    tokio::select! {
        () = shutdown.cancelled() => {}
        () = look => {}
    }
}

fn record(certificate: &'static str, end: Option<i64>) {
    if let Some(end) = end {
        metrics::CERTIFICATE_EXPIRY_TIMESTAMP_SECONDS.with([certificate]).set(end as f64);
    }
}

/// When the first of these ends, in seconds since the epoch.
fn first_end(certificates: &[CertificateDer<'_>]) -> Option<i64> {
    let ends = certificates.iter().filter_map(|certificate| {
        let certificate = x509_cert::Certificate::from_der(certificate).ok()?;
        let end = certificate.tbs_certificate.validity.not_after.to_unix_duration().as_secs();
        i64::try_from(end).ok()
    });
    ends.min()
}

/// Verifies as ever, and remembers what it was shown.
#[derive(Debug)]
struct Witness {
    inner: Arc<WebPkiServerVerifier>,
    end: Mutex<Option<i64>>,
}

impl ServerCertVerifier for Witness {
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

//! Opens connections to a target, with or without TLS.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use anyhow::Context as _;
use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use rustls::DigitallySignedStruct;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpSocket, TcpStream};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::http::addresses::Addresses;
use crate::http::proxy::Proxy;
use crate::http::target::Target;

/// A target with its addresses and its TLS settings. Clones share the addresses.
#[derive(Clone)]
pub(crate) struct Endpoint {
    pub(crate) target: Target,
    /// The value of the `Host` header.
    pub(crate) host: Arc<str>,
    /// Further header lines of every request, each with its line break.
    pub(crate) headers: Arc<str>,
    addresses: Arc<Addresses>,
    /// The proxy with its addresses; `None` if the target is reached directly.
    proxy: Option<Arc<Vec<SocketAddr>>>,
    tls: Option<(TlsConnector, ServerName<'static>)>,
    connect_time_max: Duration,
}

/// How long to wait for one address before the next one is tried, too (RFC 8305).
const STAGGER: Duration = Duration::from_millis(250);

impl Endpoint {
    /// Returns the endpoint of `target` with further headers (name, value).
    ///
    /// # Errors
    /// Returns an error if the host cannot be a TLS server name.
    pub(crate) fn new(
        target: Target,
        addresses: Addresses,
        roots: Option<&Arc<rustls::ClientConfig>>,
        headers: &[(String, String)],
        connect_time_max: Duration,
    ) -> anyhow::Result<Self> {
        let tls = match roots {
            Some(config) if target.https => {
                let name = ServerName::try_from(target.host.clone())
                    .with_context(|| format!("{} cannot be a TLS server name", target.host))?;
                Some((TlsConnector::from(Arc::clone(config)), name))
            }
            _ => None,
        };
        let is_host = |(name, _): &&(String, String)| name.eq_ignore_ascii_case("host");
        let host = headers.iter().find(is_host).map(|(_, value)| value.clone());
        let others = headers.iter().filter(|header| !is_host(header));
        let lines: String = others.map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        Ok(Self {
            host: host.unwrap_or_else(|| target.authority()).into(),
            headers: lines.into(),
            target,
            addresses: Arc::new(addresses),
            proxy: None,
            tls,
            connect_time_max,
        })
    }

    /// Returns the endpoint, reached through the proxy with these addresses.
    pub(crate) fn through(self, proxy: Vec<SocketAddr>) -> Self {
        Self { proxy: Some(Arc::new(proxy)), ..self }
    }

    /// Returns what stands in front of the path in the first line of a request: the whole address,
    /// if a proxy reads it.
    pub(crate) fn origin(&self) -> String {
        match &self.proxy {
            Some(_) if !self.target.https => format!("http://{}", self.target.authority()),
            _ => String::new(),
        }
    }

    /// Opens a connection within the time allowed. If no address answers, the name is looked up
    /// again.
    pub(crate) async fn connect(&self) -> io::Result<ByteStream> {
        self.connect_with(None).await
    }

    /// Opens a connection with a receive buffer of this size, for viewers that never read.
    pub(crate) async fn connect_with(&self, receive_bytes: Option<u32>) -> io::Result<ByteStream> {
        let open = async {
            if let Some(proxy) = &self.proxy {
                return self.open_any(proxy, receive_bytes).await;
            }
            let list = self.addresses.list().await;
            match self.open_any(&list, receive_bytes).await {
                Ok(wire) => Ok(wire),
                Err(error) if is_own_fault(&error) => Err(error),
                Err(error) => match self.addresses.others(&list).await {
                    Some(others) => self.open_any(&others, receive_bytes).await,
                    None => Err(error),
                },
            }
        };
        tokio::time::timeout(self.connect_time_max, open).await.unwrap_or_else(|_| {
            Err(io::Error::new(io::ErrorKind::TimedOut, "no connection within the time allowed"))
        })
    }

    /// Opens a connection to the first address that answers. An address that is slow does not keep
    /// the next one waiting.
    async fn open_any(
        &self,
        list: &[SocketAddr],
        receive_bytes: Option<u32>,
    ) -> io::Result<ByteStream> {
        if let [address] = list {
            return self.open(*address, receive_bytes).await;
        }
        let mut last = io::Error::from(io::ErrorKind::AddrNotAvailable);
        let mut attempts = FuturesUnordered::new();
        let mut rest = list.iter();
        loop {
            match rest.next() {
                Some(address) => attempts.push(self.open(*address, receive_bytes)),
                None if attempts.is_empty() => return Err(last),
                None => {}
            }
            let has_more = !rest.as_slice().is_empty();
            tokio::select! {
                Some(done) = attempts.next() => match done {
                    Ok(wire) => return Ok(wire),
                    Err(error) => last = error,
                },
                () = tokio::time::sleep(STAGGER), if has_more => {}
            }
        }
    }

    async fn open(
        &self,
        address: SocketAddr,
        receive_bytes: Option<u32>,
    ) -> io::Result<ByteStream> {
        let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
        if let Some(bytes) = receive_bytes {
            socket.set_recv_buffer_size(bytes)?;
        }
        let mut stream = socket.connect(address).await?;
        stream.set_nodelay(true)?;
        if self.proxy.is_some() && self.target.https {
            Proxy::tunnel(&mut stream, &self.target).await?;
        }
        match &self.tls {
            None => Ok(ByteStream::Plain(stream)),
            Some((connector, name)) => {
                Ok(ByteStream::Tls(Box::new(connector.connect(name.clone(), stream).await?)))
            }
        }
    }
}

/// Returns whether a connection failed because the load tester's own machine has no port, file or
/// memory left. That says nothing about the target.
pub(crate) fn is_own_fault(error: &io::Error) -> bool {
    use rustix::io::Errno;
    let own = [Errno::ADDRNOTAVAIL, Errno::MFILE, Errno::NFILE, Errno::NOBUFS, Errno::NOMEM];
    error.raw_os_error().is_some_and(|code| own.iter().any(|errno| errno.raw_os_error() == code))
}

/// Returns TLS settings that accept every certificate, for tests with certificates that nobody has
/// signed.
///
/// # Errors
/// Returns an error if the TLS library offers no version of the protocol.
pub(crate) fn tls_unverified() -> anyhow::Result<Arc<rustls::ClientConfig>> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let verifier = Arc::new(Unverified(Arc::clone(&provider)));
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .context("cannot choose TLS versions")?
        .dangerous()
        .with_custom_certificate_verifier(verifier)
        .with_no_client_auth();
    Ok(Arc::new(config))
}

/// Accepts every certificate, and still checks that the server has its key.
#[derive(Debug)]
struct Unverified(Arc<rustls::crypto::CryptoProvider>);

impl ServerCertVerifier for Unverified {
    fn verify_server_cert(
        &self,
        _certificate: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _name: &ServerName<'_>,
        _ocsp: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<rustls::SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

/// Returns TLS settings that trust the system's root certificates and those in `ca_file`.
///
/// # Errors
/// Returns an error that names the file if its certificates cannot be read.
pub(crate) fn tls_roots(
    ca_file: Option<&std::path::Path>,
) -> anyhow::Result<Arc<rustls::ClientConfig>> {
    use rustls_pki_types::pem::PemObject as _;
    let mut roots = rustls::RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if let Some(path) = ca_file {
        let read = || format!("cannot read certificates from {}", path.display());
        for certificate in
            rustls_pki_types::CertificateDer::pem_file_iter(path).with_context(read)?
        {
            roots.add(certificate.with_context(read)?).with_context(read)?;
        }
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .context("cannot choose TLS versions")?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Arc::new(config))
}

/// An open connection, with or without TLS.
pub(crate) enum ByteStream {
    /// A plain TCP connection.
    Plain(TcpStream),
    /// A TLS connection over TCP.
    Tls(Box<TlsStream<TcpStream>>),
}

impl AsyncRead for ByteStream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_read(cx, buf),
            Self::Tls(stream) => Pin::new(stream).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for ByteStream {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write(cx, bytes),
            Self::Tls(stream) => Pin::new(stream).poll_write(cx, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_flush(cx),
            Self::Tls(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Tls(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}

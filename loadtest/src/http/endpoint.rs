//! Opens connections to a target, with or without TLS.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use anyhow::Context as _;
use rustls_pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpSocket, TcpStream};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::http::target::Target;

/// A target with its resolved addresses and its TLS settings. It is cheap to clone.
#[derive(Clone)]
pub(crate) struct Endpoint {
    pub(crate) target: Target,
    addresses: Vec<SocketAddr>,
    tls: Option<(TlsConnector, ServerName<'static>)>,
    connect_time_max: Duration,
}

impl Endpoint {
    /// Returns the endpoint of `target`. The caller has checked that `addresses` may be loaded.
    ///
    /// # Errors
    /// Returns an error if the host cannot be a TLS server name.
    pub(crate) fn new(
        target: Target,
        addresses: Vec<SocketAddr>,
        roots: Option<&Arc<rustls::ClientConfig>>,
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
        Ok(Self { target, addresses, tls, connect_time_max })
    }

    /// Opens a connection within the time allowed. It tries one address after the other.
    pub(crate) async fn connect(&self) -> io::Result<ByteStream> {
        self.connect_with(None).await
    }

    /// Opens a connection with a receive buffer of this size, for viewers that never read.
    pub(crate) async fn connect_with(&self, receive_bytes: Option<u32>) -> io::Result<ByteStream> {
        let open = async {
            let mut last = io::Error::from(io::ErrorKind::AddrNotAvailable);
            for address in &self.addresses {
                match self.open(*address, receive_bytes).await {
                    Ok(wire) => return Ok(wire),
                    Err(error) => last = error,
                }
            }
            Err(last)
        };
        tokio::time::timeout(self.connect_time_max, open).await.unwrap_or_else(|_| {
            Err(io::Error::new(io::ErrorKind::TimedOut, "no connection within the time allowed"))
        })
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
        let stream = socket.connect(address).await?;
        stream.set_nodelay(true)?;
        match &self.tls {
            None => Ok(ByteStream::Plain(stream)),
            Some((connector, name)) => {
                Ok(ByteStream::Tls(Box::new(connector.connect(name.clone(), stream).await?)))
            }
        }
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

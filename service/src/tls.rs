//! Configures TLS towards Redis, Postgres and the trace collector. The server's certificate is verified
//! against the system's authorities or those in a file, unless a Postgres address asks for less
//! ([`Verification`]).

use std::path::Path;
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::verify_server_cert_signed_by_trust_anchor;
use rustls::crypto::CryptoProvider;
use rustls::server::ParsedCertificate;
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};

/// There are no certificates to verify a server with.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file of certificate authorities cannot be read, or holds none.
    #[error("cannot use the certificates in {path}: {reason}")]
    File {
        /// Path of the file.
        path: String,
        /// Cause, in the words of the system or parser.
        reason: String,
    },
    /// The system has no certificate authorities, and no file was named.
    #[error(
        "the system has no certificate authorities: set REDIS_CA_FILE or DATABASE_CA_FILE to a PEM file \
         with those that signed the server's certificate"
    )]
    NoSystemRoots,
}

/// Selects ring as the cryptography that rustls uses in this process. Further calls do nothing.
pub fn install_crypto_provider() {
    // An error means that an earlier call has installed it.
    let _ = rustls::crypto::ring::default_provider().install_default();
}

/// Strictness of the check of a server's certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verification {
    /// A trusted authority must have signed it, and it must be issued to the server's name.
    Full,
    /// A trusted authority must have signed it; it may be issued to any name.
    Authority,
    /// There is no check: this stops an eavesdropper, but nobody who pretends to be the server.
    Nothing,
}

/// Returns the configuration of a TLS client that checks the server's certificate this strictly.
///
/// # Errors
/// Returns an error if the check needs certificate authorities and there are none.
pub fn client_config(
    ca_file: Option<&Path>,
    verification: Verification,
) -> Result<ClientConfig, Error> {
    install_crypto_provider();
    let roots = match verification {
        Verification::Nothing => None,
        Verification::Authority | Verification::Full => Some(roots(ca_file)?),
    };
    let config = match (verification, roots) {
        (Verification::Full, Some(roots)) => ClientConfig::builder().with_root_certificates(roots),
        (_, roots) => {
            let provider = rustls::crypto::ring::default_provider().into();
            let verifier = LenientVerifier { roots, provider };
            ClientConfig::builder().dangerous().with_custom_certificate_verifier(Arc::new(verifier))
        }
    };
    Ok(config.with_no_client_auth())
}

/// Returns the trusted certificate authorities: those in the file, or else the system's.
///
/// # Errors
/// Returns an error if there are none, or if the file cannot be read.
pub(crate) fn roots(ca_file: Option<&Path>) -> Result<RootCertStore, Error> {
    install_crypto_provider();
    let mut roots = RootCertStore::empty();
    match ca_file {
        Some(path) => {
            for certificate in read_certificates(path)? {
                roots.add(certificate).map_err(|e| file_error(path, &e))?;
            }
        }
        None => {
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        }
    }
    if roots.is_empty() {
        return Err(Error::NoSystemRoots);
    }
    Ok(roots)
}

/// A verifier that checks less than rustls' own: it never checks the name, and it checks the signing
/// authority only if `roots` are given. It always verifies the signatures of the handshake.
#[derive(Debug)]
struct LenientVerifier {
    roots: Option<RootCertStore>,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for LenientVerifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        if let Some(roots) = &self.roots {
            let certificate = ParsedCertificate::try_from(end_entity)?;
            let algorithms = self.provider.signature_verification_algorithms.all;
            verify_server_cert_signed_by_trust_anchor(
                &certificate,
                roots,
                intermediates,
                now,
                algorithms,
            )?;
        }
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

/// Reads all certificates of a PEM file.
///
/// # Errors
/// Returns an error that names the file if it cannot be read or holds no certificate.
pub(crate) fn read_certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, Error> {
    let certificates: Vec<_> = CertificateDer::pem_file_iter(path)
        .and_then(Iterator::collect)
        .map_err(|e| file_error(path, &e))?;
    if certificates.is_empty() {
        return Err(file_error(path, &"the file holds none"));
    }
    Ok(certificates)
}

fn file_error(path: &Path, reason: &impl std::fmt::Display) -> Error {
    Error::File { path: path.display().to_string(), reason: reason.to_string() }
}

//! TLS to the servers, with the system's certificates or the given ones: verified, unless a Postgres
//! address asks for less ([`Verification`]).

use std::path::Path;
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::verify_server_cert_signed_by_trust_anchor;
use rustls::crypto::CryptoProvider;
use rustls::server::ParsedCertificate;
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};

/// Why the certificates cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file with certificates.
    #[error("certificates in {path}: {reason}")]
    File {
        /// Where they were looked for.
        path: String,
        /// What is wrong.
        reason: String,
    },
    /// The system has none.
    #[error("the system has no root certificates; name a file with those of the server's issuer")]
    NoSystemRoots,
}

/// Makes ring this process's cryptography; rustls wants to be told. Safe to call more than once.
pub fn install_crypto_provider() {
    // An error means that one is installed already, which is what is wanted.
    let _ = rustls::crypto::ring::default_provider().install_default();
}

/// How closely a server's certificate is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verification {
    /// An authority that is trusted has signed it, and it is made out to the server's name.
    Full,
    /// An authority that is trusted has signed it, to whatever name.
    Authority,
    /// Not at all: against who only listens, not against who pretends to be the server.
    Nothing,
}

/// A client that looks at the server's certificate as closely as it is told.
///
/// # Errors
/// When there is no certificate to verify with.
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
            let verifier = Lenient { roots, provider };
            ClientConfig::builder().dangerous().with_custom_certificate_verifier(Arc::new(verifier))
        }
    };
    Ok(config.with_no_client_auth())
}

/// The issuers that are believed: those in the file, or the system's.
///
/// # Errors
/// When there is none.
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

/// Looks at less than rustls does by itself: never at the name, and at who has signed only where
/// `roots` are given. The handshake's own signatures are always verified.
#[derive(Debug)]
struct Lenient {
    roots: Option<RootCertStore>,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Lenient {
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

/// All certificates in a PEM file.
///
/// # Errors
/// When there is none.
pub(crate) fn read_certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, Error> {
    let certificates: Vec<_> = CertificateDer::pem_file_iter(path)
        .and_then(Iterator::collect)
        .map_err(|e| file_error(path, &e))?;
    if certificates.is_empty() {
        return Err(file_error(path, &"it holds none"));
    }
    Ok(certificates)
}

fn file_error(path: &Path, reason: &impl std::fmt::Display) -> Error {
    Error::File { path: path.display().to_string(), reason: reason.to_string() }
}

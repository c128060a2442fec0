//! TLS to the servers: always verified, with the system's certificates or the given ones.

use std::path::Path;
use std::sync::Arc;

use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;

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

/// A client that verifies the server's certificate and name.
///
/// # Errors
/// When there is no certificate to verify with.
pub fn client_config(ca_file: Option<&Path>) -> Result<ClientConfig, Error> {
    let roots = Arc::new(roots(ca_file)?);
    Ok(ClientConfig::builder().with_root_certificates(roots).with_no_client_auth())
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

//! The files that a server needs to offer TLS.

use std::path::PathBuf;

/// A certificate, its key, and the authority that signed it, each in a PEM file.
#[derive(Debug, Clone)]
pub struct TlsFiles {
    /// The server's certificate chain, with the server's own certificate first.
    pub certificate: PathBuf,
    /// The private key of the server's certificate.
    pub key: PathBuf,
    /// The certificate authority that clients trust.
    pub authority: PathBuf,
}

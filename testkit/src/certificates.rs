//! TLS certificates of this test process: two authorities, and server certificates that one of them signed.

use std::{fs, path::PathBuf, sync::OnceLock};

use rcgen::{
    BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose,
    date_time_ymd,
};
use standalone::servers::TlsFiles;

use crate::folder;

/// The expiry of [`Certificates::server`] and [`Certificates::misnamed_server`] in seconds since 1970: the beginning
/// of the year 2100.
pub const SERVER_ENDS_S: i64 = 4_102_444_800;
/// The expiry of both authorities in seconds since 1970: the beginning of the year 2101.
pub const AUTHORITY_ENDS_S: i64 = 4_133_980_800;

/// The PEM files that a test of TLS needs, in a folder that is removed with the test process.
#[derive(Debug, Clone)]
pub struct Certificates {
    /// The certificate authority that signed both server certificates, for clients to trust.
    pub authority: PathBuf,
    /// Another authority, which signed nothing. A client that trusts only this one must refuse the server.
    pub other_authority: PathBuf,
    /// A server certificate for the names `localhost` and `127.0.0.1`, with its key.
    pub server: TlsFiles,
    /// A server certificate for `elsewhere.example`. A client that checks names must refuse it.
    pub misnamed_server: TlsFiles,
}

/// Returns the certificates of this test process. The first call generates them, later calls return the same.
///
/// # Panics
/// Panics if the certificates cannot be generated or written.
#[must_use]
pub fn certificates() -> &'static Certificates {
    static MADE: OnceLock<Certificates> = OnceLock::new();
    MADE.get_or_init(make)
}

fn make() -> Certificates {
    let folder = folder("certificates");
    let write = |name: &str, text: String| {
        let path = folder.join(name);
        fs::write(&path, text).expect("a certificate can be written");
        path
    };
    let (issuer, text) = authority("authority");
    let authority_file = write("authority.pem", text);
    let server = |name: &str, names: &[&str]| {
        let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
        let key = KeyPair::generate().expect("a key can be made");
        let mut params = CertificateParams::new(names).expect("the names are valid");
        params.distinguished_name.push(DnType::CommonName, name);
        params.not_after = date_time_ymd(2100, 1, 1);
        let certificate = params.signed_by(&key, &issuer).expect("a certificate can be signed");
        TlsFiles {
            certificate: write(&format!("{name}.pem"), certificate.pem()),
            key: write(&format!("{name}.key"), key.serialize_pem()),
            authority: authority_file.clone(),
        }
    };
    Certificates {
        other_authority: write("other-authority.pem", authority("other authority").1),
        server: server("server", &["localhost", "127.0.0.1"]),
        misnamed_server: server("misnamed", &["elsewhere.example"]),
        authority: authority_file.clone(),
    }
}

fn authority(name: &str) -> (Issuer<'static, KeyPair>, String) {
    let key = KeyPair::generate().expect("a key can be made");
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    params.not_after = date_time_ymd(2101, 1, 1);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let certificate = params.self_signed(&key).expect("a certificate can be signed");
    (Issuer::new(params, key), certificate.pem())
}

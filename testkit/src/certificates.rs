//! A certificate authority and a server certificate of this test process.

use std::{fs, path::PathBuf, sync::OnceLock};

use rcgen::{
    BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose,
    date_time_ymd,
};
use standalone::servers::TlsFiles;

use crate::folder;

/// When [`Certificates::server`] and [`Certificates::misnamed_server`] end, in seconds since the
/// epoch: at the beginning of 2100.
pub const SERVER_ENDS_S: i64 = 4_102_444_800;
/// When the authorities end: at the beginning of 2101.
pub const AUTHORITY_ENDS_S: i64 = 4_133_980_800;

/// The PEM files that a test of TLS needs.
#[derive(Debug, Clone)]
pub struct Certificates {
    /// The certificate authority; clients are to trust it.
    pub authority: PathBuf,
    /// Another one, which has signed nothing; a client that trusts only it has to refuse.
    pub other_authority: PathBuf,
    /// What a server presents, for `localhost` and 127.0.0.1.
    pub server: TlsFiles,
    /// The same for `elsewhere.example`, which a client that checks names has to refuse.
    pub misnamed_server: TlsFiles,
}

/// The certificates of this test process.
///
/// # Panics
/// If they cannot be made.
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

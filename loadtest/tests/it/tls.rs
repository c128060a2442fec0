//! Targets with https, and their certificates.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls_pki_types::PrivateKeyDer;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use votestream_loadtest::AuditVerdict;

use crate::fake::{Fake, Fault};
use crate::tool::{Folder, loadtest, run};

/// Accepts TLS in front of a deployment, and writes the authority's certificate to `authority`.
fn terminate(fake: SocketAddr, authority: &Path) -> (tokio::runtime::Runtime, u16) {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    std::fs::write(authority, params.self_signed(&key).unwrap().pem()).unwrap();
    let issuer = Issuer::new(params, key);
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    let certificate = params.signed_by(&key, &issuer).unwrap().der().clone();
    let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let threads =
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
    let runtime = threads.unwrap();
    let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
    let port = listener.local_addr().unwrap().port();
    runtime.spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                let mut outside = acceptor.accept(stream).await?;
                let mut inside = TcpStream::connect(fake).await?;
                tokio::io::copy_bidirectional(&mut outside, &mut inside).await
            });
        }
    });
    (runtime, port)
}

#[test]
fn https_is_loaded_watched_and_audited() {
    let fake = Fake::with(Fault::None);
    let folder = Folder::new();
    let authority = folder.join("authority.pem");
    let (_runtime, port) = terminate(fake.address, &authority);
    let url = format!("https://localhost:{port}");
    let load = format!(
        "--ca-file {} --rate 100 --duration 1s --warm-up 0s --viewers 5 --mix page=30%,fresh=30%",
        authority.display()
    );
    let (done, report) = run(&url, &load);
    assert_eq!((done.code, report.audit.verdict), (0, AuditVerdict::Balanced), "{}", done.stdout);
    assert_eq!((fake.voters(), report.viewers.unwrap().with_state), (100, 5));
}

#[test]
fn unknown_authority_is_not_trusted() {
    let fake = Fake::with(Fault::None);
    let folder = Folder::new();
    let (_runtime, port) = terminate(fake.address, &folder.join("authority.pem"));
    let done = loadtest(&format!("run --target https://localhost:{port}"));
    assert_eq!(done.code, 3, "{}", done.stdout);
    assert!(done.stderr.contains("certificate"), "{}", done.stderr);
    assert_eq!(fake.requests(""), 0);
    let load = "--insecure --rate 50 --duration 1s --warm-up 0s";
    let (done, _) = run(&format!("https://localhost:{port}"), load);
    assert_eq!((done.code, fake.voters()), (0, 50), "{}", done.stdout);
}

#[test]
fn tls_connections_that_the_server_closes_when_idle_are_opened_again() {
    let fake = Fake::with(Fault::Idle(std::time::Duration::from_millis(100)));
    let folder = Folder::new();
    let authority = folder.join("authority.pem");
    let (_runtime, port) = terminate(fake.address, &authority);
    let load = format!(
        "--ca-file {} --rate 5 --duration 2s --warm-up 0s --arrivals constant",
        authority.display()
    );
    let (done, report) = run(&format!("https://localhost:{port}"), &load);
    assert_eq!((done.code, report.ballots.errors), (0, 0), "{}", done.stdout);
}

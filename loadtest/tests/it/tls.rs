//! Targets with https, and their certificates.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls_pki_types::PrivateKeyDer;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use votestream_loadtest::AuditVerdict;

use crate::fake::{Fake, Fault};
use crate::tool::{Folder, command, done, loadtest, report, run};

/// Accepts TLS in front of a deployment, and writes the authority's certificate to `authority`.
fn terminate(fake: SocketAddr, authority: &Path) -> (tokio::runtime::Runtime, u16) {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    std::fs::write(authority, params.self_signed(&key).unwrap().pem()).unwrap();
    let issuer = Issuer::new(params, key);
    let key = KeyPair::generate().unwrap();
    let names = ["localhost", "vote.example"].map(str::to_owned);
    let params = CertificateParams::new(names).unwrap();
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

/// Accepts requests for a tunnel to `vote.example:443`, which leads to this port, and refuses all others.
fn proxy(runtime: &tokio::runtime::Runtime, port: u16) -> SocketAddr {
    let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
    let address = listener.local_addr().unwrap();
    runtime.spawn(async move {
        while let Ok((mut outside, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut head = Vec::new();
                while !head.ends_with(b"\r\n\r\n") {
                    head.push(outside.read_u8().await?);
                }
                if !head.starts_with(b"CONNECT vote.example:443 HTTP/1.1\r\n") {
                    return outside.write_all(b"HTTP/1.1 403 Forbidden\r\n\r\n").await;
                }
                let mut inside = TcpStream::connect(("127.0.0.1", port)).await?;
                outside.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n").await?;
                tokio::io::copy_bidirectional(&mut outside, &mut inside).await.map(drop)
            });
        }
    });
    address
}

#[test]
fn https_goes_through_the_tunnel_of_a_proxy() {
    let fake = Fake::with(Fault::None);
    let folder = Folder::new();
    let (authority, json) = (folder.join("authority.pem"), folder.join("report.json"));
    let (runtime, port) = terminate(fake.address, &authority);
    let proxy = proxy(&runtime, port);
    let load = |host: &str| {
        format!(
            "run --target https://{host} --results https://{host} --resolve {host}:443:10.0.0.9 \
             --ca-file {} --rate 50 --duration 1s --warm-up 0s --viewers 2 --settle 200ms --json {}",
            authority.display(),
            json.display()
        )
    };
    let run = |host: &str| {
        let address = format!("http://{proxy}");
        done(command(&load(host)).env("https_proxy", address).output().unwrap())
    };
    let through = run("vote.example");
    let seen = format!("{}\n{}", through.stdout, through.stderr);
    assert_eq!((through.code, fake.voters()), (0, 50), "{seen}");
    let report = report(&json);
    assert_eq!(
        (report.audit.verdict, report.viewers.unwrap().with_state),
        (AuditVerdict::Balanced, 2)
    );
    // A proxy that refuses is named.
    let refused = run("other.example");
    assert_eq!(refused.code, 3, "{}", refused.stdout);
    assert!(
        refused.stderr.contains("the proxy opens no tunnel: HTTP/1.1 403"),
        "{}",
        refused.stderr
    );
}

//! Redis and Postgres over TLS, with verified certificates.

use std::path::Path;

use serde_json::json;
use testkit::{
    AUTHORITY_ENDS_S, SERVER_ENDS_S, certificates, create_database, eventually, own_postgres_with,
    own_redis_with,
};
use votestream_service::config::{PostgresArgs, RedisArgs};
use votestream_service::{postgres, redis::Manager};

use crate::support::{SOON, TestDeployment};

/// Connects to Redis, or returns the reason why that fails.
async fn reach_redis(url: &str, authority: &Path) -> Result<(), String> {
    let args = RedisArgs {
        redis_url: url.parse().unwrap(),
        redis_url_file: None,
        redis_cluster: false,
        redis_ca_file: Some(authority.to_owned()),
        key_prefix: "votes".to_owned(),
    };
    let manager = Manager::new(&args).map_err(|error| format!("{error:#}"))?;
    manager.connect(SOON).await.map(drop).map_err(|error| error.to_string())
}

/// Connects to Postgres, or returns the reason why that fails.
async fn reach_postgres(url: &str, authority: &Path) -> Result<(), String> {
    let args = PostgresArgs {
        database_url: url.parse().unwrap(),
        database_url_file: None,
        database_ca_file: Some(authority.to_owned()),
        statement_timeout_ms: 10_000,
    };
    postgres::connect(&args, "test").await.map(drop).map_err(|error| format!("{error:#}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn servers_are_reached_over_tls_and_impostors_are_refused() {
    let made = certificates();
    let redis = own_redis_with(|options| options.tls = Some(made.server.clone()));
    let postgres = own_postgres_with(|options| options.tls = Some(made.server.clone())).await;
    let database = create_database(&postgres).await;
    let deployment = TestDeployment::on(redis.url(), database.clone(), 2, json!({})).await;
    let name = database.rsplit('/').next().unwrap();
    let (redis_url, postgres_url) = (redis.tls_url().unwrap(), postgres.tls_url(name).unwrap());
    assert!(postgres_url.ends_with("sslmode=verify-full"), "{postgres_url}");

    let authority = made.authority.display();
    let arguments = [
        format!("--redis-url={redis_url}"),
        format!("--redis-ca-file={authority}"),
        format!("--database-url={postgres_url}"),
        format!("--database-ca-file={authority}"),
    ];
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let consumer = deployment.spawn(&arguments);
    deployment.add(&deployment.ballots(50)).await;
    deployment.settles_at(50).await;
    consumer.ready().await;
    let sql = deployment.sql().await;
    let plain = "SELECT count(*) FROM pg_stat_activity JOIN pg_stat_ssl USING (pid)
        WHERE application_name = 'votestream-consumer' AND NOT ssl";
    let plain: i64 = sql.query_one(plain, &[]).await.unwrap().get(0);
    assert_eq!(plain, 0, "all of its sessions are encrypted");
    for (certificate, ends_s) in [
        ("redis_ca", AUTHORITY_ENDS_S),
        ("redis_server", SERVER_ENDS_S),
        ("postgres_ca", AUTHORITY_ENDS_S),
        ("postgres_server", SERVER_ENDS_S),
    ] {
        eventually(SOON, async || {
            let name = "votestream_certificate_expiry_timestamp_seconds";
            let found = consumer.metric(name, &format!("\"{certificate}\"")).await;
            if found == Some(ends_s as f64) { Ok(()) } else { Err((certificate, found)) }
        })
        .await;
    }
    drop(consumer);

    // A certificate of the right authority is accepted; one of another authority, or for another name, is not.
    reach_redis(&redis_url, &made.authority).await.unwrap();
    reach_postgres(&postgres_url, &made.authority).await.unwrap();
    let is_refusal = |outcome: Result<(), String>| {
        let reason = outcome.expect_err("an impostor is refused").to_lowercase();
        assert!(reason.contains("certificate") || reason.contains("issuer"), "{reason}");
    };
    is_refusal(reach_redis(&redis_url, &made.other_authority).await);
    is_refusal(reach_postgres(&postgres_url, &made.other_authority).await);
    drop((redis, postgres));

    let redis = own_redis_with(|options| options.tls = Some(made.misnamed_server.clone()));
    let postgres =
        own_postgres_with(|options| options.tls = Some(made.misnamed_server.clone())).await;
    is_refusal(reach_redis(&redis.tls_url().unwrap(), &made.authority).await);
    is_refusal(reach_postgres(&postgres.tls_url("postgres").unwrap(), &made.authority).await);
}

/// Returns whether a session at this address is encrypted, or why it cannot be opened.
async fn is_encrypted(url: &str, authority: Option<&Path>) -> Result<bool, String> {
    let args = PostgresArgs {
        database_url: url.parse().unwrap(),
        database_url_file: None,
        database_ca_file: authority.map(Path::to_owned),
        statement_timeout_ms: 10_000,
    };
    let client = postgres::connect(&args, "test").await.map_err(|error| format!("{error:#}"))?;
    let ask = "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()";
    Ok(client.query_one(ask, &[]).await.unwrap().get(0))
}

#[tokio::test(flavor = "multi_thread")]
async fn sslmode_means_what_libpq_documents() {
    let made = certificates();
    let (ours, other) = (made.authority.as_path(), made.other_authority.as_path());
    let server =
        own_postgres_with(|options| options.tls = Some(made.misnamed_server.clone())).await;
    let url = server.tls_url("postgres").unwrap().replace("?sslmode=verify-full", "");
    // The server's certificate is for another name, and the system does not trust its authority.
    let cases = [
        ("", None, Some(true)),
        ("?sslmode=disable", None, Some(false)),
        ("?sslmode=disable", Some(ours), Some(false)),
        ("?sslmode=allow", None, Some(true)),
        ("?sslmode=prefer", None, Some(true)),
        ("?sslmode=require", None, Some(true)),
        ("?sslmode=prefer", Some(ours), Some(true)),
        ("?sslmode=require", Some(ours), Some(true)),
        ("?sslmode=prefer", Some(other), None),
        ("?sslmode=require", Some(other), None),
        ("?sslmode=verify-ca", Some(ours), Some(true)),
        ("?sslmode=verify-ca", Some(other), None),
        ("?sslmode=verify-full", Some(ours), None),
    ];
    for (mode, authority, expected) in cases {
        let outcome = is_encrypted(&format!("{url}{mode}"), authority).await;
        let what = format!("{mode:?} {authority:?}: {outcome:?}");
        match expected {
            Some(encrypted) => assert_eq!(outcome, Ok(encrypted), "{what}"),
            None => assert!(outcome.is_err(), "{what}"),
        }
    }
    let unknown = is_encrypted(&format!("{url}?sslmode=maybe"), None).await.unwrap_err();
    assert!(unknown.contains("sslmode `maybe`"), "{unknown}");

    // A server without TLS.
    let plain = testkit::database().await;
    assert_eq!(is_encrypted(&format!("{plain}?sslmode=prefer"), None).await, Ok(false));
    for mode in ["require", "verify-ca", "verify-full"] {
        let outcome = is_encrypted(&format!("{plain}?sslmode={mode}"), Some(ours)).await;
        assert!(outcome.is_err(), "{mode}");
    }
}

//! The load tester never calls a correct deployment faulty.

use std::fmt::Write as _;
use std::time::Duration;

use testkit::{folder, own_redis};
use votestream_loadtest::{AuditVerdict, Config, Stop};

use crate::deployment::{Deployment, drive};

#[tokio::test(flavor = "multi_thread")]
async fn a_database_of_another_deployment_is_noticed() {
    let (redis, elsewhere) = (own_redis(), own_redis());
    let deployment = Deployment::on(&redis.url(), &[]).await;
    let other = Deployment::on(&elsewhere.url(), &[]).await;
    let producer = deployment.started("producer").await;
    let dashboard = deployment.started("dashboard").await;
    let _consumer = deployment.started("consumer").await;
    let mut config = deployment.load(producer.port, Some(dashboard.port), 100.0, 1.0);
    config.database_url = Some(other.database_url.clone());
    config.drain_time_max = Duration::from_secs(2);
    let report = drive(config, Stop::default()).await;
    assert_eq!(report.audit.verdict, AuditVerdict::Void, "{:?}", report.audit);
    assert!(!report.audit.findings.is_violated(), "{:?}", report.audit.findings);
    assert_eq!(report.verdict.exit_code, 1);
    let reason = &report.audit.notes[0];
    assert!(reason.contains("seems to belong to another deployment"), "{reason}");
    assert!(reason.contains("0 voters and 0 votes, the results show 100 voters"), "{reason}");
}

#[tokio::test(flavor = "multi_thread")]
async fn voters_with_codes_who_hang_up_take_no_row_from_others() {
    let redis = own_redis();
    let deployment = Deployment::on(&redis.url(), &[]).await;
    let create = ["poll", "create", "--slug", "codes", "--title", "Codes?", "--open"];
    let options = ["--voter-policy", "code", "--option", "cats", "--option", "dogs"];
    deployment.votectl(&[create.as_slice(), &options].concat());
    let codes = folder("codes").join("codes.txt");
    let mut own = String::new();
    for code in 0..300 {
        writeln!(own, "{code:05}ABCDEFGHJKM").unwrap();
    }
    std::fs::write(&codes, &own).unwrap();
    deployment.votectl(&["codes", "import", "codes", codes.to_str().unwrap()]);
    let producer = deployment.started("producer").await;
    let dashboard = deployment.started("dashboard").await;
    let _consumer = deployment.started("consumer").await;
    let config = Config {
        poll: "codes".to_owned(),
        mix: "hang-up=20%,page=30%".parse().unwrap(),
        codes: Some(own.lines().map(str::to_owned).collect()),
        ..deployment.load(producer.port, Some(dashboard.port), 150.0, 2.0)
    };
    let report = drive(config, Stop::default()).await;
    let audit = &report.audit;
    assert_eq!(audit.verdict, AuditVerdict::Balanced, "{:?} {:?}", audit.findings, audit.notes);
    let found = &audit.findings;
    assert_eq!(
        found.indeterminate_counted + found.indeterminate_absent,
        audit.indeterminate_voters
    );
    assert!(audit.acknowledged_voters > 200 && audit.indeterminate_voters > 30, "{audit:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn ballots_that_nobody_counts_yet_are_not_lost() {
    let redis = own_redis();
    let deployment = Deployment::on(&redis.url(), &[]).await;
    // A consumer copies the poll to Redis, and then ends.
    let mut consumer = deployment.started("consumer").await;
    let producer = deployment.started("producer").await;
    let dashboard = deployment.started("dashboard").await;
    consumer.terminate();
    consumer.ended().await;
    let mut config = deployment.load(producer.port, Some(dashboard.port), 100.0, 1.0);
    config.drain_time_max = Duration::from_secs(2);
    let report = drive(config, Stop::default()).await;
    let audit = &report.audit;
    assert_eq!(audit.verdict, AuditVerdict::Incomplete, "{:?} {:?}", audit.findings, audit.notes);
    assert_eq!((audit.missing, report.verdict.exit_code), (100, 5), "{:?}", audit.notes);
    assert!(!audit.findings.is_violated(), "{:?}", audit.findings);
}

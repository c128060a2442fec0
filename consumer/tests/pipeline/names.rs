//! Consumer names in the group: those of dead consumers are removed, unless entries are pending under them.

use std::time::Duration;

use testkit::eventually;
use votestream_schema::keys::GROUP;

use crate::support::{CLAIM_SOON, SOON, TestDeployment};

#[tokio::test(flavor = "multi_thread")]
async fn silent_names_go_but_never_with_pending_entries() {
    let deployment = TestDeployment::new().await;
    let mut redis = deployment.redis().await;
    let stream = deployment.keys.stream(0);
    let mut create = redis::cmd("XGROUP");
    create.arg("CREATE").arg(&stream).arg(GROUP).arg("0").arg("MKSTREAM");
    create.exec_async(&mut redis).await.unwrap();
    let mut create = redis::cmd("XGROUP");
    create.arg("CREATECONSUMER").arg(&stream).arg(GROUP).arg("silent");
    create.exec_async(&mut redis).await.unwrap();
    let mine =
        (0..).map(|_| deployment.ballot(0)).find(|b| b.voter.partition(deployment.partitions) == 0);
    deployment.add(&[mine.unwrap()]).await;
    let mut read = redis::cmd("XREADGROUP");
    read.arg("GROUP").arg(GROUP).arg("holding").arg("STREAMS").arg(&stream).arg(">");
    read.exec_async(&mut redis).await.unwrap();

    // Nobody claims for ten minutes, so pending entries stay pending.
    let patient = ["--consumer-expiry-ms=1000", "--claim-idle-ms=600000"];
    let (one, other) = (deployment.start(&patient), deployment.start(&patient));
    one.ready().await;
    other.ready().await;
    eventually(SOON, async || {
        let names = deployment.consumers(&mut redis).await;
        if names.contains(&"silent".to_owned()) { Err(names) } else { Ok(()) }
    })
    .await;
    // After several removals the name with a pending entry is still there, and so are consumers that wait for work.
    let removed_at = std::time::Instant::now();
    while removed_at.elapsed() < Duration::from_millis(2_500) {
        let names = deployment.consumers(&mut redis).await;
        assert!(names.contains(&"holding".to_owned()), "{names:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    eventually(SOON, async || {
        let names = deployment.consumers(&mut redis).await;
        if names.len() == 3 { Ok(()) } else { Err(names) }
    })
    .await;
    assert_eq!(deployment.pending(&mut redis).await.get("holding"), Some(&1));
    assert!(one.stop().await && other.stop().await);

    // Once its entry was claimed, that name is removed as well.
    let heir = deployment.start(&[CLAIM_SOON, &["--consumer-expiry-ms=1000"]].concat());
    deployment.settles_at(1).await;
    eventually(SOON, async || {
        let names = deployment.consumers(&mut redis).await;
        if names.len() == 1 { Ok(()) } else { Err(names) }
    })
    .await;
    assert!(heir.stop().await);
}

//! Names in the group: dead ones go, unless entries are pending under them.

use std::time::Duration;

use testkit::eventually;
use votestream_schema::keys::GROUP;

use crate::support::{CLAIM_SOON, SOON, Site};

#[tokio::test(flavor = "multi_thread")]
async fn silent_names_go_but_never_with_pending_entries() {
    let site = Site::new().await;
    let mut redis = site.redis().await;
    let stream = site.keys.stream(0);
    let mut create = redis::cmd("XGROUP");
    create.arg("CREATE").arg(&stream).arg(GROUP).arg("0").arg("MKSTREAM");
    create.exec_async(&mut redis).await.unwrap();
    let mut create = redis::cmd("XGROUP");
    create.arg("CREATECONSUMER").arg(&stream).arg(GROUP).arg("silent");
    create.exec_async(&mut redis).await.unwrap();
    let mine = (0..).map(|_| site.ballot(0)).find(|b| b.voter.partition(site.partitions) == 0);
    site.add(&[mine.unwrap()]).await;
    let mut read = redis::cmd("XREADGROUP");
    read.arg("GROUP").arg(GROUP).arg("holding").arg("STREAMS").arg(&stream).arg(">");
    read.exec_async(&mut redis).await.unwrap();

    // Nobody claims for ten minutes, so what is pending stays so.
    let patient = ["--consumer-expiry-ms=1000", "--claim-idle-ms=600000"];
    let (one, other) = (site.start(&patient), site.start(&patient));
    one.ready().await;
    other.ready().await;
    eventually(SOON, async || {
        let names = site.consumers(&mut redis).await;
        if names.contains(&"silent".to_owned()) { Err(names) } else { Ok(()) }
    })
    .await;
    // Several burials later the other is still there, and so are those that merely wait for work.
    let removed_at = std::time::Instant::now();
    while removed_at.elapsed() < Duration::from_millis(2_500) {
        let names = site.consumers(&mut redis).await;
        assert!(names.contains(&"holding".to_owned()), "{names:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    eventually(SOON, async || {
        let names = site.consumers(&mut redis).await;
        if names.len() == 3 { Ok(()) } else { Err(names) }
    })
    .await;
    assert_eq!(site.pending(&mut redis).await.get("holding"), Some(&1));
    assert!(one.stop().await && other.stop().await);

    // Once its entry was claimed, it goes as well.
    let heir = site.start(&[CLAIM_SOON, &["--consumer-expiry-ms=1000"]].concat());
    site.settles_at(1).await;
    eventually(SOON, async || {
        let names = site.consumers(&mut redis).await;
        if names.len() == 1 { Ok(()) } else { Err(names) }
    })
    .await;
    assert!(heir.stop().await);
}

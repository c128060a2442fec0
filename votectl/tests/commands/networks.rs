use serde_json::json;
use votestream_schema::poll::network::Network;
use votestream_schema::poll::network_limit::NetworkLimit;
use votestream_schema::projection;

use super::deployment::{Deployment, PARTITIONS};

#[tokio::test]
async fn a_poll_gets_a_limit_of_its_own_and_gives_it_up_again() {
    let mut deployment = Deployment::new().await;
    deployment.create(&["--open", "--network-limit", "5000/600"]);
    let shown = |words: &str| {
        let shown = deployment.run(&["poll", "show", "pets"]).ok();
        assert!(shown.contains(words), "{shown}");
    };
    shown("networks   5000 new voters of an address at once, then 600 a minute");
    let revision = deployment.poll().await.revision;
    deployment.run(&["poll", "set", "pets", "--network-limit", "off"]).ok();
    shown("no limit of new voters per network");
    let poll = deployment.poll().await;
    assert_eq!((poll.network_limit, poll.revision), (Some(NetworkLimit::Off), revision + 1));
    let mut page = redis::cmd("HGET");
    page.arg(deployment.keys.polls()).arg("pets");
    let copy: String = deployment.redis(&page).await;
    assert_eq!(projection::read_definition(&copy).unwrap(), poll, "producers read this copy");
    let shown = deployment.run(&["poll", "show", "pets", "--json"]).json();
    assert_eq!(shown["network_limit"], json!("off"));

    deployment.run(&["poll", "set", "pets", "--network-limit", "default"]).ok();
    assert_eq!(deployment.poll().await.network_limit, None);
    let said = deployment.run(&["poll", "set", "pets", "--network-limit", "many"]);
    assert_eq!(said.code, 2, "{said:?}");
    assert!(said.err.contains("AT_ONCE/PER_MINUTE"), "{said:?}");
    deployment.run(&["poll", "close", "pets"]).ok();
    deployment
        .run(&["poll", "set", "pets", "--network-limit", "off"])
        .refused(1, &["poll `pets` is closed"]);
}

#[tokio::test]
async fn a_limit_comes_from_a_poll_file_too() {
    let deployment = Deployment::new().await;
    let file = testkit::folder("poll").join("poll.toml");
    let text = "slug = \"pets\"\ntitle = \"Pets?\"\nnetwork_limit = \"7/3\"\n\
                [[options]]\nslug = \"cats\"\nlabel = \"Cats\"\n[[options]]\nslug = \"dogs\"\nlabel = \"Dogs\"\n";
    std::fs::write(&file, text).unwrap();
    let create = ["poll", "create", "--file", file.to_str().unwrap()];
    deployment.run(&create).ok();
    let limit = deployment.poll().await.network_limit;
    assert_eq!(limit, Some(NetworkLimit::Limit { at_once: 7, per_minute: 3 }));
    std::fs::write(&file, text.replace("7/3", "7/0")).unwrap();
    let said = deployment.run(&[&create[..], &["--update"]].concat());
    said.refused(1, &["line 3", "network limit"]);
}

#[tokio::test]
async fn the_busiest_networks_are_listed_under_their_keyed_names() {
    let mut deployment = Deployment::new().await;
    deployment.create(&["--open"]);
    let poll = deployment.poll().await;
    let secret = poll.secrecy.keys.secret().unwrap().clone();
    let hashes = |address: &str| {
        let networks = Network::of(address.parse().unwrap());
        networks.all().iter().map(|network| network.hash(&secret)).collect::<Vec<_>>()
    };
    for (address, voters) in [("203.0.113.9", 1_500), ("2001:db8::1", 40)] {
        let names = hashes(address);
        let partition = names.last().unwrap().partition(PARTITIONS);
        for name in names {
            let mut set = redis::cmd("HSET");
            set.arg(deployment.keys.networks(partition, poll.id)).arg(name.to_string());
            set.arg(format!("1767225600000.250 {voters} 1767225600000 1767225660000"));
            deployment.redis::<i64>(&set).await;
        }
    }
    let list = deployment.run(&["poll", "networks", "pets", "--json"]).json();
    assert_eq!((&list["known"], list["networks"].as_array().unwrap().len()), (&json!(5), 5));
    let first = &list["networks"][0];
    assert_eq!(first["new_voters"], json!(1_500));
    assert_eq!(
        (&first["first"], &first["last"]),
        (&json!("2026-01-01T00:00:00Z"), &json!("2026-01-01T00:01:00Z"))
    );
    let text = deployment.run(&["poll", "networks", "pets", "--top", "2"]).ok();
    assert!(text.contains("4/32:") && text.contains("4/24:") && !text.contains("6/64:"), "{text}");
    let of = deployment.run(&["poll", "networks", "pets", "--of", "2001:db8::2", "--json"]).json();
    let listed: Vec<_> = of["networks"].as_array().unwrap().iter().collect();
    assert_eq!(listed.len(), 3, "the same /64, /56 and /48");
    let none = deployment.run(&["poll", "networks", "pets", "--of", "192.0.2.1"]).ok();
    assert!(none.contains("none of the 5 networks"), "{none}");

    let mut set = redis::cmd("HSET");
    let unchallenged = deployment.keys.unchallenged(0, poll.id);
    set.arg(&unchallenged).arg("poll:00").arg("1 0 1 1");
    deployment.redis::<i64>(&set).await;
    // Archiving forgets them, and sealing makes their names meaningless.
    deployment.run(&["poll", "close", "pets"]).ok();
    deployment.run(&["poll", "archive", "pets"]).ok();
    let list = deployment.run(&["poll", "networks", "pets", "--json"]).json();
    assert_eq!(list["known"], json!(0));
    let mut exists = redis::cmd("EXISTS");
    exists.arg(&unchallenged);
    assert_eq!(deployment.redis::<i64>(&exists).await, 0);
}

//! Proxies in front of the service, and the forms in which they name the client.

use super::super::harness::{Service, Setup};

/// Casts the ballot of a new voter with these headers; returns the status.
async fn cast(service: &Service, headers: &[(&str, &str)]) -> u16 {
    let ballot = service.ballot("pets", &["cats"]);
    let ballot = headers.iter().fold(ballot, |ballot, (name, value)| ballot.header(name, value));
    ballot.send().await.status
}

fn limited(at_once: &str) -> Setup {
    Setup::new().flag("new-voters-at-once", at_once).flag("new-voters-per-minute", "1")
}

#[tokio::test]
async fn every_form_of_one_address_shares_its_limit() {
    let service = limited("7").flag("trusted-proxies", "127.0.0.0/8").start().await;
    let forms: [&[(&str, &str)]; 7] = [
        &[("x-forwarded-for", "203.0.113.200")],
        &[("x-forwarded-for", "203.0.113.200:41000")],
        &[("x-forwarded-for", "\"203.0.113.200:41000\"")],
        &[("x-forwarded-for", "::ffff:203.0.113.200, 127.0.0.1")],
        &[("forwarded", "for=203.0.113.200")],
        &[("forwarded", "for=unknown, For=\"203.0.113.200:41000\";proto=https")],
        &[("forwarded", "for=203.0.113.200"), ("x-forwarded-for", "203.0.113.200")],
    ];
    for form in forms {
        assert_eq!(cast(&service, form).await, 202, "{form:?}");
    }
    for form in forms {
        assert_eq!(cast(&service, form).await, 429, "{form:?}");
    }
    assert_eq!(cast(&service, &[("x-forwarded-for", "203.0.113.201:1")]).await, 202);
}

#[tokio::test]
async fn clients_that_cannot_be_told_apart_share_one_limit() {
    let service = limited("2").flag("trusted-proxies", "127.0.0.0/8").start().await;
    let unreadable: [&[(&str, &str)]; 7] = [
        &[("x-forwarded-for", "")],
        &[("x-forwarded-for", "unknown")],
        &[("x-forwarded-for", "203.0.113.200, unix:")],
        &[("forwarded", "for=unknown")],
        &[("forwarded", "for=_hidden;proto=https")],
        &[("forwarded", "")],
        &[("forwarded", "for=203.0.113.1"), ("x-forwarded-for", "203.0.113.2")],
    ];
    let mut accepted = 0;
    for form in unreadable {
        accepted += usize::from(cast(&service, form).await == 202);
    }
    assert_eq!(accepted, 2, "of {}", unreadable.len());
    for form in unreadable {
        assert_eq!(cast(&service, form).await, 429, "{form:?}");
    }
    let metrics = service.metrics.render();
    let name = "votestream_new_voters_total{network=\"unreadable\"}";
    let line = metrics.lines().find_map(|line| line.strip_prefix(name)).unwrap();
    assert!(line.trim().parse::<f64>().unwrap() >= 2.0, "{line}");
    // A client whose address is known is not affected.
    assert_eq!(cast(&service, &[("x-forwarded-for", "203.0.113.1")]).await, 202);
}

#[tokio::test]
async fn loopback_is_exempt_only_without_a_header_of_a_proxy() {
    for trusted in ["", "127.0.0.0/8"] {
        let service = limited("2").flag("trusted-proxies", trusted).start().await;
        for _ in 0..5 {
            assert_eq!(cast(&service, &[]).await, 202);
        }
        let header = [("x-forwarded-for", "127.0.0.1")];
        assert_eq!((cast(&service, &header).await, cast(&service, &header).await), (202, 202));
        assert_eq!(cast(&service, &header).await, 429);
    }
}

#[tokio::test]
async fn without_a_trusted_proxy_forwarded_addresses_are_not_believed() {
    let service = limited("2").start().await;
    let from = async |address: &str| cast(&service, &[("x-forwarded-for", address)]).await;
    assert_eq!((from("203.0.113.1").await, from("203.0.113.2").await), (202, 202));
    assert_eq!(from("203.0.113.3").await, 429, "all come from one peer");
}

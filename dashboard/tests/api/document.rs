//! The OpenAPI document: it is served unchanged and is valid.

use crate::harness::{Setup, contract};

#[tokio::test]
async fn the_document_is_served_as_it_stands() {
    let service = Setup::new().start().await;
    let reply = service.client.get("/openapi.json").send().await;
    assert_eq!(reply.json(), contract().document);
}

#[test]
fn the_document_holds_together() {
    contract().check_document();
}

#[tokio::test]
async fn every_type_of_problem_is_explained_at_its_address() {
    let service = Setup::new().start().await;
    let schemas = contract().document["components"]["schemas"].as_object().unwrap().values();
    let types = schemas.filter_map(|schema| {
        let fact = |name: &str, form: &str| schema["properties"][name][form].as_str();
        fact("type", "const").zip(fact("title", "default"))
    });
    let mut explained = 0;
    for (address, title) in types {
        let reply = service.client.get(address).send().await;
        let text = reply.text();
        assert_eq!(reply.status, 200, "{address}");
        assert!(text.starts_with(title) && text.lines().count() >= 3, "{address}: {text}");
        explained += 1;
    }
    assert!(explained >= 5, "{explained}");
    let reply = service.client.get("/problems/none-such").send().await;
    assert_eq!((reply.status, reply.problem().as_str()), (404, "not-found"));
}

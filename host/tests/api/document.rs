//! The OpenAPI document: it is served unchanged and is valid.

use serde_json::Value;

use crate::harness::{Deployment, contract};

#[test]
fn the_document_holds_together() {
    contract().check_document();
}

#[tokio::test]
async fn the_document_and_every_type_of_problem_are_served() {
    let service = Deployment::new().await.start(&[]).await;
    let reply = service.client.get("/openapi.json").send().await;
    assert_eq!(reply.json(), contract().document);
    let schemas = contract().document["components"]["schemas"].as_object().unwrap().values();
    let types: Vec<&str> = schemas
        .filter_map(|schema| schema.pointer("/properties/type/const").and_then(Value::as_str))
        .collect();
    assert!(types.len() >= 10, "{types:?}");
    for address in types {
        assert_eq!(service.client.get(address).send().await.status, 200, "{address}");
    }
    // What the document does not list.
    for (method, path) in [
        ("POST", "/"),
        ("PUT", "/sign-in"),
        ("GET", "/sign-out"),
        ("DELETE", "/polls/pets"),
        ("POST", "/sign-in/x"),
        ("GET", "/api/polls/pets/open"),
        ("DELETE", "/api/polls"),
        ("POST", "/api/polls/pets"),
        ("PUT", "/polls/pets/codes"),
        ("POST", "/polls/pets/results.csv"),
        ("GET", "/api/polls/pets/codes"),
        ("POST", "/api/polls/pets/results.json"),
        ("POST", "/openapi.json"),
        ("GET", "/nowhere"),
        ("GET", "/a/b/c/d/e"),
    ] {
        service.client.request(method, path).send().await;
    }
}

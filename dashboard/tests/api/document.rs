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

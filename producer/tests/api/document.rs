//! The OpenAPI document itself.

use std::collections::HashSet;

use serde_json::Value;

use crate::contract::{contract, escape};
use crate::harness::Setup;

/// Every value in the document below a key of this name, with its JSON pointer.
fn find<'a>(value: &'a Value, key: &str, at: &str, found: &mut Vec<(String, &'a Value)>) {
    let parts: Vec<(String, &Value)> = match value {
        Value::Object(object) => object.iter().map(|(name, part)| (escape(name), part)).collect(),
        Value::Array(array) => array.iter().enumerate().map(|(i, p)| (i.to_string(), p)).collect(),
        _ => return,
    };
    for (name, part) in parts {
        let at = format!("{at}/{name}");
        if name == key {
            found.push((at.clone(), part));
        }
        find(part, key, &at, found);
    }
}

fn all(key: &str) -> Vec<(String, &'static Value)> {
    let mut found = Vec::new();
    find(&contract().document, key, "", &mut found);
    found
}

#[tokio::test]
async fn the_document_is_served_as_it_stands() {
    let service = Setup::new().start().await;
    let reply = service.client.get("/openapi.json").send().await;
    assert_eq!(reply.json(), contract().document);
    assert_eq!(contract().document["openapi"], "3.1.0");
}

#[test]
fn every_reference_leads_somewhere() {
    let references = all("$ref");
    assert!(references.len() > 20);
    for (at, reference) in references {
        let pointer = reference.as_str().unwrap().strip_prefix('#').unwrap();
        assert!(contract().document.pointer(pointer).is_some(), "{at}: {reference}");
    }
}

#[test]
fn every_operation_has_a_name_of_its_own() {
    let names = all("operationId");
    let distinct: HashSet<&Value> = names.iter().map(|(_, name)| *name).collect();
    assert_eq!(distinct.len(), names.len());
}

#[test]
fn every_example_fits_its_schema() {
    let examples = all("examples");
    let of_bodies = examples.iter().filter(|(_, examples)| examples.is_object());
    let mut checked = 0;
    for (at, examples) in of_bodies {
        let schema = format!("{}/schema", at.strip_suffix("/examples").unwrap());
        for (name, example) in examples.as_object().unwrap() {
            contract().validate(&format!("{at}/{name}"), &schema, &example["value"]);
            checked += 1;
        }
    }
    assert!(checked > 5, "{checked}");
}

#[test]
fn every_problem_has_an_example() {
    let schemas = contract().document["components"]["schemas"].as_object().unwrap();
    let types = schemas.values().filter_map(|schema| schema.pointer("/properties/type/const"));
    let values = all("examples").into_iter().filter_map(|(_, examples)| examples.as_object());
    let shown: Vec<&Value> = values
        .flat_map(|examples| examples.values().filter_map(|one| one.pointer("/value/type")))
        .collect();
    for kind in types.filter(|kind| !kind.as_str().unwrap().ends_with("/method-not-allowed")) {
        assert!(shown.contains(&kind), "{kind}");
    }
}

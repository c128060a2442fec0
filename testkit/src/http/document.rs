//! Checks an OpenAPI document by itself: references, operation names, examples, problems.

use std::collections::{BTreeSet, HashSet};

use serde_json::Value;

use super::contract::{Contract, escape};

/// Returns the address, the status and the title of each problem type that an OpenAPI document lists.
///
/// # Panics
/// Panics if the text is no OpenAPI document with schemas, or if a problem type lacks its status or title.
#[must_use]
pub fn problem_types(openapi: &str) -> BTreeSet<(String, u16, String)> {
    let document: Value = serde_json::from_str(openapi).expect("the document is JSON");
    let schemas = document["components"]["schemas"].as_object().expect("the document has schemas");
    let constant = |schema: &Value, name: &str| schema["properties"][name]["const"].clone();
    let types = schemas.values().filter_map(|schema| {
        let address = constant(schema, "type").as_str()?.to_owned();
        let status = constant(schema, "status").as_u64().expect("a problem type has a status");
        // Titles are in the language of the reader; the document has the English ones.
        let title = schema["properties"]["title"]["default"].as_str();
        let title = title.expect("a problem type has a title").to_owned();
        Some((address, status as u16, title))
    });
    types.collect()
}

impl Contract {
    /// Checks that the document is of version 3.1, that every reference leads somewhere, that every operation has a
    /// name of its own, that every example fits its schema, and that every problem has an example.
    ///
    /// # Panics
    /// Panics at the first of these that is not so.
    pub fn check_document(&self) {
        assert!(
            self.document["openapi"].as_str().is_some_and(|version| version.starts_with("3.1"))
        );
        self.check_references();
        self.check_names();
        self.check_examples();
        self.check_problems();
    }

    fn check_references(&self) {
        let references = self.all("$ref");
        assert!(references.len() > 20);
        for (at, reference) in references {
            let pointer = reference.as_str().and_then(|text| text.strip_prefix('#'));
            let found = pointer.and_then(|pointer| self.document.pointer(pointer));
            assert!(found.is_some(), "{at}: {reference}");
        }
    }

    fn check_names(&self) {
        let names = self.all("operationId");
        let distinct: HashSet<&Value> = names.iter().map(|(_, name)| *name).collect();
        assert_eq!(distinct.len(), names.len(), "two operations share a name: {names:?}");
    }

    fn check_examples(&self) {
        let mut checked = 0;
        for (at, examples) in self.all("examples") {
            let Some(examples) = examples.as_object() else { continue };
            let schema = at.strip_suffix("/examples").map(|body| format!("{body}/schema"));
            let schema = schema.expect("the pointer ends with the key that was searched");
            for (name, example) in examples {
                self.validate(&format!("{at}/{name}"), &schema, &example["value"]);
                checked += 1;
            }
        }
        assert!(checked > 5, "{checked}");
    }

    fn check_problems(&self) {
        let schemas = self.document["components"]["schemas"].as_object().expect("schemas");
        let types = schemas.values().filter_map(|schema| schema.pointer("/properties/type/const"));
        let examples = self.all("examples");
        let shown: Vec<&Value> = examples
            .iter()
            .filter_map(|(_, examples)| examples.as_object())
            .flat_map(|examples| examples.values().filter_map(|one| one.pointer("/value/type")))
            .collect();
        let is_general =
            |kind: &&Value| kind.as_str().is_some_and(|kind| kind.ends_with("/method-not-allowed"));
        for kind in types.filter(|kind| !is_general(kind)) {
            assert!(shown.contains(&kind), "{kind} has no example");
        }
    }

    /// Returns every value in the document that stands under this key, with its JSON pointer.
    fn all(&self, key: &str) -> Vec<(String, &Value)> {
        let mut found = Vec::new();
        find(&self.document, key, "", &mut found);
        found
    }
}

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

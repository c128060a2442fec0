//! Checks every reply that a test sees against the service's OpenAPI document.
//!
//! A service must answer a request for an address or with a method that the document does not list with the problem
//! `not-found` or `method-not-allowed`, as the document's description says.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use jsonschema::Validator;
use serde_json::{Value, json};

use super::reply::Reply;

const PROBLEM_JSON: &str = "application/problem+json";

/// An OpenAPI document, and the JSON Schema validators that were built from it so far.
#[derive(Debug)]
pub struct Contract {
    /// The document as JSON.
    pub document: Value,
    validators: Mutex<HashMap<String, Arc<Validator>>>,
}

impl Contract {
    /// Parses an OpenAPI document.
    ///
    /// # Panics
    /// Panics if the text is no JSON.
    pub fn new(document: &str) -> Self {
        let document = serde_json::from_str(document).expect("the document is JSON");
        Self { document, validators: Mutex::default() }
    }

    /// Checks one reply: its status, its headers and its body must be listed for this method and path.
    ///
    /// # Panics
    /// Panics if the document lists no such reply.
    pub fn check(&self, method: &str, path: &str, reply: &Reply) {
        let request = format!("{method} {path} → {}", reply.status);
        if reply.status >= 400 {
            // An error must not be cached, as it may be over in a moment; and a browser must not take a client's own
            // text in it for a page.
            let kept = (reply.header("cache-control"), reply.header("x-content-type-options"));
            assert_eq!(kept, (Some("no-store"), Some("nosniff")), "{request}");
        }
        // Whatever a browser shows has a policy that says what it may run and who may frame it.
        if !reply.media_type().is_empty() && reply.media_type() != "text/event-stream" {
            let policy = reply.header("content-security-policy").unwrap_or_default();
            assert!(policy.contains("default-src 'none'"), "{request}: no content security policy");
            // Only one page may stand in frames of other sites.
            let is_closed = policy.contains("frame-ancestors 'none'");
            assert!(is_closed || path.starts_with("/embed/"), "{request}: {policy}");
        }
        // The services treat an address with and without a slash at its end alike.
        let path = path.split('?').next().unwrap_or_default();
        let path = path.strip_suffix('/').filter(|path| path.len() > 1).unwrap_or(path);
        let Some(template) = self.template(path) else {
            assert_eq!(reply.status, 404, "{request}: an unlisted address");
            return self.check_body(&request, "/components/schemas/NotFound", PROBLEM_JSON, reply);
        };
        let item = &self.document["paths"][&template];
        let Some(operation) = item.get(method.to_lowercase()) else {
            assert_eq!(reply.status, 405, "{request}: an unlisted method");
            assert_eq!(allowed(reply), listed(item), "{request}: Allow");
            let schema = "/components/schemas/MethodNotAllowed";
            return self.check_body(&request, schema, PROBLEM_JSON, reply);
        };
        let pointer = format!("/responses/{}", reply.status);
        let Some(response) = operation.pointer(&pointer) else {
            panic!("{request}: the document lists no such status: {}", reply.text());
        };
        let at = format!("/paths/{}/{}{pointer}", escape(&template), method.to_lowercase());
        let (response, at) = self.resolve(response, &at);
        self.check_headers(&request, response, reply);
        match response.get("content") {
            None => assert!(reply.body.is_empty(), "{request}: a body is not documented"),
            Some(content) => {
                let given = reply.media_type();
                assert!(content.get(given).is_some(), "{request}: `{given}` is not documented");
                if method != "HEAD" {
                    let schema = format!("{at}/content/{}/schema", escape(given));
                    self.check_body(&request, &schema, given, reply);
                }
            }
        }
    }

    /// Checks that a value fits the schema at this JSON pointer. `subject` names the value in the message.
    ///
    /// # Panics
    /// Panics if the value does not fit.
    pub fn validate(&self, subject: &str, schema: &str, value: &Value) {
        let validator = self.validator(schema);
        let errors: Vec<String> = validator
            .iter_errors(value)
            .map(|error| format!("{}: {error}", error.instance_path()))
            .collect();
        assert!(errors.is_empty(), "{subject}: {value} does not fit {schema}: {errors:#?}");
    }

    /// Follows a `$ref`. Returns the referenced part of the document and its JSON pointer; a value that is no
    /// reference is returned as it is.
    ///
    /// # Panics
    /// Panics if the reference leads out of the document or nowhere.
    pub fn resolve<'a>(&'a self, value: &'a Value, at: &str) -> (&'a Value, String) {
        match value.get("$ref").and_then(Value::as_str) {
            None => (value, at.to_owned()),
            Some(reference) => {
                let pointer = reference.strip_prefix('#').expect("references stay inside");
                let found = self.document.pointer(pointer);
                (found.unwrap_or_else(|| panic!("{reference} leads nowhere")), pointer.to_owned())
            }
        }
    }

    /// Returns the listed path, such as `/api/polls/{slug}`, that this path is an instance of.
    fn template(&self, path: &str) -> Option<String> {
        let fits = |template: &&String| {
            let (template, path): (Vec<_>, Vec<_>) =
                (template.split('/').collect(), path.split('/').collect());
            let same = |(part, given): (&&str, &&str)| {
                part == given || (part.starts_with('{') && !given.is_empty())
            };
            template.len() == path.len() && template.iter().zip(&path).all(same)
        };
        self.document["paths"].as_object()?.keys().find(fits).cloned()
    }

    fn check_headers(&self, request: &str, response: &Value, reply: &Reply) {
        let Some(headers) = response.get("headers").and_then(Value::as_object) else { return };
        for (name, header) in headers {
            let (header, _) = self.resolve(header, "");
            match reply.header(name) {
                None => assert_ne!(header["required"], true, "{request}: {name} is missing"),
                Some(text) => {
                    let schema = &header["schema"];
                    let value = match schema["type"] == "integer" {
                        true => json!(text.parse::<i64>().expect("a number")),
                        false => json!(text),
                    };
                    let outcome = jsonschema::validate(schema, &value);
                    assert!(outcome.is_ok(), "{request}: {name}: {value} does not fit {schema}");
                }
            }
        }
    }

    fn check_body(&self, request: &str, schema: &str, media_type: &str, reply: &Reply) {
        assert_eq!(reply.media_type(), media_type, "{request}");
        if media_type.ends_with("json") {
            self.validate(request, schema, &reply.json());
        }
    }

    fn validator(&self, schema: &str) -> Arc<Validator> {
        let mut validators = self.validators.lock().unwrap_or_else(PoisonError::into_inner);
        let make = || {
            let found = self.document.pointer(schema);
            let found = found.unwrap_or_else(|| panic!("there is no schema at {schema}"));
            let whole = json!({ "allOf": [found], "components": self.document["components"] });
            let options = jsonschema::draft202012::options().should_validate_formats(true);
            Arc::new(options.build(&whole).unwrap_or_else(|error| panic!("{schema}: {error}")))
        };
        validators.entry(schema.to_owned()).or_insert_with(make).clone()
    }
}

/// Returns the methods in the `Allow` header of a reply with status 405.
fn allowed(reply: &Reply) -> BTreeSet<String> {
    let methods = reply.header("allow").unwrap_or_default().split(',');
    methods.map(|method| method.trim().to_lowercase()).collect()
}

/// Returns the methods that the document lists for a path.
fn listed(item: &Value) -> BTreeSet<String> {
    const METHODS: [&str; 8] =
        ["get", "put", "post", "delete", "options", "head", "patch", "trace"];
    let names = item.as_object().into_iter().flat_map(|item| item.keys());
    names.filter(|name| METHODS.contains(&name.as_str())).cloned().collect()
}

/// Escapes a key for use in a JSON pointer (RFC 6901).
pub fn escape(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}

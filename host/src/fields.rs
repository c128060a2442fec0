//! The fields of a form, or of a JSON object, by name.

use serde_json::Value;
use votestream_service::problem::Problem;

/// Names and values in the order in which they came. A name may come several times.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Fields(Vec<(String, String)>);

impl Fields {
    /// Reads a form as browsers send it.
    pub(crate) fn from_form(body: &[u8]) -> Self {
        Self(form_urlencoded::parse(body).into_owned().collect())
    }

    /// Reads a JSON object whose values are texts; an object in it stands for fields whose names begin with its own, as
    /// `{"label": {"cats": "Cats"}}` for `label-cats`. An empty body has no fields.
    ///
    /// # Errors
    /// Returns the problem `malformed` for any other body.
    pub(crate) fn from_json(body: &[u8]) -> Result<Self, Problem> {
        let malformed = || Problem::malformed("send a JSON object whose values are texts");
        if body.is_empty() {
            return Ok(Self::default());
        }
        let Ok(Value::Object(object)) = serde_json::from_slice(body) else {
            return Err(malformed());
        };
        let mut fields = Vec::new();
        for (name, value) in object {
            match value {
                Value::String(text) => fields.push((name, text)),
                Value::Object(inner) => {
                    for (part, value) in inner {
                        let Value::String(text) = value else { return Err(malformed()) };
                        fields.push((format!("{name}-{part}"), text));
                    }
                }
                _ => return Err(malformed()),
            }
        }
        Ok(Self(fields))
    }

    /// The first value of this name without blanks around it; `None` if there is none, or it is empty.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        let found = self.0.iter().find(|(known, _)| known == name)?;
        Some(found.1.trim()).filter(|text| !text.is_empty())
    }

    /// All fields whose names begin with `prefix`, without it.
    pub(crate) fn starting_with<'a>(
        &'a self,
        prefix: &'a str,
    ) -> impl Iterator<Item = (&'a str, &'a str)> {
        self.0
            .iter()
            .filter_map(move |(name, text)| Some((name.strip_prefix(prefix)?, text.trim())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_and_a_json_object_say_the_same() {
        let form = Fields::from_form(b"title=Pets%3F&label-cats=+Cats&at=");
        assert_eq!((form.get("title"), form.get("at")), (Some("Pets?"), None));
        assert_eq!(form.starting_with("label-").collect::<Vec<_>>(), [("cats", "Cats")]);
        let json = br#"{"title": "Pets?", "label": {"cats": "Cats"}}"#;
        let json = Fields::from_json(json).unwrap();
        assert_eq!(json.get("title"), Some("Pets?"));
        assert_eq!(json.starting_with("label-").collect::<Vec<_>>(), [("cats", "Cats")]);
        assert_eq!(Fields::from_json(b""), Ok(Fields::default()));
        for bad in ["[]", "{", r#"{"a": 1}"#, r#"{"a": {"b": 1}}"#] {
            assert!(Fields::from_json(bad.as_bytes()).is_err(), "{bad}");
        }
    }
}

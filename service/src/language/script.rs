//! The sentences for the scripts of a page, as a static file for each language.
//!
//! A file sets `globalThis.sentences`, which `messages.js` reads. A sentence is a text, or a list of texts and variables: `{v}`
//! is the value of a variable, and `{s, c}` chooses by a number (exactly, or by the plural rules of the language) or by a word;
//! the key `*` is for everything else.

use fluent_syntax::ast::{Expression, InlineExpression, PatternElement, Variant, VariantKey};
use serde_json::{Map, Value, json};

use super::catalogue::{Files, Sentence, bracketed, read};
use super::tag::Language;

/// Returns the script with the sentences for the scripts of a page (`ballot`, `results` or `receipt`) in each language.
///
/// # Panics
/// Panics if the catalogue has no such page, or if a sentence for scripts uses more of Fluent than they can read.
pub(crate) fn scripts(page: &str) -> impl Iterator<Item = (Language, String)> {
    let all = Language::ALL.into_iter().chain([Language::Bracketed]);
    all.map(move |language| {
        (language, format!("globalThis.sentences={};\n", sentences(language, page)))
    })
}

fn sentences(language: Language, page: &str) -> Value {
    let (_, text) = Files::of(language)
        .scripts
        .into_iter()
        .find(|(name, _)| *name == page)
        .expect("the catalogue has sentences for the scripts of this page");
    let mut all = Map::new();
    for (id, pattern) in read(text) {
        all.insert(id.to_owned(), sentence(&pattern, language));
    }
    Value::Object(all)
}

/// A text, or the list of its parts.
fn sentence(pattern: &Sentence, language: Language) -> Value {
    let parts: Vec<Value> = pattern.elements.iter().map(|it| part(it, language)).collect();
    match parts.iter().map(Value::as_str).collect::<Option<Vec<&str>>>() {
        Some(texts) => texts.concat().into(),
        None => parts.into(),
    }
}

fn part(element: &PatternElement<&'static str>, language: Language) -> Value {
    let expression = match element {
        PatternElement::TextElement { value } if language == Language::Bracketed => {
            return bracketed(value).into();
        }
        PatternElement::TextElement { value } => return (*value).into(),
        PatternElement::Placeable { expression } => expression,
    };
    match expression {
        Expression::Inline(inline) => json!({ "v": variable(inline) }),
        Expression::Select { selector, variants } => {
            let chosen: Map<String, Value> =
                variants.iter().map(|it| (key(it), sentence(&it.value, language))).collect();
            json!({ "s": variable(selector), "c": chosen })
        }
    }
}

fn variable(expression: &InlineExpression<&'static str>) -> &'static str {
    match expression {
        InlineExpression::VariableReference { id } => id.name,
        other => panic!("a sentence for scripts has no part but variables: {other:?}"),
    }
}

fn key(variant: &Variant<&'static str>) -> String {
    match (&variant.key, variant.default) {
        (_, true) => "*".to_owned(),
        (VariantKey::Identifier { name }, _) => (*name).to_owned(),
        (VariantKey::NumberLiteral { value }, _) => (*value).to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scripts_get_texts_variables_and_plurals() {
        let all = sentences(Language::En, "results");
        assert_eq!(all["light-live"], "Live");
        assert_eq!(all["light-stale"], json!(["Stale since ", { "v": "at" }]));
        let votes = json!([{
            "s": "votes",
            "c": { "one": [{ "v": "votes" }, " vote"], "*": [{ "v": "votes" }, " votes"] },
        }]);
        assert_eq!(all["votes"], votes);
        assert_eq!(sentences(Language::Bracketed, "results")["light-live"], "⟦Live⟧");
    }

    #[test]
    fn each_language_has_a_script_for_each_page() {
        for page in ["ballot", "results", "receipt"] {
            let all: Vec<_> = scripts(page).collect();
            assert_eq!(all.len(), Language::ALL.len() + 1);
            assert!(all.iter().all(|(_, text)| text.starts_with("globalThis.sentences={\"")));
        }
    }
}

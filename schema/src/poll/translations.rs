//! Languages of a poll: the one in which it is written, and texts in further ones.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize};

use super::text::{Invalid, check_text};

/// The most translations of one text.
pub const TRANSLATIONS_MAX: usize = 16;
/// The length of the longest language tag, in bytes.
const TAG_BYTES_MAX: usize = 35;

/// The name of a language (BCP 47), such as `de` or `pt-BR`: two or three letters, and perhaps parts of two to eight letters or digits
/// behind hyphens.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct LanguageTag(String);

impl LanguageTag {
    /// Returns the tag as it was written.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether the other tag names the same language, in whatever variant: `de-AT` and `de` do.
    pub fn is_same_language(&self, other: &str) -> bool {
        primary(&self.0).eq_ignore_ascii_case(primary(other))
    }
}

fn primary(tag: &str) -> &str {
    tag.split('-').next().unwrap_or(tag)
}

impl fmt::Display for LanguageTag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for LanguageTag {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let (language, parts) = text.split_once('-').unwrap_or((text, ""));
        let is_language =
            matches!(language.len(), 2..=3) && language.bytes().all(|b| b.is_ascii_lowercase());
        let is_part = |part: &str| {
            matches!(part.len(), 2..=8) && part.bytes().all(|b| b.is_ascii_alphanumeric())
        };
        let are_parts = language.len() == text.len() || parts.split('-').all(is_part);
        if is_language && are_parts && text.len() <= TAG_BYTES_MAX {
            return Ok(Self(text.to_owned()));
        }
        let shown: String = text.chars().take(40).collect();
        Err(Invalid(format!("`{shown}` is no language; write a tag such as de, ar or pt-BR")))
    }
}

impl<'de> Deserialize<'de> for LanguageTag {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// One text in further languages.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Translations(BTreeMap<LanguageTag, String>);

impl Translations {
    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Sets the text in a language; `None` removes it.
    pub fn set(&mut self, language: LanguageTag, text: Option<String>) {
        match text {
            Some(text) => self.0.insert(language, text),
            None => self.0.remove(&language),
        };
    }

    /// Returns all texts with their languages, by the name of the language.
    pub fn iter(&self) -> impl Iterator<Item = (&LanguageTag, &str)> {
        self.0.iter().map(|(language, text)| (language, text.as_str()))
    }

    /// Returns the text as JSON: an object of texts by language.
    pub fn to_json(&self) -> String {
        serde_json::to_string(&self.0).expect("texts by texts are JSON")
    }

    /// Reads what [`Translations::to_json`] wrote.
    ///
    /// # Errors
    /// Returns what is wrong with it.
    pub fn from_json(json: &str) -> Result<Self, Invalid> {
        serde_json::from_str(json).map_err(|error| Invalid(format!("translations: {error}")))
    }

    /// Checks each text as the text is checked that it translates, which `name` names in errors.
    ///
    /// # Errors
    /// Returns the first rule that is broken, in words for the author.
    pub(super) fn check(&self, name: &str, chars_max: usize) -> Result<(), Invalid> {
        if self.0.len() > TRANSLATIONS_MAX {
            return Err(Invalid(format!("{name} has more than {TRANSLATIONS_MAX} translations")));
        }
        let mut all = self.iter();
        all.try_for_each(|(tag, text)| check_text(&format!("{name} in {tag}"), text, chars_max))
    }
}

/// A text of a poll for one reader.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Worded<'a> {
    /// The text.
    pub text: &'a str,
    /// Its language, if that is known and is not the reader's.
    pub other_language: Option<&'a LanguageTag>,
}

impl Worded<'_> {
    /// The text, and the language for its attribute `lang`, which is left out where it is `None`.
    pub fn to_owned_parts(self) -> (String, Option<String>) {
        (self.text.to_owned(), self.other_language.map(ToString::to_string))
    }
}

/// Chooses a text for a page in the language `page`: the translation into it, else the text itself. `written_in` is the language of
/// the text, if the poll says so; else it is that of the translation that is equal to it, if there is one.
pub(super) fn worded<'a>(
    text: &'a str,
    translations: &'a Translations,
    written_in: Option<&'a LanguageTag>,
    page: &str,
) -> Worded<'a> {
    let fits = |language: &LanguageTag| language.is_same_language(page);
    if let Some((_, text)) = translations.iter().find(|(language, _)| fits(language)) {
        return Worded { text, other_language: None };
    }
    let equal =
        || translations.iter().find(|(_, other)| *other == text).map(|(language, _)| language);
    let language = written_in.or_else(equal);
    Worded { text, other_language: language.filter(|language| !fits(language)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tag(text: &str) -> LanguageTag {
        text.parse().unwrap()
    }

    #[test]
    fn tags_of_languages_are_read() {
        for good in ["de", "ar", "pt-BR", "zh-Hant-TW", "gsw", "es-419"] {
            assert_eq!(tag(good).as_str(), good);
        }
        for bad in
            ["", "d", "DE", "deutsch", "de-", "de--AT", "de_AT", "de-a", "de-österreich", "x\"y"]
        {
            assert!(bad.parse::<LanguageTag>().is_err(), "{bad}");
        }
        assert!(tag("de-AT").is_same_language("de") && tag("de").is_same_language("DE-ch"));
        assert!(!tag("de").is_same_language("den") && !tag("en").is_same_language(""));
    }

    #[test]
    fn a_page_has_the_text_in_its_language_else_the_text_itself_with_its_language() {
        let mut cats = Translations::default();
        cats.set(tag("de"), Some("Katzen".to_owned()));
        cats.set(tag("ar"), Some("قطط".to_owned()));
        let english = tag("en");
        let of = |page, written_in| worded("Cats", &cats, written_in, page);
        let own = |text| Worded { text, other_language: None };
        assert_eq!(of("de", Some(&english)), own("Katzen"));
        assert_eq!(of("ar", None), own("قطط"));
        assert_eq!(of("en", Some(&english)), own("Cats"));
        assert_eq!(of("fr", None), own("Cats"), "nobody knows its language");
        let foreign = Worded { text: "Cats", other_language: Some(&english) };
        assert_eq!(of("fr", Some(&english)), foreign);
        // A translation that is the text itself names its language.
        let mut with_english = cats.clone();
        with_english.set(tag("en"), Some("Cats".to_owned()));
        assert_eq!(worded("Cats", &with_english, None, "fr"), foreign);
        with_english.set(tag("en"), None);
        assert_eq!(with_english, cats);
    }

    #[test]
    fn translations_are_read_back_and_checked() {
        let mut cats = Translations::default();
        cats.set(tag("de"), Some("\"Katzen\"".to_owned()));
        assert_eq!(Translations::from_json(&cats.to_json()), Ok(cats.clone()));
        assert!(Translations::from_json(r#"{"DE": "x"}"#).is_err());
        assert!(cats.check("the title", 8).is_ok());
        let error = cats.check("the title", 7).unwrap_err().to_string();
        assert!(error.starts_with("the title in de must have"), "{error}");
        for number in 0..TRANSLATIONS_MAX {
            cats.set(tag(&format!("de-{number:02}")), Some("x".to_owned()));
        }
        assert!(cats.check("the title", 8).is_err(), "too many");
    }
}

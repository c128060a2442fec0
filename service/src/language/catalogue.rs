//! The sentences of `service/locales`, read once when a service first shows one.
//!
//! They are written in Fluent, of which texts, variables and selections are used. The plurals come from ICU4X, because the crate
//! fluent-bundle has wrong ones: in Arabic it forgets that only the last two digits of a number count. Browsers have the same
//! plurals as ICU4X, and `messages.js` reads the same sentences.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::LazyLock;

use fluent_syntax::ast::{
    Entry, Expression, InlineExpression, Pattern, PatternElement, Resource, Variant, VariantKey,
};
use icu_locale_core::Locale;
use icu_plurals::{PluralCategory, PluralRules};

use super::message::Argument;
use super::numbers::Format;
use super::tag::Language;

/// A sentence as it is written.
pub(super) type Sentence = Pattern<&'static str>;

/// The files of one language.
pub(super) struct Files {
    /// Those that the server alone uses.
    pub(super) pages: [&'static str; 6],
    /// Those that scripts use too, with the name of their page.
    pub(super) scripts: [(&'static str, &'static str); 3],
}

macro_rules! files {
    ($tag:literal) => {
        Files {
            pages: [
                include_str!(concat!("../../locales/", $tag, "/layout.ftl")),
                include_str!(concat!("../../locales/", $tag, "/ballot.ftl")),
                include_str!(concat!("../../locales/", $tag, "/results.ftl")),
                include_str!(concat!("../../locales/", $tag, "/host.ftl")),
                include_str!(concat!("../../locales/", $tag, "/problems.ftl")),
                include_str!(concat!("../../locales/", $tag, "/receipt.ftl")),
            ],
            scripts: [
                ("ballot", include_str!(concat!("../../locales/", $tag, "/ballot-script.ftl"))),
                ("results", include_str!(concat!("../../locales/", $tag, "/results-script.ftl"))),
                ("receipt", include_str!(concat!("../../locales/", $tag, "/receipt-script.ftl"))),
            ],
        }
    };
}

static EN: Files = files!("en");
static DE: Files = files!("de");
static FR: Files = files!("fr");
static ES: Files = files!("es");
static AR: Files = files!("ar");
static UK: Files = files!("uk");

impl Files {
    /// Returns the files of a language; the bracketed one has those of English.
    pub(super) fn of(language: Language) -> &'static Self {
        match language {
            Language::En | Language::Bracketed => &EN,
            Language::De => &DE,
            Language::Fr => &FR,
            Language::Es => &ES,
            Language::Ar => &AR,
            Language::Uk => &UK,
        }
    }

    fn all(&self) -> impl Iterator<Item = &'static str> {
        self.pages.into_iter().chain(self.scripts.map(|(_, text)| text))
    }
}

/// The sentences of one language.
struct Catalogue {
    language: Language,
    sentences: HashMap<&'static str, Sentence>,
    format: Format,
}

static EN_CATALOGUE: LazyLock<Catalogue> = LazyLock::new(|| Catalogue::read(Language::En));
static DE_CATALOGUE: LazyLock<Catalogue> = LazyLock::new(|| Catalogue::read(Language::De));
static FR_CATALOGUE: LazyLock<Catalogue> = LazyLock::new(|| Catalogue::read(Language::Fr));
static ES_CATALOGUE: LazyLock<Catalogue> = LazyLock::new(|| Catalogue::read(Language::Es));
static AR_CATALOGUE: LazyLock<Catalogue> = LazyLock::new(|| Catalogue::read(Language::Ar));
static UK_CATALOGUE: LazyLock<Catalogue> = LazyLock::new(|| Catalogue::read(Language::Uk));
static BRACKETED: LazyLock<Catalogue> = LazyLock::new(|| Catalogue::read(Language::Bracketed));

/// Returns the sentence of this name with its variables. A name that the catalogue does not have is shown as it is, and logged.
pub(super) fn sentence(
    language: Language,
    id: &str,
    arguments: &[(&'static str, Argument)],
) -> Cow<'static, str> {
    let catalogue: &'static Catalogue = match language {
        Language::En => &EN_CATALOGUE,
        Language::De => &DE_CATALOGUE,
        Language::Fr => &FR_CATALOGUE,
        Language::Es => &ES_CATALOGUE,
        Language::Ar => &AR_CATALOGUE,
        Language::Uk => &UK_CATALOGUE,
        Language::Bracketed => &BRACKETED,
    };
    let Some(sentence) = catalogue.sentences.get(id) else {
        debug_assert!(false, "the catalogue has no sentence `{id}`");
        tracing::error!("the catalogue has no sentence `{id}`, so its name is shown");
        return Cow::Owned(id.to_owned());
    };
    match sentence.elements.as_slice() {
        [PatternElement::TextElement { value }] if language != Language::Bracketed => {
            Cow::Borrowed(*value)
        }
        _ => {
            let mut text = String::with_capacity(128);
            catalogue.write(sentence, arguments, &mut text);
            Cow::Owned(text)
        }
    }
}

/// Reads the sentences of a file, by name.
///
/// # Panics
/// Panics if it is not Fluent, or if an entry has no words.
pub(super) fn read(text: &'static str) -> Vec<(&'static str, Sentence)> {
    let resource: Resource<&'static str> =
        fluent_syntax::parser::parse(text).expect("the catalogue is written in Fluent");
    let named = |entry| match entry {
        Entry::Message(message) => {
            Some((message.id.name, message.value.expect("a sentence has words")))
        }
        _ => None,
    };
    resource.body.into_iter().filter_map(named).collect()
}

/// Puts a text into brackets, but for blanks at its ends.
pub(super) fn bracketed(text: &str) -> String {
    let inner = text.trim();
    if inner.is_empty() {
        text.to_owned()
    } else {
        text.replacen(inner, &format!("⟦{inner}⟧"), 1)
    }
}

impl Catalogue {
    fn read(language: Language) -> Self {
        let sentences = Files::of(language).all().flat_map(read).collect();
        Self { language, sentences, format: Format::of(language) }
    }

    fn write(
        &self,
        sentence: &Sentence,
        arguments: &[(&'static str, Argument)],
        text: &mut String,
    ) {
        for element in &sentence.elements {
            match element {
                PatternElement::TextElement { value } if self.language == Language::Bracketed => {
                    text.push_str(&bracketed(value));
                }
                PatternElement::TextElement { value } => text.push_str(value),
                PatternElement::Placeable { expression } => match expression {
                    Expression::Inline(InlineExpression::StringLiteral { value }) => {
                        text.push_str(value);
                    }
                    Expression::Inline(inline) => self.place(value_of(inline, arguments), text),
                    Expression::Select { selector, variants } => {
                        let value = value_of(selector, arguments);
                        if let Some(chosen) = self.choose(value, variants) {
                            self.write(&chosen.value, arguments, text);
                        }
                    }
                },
            }
        }
    }

    fn place(&self, value: Option<&Argument>, text: &mut String) {
        // Where lines run from right to left, a name in other letters would disturb the order of a sentence.
        let isolates = self.language.direction() == "rtl";
        if isolates {
            text.push('\u{2068}');
        }
        match value {
            Some(Argument::Text(value)) => text.push_str(value),
            Some(Argument::Count(count)) => text.push_str(&self.format.grouped(*count)),
            None => {}
        }
        if isolates {
            text.push('\u{2069}');
        }
    }

    /// Chooses the variant for exactly this value, else for the plural of this number, else the one for all others.
    fn choose<'a>(
        &self,
        value: Option<&Argument>,
        variants: &'a [Variant<&'static str>],
    ) -> Option<&'a Variant<&'static str>> {
        let keyed = |wanted: &str| {
            variants.iter().find(|variant| match variant.key {
                VariantKey::Identifier { name } => name == wanted,
                VariantKey::NumberLiteral { value } => value == wanted,
            })
        };
        let chosen = match value {
            Some(Argument::Text(text)) => keyed(text),
            Some(Argument::Count(count)) => {
                keyed(&count.to_string()).or_else(|| keyed(self.plural(*count)))
            }
            None => None,
        };
        chosen.or_else(|| variants.iter().find(|variant| variant.default))
    }

    /// The name that the Common Locale Data Repository gives to the plural of this number.
    fn plural(&self, count: u64) -> &'static str {
        let locale: Result<Locale, _> = self.language.tag().parse();
        let rules =
            locale.ok().and_then(|locale| PluralRules::try_new_cardinal((&locale).into()).ok());
        match rules.map(|rules| rules.category_for(count)) {
            Some(PluralCategory::Zero) => "zero",
            Some(PluralCategory::One) => "one",
            Some(PluralCategory::Two) => "two",
            Some(PluralCategory::Few) => "few",
            Some(PluralCategory::Many) => "many",
            Some(PluralCategory::Other) | None => "other",
        }
    }
}

/// Returns the value of a variable.
fn value_of<'a>(
    expression: &InlineExpression<&'static str>,
    arguments: &'a [(&'static str, Argument)],
) -> Option<&'a Argument> {
    let InlineExpression::VariableReference { id } = expression else {
        debug_assert!(false, "sentences have variables and texts alone: {expression:?}");
        return None;
    };
    let found = arguments.iter().find(|(name, _)| *name == id.name).map(|(_, value)| value);
    debug_assert!(found.is_some(), "the variable `{}` has no value", id.name);
    found
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use super::*;

    /// The variables of a pattern.
    fn variables(pattern: &Sentence, found: &mut BTreeSet<String>) {
        for element in &pattern.elements {
            let PatternElement::Placeable { expression } = element else { continue };
            let (inline, variants) = match expression {
                Expression::Inline(inline) => (inline, &[][..]),
                Expression::Select { selector, variants } => (selector, &variants[..]),
            };
            if let InlineExpression::VariableReference { id } = inline {
                found.insert(id.name.to_owned());
            }
            for variant in variants {
                variables(&variant.value, found);
            }
        }
    }

    /// All sentences of a language, by name, each with its variables.
    fn sentences(language: Language) -> BTreeMap<&'static str, BTreeSet<String>> {
        let mut found = BTreeMap::new();
        for (id, sentence) in Files::of(language).all().flat_map(read) {
            let mut names = BTreeSet::new();
            variables(&sentence, &mut names);
            assert_eq!(found.insert(id, names), None, "{id} stands twice");
        }
        found
    }

    #[test]
    fn every_language_has_every_sentence_with_the_same_variables() {
        let english = sentences(Language::En);
        assert!(english.len() > 200, "{}", english.len());
        for language in Language::ALL {
            assert_eq!(sentences(language), english, "{language:?}");
        }
    }

    #[test]
    fn no_sentence_was_left_in_english() {
        let text = |language, id: &'static str, names: &BTreeSet<String>| {
            let named = |name: &String| {
                let name: &'static str = name.clone().leak();
                (name, Argument::Count(2))
            };
            let arguments: Vec<_> = names.iter().map(named).collect();
            sentence(language, id, &arguments).into_owned()
        };
        // A sentence of four words or more is the same in two languages only by mistake.
        for (id, names) in sentences(Language::En) {
            let english = text(Language::En, id, &names);
            let words = english.split_whitespace().filter(|word| word.len() > 3).count();
            for language in Language::ALL.into_iter().skip(1).filter(|_| words > 3) {
                assert_ne!(text(language, id, &names), english, "{id}");
            }
        }
    }

    #[test]
    fn no_file_has_an_entry_that_is_not_read() {
        for language in Language::ALL {
            for text in Files::of(language).all() {
                let entries = text
                    .lines()
                    .filter(|line| line.contains(" =") && !line.starts_with([' ', '#']));
                assert_eq!(entries.count(), read(text).len());
            }
        }
    }

    #[test]
    fn arabic_and_ukrainian_count_by_their_own_rules() {
        let votes = |language, count: u64| {
            sentence(language, "votes", &[("votes", Argument::Count(count))]).into_owned()
        };
        assert_eq!(votes(Language::En, 1), "1 vote");
        assert_eq!(votes(Language::En, 1_234), "1,234 votes");
        assert_eq!(votes(Language::Uk, 21), "21 голос");
        assert_eq!(votes(Language::Uk, 3), "3 голоси");
        assert_eq!(votes(Language::Uk, 12_345), "12\u{a0}345 голосів");
        assert_eq!(votes(Language::Ar, 2), "صوتان");
        assert_eq!(votes(Language::Ar, 3), "\u{2068}3\u{2069} أصوات");
        assert_eq!(votes(Language::Ar, 11), "\u{2068}11\u{2069} صوتًا");
        assert_eq!(votes(Language::Ar, 100), "\u{2068}100\u{2069} صوت");
        assert_eq!(votes(Language::Ar, 1_234_566), "\u{2068}1,234,566\u{2069} صوتًا");
    }

    #[test]
    fn the_bracketed_language_marks_what_the_catalogue_says() {
        let cats = [("choice", Argument::Text("Cats".to_owned()))];
        let said = sentence(Language::Bracketed, "send-vote-for", &cats);
        assert_eq!(said, "⟦Vote for⟧ Cats");
    }
}

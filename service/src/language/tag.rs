//! The languages, and how one is chosen.

use std::str::FromStr;
use std::sync::LazyLock;

use fluent_langneg::{LanguageIdentifier, NegotiationStrategy, negotiate_languages};
use warp::http::{HeaderMap, header};

/// The most languages that are read from a client's list.
const ACCEPTED_MAX: usize = 32;

/// A language of the catalogue.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Language {
    /// English, for everybody who reads none of the others.
    #[default]
    En,
    /// German.
    De,
    /// French.
    Fr,
    /// Spanish.
    Es,
    /// Arabic, from right to left.
    Ar,
    /// Ukrainian.
    Uk,
    /// English with each sentence of the catalogue in brackets, as `⟦Vote⟧`: what has none is missing in the catalogue. Only
    /// `?lang=en-XA` chooses it.
    Bracketed,
}

/// The languages from which a client's list is answered, in the order of [`Language::ALL`].
static IDENTIFIERS: LazyLock<Vec<LanguageIdentifier>> =
    LazyLock::new(|| Language::ALL.iter().map(|language| language.identifier()).collect());

impl Language {
    /// Every language but the bracketed one.
    pub const ALL: [Self; 6] = [Self::En, Self::De, Self::Fr, Self::Es, Self::Ar, Self::Uk];

    /// Returns the name of the language for `lang` and `Content-Language` (BCP 47).
    pub fn tag(self) -> &'static str {
        match self {
            Self::En => "en",
            Self::De => "de",
            Self::Fr => "fr",
            Self::Es => "es",
            Self::Ar => "ar",
            Self::Uk => "uk",
            Self::Bracketed => "en-XA",
        }
    }

    /// Returns the direction of its lines, for the attribute `dir`.
    pub fn direction(self) -> &'static str {
        match self {
            Self::Ar => "rtl",
            Self::En | Self::De | Self::Fr | Self::Es | Self::Uk | Self::Bracketed => "ltr",
        }
    }

    /// Returns the language of a tag such as `de` or `de-AT`; `None` if the catalogue does not have it.
    pub fn of_tag(tag: &str) -> Option<Self> {
        if tag.eq_ignore_ascii_case(Self::Bracketed.tag()) {
            return Some(Self::Bracketed);
        }
        best(&[LanguageIdentifier::from_str(tag).ok()?])
    }

    /// Returns the language that a client likes best of ours, by its `Accept-Language` (RFC 9110, section 12.5.4); `None` if it
    /// names none of them.
    pub fn accepted(headers: &HeaderMap) -> Option<Self> {
        let lists = headers.get_all(header::ACCEPT_LANGUAGE).iter();
        let items = lists.filter_map(|list| list.to_str().ok()).flat_map(|list| list.split(','));
        let mut weighted: Vec<(f32, LanguageIdentifier)> =
            items.take(ACCEPTED_MAX).filter_map(weighted).collect();
        // The order of the list decides between equal weights.
        weighted.sort_by(|one, other| other.0.total_cmp(&one.0));
        let wanted: Vec<LanguageIdentifier> = weighted.into_iter().map(|(_, it)| it).collect();
        best(&wanted)
    }

    fn identifier(self) -> LanguageIdentifier {
        self.tag().parse().expect("the tags of the catalogue are language tags")
    }
}

/// Returns the first of the wanted languages that the catalogue has.
fn best(wanted: &[LanguageIdentifier]) -> Option<Language> {
    let found = negotiate_languages(wanted, &IDENTIFIERS, None, NegotiationStrategy::Filtering);
    let first = found.first()?;
    Language::ALL.into_iter().zip(IDENTIFIERS.iter()).find(|(_, it)| it == first).map(|(it, _)| it)
}

/// Reads one item of the list, as `de-AT;q=0.8`; `None` for a language that the client does not want, or that is none.
fn weighted(item: &str) -> Option<(f32, LanguageIdentifier)> {
    let (tag, parameters) = item.split_once(';').unwrap_or((item, ""));
    let weight = match parameters.trim().strip_prefix("q=") {
        Some(weight) => weight.trim().parse::<f32>().ok().filter(|it| (0.0..=1.0).contains(it))?,
        None => 1.0,
    };
    let identifier = LanguageIdentifier::from_str(tag.trim()).ok()?;
    (weight > 0.0).then_some((weight, identifier))
}

#[cfg(test)]
mod tests {
    use warp::http::HeaderValue;

    use super::*;

    fn accepted(list: &str) -> Option<Language> {
        let value = HeaderValue::try_from(list).unwrap();
        Language::accepted(&HeaderMap::from_iter([(header::ACCEPT_LANGUAGE, value)]))
    }

    #[test]
    fn the_client_gets_what_it_likes_best_of_ours() {
        for (list, expected) in [
            ("de", Some(Language::De)),
            ("de-AT, en;q=0.5", Some(Language::De)),
            ("en;q=0.5, uk;q=0.9", Some(Language::Uk)),
            ("ja, ar-EG;q=0.3, *;q=0.1", Some(Language::Ar)),
            ("fr;q=0, es;q=0.1", Some(Language::Es)),
            ("es-419, fr", Some(Language::Es)),
            ("ja", None),
            ("en-XA", Some(Language::En)),
            ("", None),
            ("de;q=x, ;;, fr ; q=1", Some(Language::Fr)),
        ] {
            assert_eq!(accepted(list), expected, "{list}");
        }
        assert_eq!(Language::accepted(&HeaderMap::new()), None);
    }

    #[test]
    fn a_tag_is_read_back() {
        for language in Language::ALL.into_iter().chain([Language::Bracketed]) {
            assert_eq!(Language::of_tag(language.tag()), Some(language));
        }
        assert_eq!(Language::of_tag("FR-ca"), Some(Language::Fr));
        assert_eq!(Language::of_tag("ja"), None);
        assert_eq!(Language::of_tag("../x"), None);
    }

    proptest::proptest! {
        #[test]
        fn no_list_is_too_strange(list in "[ -~]{0,200}") {
            let _ = accepted(&list);
            let _ = Language::of_tag(&list);
        }
    }
}

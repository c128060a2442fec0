//! The words of one visitor's page: sentences, numbers and links in a language.

use std::borrow::Cow;

use warp::http::HeaderMap;

use super::catalogue;
use super::message::Message;
use super::numbers::Format;
use super::tag::Language;

/// A language, and whether the page's address names it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Words {
    language: Language,
    /// Links on the page keep a language that the address names.
    is_asked: bool,
}

impl From<Language> for Words {
    fn from(language: Language) -> Self {
        Self { language, is_asked: false }
    }
}

impl Words {
    /// Chooses the language of a page: that which `lang` of the address names, else that of the poll, else the one that the
    /// client likes best, else English. `query` is the part of the address behind the question mark.
    pub fn choose(query: &str, of_poll: Option<Language>, headers: &HeaderMap) -> Self {
        let asked = query.split('&').find_map(|part| part.strip_prefix("lang="));
        if let Some(language) = asked.and_then(Language::of_tag) {
            return Self { language, is_asked: true };
        }
        of_poll.or_else(|| Language::accepted(headers)).unwrap_or_default().into()
    }

    /// Returns the language.
    pub fn language(self) -> Language {
        self.language
    }

    /// Returns the language for the attribute `lang`.
    pub fn lang(self) -> &'static str {
        self.language.tag()
    }

    /// Returns the direction of lines, for the attribute `dir`.
    pub fn dir(self) -> &'static str {
        self.language.direction()
    }

    /// Returns the sentence of this name, which has no variables.
    pub fn text(self, id: &str) -> Cow<'static, str> {
        catalogue::sentence(self.language, id, &[])
    }

    /// Returns a sentence with its variables.
    pub fn say(self, message: &Message) -> Cow<'static, str> {
        catalogue::sentence(self.language, message.id, &message.arguments)
    }

    /// Writes a number with its thousands apart.
    pub fn number(self, count: u64) -> String {
        Format::of(self.language).grouped(count)
    }

    /// Writes tenths of a percent.
    pub fn percent(self, tenths: u64) -> String {
        Format::of(self.language).percent(tenths)
    }

    /// Returns an address of ours that keeps the language, if the page's own address names it.
    pub fn link(self, address: impl AsRef<str>) -> String {
        let address = address.as_ref();
        if !self.is_asked {
            return address.to_owned();
        }
        let joint = if address.contains('?') { '&' } else { '?' };
        format!("{address}{joint}lang={}", self.lang())
    }

    /// Returns the name of the static file with the sentences for the scripts of a page; see [`crate::page::sentences_of`].
    pub fn script(self, page: &str) -> String {
        format!("{page}.{}.js", self.lang())
    }
}

#[cfg(test)]
mod tests {
    use warp::http::{HeaderValue, header};

    use super::*;

    #[test]
    fn the_address_comes_before_the_poll_and_the_poll_before_the_browser() {
        let french = HeaderValue::from_static("fr");
        let headers = HeaderMap::from_iter([(header::ACCEPT_LANGUAGE, french)]);
        let chosen = |query, of_poll| Words::choose(query, of_poll, &headers).lang();
        assert_eq!(chosen("vote=cats&lang=de", Some(Language::Uk)), "de");
        assert_eq!(chosen("lang=ja", Some(Language::Uk)), "uk");
        assert_eq!(chosen("", None), "fr");
        assert_eq!(Words::choose("", None, &HeaderMap::new()).lang(), "en");
    }

    #[test]
    fn links_keep_a_language_that_was_asked_for() {
        let asked = Words::choose("lang=ar", None, &HeaderMap::new());
        assert_eq!(asked.link("/polls/pets"), "/polls/pets?lang=ar");
        assert_eq!(asked.link("/p?x=1"), "/p?x=1&lang=ar");
        assert_eq!(Words::from(Language::Ar).link("/"), "/");
        assert_eq!((asked.dir(), asked.script("ballot").as_str()), ("rtl", "ballot.ar.js"));
    }

    #[test]
    fn a_sentence_has_its_variables() {
        let message = Message::new("choose-range").with("min", 2_usize).with("max", 5_usize);
        assert_eq!(Words::default().say(&message), "Choose 2 to 5");
        assert_eq!(Words::from(Language::De).say(&message), "Wählen Sie 2 bis 5");
    }
}

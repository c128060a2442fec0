//! The page that checks a receipt. It shows a form; its script does all the work in the browser, so that nobody has to believe
//! the server.

use std::borrow::Cow;

use askama::Template;
use votestream_service::http::BasePath;
use votestream_service::language::{Message, Words};

use crate::pages::FILES;

/// The page for receipts of one poll.
#[derive(Clone, Debug, Default, Template)]
#[template(path = "receipt.html")]
pub struct ReceiptPage {
    /// The language.
    pub words: Words,
    /// The poll's question, as people read it.
    pub title: String,
    /// The language of the title, if it is known and is not that of the page.
    pub title_lang: Option<String>,
    /// The path in front of all addresses.
    pub base: BasePath,
    /// The poll's slug.
    pub slug: String,
    /// Whether lists may name the poll; search engines are asked to leave out the others.
    pub is_listed: bool,
    /// Whether the poll gives receipts.
    pub has_receipts: bool,
    /// The labels of the options in ballot order, by which the script names the choices of a receipt.
    pub options: Vec<String>,
}

impl ReceiptPage {
    fn page_title(&self) -> Cow<'static, str> {
        self.words.say(&Message::new("receipt-title").with("title", self.title.as_str()))
    }

    fn results_link(&self) -> String {
        self.words.link(self.base.join(&format!("/polls/{}", self.slug)))
    }

    fn file(&self, name: impl AsRef<str>) -> String {
        self.base.join(FILES.path(name.as_ref()))
    }
}

#[cfg(test)]
mod tests {
    use testkit::sentences::unbracketed;
    use votestream_service::language::Language;

    use super::*;

    #[test]
    fn every_sentence_of_the_page_is_in_the_catalogue() {
        for has_receipts in [true, false] {
            let page = ReceiptPage {
                words: Words::from(Language::Bracketed),
                title: "Cats vs Dogs".to_owned(),
                has_receipts,
                options: vec!["Cats".to_owned()],
                ..ReceiptPage::default()
            };
            let html = page.render().unwrap();
            let found = unbracketed(&html, &["Cats vs Dogs", "Cats", "Votestream"]);
            assert_eq!(found, Vec::<String>::new());
            assert_eq!(html.contains("receipt-form"), has_receipts);
            assert!(!html.contains("src=\"\"") && !html.contains("style="), "{html}");
        }
    }
}

//! The page with the result of a poll as it stood at a past second.

use std::borrow::{Borrow, Cow};

use askama::Template;
use votestream_schema::poll::rfc3339;
use votestream_schema::tally::Tally;
use votestream_service::http::BasePath;
use votestream_service::language::{Message, Words};

use crate::pages::{FILES, share_words};

/// One option at a past second.
#[derive(Clone, Debug, Default)]
pub struct PastOption {
    /// The text that people read.
    pub label: String,
    /// The language of the label, if it is known and is not that of the page.
    pub label_lang: Option<String>,
    /// People whose vote for it stood.
    pub votes: u64,
}

/// The result at the end of one second.
#[derive(Clone, Debug, Default, Template)]
#[template(path = "past.html")]
pub struct PastPage {
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
    /// The second, in Unix time.
    pub second: i64,
    /// The second of this page; only earlier ones have a result that stays.
    pub now_second: i64,
    /// The options in ballot order.
    pub options: Vec<PastOption>,
    /// People whose vote stood.
    pub voters: u64,
    /// Of the ballots that came in until then, those that stand today, by the log.
    pub in_log: u64,
    /// The same by the series.
    pub in_series: u64,
}

/// A link to another second.
struct Step {
    address: String,
    words: Cow<'static, str>,
}

impl PastPage {
    fn page_title(&self) -> Cow<'static, str> {
        let message = Message::new("past-title").with("title", self.title.as_str());
        self.words.say(&message.with("at", self.time_words()))
    }

    fn time(&self) -> String {
        rfc3339(self.second * 1_000)
    }

    /// The second as people read it, in UTC: `2026-05-16 21:05:30 UTC`.
    fn time_words(&self) -> String {
        self.time().replace('T', " ").replace('Z', " UTC")
    }

    fn results_link(&self) -> String {
        self.words.link(self.base.join(&format!("/polls/{}", self.slug)))
    }

    /// Links to seconds before and after this one, as far as they are over.
    fn steps(&self) -> Vec<Step> {
        let steps = [
            (-600, "past-minutes", "−10"),
            (-60, "past-minutes", "−1"),
            (-10, "past-seconds", "−10"),
            (-1, "past-seconds", "−1"),
            (1, "past-seconds", "+1"),
            (10, "past-seconds", "+10"),
            (60, "past-minutes", "+1"),
            (600, "past-minutes", "+10"),
        ];
        let step = |(by, id, number): (i64, &'static str, &str)| {
            let second = self.second + by;
            let path = format!("/polls/{}/at/{}", self.slug, rfc3339(second * 1_000));
            let is_over = second < self.now_second;
            is_over.then(|| Step {
                address: self.words.link(self.base.join(&path)),
                words: self.words.say(&Message::new(id).with("number", number)),
            })
        };
        steps.into_iter().filter_map(step).collect()
    }

    fn number(&self, count: impl Borrow<u64>) -> String {
        self.words.number(*count.borrow())
    }

    /// The share of each option among the people, as the results page rounds it.
    fn shares(&self) -> Vec<String> {
        let votes = self.options.iter().map(|option| option.votes.cast_signed()).collect();
        let tally = Tally { voters: self.voters.cast_signed(), votes, ..Tally::default() };
        tally.shares().into_iter().map(|share| share_words(share, self.words)).collect()
    }

    fn agrees(&self) -> bool {
        self.in_log == self.in_series
    }

    /// Says whether log and series agree.
    fn check_words(&self) -> Cow<'static, str> {
        let id = if self.agrees() { "past-agrees" } else { "past-differs" };
        self.words.say(&Message::new(id).with("log", self.in_log).with("series", self.in_series))
    }

    fn file(&self, name: &str) -> String {
        self.base.join(FILES.path(name))
    }
}

#[cfg(test)]
mod tests {
    use testkit::sentences::unbracketed;
    use votestream_service::language::Language;

    use super::*;

    fn page(in_series: u64) -> PastPage {
        let option =
            |label: &str, votes| PastOption { label: label.to_owned(), label_lang: None, votes };
        PastPage {
            title: "Cats vs Dogs".to_owned(),
            slug: "pets".to_owned(),
            second: 1_795_459_200,
            now_second: 1_795_459_205,
            options: vec![option("Cats", 2_000), option("Dogs", 1_000)],
            voters: 3_000,
            in_log: 3_000,
            in_series,
            ..PastPage::default()
        }
    }

    #[test]
    fn the_page_has_the_votes_of_the_second_and_the_check() {
        let html = page(3_000).render().unwrap();
        for words in ["2026-11-23 18:40:00 UTC", ">2,000<", ">66.7%<", "The time series agrees"] {
            assert!(html.contains(words), "{words}: {html}");
        }
        let html = page(2_999).render().unwrap();
        assert!(html.contains("differ") && html.contains("2,999"), "{html}");
        assert!(!html.contains("The time series agrees"), "{html}");
    }

    #[test]
    fn links_lead_to_seconds_that_are_over() {
        let html = page(3_000).render().unwrap();
        assert!(html.contains("href=\"/polls/pets/at/2026-11-23T18:39:59Z\""), "{html}");
        assert!(html.contains("href=\"/polls/pets/at/2026-11-23T18:40:01Z\""), "{html}");
        assert!(!html.contains("/at/2026-11-23T18:40:10Z"), "{html}");
    }

    #[test]
    fn every_sentence_of_the_page_is_in_the_catalogue() {
        for in_series in [3_000, 2_999] {
            let page = PastPage { words: Words::from(Language::Bracketed), ..page(in_series) };
            let html = page.render().unwrap();
            let typed = ["Cats vs Dogs", "Cats", "Dogs", "Votestream", "2026-11-23 18:40:00 UTC"];
            let found = unbracketed(&html, &typed);
            assert_eq!(found, Vec::<String>::new());
        }
    }
}

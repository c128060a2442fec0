//! The results page, alone or in a frame of another site: its view structs, their template and the static files.
//!
//! Invariants: a page whose results are hidden renders every figure but the turnout as zero, whatever its struct holds. Poll titles and
//! labels reach HTML only through Askama's escaping. No page has an inline script or style.
//! Absent on purpose: tallies, queries and visibility rules; handlers fill these structs.

pub mod accounts;
pub mod past;
pub mod picture;
pub mod present;
pub mod receipt;

use std::borrow::{Borrow, Cow};
use std::sync::LazyLock;

use askama::Template;
use votestream_schema::poll::rfc3339;
use votestream_schema::tally::Share;
use votestream_service::http::BasePath;
use votestream_service::language::{Message, Words};
use votestream_service::page::{
    Asset, BASE_CSS, CSS, FAVICON_ICO, FAVICON_SVG, JS, MESSAGES_JS, StaticFiles, density,
    length_class, plain_time, preview_picture_words, sentences_of,
};

/// The label and figures of one option, for the bars and the table.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ResultView {
    /// The option's stable name, by which the script finds its row.
    pub slug: String,
    /// The text that people read, at most 200 characters.
    pub label: String,
    /// The language of the label, if it is known and is not that of the page.
    pub label_lang: Option<String>,
    /// The colour as `#rrggbb`; without it the option takes the next colour of the default palette.
    pub colour: Option<String>,
    /// Votes counted for this option.
    pub votes: u64,
    /// The option's share of the people counted, in tenths of a percent from 0 to 1000, for the length of its bar.
    pub share_tenths: i64,
    /// The share as people read it.
    pub share_words: String,
}

/// A link to another poll's results.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PollLink {
    /// The poll's path segment below `/polls/`.
    pub slug: String,
    /// The poll's question, as people read it.
    pub title: String,
    /// The language of the title, if it is known and is not that of the page.
    pub title_lang: Option<String>,
    /// The poll's state: `draft`, `scheduled`, `open`, `closed` or `archived`.
    pub state: String,
}

/// The results of one poll at a moment; the script keeps them moving.
#[derive(Debug, Clone, Default, Template)]
#[template(path = "results.html")]
pub struct ResultsPage {
    /// The language of the page.
    pub words: Words,
    /// The poll's question, as people read it.
    pub title: String,
    /// The language of the title, if it is known and is not that of the page.
    pub title_lang: Option<String>,
    /// Of a poll with texts in several languages: the number by which the script notices that they have changed.
    pub words_number: Option<u32>,
    /// The path in front of all addresses.
    pub base: BasePath,
    /// The poll's slug; the script opens the stream `/api/polls/<slug>/events`.
    pub slug: String,
    /// The poll's state: `draft`, `scheduled`, `open`, `closed` or `archived`.
    pub state: String,
    /// The poll's visibility: `always`, `after_close`, `after_vote` or `admin`.
    pub visibility: String,
    /// Whether the results are hidden now. The options are needed all the same, because the script fills them in once
    /// the results become visible.
    pub hidden: bool,
    /// All options in ballot order, 2 to 63.
    pub options: Vec<ResultView>,
    /// The number of people counted; in a multiple-choice poll the votes add up to more.
    pub voters: u64,
    /// The version of the tally, by which the script recognises newer frames.
    pub version: u64,
    /// When these figures were read, as an RFC 3339 time.
    pub as_of: String,
    /// Whether the result is complete and cannot change any more.
    pub is_final: bool,
    /// Ballots that were accepted and are not counted yet; `None` if that is not known.
    pub waiting: Option<u64>,
    /// When the figures were last read, as an RFC 3339 time, if they are out of date.
    pub stale_since: Option<String>,
    /// The opening time as an RFC 3339 time.
    pub opens_at: Option<String>,
    /// The closing time as an RFC 3339 time; `None` for a poll without one.
    pub closes_at: Option<String>,
    /// The address where people vote, shown in large type while the poll is open.
    pub vote_url: Option<String>,
    /// All listed polls; links to them are shown when there are two or more.
    pub polls: Vec<PollLink>,
    /// The revision of the poll, which grows with every change of its texts and times.
    pub revision: i32,
    /// Whether lists may name the poll; search engines are asked to leave out the others.
    pub is_listed: bool,
    /// The address of this dashboard as other sites know it, without a slash at its end; without it, they get no picture.
    pub address: Option<String>,
    /// Whether the page stands in a frame of another site.
    pub is_embedded: bool,
    /// Whether the reader sees these results because of a vote, and others do not see them yet.
    pub is_opened: bool,
    /// The number of people counted, while the results are hidden from those who have not voted.
    pub turnout: Option<u64>,
    /// Whether voters get receipts, and every ballot is in a public log.
    pub has_receipts: bool,
}

impl ResultsPage {
    /// The words for the state. `results.js` writes the same.
    fn state_words(&self) -> Cow<'static, str> {
        let id = match (self.state.as_str(), self.waiting) {
            ("open", _) => "results-open",
            ("closed" | "archived", _) if self.is_final => "results-final",
            ("closed" | "archived", Some(waiting @ 1..)) => {
                let counting = Message::new("results-counting-some").with("waiting", waiting);
                return self.words.say(&counting);
            }
            ("closed" | "archived", _) => "results-counting",
            _ => "results-not-open",
        };
        self.words.text(id)
    }

    fn page_title(&self) -> Cow<'static, str> {
        self.words.say(&Message::new("results-title").with("title", self.title.as_str()))
    }

    /// Returns the time that matters in the poll's state (opening or closing), with the word before it.
    fn milestone(&self) -> Option<(Cow<'static, str>, &str)> {
        let (word, at) = match self.state.as_str() {
            "open" => ("until", &self.closes_at),
            "closed" | "archived" => ("closed-at", &self.closes_at),
            _ => ("opens-at", &self.opens_at),
        };
        at.as_deref().map(|at| (self.words.text(word), at))
    }

    /// Explains why no results are shown. `results.js` writes the same text when a `hidden` event arrives.
    fn hidden_words(&self) -> Cow<'static, str> {
        let is_over = matches!(self.state.as_str(), "closed" | "archived");
        match (self.visibility.as_str(), &self.closes_at) {
            ("after_close" | "after_vote", _) if is_over => self.words.text("hidden-counting"),
            ("after_close", Some(at)) => {
                self.words.say(&Message::new("hidden-until").with("at", plain_time(at)))
            }
            ("after_vote", _) => self.words.text("hidden-after-vote"),
            ("after_close", None) => self.words.text("hidden-until-close"),
            _ => self.words.text("hidden-not-published"),
        }
    }

    fn grouped(&self, count: impl Borrow<u64>) -> String {
        self.words.number(*count.borrow())
    }

    fn votes_words(&self, votes: impl Borrow<u64>) -> Cow<'static, str> {
        self.words.say(&Message::new("votes").with("votes", *votes.borrow()))
    }

    /// The state of a poll in the list of all polls.
    fn state_of(&self, poll: &PollLink) -> Cow<'static, str> {
        self.words.say(&Message::new("poll-state").with("state", poll.state.as_str()))
    }

    /// The address of a poll's results.
    fn link_to(&self, slug: &str) -> String {
        self.words.link(self.base.join(&format!("/polls/{slug}")))
    }

    /// The address for voters without its language, as people read it.
    fn plain_vote_url<'a>(&self, url: &'a str) -> &'a str {
        url.split('?').next().unwrap_or(url)
    }

    fn shown(&self, count: &u64) -> u64 {
        if self.hidden { 0 } else { *count }
    }

    fn share(&self, option: &ResultView) -> String {
        if self.hidden { self.words.percent(0) } else { option.share_words.clone() }
    }

    /// The length of an option's bar.
    fn bar(&self, option: &ResultView) -> String {
        let tenths = if self.hidden { 0 } else { option.share_tenths.clamp(0, 1_000) };
        format!("{}.{}%", tenths / 10, tenths % 10)
    }

    /// Returns the words that mark a leading option; `None` for the others, and for all while no vote is counted.
    fn lead_words(&self, votes: &u64) -> Option<Cow<'static, str>> {
        let most = self.options.iter().map(|option| self.shown(&option.votes)).max()?;
        if *votes == 0 || *votes < most {
            return None;
        }
        let tied = self.options.iter().filter(|option| option.votes == most).count() > 1;
        Some(self.words.text(match (tied, self.is_final) {
            (true, _) => "lead-tied",
            (false, true) => "lead-most",
            (false, false) => "lead-leading",
        }))
    }

    /// The address of the picture of these results, for a dashboard that is reached at `address`.
    fn picture_url(&self, address: &str) -> String {
        let Self { slug, version, revision, .. } = self;
        format!("{address}/polls/{slug}/picture.png?v={version}-{revision}")
    }

    /// What other sites show below the title of a link to this page.
    fn preview_words(&self) -> String {
        let message = match self.hidden {
            true => Message::new("preview-hidden"),
            false => Message::new("preview-counted").with("people", self.voters),
        };
        self.words.say(&message.with("state", self.state_words().into_owned())).into_owned()
    }

    fn account_link(&self) -> String {
        self.words.link(self.base.join(&format!("/polls/{}/accounts", self.slug)))
    }

    /// The address of the result a minute ago, from where any other second can be reached.
    fn past_link(&self) -> String {
        let as_of = self.as_of.parse().unwrap_or(jiff::Timestamp::UNIX_EPOCH);
        let at = rfc3339((as_of.as_second() - 60) * 1_000);
        self.words.link(self.base.join(&format!("/polls/{}/at/{at}", self.slug)))
    }

    fn receipt_link(&self) -> String {
        self.words.link(self.base.join(&format!("/polls/{}/receipt", self.slug)))
    }

    fn file(&self, name: impl AsRef<str>) -> String {
        self.base.join(FILES.path(name.as_ref()))
    }

    fn density(&self) -> &'static str {
        density(self.options.len())
    }
}

/// The static files: path below `/static/`, content type, bytes.
pub const ASSETS: &[Asset] = &[
    BASE_CSS,
    ("results.css", CSS, include_bytes!("../static/results.css")),
    ("accounts.js", JS, include_bytes!("../static/accounts.js")),
    ("announcer.js", JS, include_bytes!("../static/announcer.js")),
    ("chart.js", JS, include_bytes!("../static/chart.js")),
    ("clock.js", JS, include_bytes!("../static/clock.js")),
    ("countdown.js", JS, include_bytes!("../static/countdown.js")),
    ("figures.js", JS, include_bytes!("../static/figures.js")),
    ("history.js", JS, include_bytes!("../static/history.js")),
    ("light.js", JS, include_bytes!("../static/light.js")),
    ("log.js", JS, include_bytes!("../static/log.js")),
    MESSAGES_JS,
    ("note.js", JS, include_bytes!("../static/note.js")),
    ("places.js", JS, include_bytes!("../static/places.js")),
    ("present.css", CSS, include_bytes!("../static/present.css")),
    ("present.js", JS, include_bytes!("../static/present.js")),
    ("receipt.css", CSS, include_bytes!("../static/receipt.css")),
    ("receipt.js", JS, include_bytes!("../static/receipt.js")),
    ("relay.js", JS, include_bytes!("../static/relay.js")),
    ("results.js", JS, include_bytes!("../static/results.js")),
    ("standings.js", JS, include_bytes!("../static/standings.js")),
    ("stream.js", JS, include_bytes!("../static/stream.js")),
    ("words.js", JS, include_bytes!("../static/words.js")),
    FAVICON_SVG,
    FAVICON_ICO,
];

/// The files of [`ASSETS`] and the sentences for the scripts, as they are served.
pub static FILES: LazyLock<StaticFiles> = LazyLock::new(|| {
    let sentences = [sentences_of("results"), sentences_of("receipt")].concat();
    StaticFiles::new(&[ASSETS, &sentences].concat())
});

/// The words of the connection light before the script runs: since when the figures are out of date.
fn light_stale(words: impl Borrow<Words>, since: &str) -> Cow<'static, str> {
    words.borrow().say(&Message::new("light-stale").with("at", plain_time(since)))
}

/// A share as people read it in a language.
pub(crate) fn share_words(share: Share, words: Words) -> String {
    let (sign, tenths) = share.shown();
    format!("{sign}{}", words.percent(tenths.unsigned_abs()))
}

/// The words of the connection light before the script runs: the time of the figures.
fn light_as_of(words: impl Borrow<Words>, at: &str) -> Cow<'static, str> {
    words.borrow().say(&Message::new("light-as-of").with("at", plain_time(at)))
}

/// Splits an address, without scheme and trailing slash, into the parts between which the page may break the line.
fn address(url: &str) -> impl Iterator<Item = &str> {
    let url = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://")).unwrap_or(url);
    url.strip_suffix('/').unwrap_or(url).split_inclusive('/')
}

#[cfg(test)]
mod tests {
    use testkit::sentences::{sentences_of_script, unbracketed};
    use votestream_service::language::Language;

    use super::*;

    fn cats_vs_dogs() -> ResultsPage {
        let option = |slug: &str, label: &str, votes: u64| ResultView {
            slug: slug.to_owned(),
            label: label.to_owned(),
            label_lang: None,
            colour: None,
            votes,
            share_tenths: (votes * 1_000 / 4_321).cast_signed(),
            share_words: format!("{:.1}%", votes as f64 / 43.21),
        };
        ResultsPage {
            title: "Cats vs Dogs".to_owned(),
            slug: "cats-vs-dogs".to_owned(),
            state: "open".to_owned(),
            visibility: "always".to_owned(),
            options: vec![option("cats", "Cats", 2987), option("dogs", "Dogs", 1334)],
            voters: 4321,
            version: 12,
            as_of: "2026-11-23T16:40:31Z".to_owned(),
            ..ResultsPage::default()
        }
    }

    #[test]
    fn figures_stand_in_the_html() {
        let html = cats_vs_dogs().render().unwrap();
        for figure in ["2,987 votes", "1,334 votes", "69.1%", "30.9%", "4,321", "Leading"] {
            assert!(html.contains(figure), "{figure} is missing");
        }
    }

    #[test]
    fn hidden_results_leak_no_figure() {
        let page =
            ResultsPage { hidden: true, visibility: "after_close".to_owned(), ..cats_vs_dogs() };
        let html = page.render().unwrap();
        for figure in ["2,987", "2987", "1,334", "1334", "69.1", "30.9", "4,321", "4321", "Leading"]
        {
            assert!(!html.contains(figure), "{figure} leaked");
        }
        assert!(html.contains("as soon as voting closes"));
    }

    #[test]
    fn typed_text_is_escaped() {
        let mut page = cats_vs_dogs();
        page.title = "<script>alert(1)</script>".to_owned();
        page.options[0].colour = Some("\"><b>".to_owned());
        page.polls = vec![PollLink { title: "<i>".to_owned(), ..PollLink::default() }; 2];
        let html = page.render().unwrap();
        assert!(!html.contains("<script>alert") && !html.contains("<b>") && !html.contains("<i>"));
    }

    #[test]
    fn no_page_has_inline_style_or_script() {
        let html = cats_vs_dogs().render().unwrap();
        assert!(!html.contains("style="), "{html}");
        assert!(!html.contains("<style"));
        assert!(!html.contains("<script>"));
    }

    #[test]
    fn an_address_is_broken_after_a_slash_only() {
        let vote_url = Some("https://vote.example/polls/pets/".to_owned());
        let html = ResultsPage { vote_url, ..cats_vs_dogs() }.render().unwrap();
        assert!(html.contains(">vote.example/<wbr>polls/<wbr>pets<wbr></a>"), "{html}");
    }

    #[test]
    fn equal_leaders_are_tied_and_nobody_leads_at_zero() {
        let mut page = cats_vs_dogs();
        page.options[1].votes = 2987;
        assert_eq!(page.render().unwrap().matches("Tied").count(), 2);
        page.options.iter_mut().for_each(|option| option.votes = 0);
        assert!(!page.render().unwrap().contains("Tied"));
    }

    #[test]
    fn nothing_is_final_before_the_last_vote_is_counted() {
        let page = |is_final, waiting| ResultsPage {
            state: "closed".to_owned(),
            is_final,
            waiting,
            ..cats_vs_dogs()
        };
        let html = page(false, Some(40)).render().unwrap();
        assert!(html.contains("Closed: counting the last 40<") && html.contains("Leading"));
        assert!(!html.contains("Final") && !html.contains("Most votes"), "{html}");
        for waiting in [None, Some(0)] {
            assert!(page(false, waiting).render().unwrap().contains("counting the last votes<"));
        }
        let html = page(true, Some(0)).render().unwrap();
        assert!(html.contains("Final: voting has closed") && html.contains("Most votes"));
    }

    #[test]
    fn every_file_a_page_names_is_an_asset() {
        let html = cats_vs_dogs().render().unwrap();
        assert!(html.contains(FILES.path("results.js")), "{html}");
        // A file that is none has no address.
        assert!(!html.contains("src=\"\"") && !html.contains("\" href=\"\""), "{html}");
    }

    #[test]
    fn every_sentence_of_every_state_is_in_the_catalogue() {
        let words = Words::from(Language::Bracketed);
        let typed = ["Cats vs Dogs", "Cats", "Dogs", "Votestream", "vote.example", "UTC"];
        let at = || Some("2026-11-23T16:40:31Z".to_owned());
        let mut found = Vec::new();
        for state in ["draft", "scheduled", "open", "closed", "archived"] {
            // Each bit of the number is one property of the page.
            for bits in 0..128_u32 {
                let is = |bit: u32| bits >> bit & 1 == 1;
                let link = PollLink { state: state.to_owned(), ..PollLink::default() };
                let mut page = ResultsPage {
                    words,
                    state: state.to_owned(),
                    hidden: is(0),
                    is_final: is(1),
                    waiting: is(2).then_some(40),
                    stale_since: at().filter(|_| is(3)),
                    closes_at: at().filter(|_| is(4)),
                    opens_at: at().filter(|_| is(4)),
                    is_embedded: is(5),
                    has_receipts: is(2),
                    polls: vec![link; 2],
                    vote_url: Some("https://vote.example/".to_owned()),
                    ..cats_vs_dogs()
                };
                page.visibility = if is(6) { "after_close" } else { "admin" }.to_owned();
                if is(5) {
                    page.options[1].votes = page.options[0].votes;
                }
                found.extend(unbracketed(&page.render().unwrap(), &typed));
                let drawing = picture::Picture::new(&page).render().unwrap();
                found.extend(unbracketed(&drawing, &typed));
                let door = present::Door::new("https://vote.example/", "KHDP".to_owned());
                let screen = present::PresentPage {
                    words,
                    turnout: Some(77),
                    now: String::new(),
                    order: present::Order::Ranked,
                    curtain: is(1),
                    door,
                    results: page,
                };
                let typed = [&typed[..], &["/v/", "KHDP", "F", "H", "R"]].concat();
                found.extend(unbracketed(&screen.render().unwrap(), &typed));
            }
        }
        found.sort();
        found.dedup();
        assert_eq!(found, Vec::<String>::new());
    }

    #[test]
    fn no_script_has_a_sentence_of_its_own() {
        // The names of a key and of an error, two texts that are hashed, and a command.
        let known = [
            "Tab",
            "SecurityError",
            "votestream receipt 1",
            "votestream choices 1 ${nonce} ${choices}",
            "votectl verify ${location.href.split('/receipt')[0]}",
        ];
        for (name, kind, source) in ASSETS {
            let source = std::str::from_utf8(source).unwrap_or_default();
            let found = sentences_of_script(if *kind == JS { source } else { "" });
            let found: Vec<_> = found.iter().filter(|it| !known.contains(&it.as_str())).collect();
            assert!(found.is_empty(), "{name}: {found:?}");
        }
    }
}

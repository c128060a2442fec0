//! The results page: plain view structs, their templates and the static files.
//!
//! Invariant: a page whose results are hidden renders every figure as zero, whatever its struct holds; poll titles and labels
//! reach HTML through Askama's escaping only; no inline script, no inline style.
//! Absent on purpose: tallies, queries and visibility rules; handlers fill these structs.

use askama::Template;
use votestream_service::http::Asset;
use votestream_service::page::{BASE_CSS, CSS, JS, density, length_class, plain_time};

/// One option's figures.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ResultView {
    /// Stable name of the option.
    pub slug: String,
    /// What people read, up to 200 characters.
    pub label: String,
    /// `#rrggbb`; without it the option takes its turn in the default palette.
    pub colour: Option<String>,
    /// Votes counted for this option.
    pub votes: u64,
    /// Percent of the people counted, 0–100: see [`share_percent`].
    pub share_percent: f64,
}

/// A link to another poll's results.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PollLink {
    /// Path segment below `/polls/`.
    pub slug: String,
    /// The question.
    pub title: String,
    /// `draft`, `scheduled`, `open`, `closed` or `archived`.
    pub state: String,
}

/// The results of one poll at a moment; the script keeps them moving.
#[derive(Debug, Clone, Default, Template)]
#[template(path = "results.html")]
pub struct ResultsPage {
    /// The question.
    pub title: String,
    /// The poll's slug; the script follows `/api/polls/<slug>/events`.
    pub slug: String,
    /// `draft`, `scheduled`, `open`, `closed` or `archived`.
    pub state: String,
    /// `always`, `after_close` or `admin`.
    pub visibility: String,
    /// The results may not be seen now. Give the options all the same: the script fills them in when they may.
    pub hidden: bool,
    /// 2–63 options, in ballot order.
    pub options: Vec<ResultView>,
    /// People counted; with multiple choice the votes can sum to more.
    pub voters: u64,
    /// Version of the tally.
    pub version: u64,
    /// RFC 3339: when these figures were read.
    pub as_of: String,
    /// RFC 3339: since when the figures could not be read anew.
    pub stale_since: Option<String>,
    /// RFC 3339.
    pub opens_at: Option<String>,
    /// RFC 3339.
    pub closes_at: Option<String>,
    /// Where to vote, shown large while the poll is open.
    pub vote_url: Option<String>,
    /// Polls to link to; shown when there are two or more.
    pub polls: Vec<PollLink>,
}

impl ResultsPage {
    fn state_words(&self) -> &'static str {
        match self.state.as_str() {
            "open" => "Voting is open",
            "closed" | "archived" => "Final: voting has closed",
            _ => "Not open yet",
        }
    }

    /// The next or last moment in the poll's life.
    fn milestone(&self) -> Option<(&'static str, &str)> {
        match self.state.as_str() {
            "open" => self.closes_at.as_deref().map(|at| ("until", at)),
            "closed" | "archived" => self.closes_at.as_deref().map(|at| ("closed", at)),
            _ => self.opens_at.as_deref().map(|at| ("opens", at)),
        }
    }

    /// `results.js` says the same when the stream tells that results are hidden.
    fn hidden_words(&self) -> String {
        match (self.visibility.as_str(), &self.closes_at) {
            ("after_close", Some(at)) => {
                format!("They appear here as soon as voting closes, {}.", plain_time(at))
            }
            ("after_close", None) => "They appear here as soon as voting closes.".to_owned(),
            _ => "The people who run this poll have not published them.".to_owned(),
        }
    }

    fn shown(&self, count: &u64) -> u64 {
        if self.hidden { 0 } else { *count }
    }

    fn share(&self, option: &ResultView) -> String {
        let percent = if self.hidden { 0.0 } else { option.share_percent.clamp(0.0, 100.0) };
        format!("{percent:.1}%")
    }

    /// Marks who is in front, in words; nobody while no vote is counted.
    fn lead_words(&self, votes: &u64) -> Option<&'static str> {
        let most = self.options.iter().map(|option| self.shown(&option.votes)).max()?;
        if *votes == 0 || *votes < most {
            return None;
        }
        let tied = self.options.iter().filter(|option| option.votes == most).count() > 1;
        let over = matches!(self.state.as_str(), "closed" | "archived");
        Some(match (tied, over) {
            (true, _) => "Tied",
            (false, true) => "Most votes",
            (false, false) => "Leading",
        })
    }

    fn density(&self) -> &'static str {
        density(self.options.len())
    }
}

/// Static files: path below `/static/`, content type, bytes.
pub const ASSETS: &[Asset] = &[
    BASE_CSS,
    ("results.css", CSS, include_bytes!("../static/results.css")),
    ("announcer.js", JS, include_bytes!("../static/announcer.js")),
    ("chart.js", JS, include_bytes!("../static/chart.js")),
    ("clock.js", JS, include_bytes!("../static/clock.js")),
    ("figures.js", JS, include_bytes!("../static/figures.js")),
    ("history.js", JS, include_bytes!("../static/history.js")),
    ("light.js", JS, include_bytes!("../static/light.js")),
    ("relay.js", JS, include_bytes!("../static/relay.js")),
    ("results.js", JS, include_bytes!("../static/results.js")),
    ("standings.js", JS, include_bytes!("../static/standings.js")),
    ("stream.js", JS, include_bytes!("../static/stream.js")),
    ("favicon.svg", "image/svg+xml", include_bytes!("../static/favicon.svg")),
];

/// Share of the people counted, in percent: the figure both the page and its script show.
pub fn share_percent(votes: u64, voters: u64) -> f64 {
    if voters == 0 { 0.0 } else { votes as f64 * 100.0 / voters as f64 }
}

/// `1234567` as `1,234,567`.
fn grouped(count: impl std::borrow::Borrow<u64>) -> String {
    let digits = count.borrow().to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// An address as people type it, no scheme, no closing slash; in the parts between which a line may end.
fn address(url: &str) -> impl Iterator<Item = &str> {
    let url = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://")).unwrap_or(url);
    url.strip_suffix('/').unwrap_or(url).split_inclusive('/')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cats_vs_dogs() -> ResultsPage {
        let option = |slug: &str, label: &str, votes: u64| ResultView {
            slug: slug.to_owned(),
            label: label.to_owned(),
            colour: None,
            votes,
            share_percent: share_percent(votes, 4321),
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
    fn large_counts_are_grouped() {
        let shown: Vec<_> =
            [0_u64, 999, 1000, 1_234_567].iter().map(|count| grouped(*count)).collect();
        assert_eq!(shown, ["0", "999", "1,000", "1,234,567"]);
    }

    #[test]
    fn share_of_nobody_is_zero() {
        assert_eq!(share_percent(0, 0), 0.0);
        assert_eq!(share_percent(1, 4), 25.0);
    }

    #[test]
    fn every_file_a_page_names_is_an_asset() {
        let html = cats_vs_dogs().render().unwrap();
        let named = html.split("\"/static/").skip(1).filter_map(|rest| rest.split('"').next());
        for path in named {
            assert!(ASSETS.iter().any(|(asset, ..)| *asset == path), "{path}");
        }
    }
}

//! The presenter view: one poll on the screen of a hall, with the way to the ballot.
//!
//! The page holds all options; which of them have a place of their own follows from `places`, here for the first picture
//! and in `places.js` for every later one.

use askama::Template;
use votestream_service::page::{QrPicture, length_class, plain_time};

use super::{ResultView, ResultsPage, grouped};

/// The most rows that one column holds with text of 3 % of the height.
const ROWS_MAX: usize = 11;
/// The most options that stand below each other in one column.
const ONE_COLUMN_MAX: usize = 6;
/// What a whole bar can stand for in two columns, in tenths of a percent: the least of these that holds the largest share.
const SCALES: [i64; 4] = [100, 250, 500, 1_000];

/// The order in which the options stand.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Order {
    /// The option with the most votes comes first.
    #[default]
    Ranked,
    /// The options stand as on the ballot.
    Ballot,
}

impl Order {
    /// Reads the parameter `order` of the address: `ballot`, else ranked.
    pub fn of(text: Option<&str>) -> Self {
        match text {
            Some("ballot") => Self::Ballot,
            _ => Self::Ranked,
        }
    }

    fn as_str(self) -> &'static str {
        match self {
            Self::Ranked => "ranked",
            Self::Ballot => "ballot",
        }
    }
}

/// The way to the ballot, as the hall reads and scans it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Door {
    /// The whole address: what the QR code says.
    pub url: String,
    /// The address up to `/v/` and the code, without the scheme: `vote.example`.
    pub host: String,
    /// The short code of the poll.
    pub code: String,
    qr: QrPicture,
}

impl Door {
    /// Makes the way to a poll with this short code, below the address where people vote. `None` if that address is too
    /// long for a QR code.
    pub fn new(vote_url: &str, code: String) -> Option<Self> {
        let base = vote_url.trim_end_matches('/');
        let url = format!("{base}/v/{code}");
        let host = base.split_once("://").map_or(base, |(_, host)| host).to_owned();
        Some(Self { qr: QrPicture::of(&url)?, host, url, code })
    }
}

/// Which options are shown where.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Places {
    /// The positions of the options with a place of their own, in the order in which they stand.
    shown: Vec<usize>,
    /// The positions of the options that are summed up.
    rest: Vec<usize>,
    rows: usize,
    columns: usize,
}

/// Gives the options with these votes their places. Everything fits on one screen: at most two columns of [`ROWS_MAX`]
/// rows, and the last place of them for the sum of the rest.
fn places(votes: &[u64], order: Order) -> Places {
    let mut ranked: Vec<usize> = (0..votes.len()).collect();
    ranked.sort_by_key(|position| (std::cmp::Reverse(votes[*position]), *position));
    let all = votes.len();
    let rest = if all > 2 * ROWS_MAX { ranked.split_off(2 * ROWS_MAX - 1) } else { Vec::new() };
    let mut shown = ranked;
    if order == Order::Ballot {
        shown.sort_unstable();
    }
    let cells = shown.len() + usize::from(!rest.is_empty());
    let columns = if all > ONE_COLUMN_MAX { 2 } else { 1 };
    Places { shown, rest, rows: cells.div_ceil(columns), columns }
}

/// The presenter view of one poll at a moment; the script keeps it moving.
#[derive(Debug, Clone, Template)]
#[template(path = "present.html")]
pub struct PresentPage {
    /// The results, as the results page shows them.
    pub results: ResultsPage,
    /// The number of people counted, if it may be shown; also while results are hidden.
    pub turnout: Option<u64>,
    /// The time of the server, as an RFC 3339 time.
    pub now: String,
    /// The order in which the options stand.
    pub order: Order,
    /// Whether the presenter has drawn the curtain over the results.
    pub curtain: bool,
    /// The way to the ballot, if the address is known where people vote.
    pub door: Option<Door>,
}

/// An option on its place, or without one.
struct Placed<'a> {
    option: &'a ResultView,
    /// The position on the ballot.
    position: usize,
    is_shown: bool,
}

impl PresentPage {
    fn file(&self, name: &str) -> String {
        self.results.file(name)
    }

    fn places(&self) -> Places {
        let votes = self.results.options.iter().map(|option| self.results.shown(&option.votes));
        places(&votes.collect::<Vec<u64>>(), self.order)
    }

    /// The length of an option's bar. Where there are many options, none has a large share, so a whole bar stands for less
    /// than everybody.
    fn bar(&self, option: &ResultView, places: &Places) -> String {
        if self.results.hidden {
            return "0.0%".to_owned();
        }
        let largest = self.results.options.iter().map(|option| option.share_tenths).max();
        let scale = SCALES.into_iter().find(|scale| Some(*scale) >= largest);
        let scale = scale.filter(|_| places.columns > 1).unwrap_or(1_000);
        let tenths = (option.share_tenths * 1_000 / scale).clamp(0, 1_000);
        format!("{}.{}%", tenths / 10, tenths % 10)
    }

    /// All options, those without a place last.
    fn placed(&self) -> impl Iterator<Item = Placed<'_>> {
        let Places { shown, rest, .. } = self.places();
        let shown = shown.into_iter().map(|position| (position, true));
        let rest = rest.into_iter().map(|position| (position, false));
        shown.chain(rest).map(|(position, is_shown)| Placed {
            option: &self.results.options[position],
            position,
            is_shown,
        })
    }

    /// The votes of the options that are summed up.
    fn rest_votes(&self) -> u64 {
        let rest = self.places().rest;
        rest.iter().map(|position| self.results.shown(&self.results.options[*position].votes)).sum()
    }

    fn people_words(&self, people: impl std::borrow::Borrow<u64>) -> &'static str {
        if *people.borrow() == 1 { "person has voted" } else { "people have voted" }
    }

    fn is_before_end(&self) -> bool {
        matches!(self.results.state.as_str(), "scheduled" | "open" | "draft")
    }

    fn label_class(&self, option: &ResultView) -> &'static str {
        match length_class(&option.label) {
            "short" if option.label.chars().count() > 14 => "middle",
            class => class,
        }
    }

    fn title_class(&self) -> &'static str {
        match self.results.title.chars().count() {
            0..=40 => "short",
            41..=90 => "middle",
            _ => "long",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(options: usize) -> PresentPage {
        let option = |n: usize| ResultView {
            slug: format!("o{n}"),
            label: format!("Option {n}"),
            votes: n as u64,
            ..ResultView::default()
        };
        let results = ResultsPage {
            title: "Which?".to_owned(),
            slug: "which".to_owned(),
            state: "open".to_owned(),
            options: (0..options).map(option).collect(),
            voters: 77,
            ..ResultsPage::default()
        };
        let door = Door::new("https://vote.example/", "KHDP".to_owned());
        let (order, turnout) = (Order::Ranked, Some(77));
        PresentPage { results, turnout, now: String::new(), order, curtain: false, door }
    }

    #[test]
    fn all_options_fit_into_two_columns_of_eleven_rows() {
        for count in 2..=63 {
            let votes: Vec<u64> = (0..count).collect();
            for order in [Order::Ranked, Order::Ballot] {
                let places = places(&votes, order);
                let cells = places.shown.len() + usize::from(!places.rest.is_empty());
                assert!(places.rows <= ROWS_MAX && places.columns <= 2, "{places:?}");
                assert!(cells <= places.rows * places.columns, "{places:?}");
                assert_eq!(places.shown.len() + places.rest.len(), votes.len());
                // Those with the fewest votes are summed up, and a sum is of two or more.
                assert!(places.rest.iter().all(|position| *position < places.rest.len()));
                assert_ne!(places.rest.len(), 1);
            }
        }
        let ranked = |votes: &[u64]| places(votes, Order::Ranked).shown;
        assert_eq!(ranked(&[1, 3, 3, 2]), [1, 2, 3, 0], "equal ones stand as on the ballot");
        assert_eq!(places(&[1, 3, 3, 2], Order::Ballot).shown, [0, 1, 2, 3]);
    }

    #[test]
    fn the_address_is_short_and_the_qr_code_says_it() {
        let door = Door::new("https://vote.example/sub/", "KHDP".to_owned()).unwrap();
        assert_eq!(door.url, "https://vote.example/sub/v/KHDP");
        assert_eq!(door.host, "vote.example/sub");
        assert_eq!(Door::new(&"x".repeat(9_000), "KHDP".to_owned()), None);
    }

    #[test]
    fn hidden_results_leak_no_figure_but_the_turnout() {
        let mut page = page(30);
        page.results.hidden = true;
        page.results.visibility = "after_close".to_owned();
        for option in &mut page.results.options {
            option.votes += 48_611;
            option.share_words = "63.7%".to_owned();
        }
        let html = page.render().unwrap();
        for figure in ["48,6", "486", "63.7"] {
            assert!(!html.contains(figure), "{figure} leaked: {html}");
        }
        assert!(html.contains(">77<"), "{html}");
        page.turnout = None;
        page.results.voters = 4_321;
        let html = page.render().unwrap();
        assert!(!html.contains(">77<") && !html.contains("4,321"), "{html}");
    }

    #[test]
    fn typed_text_is_escaped_and_nothing_is_inline() {
        let mut page = page(63);
        page.results.title = "<script>alert(1)</script>".to_owned();
        page.results.options[0].label = "<b>".to_owned();
        page.results.options[0].colour = Some("\"><i>".to_owned());
        let html = page.render().unwrap();
        for bad in ["<script>", "<b>", "<i>", "style=", "<style"] {
            assert!(!html.contains(bad), "{html}");
        }
        assert!(!html.contains("href=\"\"") && !html.contains("src=\"\""), "a file is none");
    }

    #[test]
    fn the_rest_is_summed_up() {
        let page = page(63);
        let html = page.render().unwrap();
        assert!(html.contains("and 42 more"), "{html}");
        // The options 0 to 41.
        assert_eq!(page.rest_votes(), 41 * 42 / 2);
    }
}

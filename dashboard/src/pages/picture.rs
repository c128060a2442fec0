//! The standing result as a drawing, for previews of links: 1200 × 630 units, in the colours of the dark pages.
//!
//! The font has Latin, Greek, Cyrillic, Arabic and a few more scripts; other characters are drawn as boxes.

use askama::Template;
use votestream_service::language::Message;
use votestream_service::page::plain_time;

use super::{ResultView, ResultsPage};

/// Width and height of the picture, in pixels: what all large sites show without cropping.
pub const SIZE: (u32, u32) = (1_200, 630);

/// The options of the picture; the others are counted in words.
const ROWS_MAX: usize = 5;
/// The space for the rows: where it begins, its height, and the height of the tallest row.
const ROWS_TOP: usize = 236;
const ROWS_HEIGHT: usize = 320;
const ROW_HEIGHT_MAX: usize = 110;
/// The width of a bar that stands for everybody.
const BAR_WIDTH: i64 = 1_080;
/// Characters of a line, by the size of its type.
const LARGE_TITLE_CHARS: usize = 31;
const TITLE_CHARS: usize = 42;
const LABEL_CHARS: usize = 44;
/// The colours of options that have none, as in the dark pages.
const HUES: [&str; 9] = [
    "#7c9bff", "#ff8a5c", "#3fcdbd", "#ff82c0", "#b99bff", "#f0b93a", "#8fd45c", "#54c2f0",
    "#a9b4bc",
];

/// The drawing of one poll's results.
#[derive(Debug, Template)]
#[template(path = "picture.svg", escape = "html")]
pub struct Picture<'a> {
    results: &'a ResultsPage,
    title: Vec<String>,
    title_is_short: bool,
    rows: Vec<Row>,
    more: usize,
}

/// One option of the drawing.
#[derive(Debug)]
struct Row {
    label: String,
    share: String,
    colour: String,
    /// The baseline of the label; the place and the height of the bar; the width of its filled part.
    baseline: usize,
    bar_top: usize,
    bar_height: usize,
    width: i64,
}

impl<'a> Picture<'a> {
    /// Draws these results. Of hidden results nothing but the title is drawn.
    pub fn new(results: &'a ResultsPage) -> Self {
        let mut ranked: Vec<(usize, &ResultView)> = results.options.iter().enumerate().collect();
        ranked.sort_by_key(|(position, option)| (std::cmp::Reverse(option.votes), *position));
        let count = if results.hidden { 0 } else { ranked.len().min(ROWS_MAX) };
        let height = (ROWS_HEIGHT / count.max(1)).min(ROW_HEIGHT_MAX);
        let row = |(place, (position, option)): (usize, &(usize, &ResultView))| {
            let top = ROWS_TOP + place * height;
            let hue = || HUES[position % HUES.len()].to_owned();
            Row {
                label: shortened(&option.label, LABEL_CHARS),
                share: results.share(option),
                colour: option.colour.clone().unwrap_or_else(hue),
                baseline: top + 30,
                bar_top: top + 40,
                bar_height: height - 40 - height / 6,
                width: option.share_tenths.clamp(0, 1_000) * BAR_WIDTH / 1_000,
            }
        };
        let rows = ranked.iter().take(count).enumerate().map(row).collect();
        let more = if results.hidden { 0 } else { results.options.len() - count };
        let title_is_short = results.title.chars().count() <= LARGE_TITLE_CHARS;
        Self { results, title: lines(&results.title), title_is_short, rows, more }
    }

    /// How many people are counted, and when.
    fn counted(&self) -> String {
        let ResultsPage { words, voters, as_of, .. } = self.results;
        let counted = Message::new("picture-counted").with("people", *voters);
        words.say(&counted.with("at", plain_time(as_of))).into_owned()
    }

    fn more_words(&self) -> String {
        self.results.words.say(&Message::new("and-more").with("count", self.more)).into_owned()
    }
}

/// The title in one line of large type, or in two of smaller type.
fn lines(title: &str) -> Vec<String> {
    let mut first = String::new();
    let mut rest = title;
    while let Some(word) = rest.split_whitespace().next() {
        let chars = first.chars().count() + 1 + word.chars().count();
        if chars > TITLE_CHARS && !first.is_empty() {
            break;
        }
        if !first.is_empty() {
            first.push(' ');
        }
        first.push_str(word);
        rest = rest.trim_start().get(word.len()..).unwrap_or_default();
    }
    let rest = rest.trim();
    let first = shortened(&first, TITLE_CHARS);
    if rest.is_empty() { vec![first] } else { vec![first, shortened(rest, TITLE_CHARS)] }
}

fn shortened(text: &str, chars_max: usize) -> String {
    if text.chars().count() <= chars_max {
        return text.to_owned();
    }
    let front: String = text.chars().take(chars_max - 1).collect();
    format!("{}…", front.trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_titles_have_two_lines() {
        assert_eq!(lines("Cats vs Dogs"), ["Cats vs Dogs"]);
        let long = "Which of these animals would you most like to meet on a walk through the woods at night?";
        assert_eq!(
            lines(long),
            [
                "Which of these animals would you most like",
                "to meet on a walk through the woods at ni…"
            ]
        );
        assert_eq!(lines(&"x".repeat(200)), [format!("{}…", "x".repeat(41))]);
        assert_eq!(lines("  ").concat().trim(), "");
    }

    #[test]
    fn hidden_results_leak_no_figure() {
        let option = ResultView {
            votes: 48_611,
            share_tenths: 637,
            share_words: "63.7%".to_owned(),
            ..ResultView::default()
        };
        let results = ResultsPage {
            title: "<b>".to_owned(),
            hidden: true,
            options: vec![option; 7],
            voters: 76_255,
            ..ResultsPage::default()
        };
        let drawing = Picture::new(&results).render().unwrap();
        for figure in ["48", "63.7", "76", "<b>"] {
            assert!(!drawing.contains(figure), "{figure}: {drawing}");
        }
        let shown = ResultsPage { hidden: false, ..results };
        let drawing = Picture::new(&shown).render().unwrap();
        assert!(drawing.contains("63.7%") && drawing.contains("and 2 more"), "{drawing}");
    }
}

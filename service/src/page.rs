//! What the pages of all services share: the layout (`templates/layout.html`), the page that tells
//! of a problem, and how times and long texts are shown.
//!
//! Invariant: whatever somebody typed reaches HTML through Askama's escaping only; a page carries no
//! inline script and no inline style, so the strict content security policy holds.

use askama::Template;
use warp::http::StatusCode;
use warp::reply::Response;

use crate::http::{self, Asset};
use crate::problem::Problem;

/// The content type of style sheets.
pub const CSS: &str = "text/css; charset=utf-8";
/// The content type of scripts.
pub const JS: &str = "text/javascript; charset=utf-8";
/// The style sheet that the layout names.
pub const BASE_CSS: Asset = ("base.css", CSS, include_bytes!("../assets/base.css"));

/// A request that failed, told to a person.
#[derive(Debug, Clone, Default, Template)]
#[template(path = "problem.html")]
pub struct ProblemPage {
    /// HTTP status code.
    pub status: u16,
    /// One line.
    pub title: String,
    /// What happened and what to do.
    pub detail: String,
    /// The service's own style sheet: a file below `/static/`.
    pub stylesheet: &'static str,
    /// Where to go from here: a path, and the words of the link.
    pub back: Option<(String, &'static str)>,
}

/// The page that tells of `problem`, with its status and headers.
pub fn problem(
    problem: &Problem,
    stylesheet: &'static str,
    back: Option<(String, &'static str)>,
) -> Response {
    let page = ProblemPage {
        status: problem.status.as_u16(),
        title: problem.title.to_owned(),
        detail: sentence(&problem.detail),
        stylesheet,
        back,
    };
    problem.mark(render(problem.status, &page))
}

/// A page as a reply.
pub fn render(status: StatusCode, page: &impl Template) -> Response {
    match page.render() {
        Ok(body) => http::html(status, body),
        Err(error) => {
            tracing::error!(%error, "a page does not render");
            http::html(StatusCode::INTERNAL_SERVER_ERROR, "this page cannot be shown".to_owned())
        }
    }
}

/// A problem's detail as people expect a sentence to look.
pub fn sentence(detail: &str) -> String {
    let mut letters = detail.chars();
    let first = letters.next().map(|letter| letter.to_uppercase().to_string());
    let end = if detail.ends_with(['.', '!', '?']) { "" } else { "." };
    format!("{}{}{end}", first.unwrap_or_default(), letters.as_str())
}

/// `2026-11-23T16:40:31Z` as `2026-11-23 16:40 UTC`, for readers without the script that shows local
/// time. Anything else is shown as it is.
pub fn plain_time(rfc3339: &str) -> String {
    match (rfc3339.get(..10), rfc3339.get(11..16), rfc3339.ends_with('Z')) {
        (Some(day), Some(minute), true) => format!("{day} {minute} UTC"),
        _ => rfc3339.to_owned(),
    }
}

/// Long text, or text with a long word, is set smaller than a headline. `choices.js` draws the same
/// line.
pub fn length_class(text: &str) -> &'static str {
    let long_word = text.split_whitespace().any(|word| word.chars().count() > WORD_CHARS_MAX);
    if long_word || text.chars().count() > HEADLINE_CHARS_MAX { "long" } else { "short" }
}

const HEADLINE_CHARS_MAX: usize = 40;
const WORD_CHARS_MAX: usize = 16;

/// How closely this many options are set: `few`, `some` or `many`.
pub fn density(options: usize) -> &'static str {
    match options {
        0..=4 => "few",
        5..=12 => "some",
        _ => "many",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_is_escaped_and_has_no_inline_style_or_script() {
        let page = ProblemPage {
            status: 404,
            title: "<script>alert(1)</script>".to_owned(),
            detail: "\"><b>".to_owned(),
            stylesheet: "ballot.css",
            back: Some(("/polls/x".to_owned(), "Back to the ballot")),
        };
        let html = page.render().unwrap();
        for bad in ["<script>", "<b>", "style=", "<style"] {
            assert!(!html.contains(bad), "{html}");
        }
        let link = "<a class=\"button\" id=\"back\" href=\"/polls/x\">Back to the ballot</a>";
        assert!(html.contains(link) && html.contains("/static/ballot.css"), "{html}");
        let alone = ProblemPage { back: None, ..page }.render().unwrap();
        assert!(!alone.contains("id=\"back\""), "{alone}");
    }

    #[test]
    fn a_detail_becomes_a_sentence() {
        assert_eq!(sentence("there is no poll `x`"), "There is no poll `x`.");
        assert_eq!(sentence("Reload!"), "Reload!");
        assert_eq!(sentence(""), ".");
    }

    #[test]
    fn times_without_script_are_utc() {
        assert_eq!(plain_time("2026-11-23T16:40:31Z"), "2026-11-23 16:40 UTC");
        assert_eq!(plain_time("2026-11-23T16:40:31+01:00"), "2026-11-23T16:40:31+01:00");
        assert_eq!(plain_time("é"), "é");
    }

    #[test]
    fn long_texts_and_long_words_are_told_apart() {
        assert_eq!(length_class("Cats vs Dogs"), "short");
        assert_eq!(length_class(&"a ".repeat(21)), "long");
        assert_eq!(length_class("Donaudampfschifffahrt"), "long");
    }
}

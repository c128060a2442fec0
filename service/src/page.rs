//! Renders the parts of HTML pages that all services share: the layout (`templates/layout.html`), the
//! problem page, how times and long texts are shown, and the static files ([`StaticFiles`]).
//!
//! Invariant: text that somebody typed reaches HTML through Askama's escaping only. A page carries no
//! inline script and no inline style, so the strict content security policy holds.

mod compression;
mod qr;
mod static_files;
mod trimming;

use std::borrow::Borrow;

use askama::Template;
use bytes::Bytes;
use warp::http::{HeaderMap, HeaderValue, StatusCode, header};
use warp::reply::Response;

use crate::http::{self, BasePath};
use crate::language::{self, Message, Words};
use crate::problem::Problem;

pub use qr::QrPicture;
pub use static_files::{Asset, StaticFiles, static_files};

/// Content type of style sheets, as UTF-8.
pub const CSS: &str = "text/css; charset=utf-8";
/// Content type of scripts, as UTF-8.
pub const JS: &str = "text/javascript; charset=utf-8";
/// The style sheet that `layout.html` links, for the services' static files.
pub const BASE_CSS: Asset = ("base.css", CSS, include_bytes!("../assets/base.css"));
/// The script that reads the sentences of [`sentences_of`], for other scripts.
pub const MESSAGES_JS: Asset = ("messages.js", JS, include_bytes!("../assets/messages.js"));

/// The icon of all pages, as a drawing.
pub const FAVICON_SVG: Asset =
    ("favicon.svg", "image/svg+xml", include_bytes!("../assets/favicon.svg"));
/// The icon of all pages, for programs that look for it at `/favicon.ico`.
pub const FAVICON_ICO: Asset =
    ("favicon.ico", "image/x-icon", include_bytes!("../assets/favicon.ico"));

/// The page for a person whose request failed.
#[derive(Debug, Clone, Template)]
#[template(path = "problem.html")]
pub struct ProblemPage {
    /// HTTP status code, shown above the title.
    pub status: u16,
    /// The language of the page.
    pub words: Words,
    /// Headline: the title of the problem's type.
    pub title: String,
    /// A sentence on the cause and the remedy.
    pub detail: String,
    /// The service's static files.
    pub files: &'static StaticFiles,
    /// The service's own style sheet, as the name of a static file.
    pub stylesheet: &'static str,
    /// The path in front of all addresses.
    pub base: BasePath,
    /// Path and text of a link that leads on, if there is one.
    pub back: Option<(String, String)>,
}

impl ProblemPage {
    fn file(&self, name: &str) -> String {
        self.base.join(self.files.path(name))
    }

    fn status_words(&self) -> String {
        let status = Message::new("problem-page-status").with("status", self.status.to_string());
        self.words.say(&status).into_owned()
    }
}

/// Returns the page for `problem`, with its status and headers.
pub fn problem(
    problem: &Problem,
    words: Words,
    files: &'static StaticFiles,
    stylesheet: &'static str,
    base: &BasePath,
    back: Option<(String, String)>,
) -> Response {
    let page = ProblemPage {
        status: problem.kind.status.as_u16(),
        words,
        title: problem.kind.title(words).into_owned(),
        detail: sentence(&problem.detail.text(words)),
        files,
        stylesheet,
        base: base.clone(),
        back,
    };
    problem.mark(render(problem.kind.status, words, &page, None))
}

/// Returns the static files with the sentences for the scripts of a page, `ballot` or `results`, in all languages. They are made
/// once for a process and never freed.
///
/// # Panics
/// Panics if the catalogue has no such page.
pub fn sentences_of(page: &str) -> Vec<Asset> {
    let file = |(language, text): (_, String)| -> Asset {
        let (name, text): (&'static str, &'static str) =
            (Words::from(language).script(page).leak(), text.leak());
        (name, JS, text.as_bytes())
    };
    language::scripts(page).map(file).collect()
}

/// Renders a page in this language as a reply; a page that does not render is answered with 500.
///
/// `asked` are the headers of a GET whose page repeats nothing of the request but what stands in lists of ours: such a page is
/// compressed if the client reads gzip. No other page is, because of the secret that it holds.
pub fn render(
    status: StatusCode,
    words: Words,
    page: &impl Template,
    asked: Option<&HeaderMap>,
) -> Response {
    match page.render() {
        Ok(body) => {
            let reads_gzip = asked.is_some_and(|headers| compression::accepts(headers, "gzip"));
            let compressed = reads_gzip.then(|| compression::gzip(body.as_bytes())).flatten();
            let is_compressed = compressed.is_some();
            let body = compressed.map_or_else(|| Bytes::from(body), Bytes::from);
            let mut response = http::html(status, body);
            let headers = response.headers_mut();
            headers.insert(header::CONTENT_LANGUAGE, HeaderValue::from_static(words.lang()));
            headers.append(header::VARY, HeaderValue::from_name(header::ACCEPT_LANGUAGE));
            if asked.is_some() {
                headers.append(header::VARY, HeaderValue::from_name(header::ACCEPT_ENCODING));
            }
            if is_compressed {
                headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
            }
            response
        }
        Err(error) => {
            tracing::error!("a page could not be rendered and is answered with 500: {error}");
            http::html(StatusCode::INTERNAL_SERVER_ERROR, "this page cannot be shown")
        }
    }
}

/// Describes the picture of a poll's results to those who do not see it.
pub fn preview_picture_words(words: impl Borrow<Words>, title: &str) -> String {
    words.borrow().say(&Message::new("preview-picture").with("title", title)).into_owned()
}

/// Turns a problem's detail into a sentence: a capital letter first, a full stop last.
pub fn sentence(detail: &str) -> String {
    let mut letters = detail.chars();
    let first = letters.next().map(|letter| letter.to_uppercase().to_string());
    let end = if detail.ends_with(['.', '!', '?']) { "" } else { "." };
    format!("{}{}{end}", first.unwrap_or_default(), letters.as_str())
}

/// Shortens `2026-11-23T16:40:31Z` to `2026-11-23 16:40 UTC`, for readers without the script that shows
/// local time. Other forms are returned unchanged.
pub fn plain_time(rfc3339: &str) -> String {
    match (rfc3339.get(..10), rfc3339.get(11..16), rfc3339.ends_with('Z')) {
        (Some(day), Some(minute), true) => format!("{day} {minute} UTC"),
        _ => rfc3339.to_owned(),
    }
}

/// Returns the CSS class `long` or `short` for a text. Long texts and texts with a long word are set
/// smaller than a headline; `choices.js` has the same limits.
pub fn length_class(text: &str) -> &'static str {
    let long_word = text.split_whitespace().any(|word| word.chars().count() > WORD_CHARS_MAX);
    if long_word || text.chars().count() > HEADLINE_CHARS_MAX { "long" } else { "short" }
}

const HEADLINE_CHARS_MAX: usize = 40;
const WORD_CHARS_MAX: usize = 16;

/// Returns the CSS class that spaces this many options: `few`, `some` or `many`.
pub fn density(options: usize) -> &'static str {
    match options {
        0..=4 => "few",
        5..=12 => "some",
        _ => "many",
    }
}

#[cfg(test)]
mod tests {
    use std::sync::LazyLock;

    use super::*;

    static FILES: LazyLock<StaticFiles> =
        LazyLock::new(|| StaticFiles::new(&[BASE_CSS, ("ballot.css", CSS, b""), FAVICON_SVG]));

    #[test]
    fn a_problem_is_escaped_and_has_no_inline_style_or_script() {
        let page = ProblemPage {
            status: 404,
            words: Words::default(),
            title: "<script>alert(1)</script>".to_owned(),
            detail: "\"><b>".to_owned(),
            files: &FILES,
            stylesheet: "ballot.css",
            base: "/vote".parse().unwrap(),
            back: Some(("/vote/polls/x".to_owned(), "Back to the ballot".to_owned())),
        };
        let html = page.render().unwrap();
        for bad in ["<script>", "<b>", "style=", "<style"] {
            assert!(!html.contains(bad), "{html}");
        }
        let link = "<a class=\"button\" id=\"back\" href=\"/vote/polls/x\">Back to the ballot</a>";
        let style = format!("href=\"/vote{}\"", FILES.path("ballot.css"));
        assert!(html.contains(link) && html.contains(&style), "{html}");
        assert!(html.contains("class=\"brand\" href=\"/vote/\""), "{html}");
        assert!(!html.contains("href=\"\""), "a file is missing: {html}");
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
    fn long_texts_and_long_words_are_recognised() {
        assert_eq!(length_class("Cats vs Dogs"), "short");
        assert_eq!(length_class(&"a ".repeat(21)), "long");
        assert_eq!(length_class("Donaudampfschifffahrt"), "long");
    }
}

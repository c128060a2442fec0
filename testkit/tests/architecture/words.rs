//! Plain words, measured: the rows of words of comments and documents that turned out to stand for
//! sentences nobody understands at first reading.

use std::path::{Path, PathBuf};

use crate::source::{Rust, files, root, shown, visit};

const TELL: [&str; 3] = ["tell", "tells", "told"];
const WHAT: [&str; 1] = ["what"];
/// The most uses of [`TELL`] among a thousand words.
const TELL_MAX: f64 = 0.3;
/// The most uses of [`WHAT`] among a thousand words.
const WHAT_MAX: f64 = 2.0;
/// The share of doc comments that may be of three words or fewer.
const SHORT_MAX: f64 = 0.05;
/// Files that are printed, those with the most hits first.
const PRINTED: usize = 60;

/// The comments of one file, or the whole text of a document.
struct Prose {
    path: PathBuf,
    lines: Vec<String>,
}

impl Prose {
    /// All words in lower case; code in backticks and addresses of links are no words.
    fn words(&self) -> Vec<String> {
        let mut words = Vec::new();
        for line in &self.lines {
            let prose: String = line.split('`').step_by(2).collect::<Vec<_>>().join(" ");
            let prose = without_addresses(&prose);
            let parts = prose.split(|letter: char| !letter.is_alphanumeric() && letter != '\'');
            let parts = parts.filter(|part| part.contains(char::is_alphabetic));
            words.extend(parts.map(str::to_lowercase));
        }
        words
    }
}

/// `[text](address)` without its address.
fn without_addresses(line: &str) -> String {
    let mut pieces = line.split("](");
    let mut text = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        text += piece.split_once(')').map_or(piece, |(_, after)| after);
    }
    text
}

/// The prose of a file, by its name and extension; `None` for files that hold none.
fn prose(path: &Path, text: &str) -> Option<Prose> {
    let name = path.file_name()?.to_str()?;
    let extension = path.extension().and_then(|found| found.to_str()).unwrap_or_default();
    let lines = match (name, extension) {
        (name, _) if name.ends_with(".min.js") => return None,
        (_, "md") => document_lines(text),
        (_, "rs") => Rust::parse(text).comments.into_iter().map(|comment| comment.text).collect(),
        (_, "sql" | "lua") => marked_lines(text, "--"),
        (_, "js" | "css") => marked_lines(text, "//"),
        (_, "py" | "sh" | "yaml" | "yml" | "toml" | "conf") => marked_lines(text, "#"),
        ("Makefile" | "Dockerfile", _) => marked_lines(text, "#"),
        (_, "") if text.starts_with("#!") => marked_lines(text, "#"),
        _ => return None,
    };
    Some(Prose { path: path.to_owned(), lines })
}

/// The lines of a document that stand in no block of code.
fn document_lines(text: &str) -> Vec<String> {
    let mut is_code = false;
    let mut lines = Vec::new();
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            is_code = !is_code;
        } else if !is_code {
            lines.push(line.to_owned());
        }
    }
    lines
}

/// The comments of a text whose comments begin with `mark`.
fn marked_lines(text: &str, mark: &str) -> Vec<String> {
    let comment = |line: &str| {
        let trimmed = line.trim_start();
        let is_block = mark == "//" && (trimmed.starts_with("/*") || trimmed.starts_with("* "));
        if trimmed.starts_with("#!") {
            None
        } else if trimmed.starts_with(mark) || is_block {
            Some(trimmed.to_owned())
        } else {
            line.split_once(&format!(" {mark} ")).map(|(_, comment)| comment.to_owned())
        }
    };
    text.lines().filter_map(comment).collect()
}

/// The prose of the whole project.
fn all_prose() -> Vec<Prose> {
    let read = |path: PathBuf| {
        let text = std::fs::read_to_string(&path).ok()?;
        prose(&path, &text)
    };
    let all: Vec<Prose> = files(&root()).into_iter().filter_map(read).collect();
    assert!(all.len() > 300, "{} files were read", all.len());
    all
}

/// Uses of `wanted` per thousand words, and the files that have them, worst first.
fn rate(all: &[Prose], wanted: &[&str]) -> (f64, String) {
    let (mut words, mut hits, mut files) = (0, 0, Vec::new());
    for prose in all {
        let found = prose.words();
        let here = found.iter().filter(|word| wanted.contains(&word.as_str())).count();
        words += found.len();
        hits += here;
        files.push((here, shown(&prose.path)));
    }
    let rate = hits as f64 * 1_000.0 / words.max(1) as f64;
    (rate, format!("{hits} of {words} words, {rate:.2} in a thousand:\n{}", worst_first(files)))
}

/// The files that have hits, one a line, those with the most hits first.
fn worst_first(mut files: Vec<(usize, String)>) -> String {
    files.retain(|(hits, _)| *hits > 0);
    files.sort_by(|one, other| other.cmp(one));
    files.iter().take(PRINTED).map(|(hits, file)| format!("{hits:5} {file}\n")).collect()
}

/// Doc comments of three words or fewer, and the number of all doc comments.
fn short_doc_comments(text: &str) -> (usize, usize) {
    let (mut short, mut all) = (0, 0);
    let mut block: Vec<String> = Vec::new();
    let mut last_line = None;
    let mut close = |block: &mut Vec<String>| {
        if !block.is_empty() {
            let words: usize = block.iter().map(|line| line.split_whitespace().count()).sum();
            all += 1;
            short += usize::from(words <= 3);
            block.clear();
        }
    };
    for comment in Rust::parse(text).comments.into_iter().filter(|comment| comment.documents_item) {
        if last_line != comment.line.checked_sub(1) {
            close(&mut block);
        }
        last_line = Some(comment.line);
        block.push(comment.text);
    }
    close(&mut block);
    (short, all)
}

#[test]
fn tell_and_told_are_rare() {
    let (rate, report) = rate(&all_prose(), &TELL);
    assert!(rate <= TELL_MAX, "at most {TELL_MAX} in a thousand, but {report}");
}

#[test]
fn the_word_what_is_rare() {
    let (rate, report) = rate(&all_prose(), &WHAT);
    assert!(rate <= WHAT_MAX, "at most {WHAT_MAX} in a thousand, but {report}");
}

#[test]
fn few_doc_comments_are_of_three_words() {
    let (mut short, mut all, mut files) = (0, 0, Vec::new());
    visit(&root(), "rs", &mut |path, text| {
        let (here, of) = short_doc_comments(text);
        short += here;
        all += of;
        files.push((here, shown(path)));
    });
    let share = short as f64 / all as f64;
    println!("doc comments of three words or fewer: {short} of {all}");
    assert!(share <= SHORT_MAX, "{short} of {all}, {share:.3}:\n{}", worst_first(files));
}

#[test]
fn planted_words_are_counted() {
    let text = "//! One, two: `what` is code.\nfn a() {} // told of [what](what.md)\n\"// what\"";
    let found = prose(Path::new("a.rs"), text).unwrap();
    assert_eq!(found.words(), ["one", "two", "is", "code", "told", "of", "what"]);
    let (rate, report) = rate(&[found], &["what"]);
    assert!((rate - 1_000.0 / 7.0).abs() < 0.01 && report.contains("    1 a.rs"), "{report}");
    let document = prose(Path::new("a.md"), "Tell it.\n```\ntell\n```\nTell it.\n").unwrap();
    assert_eq!(document.words(), ["tell", "it", "tell", "it"]);
    let lua = prose(Path::new("a.lua"), "local a = 1 -- one thing\n-- two\n").unwrap();
    assert_eq!(lua.words(), ["one", "thing", "two"]);
    assert!(prose(Path::new("a.png"), "what").is_none());
}

#[test]
fn planted_short_doc_comments_are_counted() {
    let text = "/// A name.\nstruct A;\n/// Four words are enough.\nstruct B;\n\n/// One.\n/// Two.\n\
                struct C;\n";
    assert_eq!(short_doc_comments(text), (2, 3));
}

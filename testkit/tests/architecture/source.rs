//! Reads source files: every file of the project, and Rust text split into code and comments.

use std::path::{Path, PathBuf};

/// Returns the folder of the workspace.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// Returns a path as it is printed: relative to the workspace.
pub fn shown(path: &Path) -> String {
    path.strip_prefix(root()).unwrap_or(path).display().to_string()
}

/// Returns all files below `folder`, sorted. Hidden folders, `target` and `node_modules` hold generated or
/// downloaded files and are left out.
pub fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap().flatten() {
        let path = entry.path();
        let name = entry.file_name().into_string().unwrap();
        let is_generated = name.starts_with('.') || name == "target" || name == "node_modules";
        match path.is_dir() {
            true if is_generated => {}
            true => found.extend(files(&path)),
            false => found.push(path),
        }
    }
    found.sort();
    found
}

/// Calls `with` for every file below `folder` that has this extension.
pub fn visit(folder: &Path, extension: &str, with: &mut impl FnMut(&Path, &str)) {
    for path in files(folder) {
        if path.extension().is_some_and(|found| found == extension) {
            with(&path, &std::fs::read_to_string(&path).unwrap());
        }
    }
}

/// Whether a file holds only tests: it belongs to an integration test or to an example.
pub fn is_test_file(path: &Path) -> bool {
    let shown = shown(path);
    let mut folders = shown.split('/');
    folders.any(|folder| folder == "tests" || folder == "examples") || shown.ends_with("/tests.rs")
}

/// Rust text, taken apart.
#[derive(Debug, Default)]
pub struct Rust {
    /// The code, without comments, and with empty string literals. Line breaks are kept.
    pub code: String,
    /// The comments in their order.
    pub comments: Vec<Comment>,
    /// Line breaks in the code so far.
    lines: usize,
}

/// One line of a comment.
#[derive(Debug, PartialEq, Eq)]
pub struct Comment {
    /// The line in the file; the first is 0.
    pub line: usize,
    /// Whether it documents the item below it (`///`).
    pub documents_item: bool,
    /// The text behind the slashes.
    pub text: String,
}

impl Rust {
    /// Takes a file's text apart. Block comments are dropped: the project has none.
    pub fn parse(text: &str) -> Self {
        let mut parsed = Self::default();
        let mut rest = text;
        while let Some(first) = rest.chars().next() {
            let length = if rest.starts_with("//") {
                let length = rest.find('\n').unwrap_or(rest.len());
                parsed.note_comment(&rest[..length]);
                length
            } else if rest.starts_with("/*") {
                rest.find("*/").map_or(rest.len(), |end| end + 2)
            } else if let Some(length) = string_length(rest, parsed.code.chars().next_back()) {
                parsed.code.push_str("\"\"");
                let lines = rest[..length].matches('\n').count();
                parsed.code.extend(std::iter::repeat_n('\n', lines));
                parsed.lines += lines;
                length
            } else if let Some(length) = char_length(rest) {
                parsed.code.push_str("' '");
                length
            } else {
                parsed.lines += usize::from(first == '\n');
                parsed.code.push(first);
                first.len_utf8()
            };
            rest = &rest[length..];
        }
        parsed
    }

    fn note_comment(&mut self, text: &str) {
        let documents_item = text.starts_with("///") && !text.starts_with("////");
        let line = self.lines;
        let text = text.trim_start_matches('/').trim_start_matches('!').trim().to_owned();
        self.comments.push(Comment { line, documents_item, text });
    }

    /// Returns the code without the items that only tests have (`#[cfg(test)]`).
    pub fn code_without_tests(&self) -> String {
        let mut code = String::new();
        let mut rest = self.code.as_str();
        while let Some((before, after)) = rest.split_once("#[cfg(test)]") {
            code.push_str(before);
            rest = &after[item_length(after)..];
        }
        code + rest
    }
}

/// Returns the length of the string literal that `text` begins with.
fn string_length(text: &str, before: Option<char>) -> Option<usize> {
    // Most letters begin no literal, and are passed at once.
    if !text.starts_with(['"', 'b', 'c', 'r']) {
        return None;
    }
    let is_in_name = before.is_some_and(|letter| letter.is_alphanumeric() || letter == '_');
    let prefix = text.find(['"', '#']).filter(|at| {
        let known = ["", "b", "c", "r", "br", "cr"];
        known.contains(&&text[..*at]) && (*at == 0 || !is_in_name)
    })?;
    let hashes = text[prefix..].find(|letter| letter != '#')?;
    let start = prefix + hashes + 1;
    if !text[prefix + hashes..].starts_with('"') || (hashes > 0 && !text[..prefix].contains('r')) {
        return None;
    }
    if text[..prefix].contains('r') {
        let end = format!("\"{}", "#".repeat(hashes));
        return text[start..].find(&end).map(|at| start + at + end.len());
    }
    let mut is_escaped = false;
    for (at, letter) in text[start..].char_indices() {
        match letter {
            _ if is_escaped => is_escaped = false,
            '\\' => is_escaped = true,
            '"' => return Some(start + at + 1),
            _ => {}
        }
    }
    None
}

/// Returns the length of the character literal that `text` begins with; a lifetime is none.
fn char_length(text: &str) -> Option<usize> {
    let inner = text.strip_prefix('\'')?;
    if inner.starts_with('\\') {
        return inner[2..].find('\'').map(|at| at + 4);
    }
    let letter = inner.chars().next()?;
    inner[letter.len_utf8()..].starts_with('\'').then(|| letter.len_utf8() + 2)
}

/// Returns the length of the item that `code` begins with: up to its `;`, or the end of its braces.
fn item_length(code: &str) -> usize {
    let mut depth = 0_usize;
    for (at, letter) in code.char_indices() {
        match letter {
            '{' => depth += 1,
            '}' => {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    return at + 1;
                }
            }
            ';' if depth == 0 => return at + 1,
            _ => {}
        }
    }
    code.len()
}

#[test]
fn rust_is_taken_apart_into_code_and_comments() {
    let text = "/// Doc.\nfn a<'a>() { let s = \"// no \\\" comment\"; let c = '\"'; } // why\n\
                //! head\nlet r = r#\"a \" // b\"#; let b = br\"x\";\n#[cfg(test)]\nmod tests { {} }\nend";
    let rust = Rust::parse(text);
    let comments: Vec<_> = rust.comments.iter().map(|c| (c.line, c.text.as_str())).collect();
    assert_eq!(comments, [(0, "Doc."), (1, "why"), (2, "head")]);
    assert!(rust.comments[0].documents_item && !rust.comments[2].documents_item);
    let code = rust.code_without_tests();
    assert!(code.contains("let s = \"\"; let c = ' '; }"), "{code}");
    assert!(code.contains("let r = \"\"; let b = \"\";"), "{code}");
    assert!(!code.contains("tests") && code.ends_with("end"), "{code}");
}

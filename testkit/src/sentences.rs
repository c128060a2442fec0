//! Finds sentences that do not come from the catalogue of languages.
//!
//! In the bracketed language (`en-XA`) each sentence of the catalogue stands between `⟦` and `⟧`. Letters outside of brackets
//! were typed by somebody, or are a sentence that no translator has seen.

use crate::Browser;

/// Attributes whose values people read or hear.
const READ: [&str; 6] = [
    " aria-label=\"",
    " alt=\"",
    " title=\"",
    " placeholder=\"",
    " content=\"",
    " data-curtain-words=\"",
];
/// Meta elements that programs read.
const FOR_PROGRAMS: [&str; 9] = [
    "name=\"viewport\"",
    "name=\"color-scheme\"",
    "name=\"theme-color\"",
    "name=\"robots\"",
    "property=\"og:type\"",
    "property=\"og:site_name\"",
    "property=\"og:image",
    "property=\"og:url\"",
    "name=\"twitter:card\"",
];

/// Returns the texts of a page in the bracketed language that are neither in brackets nor among `typed`. Times are left out.
pub fn unbracketed(html: &str, typed: &[&str]) -> Vec<String> {
    let mut found = Vec::new();
    let mut is_skipped = false;
    for piece in html.split('<').skip(1) {
        let (tag, text) = piece.split_once('>').unwrap_or((piece, ""));
        let name = tag.split([' ', '\n']).next().unwrap_or_default();
        match name {
            "script" | "style" | "time" => is_skipped = true,
            "/script" | "/style" | "/time" => is_skipped = false,
            _ => {}
        }
        let is_for_programs = FOR_PROGRAMS.iter().any(|mark| tag.contains(mark));
        for attribute in READ.iter().filter(|_| !is_for_programs) {
            let value = tag.split_once(attribute).and_then(|(_, rest)| rest.split('"').next());
            found.extend(value.filter(|value| has_words(value, typed)).map(str::to_owned));
        }
        if !is_skipped && has_words(text, typed) {
            found.push(text.trim().to_owned());
        }
    }
    found
}

/// Whether letters are left of a text without what is bracketed or typed.
fn has_words(text: &str, typed: &[&str]) -> bool {
    let mut rest = String::new();
    for (place, part) in text.split('⟦').enumerate() {
        rest += if place == 0 { part } else { part.split_once('⟧').map_or("", |(_, it)| it) };
    }
    for known in typed {
        rest = rest.replace(known, "");
    }
    rest.contains(char::is_alphabetic)
}

/// Returns the texts that the page of a browser shows outside of brackets, as [`unbracketed`] does.
///
/// # Panics
/// Panics if the browser is gone.
pub async fn shown_unbracketed(browser: &Browser, typed: &[&str]) -> Vec<String> {
    let html = browser.source().await.expect("the page has a source");
    unbracketed(&html, typed)
}

/// Returns the texts in a script that look like sentences: a literal with two words, or with a word that begins in upper case.
pub fn sentences_of_script(source: &str) -> Vec<String> {
    let mut found = Vec::new();
    for line in source.lines().map(str::trim) {
        if ["//", "/*", "*", "import "].iter().any(|start| line.starts_with(start)) {
            continue;
        }
        let code = line.split(" // ").next().unwrap_or_default();
        for quote in ['\'', '`', '"'] {
            found.extend(
                code.split(quote)
                    .skip(1)
                    .step_by(2)
                    .filter(|text| is_sentence(text))
                    .map(str::to_owned),
            );
        }
    }
    found
}

fn is_sentence(text: &str) -> bool {
    // Code in a template is no part of its text.
    let mut rest = String::new();
    for (place, part) in text.split("${").enumerate() {
        rest += if place == 0 { part } else { part.split_once('}').map_or("", |(_, it)| it) };
    }
    let words: Vec<&str> = rest.split_whitespace().collect();
    let is_word = |word: &&str| {
        let letters = word.trim_matches(|letter: char| ".,:;!?…“”".contains(letter));
        letters.len() > 1 && letters.chars().all(|letter| letter.is_alphabetic() || letter == '’')
    };
    let count = words.iter().filter(|word| is_word(word)).count();
    let begins = rest.trim_start().chars().next().is_some_and(char::is_uppercase);
    count >= 2 || (begins && count == 1 && rest.chars().any(char::is_lowercase))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_in_brackets_and_was_not_typed_is_found() {
        let html = "<p title=\"Bad\">⟦Vote for⟧ Cats</p><time>4 PM</time><b aria-label=\"⟦Good⟧\">Left 3</b><script>var x</script>";
        assert_eq!(unbracketed(html, &["Cats"]), ["Bad", "Left 3"]);
        assert_eq!(unbracketed("<p>⟦a⟧ 3 ⟦b⟧ · 4</p>", &[]), Vec::<String>::new());
    }

    #[test]
    fn sentences_in_scripts_are_found() {
        let script = "// A comment 'Not this'\nsay('Voting is open');\nadd('click', `${a} b`);\nx = `Try ${n} now`;\ny = 'Live';";
        assert_eq!(sentences_of_script(script), ["Voting is open", "Try ${n} now", "Live"]);
        assert_eq!(
            sentences_of_script("element.className = 'notice-title';"),
            Vec::<String>::new()
        );
    }
}

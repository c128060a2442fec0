//! Checks that errors are types: no function outside of tests returns a `String` as its error.

use crate::source::{Rust, is_test_file, root, shown, visit};

/// Returns the types in `code` whose error is a `String`: `Result<_, String>`, and associated types `Err` and `Error`.
fn string_errors(code: &str) -> Vec<String> {
    let mut found = Vec::new();
    for (at, _) in code.match_indices("Result<") {
        let arguments = arguments(&code[at + "Result<".len()..]);
        if arguments.len() == 2 && arguments[1] == "String" {
            found.push(format!("Result<{}>", arguments.join(", ")));
        }
    }
    for name in ["type Err = String;", "type Error = String;"] {
        found.extend(code.matches(name).map(str::to_owned));
    }
    found
}

/// The arguments of a generic type, given the text behind its `<`.
fn arguments(text: &str) -> Vec<String> {
    let mut depth = 0_usize;
    let mut arguments = vec![String::new()];
    let mut before = ' ';
    for letter in text.chars() {
        match letter {
            '<' | '(' | '[' => depth += 1,
            '>' if before == '-' => {}
            '>' | ')' | ']' if depth == 0 => break,
            '>' | ')' | ']' => depth -= 1,
            ',' if depth == 0 => {
                arguments.push(String::new());
                continue;
            }
            _ => {}
        }
        before = letter;
        if let Some(last) = arguments.last_mut() {
            last.push(letter);
        }
    }
    let trimmed = arguments.iter().map(|argument| argument.trim().to_owned());
    trimmed.filter(|argument| !argument.is_empty()).collect()
}

#[test]
fn errors_are_types_and_not_strings() {
    let mut found = Vec::new();
    visit(&root(), "rs", &mut |path, text| {
        if !is_test_file(path) {
            let errors = string_errors(&Rust::parse(text).code_without_tests());
            if !errors.is_empty() {
                found.push(format!("{:5} {}: {}", errors.len(), shown(path), errors.join("; ")));
            }
        }
    });
    assert!(found.is_empty(), "errors that are strings:\n{}", found.join("\n"));
}

#[test]
fn planted_string_errors_are_found() {
    let code = "fn a() -> Result<Vec<(u8, String)>, String> {}
                fn b(f: impl Fn(u8) -> Result<(), String>) -> Result<String, Error> {}
                fn c() -> Result<\n    u8,\n    String,\n> {}
                impl FromStr for A { type Err = String; }";
    assert_eq!(string_errors(code).len(), 4, "{:?}", string_errors(code));
}

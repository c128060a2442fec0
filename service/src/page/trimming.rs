//! Takes out of style sheets and scripts what only their authors need: comments on lines of their own, and indentation.
//!
//! It reads lines, and no grammar. A text in which a line may end inside of a string is left as it is.

use std::borrow::Cow;

/// Returns the style sheet or script without indentation, empty lines, and comments that fill whole lines. Lines keep their ends,
/// on which JavaScript may depend.
pub(super) fn trimmed(text: &str) -> Cow<'_, str> {
    let mut kept = String::with_capacity(text.len());
    let mut is_comment = false;
    for line in text.lines().map(str::trim) {
        if is_comment || line.starts_with("/*") {
            match line.find("*/") {
                // Code behind the comment.
                Some(end) if end + 2 < line.len() => return text.into(),
                Some(_) => is_comment = false,
                None => is_comment = true,
            }
            continue;
        }
        if line.is_empty() || line.starts_with("//") {
            continue;
        }
        // A template that goes on in the next line.
        if line.matches('`').count() % 2 == 1 || line.ends_with('\\') {
            return text.into();
        }
        kept.push_str(line);
        kept.push('\n');
    }
    kept.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_indentation_are_left_out() {
        let css = "/* All\n   of it. */\n\n.a {\n  /* Why. */\n  color: red; /* now */\n}\n";
        assert_eq!(trimmed(css), ".a {\ncolor: red; /* now */\n}\n");
        let script =
            "// Why.\n/**\n * `x`\n */\nexport function f() {\n  return 'http://a' // end\n}\n";
        assert_eq!(trimmed(script), "export function f() {\nreturn 'http://a' // end\n}\n");
    }

    #[test]
    fn what_lines_do_not_tell_is_left_as_it_is() {
        for text in
            ["const a = `\n  // text\n`;\n", "/* a */ b {}\n", "/*\n*/ b\n", "a = 'b\\\n  c'\n"]
        {
            assert_eq!(trimmed(text), text);
        }
    }
}

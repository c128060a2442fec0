//! Reads the definition of a poll from TOML, as its author writes it.

use crate::poll::{Definition, Invalid};

/// Reads a definition. It may still break the rules of the model: see [`Definition::validated`].
///
/// # Errors
/// Returns an error that names the line, and the mistake in it.
pub fn read(text: &str) -> Result<Definition, Invalid> {
    toml::from_str(text).map_err(|error| {
        let at = error.span().map_or(0, |span| span.start.min(text.len()));
        let line = text.as_bytes()[..at].iter().filter(|byte| **byte == b'\n').count() + 1;
        let message = error.message();
        // TOML has times of its own, which are read as a map.
        let hint = match message.contains("map, expected a timestamp") {
            true => " (times are written in quotes, as \"2026-03-01T12:00:00Z\")",
            false => "",
        };
        Invalid(format!("line {line}: {message}{hint}"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mistake_is_named_with_its_line() {
        let error = read("slug = \"x\"\ntitle = 1\n").unwrap_err().to_string();
        assert!(error.starts_with("line 2:"), "{error}");
        let time = "slug = \"x\"\ntitle = \"X\"\noptions = []\nopens_at = 2026-03-01T12:00:00Z\n";
        let error = read(time).unwrap_err().to_string();
        assert!(error.starts_with("line 4:") && error.contains("in quotes"), "{error}");
    }
}

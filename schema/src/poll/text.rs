//! The rules for texts that people read.

/// The mistake in a definition or a choice, in words for the person who made it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Invalid(pub String);

/// Checks a text that people read: 1 to `chars_max` characters, and none that is hidden. `name` says in an error which text it is.
///
/// # Errors
/// Returns the rule that is broken, in words for the author.
pub(super) fn check_text(name: &str, text: &str, chars_max: usize) -> Result<(), Invalid> {
    let chars = text.chars().count();
    if text.trim().is_empty() || chars > chars_max {
        return Err(Invalid(format!("{name} must have 1 to {chars_max} characters, not {chars}")));
    }
    if text.chars().any(char::is_control) {
        return Err(Invalid(format!("{name} must not hold control characters")));
    }
    if let Some(hidden) = text.chars().find(|c| is_hidden(*c)) {
        let code = u32::from(hidden);
        return Err(Invalid(format!(
            "{name} must not hold invisible characters, or such that change the direction of the text: U+{code:04X}"
        )));
    }
    Ok(())
}

/// Characters that nobody sees, or that reorder what stands around them: two options could look alike, or one like
/// another. A zero-width joiner (U+200D) and non-joiner (U+200C) are allowed, because emoji, Persian and Indic words need
/// them; so are the marks that only tell the direction of a neighbour (U+200E, U+200F, U+061C).
fn is_hidden(c: char) -> bool {
    matches!(c, '\u{200B}' | '\u{2060}'..='\u{2064}' | '\u{FEFF}' | '\u{180E}' | '\u{00AD}'
        | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{206F}' | '\u{2028}' | '\u{2029}')
}

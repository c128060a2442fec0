//! Numbers with their units, as people write them on the command line.

/// A number whose unit is missing or unknown.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum UnitError {
    /// Neither a percentage nor a fraction from 0 to 1.
    #[error("'{0}' is not a share such as 5% or 0.05")]
    Share(String),
    /// Not a number with a unit of time.
    #[error("'{0}' is not a duration such as 50ms, 1.5s or 2m")]
    Duration(String),
}

/// Reads a share such as `5%` or `0.05`, and returns it as a fraction from 0 to 1.
///
/// # Errors
/// Returns [`UnitError::Share`] for anything else.
pub(crate) fn parse_share(text: &str) -> Result<f64, UnitError> {
    let text = text.trim();
    let (digits, unit) = text.strip_suffix('%').map_or((text, 1.0), |digits| (digits, 0.01));
    let share = digits.trim().parse::<f64>().ok().map(|share| share * unit);
    match share {
        Some(share) if (0.0..=1.0).contains(&share) => Ok(share),
        _ => Err(UnitError::Share(text.to_owned())),
    }
}

/// Reads a duration such as `50ms`, `1.5s`, `2m`, `1h` or `800us`, and returns it in seconds.
///
/// # Errors
/// Returns [`UnitError::Duration`] if the unit is missing or unknown, or the number is negative.
pub(crate) fn parse_seconds(text: &str) -> Result<f64, UnitError> {
    let text = text.trim();
    let split = text.find(|c: char| c.is_ascii_alphabetic() || c == 'µ').unwrap_or(text.len());
    let (digits, unit) = text.split_at(split);
    let malformed = || UnitError::Duration(text.to_owned());
    let scale = match unit {
        "us" | "µs" => 1e-6,
        "ms" => 1e-3,
        "s" => 1.0,
        "m" | "min" => 60.0,
        "h" => 3600.0,
        _ => return Err(malformed()),
    };
    match digits.trim().parse::<f64>() {
        Ok(number) if number.is_finite() && number >= 0.0 => Ok(number * scale),
        _ => Err(malformed()),
    }
}

/// Rounds to six digits after the point. More digits are noise, and would not survive JSON unchanged.
pub(crate) fn rounded(value: f64) -> f64 {
    (value * 1e6).round() / 1e6
}

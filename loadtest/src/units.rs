//! Numbers with their units, as people write them on the command line.

/// A number whose unit is missing or unknown.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum UnitError {
    /// Neither a percentage nor a fraction from 0 to 1.
    #[error("'{0}' is not a share such as 5% or 0.05")]
    Share(String),
    /// Not a number with a unit of time.
    #[error("'{0}' is not a duration such as 50ms, 1.5s, 2m or 1h30m")]
    Duration(String),
    /// A duration beyond what a run can last.
    #[error("'{0}' is longer than a year")]
    Long(String),
    /// Not a number, or not of a known unit of time.
    #[error("'{0}' is not a rate such as 500, 500/s, 30/m or 10/h")]
    Rate(String),
}

/// The longest duration in seconds: clocks of the system cannot hold every number.
const SECONDS_MAX: f64 = 366.0 * 86_400.0;

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

/// Reads a duration such as `50ms`, `1.5s`, `2m`, `1h30m` or `800us`, and returns it in seconds.
///
/// # Errors
/// Returns [`UnitError::Duration`] if a unit is missing or unknown, or a number is negative, and
/// [`UnitError::Long`] beyond a year.
pub(crate) fn parse_seconds(text: &str) -> Result<f64, UnitError> {
    let malformed = || UnitError::Duration(text.to_owned());
    let (mut rest, mut seconds) = (text.trim(), None);
    while !rest.is_empty() {
        let is_unit = |letter: char| letter.is_ascii_alphabetic() || letter == 'µ';
        let (digits, more) = rest.split_at(rest.find(is_unit).ok_or_else(malformed)?);
        let end = more.find(|letter| !is_unit(letter)).unwrap_or(more.len());
        let scale = match &more[..end] {
            "us" | "µs" => 1e-6,
            "ms" => 1e-3,
            "s" => 1.0,
            "m" | "min" => 60.0,
            "h" => 3600.0,
            "d" => 86_400.0,
            _ => return Err(malformed()),
        };
        let number = digits.trim().parse::<f64>().ok();
        let number = number.filter(|number| number.is_finite() && *number >= 0.0);
        *seconds.get_or_insert(0.0) += number.ok_or_else(malformed)? * scale;
        rest = more[end..].trim_start();
    }
    match seconds {
        Some(seconds) if seconds > SECONDS_MAX => Err(UnitError::Long(text.to_owned())),
        Some(seconds) => Ok(seconds),
        None => Err(malformed()),
    }
}

/// Reads a rate such as `500`, `500/s`, `30/m` or `10/h`, and returns it per second.
///
/// # Errors
/// Returns [`UnitError::Rate`] for anything else.
pub(crate) fn parse_rate(text: &str) -> Result<f64, UnitError> {
    let malformed = || UnitError::Rate(text.to_owned());
    let (digits, unit) = text.split_once('/').unwrap_or((text, "s"));
    let seconds = match unit.trim() {
        "s" => 1.0,
        "m" | "min" => 60.0,
        "h" => 3600.0,
        _ => return Err(malformed()),
    };
    let number = digits.trim().parse::<f64>().ok().filter(|number| number.is_finite());
    Ok(number.ok_or_else(malformed)? / seconds)
}

/// Rounds to six digits after the point. More digits are noise, and would not survive JSON unchanged.
pub(crate) fn rounded(value: f64) -> f64 {
    (value * 1e6).round() / 1e6
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_may_have_several_units() {
        assert_eq!(parse_seconds("1h30m"), Ok(5400.0));
        assert_eq!(parse_seconds("1m 30s"), Ok(90.0));
        assert_eq!(parse_seconds("1.5s"), Ok(1.5));
        assert_eq!(parse_seconds("800us"), Ok(800.0 * 1e-6));
        for text in ["", "5", "1h30", "-1s", "1x", "s"] {
            assert_eq!(parse_seconds(text), Err(UnitError::Duration(text.to_owned())), "{text}");
        }
        assert_eq!(parse_seconds("400d"), Err(UnitError::Long("400d".to_owned())));
        assert!(matches!(parse_seconds("999999999h"), Err(UnitError::Long(_))));
    }

    #[test]
    fn rates_may_be_per_minute_or_hour() {
        assert_eq!(
            ["500", "500/s", "6/m", "36/h"].map(|text| parse_rate(text).unwrap()),
            [500.0, 500.0, 0.1, 0.01]
        );
        assert!(parse_rate("fast").is_err() && parse_rate("5/d").is_err());
    }
}

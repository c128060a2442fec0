//! Moments as operators write and read them.

use jiff::{Span, SpanRelativeTo, Timestamp};
use votestream_schema::poll::rfc3339;

/// A moment: absolute, or counted from when the command runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// That very moment.
    At(Timestamp),
    /// So many milliseconds after now.
    InMs(i64),
}

impl Moment {
    /// In milliseconds since the epoch.
    pub fn ms(self, now_ms: i64) -> i64 {
        match self {
            Self::At(timestamp) => timestamp.as_millisecond(),
            Self::InMs(ms) => now_ms.saturating_add(ms),
        }
    }

    /// As a time stamp; fails past the year 9999.
    pub fn timestamp(self, now_ms: i64) -> Result<Timestamp, votestream_schema::poll::Invalid> {
        Timestamp::from_millisecond(self.ms(now_ms))
            .map_err(|error| votestream_schema::poll::Invalid(error.to_string()))
    }
}

/// Reads `now`, `+90s`, `+1h30m`, `+2d` or RFC 3339; for clap.
pub fn moment(text: &str) -> Result<Moment, String> {
    const FORMS: &str = "write `now`, `+10m`, `+2h`, `+1d` or a time such as 2026-03-01T20:00:00Z";
    if text == "now" {
        return Ok(Moment::InMs(0));
    }
    if let Some(span) = text.strip_prefix('+') {
        let span: Span = span.parse().map_err(|_| FORMS)?;
        let duration = span.to_duration(SpanRelativeTo::days_are_24_hours()).map_err(|_| FORMS)?;
        let ms = i64::try_from(duration.as_millis()).ok().filter(|ms| *ms >= 0).ok_or(FORMS)?;
        return Ok(Moment::InMs(ms));
    }
    text.parse().map(Moment::At).map_err(|_| FORMS.to_owned())
}

/// For people: to the second where that is exact.
pub fn shown(ms: i64) -> String {
    rfc3339(ms)
}

/// For tables: a dash where there is none.
pub fn shown_or_dash(ms: Option<i64>) -> String {
    ms.map_or_else(|| "-".to_owned(), shown)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_read_as_people_write_them() {
        for (text, ms) in [("now", 0), ("+90s", 90_000), ("+10m", 600_000), ("+1h30m", 5_400_000)] {
            assert_eq!(moment(text), Ok(Moment::InMs(ms)), "{text}");
        }
        assert_eq!(moment("+2d").unwrap().ms(5), 172_800_005);
        assert_eq!(moment("1970-01-01T00:00:01Z").unwrap().ms(5), 1_000);
        assert_eq!(moment("1970-01-01T01:00:01+01:00").unwrap().ms(5), 1_000);
        for bad in ["", "+", "10m", "+-10m", "tomorrow", "2026-03-01", "+1mo"] {
            assert!(moment(bad).is_err(), "{bad}");
        }
    }
}

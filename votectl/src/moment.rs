//! Moments as operators write them.

use std::str::FromStr;

use jiff::{Span, SpanRelativeTo, Timestamp};

/// A moment: absolute, or counted from the moment when the operation begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// A moment of the calendar.
    At(Timestamp),
    /// Milliseconds after now, at least 0.
    InMs(i64),
}

impl Moment {
    /// Milliseconds since the Unix epoch, where the operation began at `now_ms`.
    pub fn ms(self, now_ms: i64) -> i64 {
        match self {
            Self::At(timestamp) => timestamp.as_millisecond(),
            Self::InMs(ms) => now_ms.saturating_add(ms),
        }
    }

    /// The moment as a time stamp, where the operation began at `now_ms`.
    ///
    /// # Errors
    /// Returns jiff's error past the year 9999.
    pub fn timestamp(self, now_ms: i64) -> Result<Timestamp, jiff::Error> {
        Timestamp::from_millisecond(self.ms(now_ms))
    }
}

/// Why a text is no moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("write `now`, `+10m`, `+2h`, `+1d` or a time such as 2026-03-01T20:00:00Z")]
pub struct InvalidMoment;

impl FromStr for Moment {
    type Err = InvalidMoment;

    /// Reads `now`, `+90s`, `+1h30m`, `+2d` or RFC 3339.
    fn from_str(text: &str) -> Result<Self, InvalidMoment> {
        if text == "now" {
            return Ok(Self::InMs(0));
        }
        if let Some(span) = text.strip_prefix('+') {
            let span: Span = span.parse().map_err(|_| InvalidMoment)?;
            let duration = span.to_duration(SpanRelativeTo::days_are_24_hours());
            let duration = duration.map_err(|_| InvalidMoment)?;
            let ms = i64::try_from(duration.as_millis()).ok().filter(|ms| *ms >= 0);
            return ms.map(Self::InMs).ok_or(InvalidMoment);
        }
        text.parse().map(Self::At).map_err(|_| InvalidMoment)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_read_as_people_write_them() {
        let moment = str::parse::<Moment>;
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

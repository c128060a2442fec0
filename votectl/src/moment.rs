//! Moments as operators write them.

use std::str::FromStr;

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{Span, SpanRelativeTo, Timestamp, ZonedDateTime};

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
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidMoment {
    /// It has no form that is known.
    #[error(
        "write `now`, `+10m`, `+2h`, `+1d`, or a time such as 2026-03-01T20:00:00Z or \"2026-03-01 20:00 Europe/Berlin\""
    )]
    Unknown,
    /// It is a time of the calendar, without a zone.
    #[error("a time needs its zone, as in \"{0} Europe/Berlin\" or {0}+01:00")]
    NoZone(String),
    /// There is no such zone.
    #[error(
        "there is no time zone `{0}`; zones are named as in the list of IANA, for example Europe/Berlin"
    )]
    NoSuchZone(String),
}

impl FromStr for Moment {
    type Err = InvalidMoment;

    /// Reads `now`, `+90s`, `+1h30m`, `+2d`, RFC 3339, or a local time with its zone: `2026-03-01 20:00 Europe/Berlin` or
    /// RFC 9557 (`2026-03-01T20:00[Europe/Berlin]`). A local time that occurs twice, when clocks are set back, is the first of
    /// the two; one that does not occur, when they are set forward, is as much later as they are set.
    fn from_str(text: &str) -> Result<Self, InvalidMoment> {
        if text == "now" {
            return Ok(Self::InMs(0));
        }
        if let Some(span) = text.strip_prefix('+') {
            let span: Span = span.parse().map_err(|_| InvalidMoment::Unknown)?;
            let duration = span.to_duration(SpanRelativeTo::days_are_24_hours());
            let duration = duration.map_err(|_| InvalidMoment::Unknown)?;
            let ms = i64::try_from(duration.as_millis()).ok().filter(|ms| *ms >= 0);
            return ms.map(Self::InMs).ok_or(InvalidMoment::Unknown);
        }
        // Beside an offset, a time stamp would ignore a zone that contradicts it.
        if let (Ok(timestamp), false) = (text.parse(), text.contains('[')) {
            return Ok(Self::At(timestamp));
        }
        local_time(text).map(Self::At)
    }
}

/// Reads a local time with its zone.
fn local_time(text: &str) -> Result<Timestamp, InvalidMoment> {
    if let Ok(zoned) = text.parse::<ZonedDateTime>() {
        return Ok(zoned.timestamp());
    }
    if is_local(text) {
        return Err(InvalidMoment::NoZone(text.to_owned()));
    }
    let bracketed = text.strip_suffix(']').and_then(|text| text.rsplit_once('['));
    let (time, zone) = bracketed.or_else(|| text.rsplit_once(' ')).ok_or(InvalidMoment::Unknown)?;
    let time = time.trim_end();
    // A time with an offset is none of a zone; the two would contradict each other.
    let of_day = time.split_once(['T', 't', ' ']).map_or("", |(_, of_day)| of_day);
    if of_day.contains(['+', '-', 'Z', 'z']) {
        return Err(InvalidMoment::Unknown);
    }
    let time: DateTime = time.parse().map_err(|_| InvalidMoment::Unknown)?;
    let zone = TimeZone::get(zone).map_err(|_| InvalidMoment::NoSuchZone(zone.to_owned()))?;
    zone.to_timestamp(time).map_err(|_| InvalidMoment::Unknown)
}

/// Returns whether the text is a time of the calendar without a zone. A date alone is none: nobody opens a poll at midnight
/// by leaving the time out.
fn is_local(text: &str) -> bool {
    text.contains(':') && text.parse::<DateTime>().is_ok()
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
        for bad in ["", "+", "10m", "+-10m", "tomorrow", "2026-03-01", "+1mo", "x Europe/Berlin"] {
            assert_eq!(moment(bad), Err(InvalidMoment::Unknown), "{bad}");
        }
    }

    #[test]
    fn a_local_time_is_read_with_its_zone_and_not_without() {
        let at = |text: &str| text.parse::<Moment>().map(|moment| moment.ms(0));
        let winter = at("2026-03-01T19:00:00Z");
        for text in [
            "2026-03-01 20:00 Europe/Berlin",
            "2026-03-01T20:00 Europe/Berlin",
            "2026-03-01T20:00:00 Europe/Berlin",
            "2026-03-01T20:00[Europe/Berlin]",
            "2026-03-01T20:00:00+01:00[Europe/Berlin]",
        ] {
            assert_eq!(at(text), winter, "{text}");
        }
        assert_eq!(at("2026-07-01 20:00 Europe/Berlin"), at("2026-07-01T18:00:00Z"), "summer");
        assert_eq!(at("2026-10-25 02:30 Europe/Berlin"), at("2026-10-25T00:30:00Z"), "twice");
        assert_eq!(at("2026-03-29 02:30 Europe/Berlin"), at("2026-03-29T01:30:00Z"), "never");
        for text in ["2026-03-01 20:00", "2026-03-01T20:00:00"] {
            let problem = at(text).unwrap_err().to_string();
            assert!(problem.contains(&format!("{text} Europe/Berlin")), "{problem}");
        }
        let unknown = InvalidMoment::NoSuchZone("Europe/Berlinn".to_owned());
        assert_eq!(at("2026-03-01 20:00 Europe/Berlinn"), Err(unknown));
        assert!(at("2026-03-01T20:00+05:00[Europe/Berlin]").is_err(), "the two disagree");
    }
}

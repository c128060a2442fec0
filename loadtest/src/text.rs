//! Formats numbers for people.

/// Formats microseconds, such as `850 µs`, `12.3 ms` or `1.25 s`.
pub(crate) fn duration(us: f64) -> String {
    match us {
        us if us < 1000.0 => format!("{us:.0} µs"),
        us if us < 10_000.0 => format!("{:.2} ms", us / 1e3),
        us if us < 100_000.0 => format!("{:.1} ms", us / 1e3),
        us if us < 1e6 => format!("{:.0} ms", us / 1e3),
        us if us < 60e6 => format!("{:.2} s", us / 1e6),
        us => format!("{:.1} min", us / 60e6),
    }
}

/// Formats a whole number with commas between the thousands, such as `37,000`.
pub(crate) fn number(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// Formats a count of things, such as `1 thread` or `1,024 connections`.
pub(crate) fn plural(count: u64, thing: &str, ending: &str) -> String {
    format!("{} {thing}{}", number(count), if count == 1 { "" } else { ending })
}

/// Formats a rate: whole from ten up, with one digit below.
pub(crate) fn rate(per_second: f64) -> String {
    if per_second >= 10.0 { number(per_second.round() as u64) } else { format!("{per_second:.1}") }
}

/// Formats bytes, such as `12.3 MiB`.
pub(crate) fn bytes(bytes: u64) -> String {
    match bytes as f64 {
        b if b < 1024.0 * 1024.0 => format!("{:.1} KiB", b / 1024.0),
        b if b < 1024.0 * 1024.0 * 1024.0 => format!("{:.1} MiB", b / 1024.0 / 1024.0),
        b => format!("{:.1} GiB", b / 1024.0 / 1024.0 / 1024.0),
    }
}

/// Formats seconds, such as `3.0 s` or `12 min 30 s`.
pub(crate) fn seconds(seconds: f64) -> String {
    match seconds {
        s if s < 10.0 => format!("{s:.1} s"),
        s if s < 120.0 => format!("{s:.0} s"),
        s if s < 7200.0 => format!("{:.0} min {:.0} s", (s / 60.0).floor(), s % 60.0),
        s => format!("{:.0} h {:.0} min", (s / 3600.0).floor(), (s % 3600.0) / 60.0),
    }
}

/// Formats an RFC 3339 time to the second, in UTC.
pub(crate) fn moment(rfc3339: &str) -> String {
    rfc3339.get(..19).unwrap_or(rfc3339).replace('T', " ") + " UTC"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_read_well() {
        assert_eq!(
            ["0", "999", "1,000", "37,000", "1,234,567"],
            [0, 999, 1000, 37_000, 1_234_567].map(number).each_ref().map(String::as_str)
        );
        assert_eq!(duration(850.0), "850 µs");
        assert_eq!(duration(12_345.0), "12.3 ms");
        assert_eq!(duration(1_250_000.0), "1.25 s");
        assert_eq!(seconds(750.0), "12 min 30 s");
        assert_eq!(bytes(64 << 20), "64.0 MiB");
    }
}

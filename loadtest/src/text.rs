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

/// Formats a count with the words that fit it, such as `1 vote is` or `3 votes are`.
pub(crate) fn one_or_many(count: u64, one: &str, many: &str) -> String {
    format!("{} {}", number(count), if count == 1 { one } else { many })
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

/// Returns the beginning of a server's text, at most `max` characters, in a form that cannot act on a
/// terminal: control characters are escaped.
pub(crate) fn printable(bytes: &[u8], max: usize) -> String {
    let text = String::from_utf8_lossy(&bytes[..bytes.len().min(4 * max)]);
    let mut out = String::new();
    for letter in text.chars().take(max) {
        match letter {
            letter if letter.is_control() || is_invisible(letter) => {
                out.extend(letter.escape_default());
            }
            letter => out.push(letter),
        }
    }
    out
}

/// Returns whether a character reverses or hides the text around it.
fn is_invisible(letter: char) -> bool {
    matches!(letter, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_of_a_server_cannot_act_on_the_terminal() {
        let text = printable(b"\x1b[2J\x1b]0;x\x07\nRED \xff", 200);
        assert_eq!(text, "\\u{1b}[2J\\u{1b}]0;x\\u{7}\\nRED \u{fffd}");
        assert_eq!(printable("é\u{202e}x".as_bytes(), 2), "é\\u{202e}");
    }

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

//! Numbers as each language writes them, with the digits 0 to 9.
//!
//! The scripts of the pages write the same with `Intl`, so a page does not move when its script takes over.

use super::tag::Language;

/// The signs of a language.
#[derive(Clone, Copy, Debug)]
pub(super) struct Format {
    group: &'static str,
    decimal: char,
    /// The least number whose digits are grouped.
    grouped_from: u64,
    percent: &'static str,
}

/// A blank at which no line breaks, and a narrow one.
const BLANK: &str = "\u{a0}";
const NARROW: &str = "\u{202f}";

impl Format {
    /// The signs of this language, as the Common Locale Data Repository has them.
    pub(super) fn of(language: Language) -> Self {
        let (group, decimal, grouped_from, percent) = match language {
            Language::En | Language::Bracketed => (",", '.', 1_000, "%"),
            Language::De => (".", ',', 1_000, "\u{a0}%"),
            Language::Fr => (NARROW, ',', 1_000, "\u{a0}%"),
            Language::Es => (".", ',', 10_000, "\u{a0}%"),
            // The marks keep the sign on the right of the number.
            Language::Ar => (",", '.', 1_000, "\u{200e}%\u{200e}"),
            Language::Uk => (BLANK, ',', 1_000, "%"),
        };
        Self { group, decimal, grouped_from, percent }
    }

    /// Writes a number with its thousands apart: `1,234,567`.
    pub(super) fn grouped(self, count: u64) -> String {
        let digits = count.to_string();
        if count < self.grouped_from {
            return digits;
        }
        let mut text = String::with_capacity(digits.len() + digits.len() / 3 * self.group.len());
        for (index, digit) in digits.chars().enumerate() {
            if index > 0 && (digits.len() - index).is_multiple_of(3) {
                text.push_str(self.group);
            }
            text.push(digit);
        }
        text
    }

    /// Writes tenths of a percent: `41.7%`.
    pub(super) fn percent(self, tenths: u64) -> String {
        let (decimal, percent) = (self.decimal, self.percent);
        format!("{}{decimal}{}{percent}", self.grouped(tenths / 10), tenths % 10)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn large_counts_are_grouped() {
        let shown = |language| {
            [0, 999, 1_000, 1_234_567].map(|count| Format::of(language).grouped(count)).join(" ")
        };
        assert_eq!(shown(Language::En), "0 999 1,000 1,234,567");
        assert_eq!(shown(Language::De), "0 999 1.000 1.234.567");
        assert_eq!(shown(Language::Es), "0 999 1000 1.234.567");
        assert_eq!(shown(Language::Fr), "0 999 1\u{202f}000 1\u{202f}234\u{202f}567");
    }

    #[test]
    fn shares_have_one_decimal() {
        assert_eq!(Format::of(Language::En).percent(417), "41.7%");
        assert_eq!(Format::of(Language::De).percent(1_000), "100,0\u{a0}%");
    }
}

//! Reads the codes of a file that an operator brings.
//!
//! A file has one code a line, or it is CSV with the codes in its first column or in the column `code`.
//! Invariant: either every line with text is a code, or none of the codes is returned.

use std::collections::HashSet;
use std::fmt;
use std::io::{BufRead, BufReader, Read};

use csv::{ByteRecord, Position, ReaderBuilder, Terminator};
use votestream_schema::code::{Code, NotACode};

use crate::operations::codes::CODES_MAX;

/// The most bytes that are read: room for [`CODES_MAX`] lines with personal links and further columns.
const FILE_BYTES_MAX: u64 = 500_000_000;
/// The name of the column with the codes, in any case.
const COLUMN: &str = "code";
/// The lines that an error names at most.
const LINES_SHOWN_MAX: usize = 10;

/// The codes of a file.
#[derive(Debug)]
pub struct CodeFile {
    /// The codes, each once, in the order of the file.
    pub codes: Vec<Code>,
    /// The numbers of the lines whose code stands in an earlier line, too.
    pub repeated_lines: Vec<u64>,
}

/// Why a file cannot be used. Errors never show a code.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The rows of the file cannot be read.
    #[error("cannot be read: {0}")]
    Csv(#[from] csv::Error),
    /// The first line of the file cannot be read.
    #[error("cannot be read: {0}")]
    Io(#[from] std::io::Error),
    /// No line has text.
    #[error("has no code")]
    Empty,
    /// More codes than one call adds.
    #[error("has more than {CODES_MAX} codes; divide it into several files")]
    TooMany,
    /// More bytes than are read.
    #[error("has more than {0} bytes; leave only the column with the codes")]
    TooLarge(u64),
    /// Some lines are not codes.
    #[error(
        "has lines that are not codes: {0}; no code was imported. A code has 16 characters, digits and letters without I, L, O \
         and U; hyphens and blanks do not count"
    )]
    NotCodes(BadLines),
}

/// The lines that are not codes: how many there are, and the first of them.
#[derive(Debug, Default)]
pub struct BadLines {
    number: u64,
    first: Vec<(u64, BadLine)>,
}

/// Why a line is not a code.
#[derive(Debug, thiserror::Error)]
enum BadLine {
    #[error("is not UTF-8")]
    NotUtf8,
    #[error("has no column `{COLUMN}`")]
    NoColumn,
    #[error(transparent)]
    NotACode(#[from] NotACode),
}

impl fmt::Display for BadLines {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (line, why)) in self.first.iter().enumerate() {
            let comma = if index == 0 { "" } else { ", " };
            write!(f, "{comma}line {line} {why}")?;
        }
        match self.number - self.first.len() as u64 {
            0 => Ok(()),
            more => write!(f, ", and {more} more lines are not codes"),
        }
    }
}

impl BadLines {
    fn add(&mut self, line: u64, why: BadLine) {
        self.number += 1;
        if self.first.len() < LINES_SHOWN_MAX {
            self.first.push((line, why));
        }
    }
}

/// Reads a file of codes.
///
/// # Errors
/// Returns an error if the file cannot be read, is too large, has no code, or has a line that is not one.
pub fn read(file: impl Read) -> Result<CodeFile, Error> {
    read_up_to(FILE_BYTES_MAX, file)
}

fn read_up_to(bytes_max: u64, file: impl Read) -> Result<CodeFile, Error> {
    let mut file = BufReader::new(file.take(bytes_max + 1));
    let mut first_line = Vec::new();
    file.read_until(b'\n', &mut first_line)?;
    let mut csv = ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .delimiter(delimiter(&first_line))
        // A carriage return stays in the field, where it counts as a blank.
        .terminator(Terminator::Any(b'\n'))
        .from_reader(first_line.chain(file).chain(&b"\n"[..]));

    let (mut column, mut is_first) = (0, true);
    let (mut seen, mut codes) = (HashSet::new(), Vec::new());
    let (mut repeated_lines, mut bad) = (Vec::new(), BadLines::default());
    let mut record = ByteRecord::new();
    while csv.read_byte_record(&mut record)? {
        if record.iter().all(|field| field.trim_ascii().is_empty()) {
            continue;
        }
        if std::mem::take(&mut is_first)
            && let Some(found) = record.iter().position(is_heading)
        {
            column = found;
            continue;
        }
        let line = line(&record, csv.position());
        match code(&record, column) {
            Err(why) => bad.add(line, why),
            Ok(code) if seen.insert(code.clone()) => codes.push(code),
            Ok(_) => repeated_lines.push(line),
        }
        if codes.len() > CODES_MAX as usize {
            return Err(Error::TooMany);
        }
    }
    if csv.position().byte() > bytes_max + 1 {
        return Err(Error::TooLarge(bytes_max));
    }
    if bad.number > 0 {
        return Err(Error::NotCodes(bad));
    }
    if codes.is_empty() { Err(Error::Empty) } else { Ok(CodeFile { codes, repeated_lines }) }
}

/// The line in which a record begins. Its own position is the end of the record before it, and blank lines may
/// stand between.
fn line(record: &ByteRecord, after: &Position) -> u64 {
    let breaks_inside = record.as_slice().iter().filter(|byte| **byte == b'\n').count() as u64;
    let begins_after = record.position().map_or(1, Position::line);
    after.line().saturating_sub(1 + breaks_inside).max(begins_after)
}

/// The delimiter that comes first: some spreadsheets write semicolons or tabs.
fn delimiter(first_line: &[u8]) -> u8 {
    first_line.iter().copied().find(|byte| b",;\t".contains(byte)).unwrap_or(b',')
}

fn is_heading(field: &[u8]) -> bool {
    let text = String::from_utf8_lossy(field);
    text.trim_start_matches('\u{feff}').trim().eq_ignore_ascii_case(COLUMN)
}

fn code(record: &ByteRecord, column: usize) -> Result<Code, BadLine> {
    let field = record.get(column).ok_or(BadLine::NoColumn)?;
    let typed = str::from_utf8(field).map_err(|_| BadLine::NotUtf8)?;
    Ok(Code::read(typed)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: &str = "0123-4567-89AB-CDEF";
    const TWO: &str = "ZYXW-VTSR-QPNM-KJHG";

    fn codes(text: &[u8]) -> Vec<String> {
        read(text).unwrap().codes.iter().map(Code::printed).collect()
    }

    fn refusal(text: &[u8]) -> String {
        read(text).unwrap_err().to_string()
    }

    #[test]
    fn lists_and_csv_are_read() {
        let files = [
            format!("{ONE}\n{TWO}\n"),
            format!("\u{feff}{ONE}\r\n\r\n  \r\n{TWO}"),
            format!("code,link\n{ONE},https://vote.example/#code={ONE}\n{TWO},\n"),
            format!("name;Code ;mail\n\"A; B\";\"{ONE}\";a@b\nC;{TWO};c@d\n"),
            format!("\u{feff}\"code\"\t\"name\"\n{ONE}\tA\n{TWO}\n"),
            format!("{ONE},A\n{TWO}\n"),
            "０１２３４５６７８９ＡＢＣＤＥＦ\n“zyxw–vtsr–qpnm–kjhg”\n".to_owned(),
            format!("https://vote.example/#code={ONE}\nhttps://vote.example/#code={TWO}\n"),
        ];
        for file in files {
            assert_eq!(codes(file.as_bytes()), [ONE, TWO], "{file}");
        }
    }

    #[test]
    fn a_code_that_stands_in_two_lines_is_read_once() {
        let lower = ONE.to_lowercase();
        let file = read(format!("{ONE}\n{TWO}\n\n{lower}\n{ONE}\n").as_bytes()).unwrap();
        assert_eq!((file.codes.len(), file.repeated_lines), (2, vec![4, 5]));
        let file = read(format!("{ONE},\"Two\nlines\"\n\n{ONE},A").as_bytes()).unwrap();
        assert_eq!(file.repeated_lines, [4]);
    }

    #[test]
    fn lines_that_are_no_codes_are_named_with_their_reasons() {
        let file = format!("{ONE}\r\n\r\n0123-4567\r\n{TWO}U\r\n");
        let said = refusal(file.as_bytes());
        assert!(
            said.contains("codes: line 3 has 8 characters, and a code has 16, line 4 "),
            "{said}"
        );
        assert!(said.contains("line 4 has the character 'U', which is in no code;"), "{said}");
        assert!(!said.contains("0123"), "an error shows no code: {said}");
        let said = refusal(b"0123-4567-89AB-CDEF\n\xff\n");
        assert!(said.contains("codes: line 2 is not UTF-8;"), "{said}");
        let said = refusal(format!("name,code\nA,{ONE}\nB\n").as_bytes());
        assert!(said.contains("codes: line 3 has no column `code`;"), "{said}");
        let said = refusal(format!("\"{ONE}\n{TWO}\n").as_bytes());
        assert!(said.contains("line 1 has more than 16 characters"), "{said}");
        let said = refusal("x!\n".repeat(12).as_bytes());
        assert!(said.contains("line 10 has") && !said.contains("line 11"), "{said}");
        assert!(said.contains("and 2 more lines are not codes"), "{said}");
    }

    #[test]
    fn a_file_without_codes_is_refused() {
        for empty in ["", "\n \r\n", "code,link\n", "\u{feff}code\n"] {
            assert!(matches!(read(empty.as_bytes()), Err(Error::Empty)), "{empty:?}");
        }
    }

    #[test]
    fn a_file_that_is_too_large_is_refused() {
        let file = format!("{ONE}\n{TWO}\n");
        let bytes = file.len() as u64;
        assert!(read_up_to(bytes, file.as_bytes()).is_ok());
        for bytes_max in 0..bytes {
            let read = read_up_to(bytes_max, file.as_bytes());
            assert!(matches!(read, Err(Error::TooLarge(_))), "{bytes_max}: {read:?}");
        }
    }
}

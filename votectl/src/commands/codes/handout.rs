//! The forms in which new codes are written for the people who hand them out.

use std::io::Write;
use std::path::Path;

use askama::Template;
use clap::ValueEnum;
use votestream_votectl::BallotAddress;
use votestream_votectl::operations::codes::Issued;

use super::sheet::{CODES_MAX, Sheet};
use crate::cli_error::CliError;

/// The form of a handout, as `--format` names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// Codes, one a line
    List,
    /// The columns `code` and, with --link, `link`
    Csv,
    /// A page to print and cut (HTML): QR code, code and address of each voter
    Sheet,
}

impl Format {
    /// The format that a file's name stands for.
    pub fn of_file(path: &Path) -> Self {
        match path.extension().and_then(|extension| extension.to_str()) {
            Some(csv) if csv.eq_ignore_ascii_case("csv") => Self::Csv,
            Some(html) if ["html", "htm"].iter().any(|known| html.eq_ignore_ascii_case(known)) => {
                Self::Sheet
            }
            _ => Self::List,
        }
    }
}

/// A form with all that it needs.
#[derive(Debug)]
pub enum Handout {
    /// Codes, one a line.
    List,
    /// A row for each code, with a personal link if there is an address.
    Csv(Option<BallotAddress>),
    /// Cards to print.
    Sheet(BallotAddress),
}

impl Handout {
    /// Refuses what could not be written once the codes exist.
    pub fn new(
        format: Format,
        address: Option<BallotAddress>,
        count: u32,
    ) -> Result<Self, CliError> {
        match (format, address) {
            (Format::List, None) => Ok(Self::List),
            (Format::List, Some(_)) => Err(CliError::Refused(
                "a list has no links: add --format csv or --format sheet, or leave out --link",
            )),
            (Format::Csv, address) => Ok(Self::Csv(address)),
            (Format::Sheet, None) => Err(CliError::Refused(
                "a sheet needs --link, the address of the ballot page: it is in the QR codes",
            )),
            (Format::Sheet, Some(_)) if count > CODES_MAX => Err(CliError::Refused(
                "a sheet holds 10000 codes at most; write CSV (--format csv), or issue several sheets",
            )),
            (Format::Sheet, Some(address)) => Ok(Self::Sheet(address)),
        }
    }

    /// Writes the codes.
    pub fn write(&self, issued: &Issued, target: &mut dyn Write) -> Result<(), CliError> {
        match self {
            Self::List => {
                for code in &issued.codes {
                    writeln!(target, "{}", code.printed())?;
                }
                Ok(())
            }
            Self::Csv(address) => Ok(csv(issued, address.as_ref(), target)?),
            Self::Sheet(address) => Ok(Sheet::new(issued, address).write_into(target)?),
        }
    }
}

fn csv(
    issued: &Issued,
    address: Option<&BallotAddress>,
    target: &mut dyn Write,
) -> csv::Result<()> {
    let mut csv = csv::Writer::from_writer(target);
    match address {
        Some(_) => csv.write_record(["code", "link"])?,
        None => csv.write_record(["code"])?,
    }
    for code in &issued.codes {
        match address {
            Some(address) => csv.write_record([code.printed(), address.link(code)])?,
            None => csv.write_record([code.printed()])?,
        }
    }
    Ok(csv.flush()?)
}

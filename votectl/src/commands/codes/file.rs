//! The file with codes that a command is given.

use std::fs::File;
use std::io;
use std::path::Path;

use votestream_votectl::code_file::{self, CodeFile};

use crate::cli_error::CliError;

/// Reads a file with codes; `-` is standard input.
pub fn read(path: &Path) -> Result<CodeFile, CliError> {
    let shown = path.display().to_string();
    let read = if path == Path::new("-") {
        code_file::read(io::stdin().lock())
    } else {
        let file = File::open(path);
        code_file::read(file.map_err(|error| CliError::File { path: shown.clone(), error })?)
    };
    read.map_err(|error| CliError::Codes { path: shown, error })
}

//! The binary `loadtest`. All of it is in the library, so that other harnesses can drive load too.

use std::process::ExitCode;

fn main() -> ExitCode {
    votestream_loadtest::cli::main()
}

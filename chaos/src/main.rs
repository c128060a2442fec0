//! The program `chaos`. Its code is in the library, so that tests can use it.

use std::process::ExitCode;

fn main() -> ExitCode {
    votestream_chaos::cli::main()
}

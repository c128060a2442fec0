//! The `chaos` binary: everything is in the library, so that tests can reach it.

use std::process::ExitCode;

fn main() -> ExitCode {
    votestream_chaos::cli::main()
}

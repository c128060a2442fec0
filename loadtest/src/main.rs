//! The `loadtest` binary: everything is in the library, so that other harnesses can drive it too.

use std::process::ExitCode;

fn main() -> ExitCode {
    votestream_loadtest::cli::main()
}

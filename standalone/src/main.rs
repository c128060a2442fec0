//! The program `standalone`, which `make up` runs.

use std::process::ExitCode;

use clap::Parser;
use standalone::supervisor::{self, Config};

#[tokio::main]
async fn main() -> ExitCode {
    match supervisor::run(&Config::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

//! Parse, run, exit code.

use std::process::ExitCode;

fn main() -> ExitCode {
    strongroom::cli::main(std::env::args_os())
}

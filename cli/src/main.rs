//! `sluice`: the command line, and everything in one process.

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::program::main()
}

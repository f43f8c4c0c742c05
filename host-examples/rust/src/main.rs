//! The command line `layerwise`: reads arguments, calls the library, prints.
//!
//! One module a command in `cli/`; each answers a reply and prints
//! nothing itself. Exit codes: 0 hit or done, 1 miss, 2 usage, 3 error.

mod cli;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::main()
}

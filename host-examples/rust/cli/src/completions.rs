//! `layerwise completions`: what a shell runs to complete commands and options.

use clap::{Args, Command};
use clap_complete::{Shell, generate};

use crate::reply::{Exit, Reply};

/// What `--help` says.
pub const HELP: &str =
    "Put the script where the shell looks for it, as above, and open a new shell.";

/// Which shell.
#[derive(Args)]
pub struct CompletionsArgs {
    /// The shell that reads the script.
    pub shell: Shell,
}

/// The script for a shell.
pub fn run(mut command: Command, args: &CompletionsArgs) -> Reply {
    let mut script = Vec::new();
    generate(args.shell, &mut command, "layerwise", &mut script);
    Reply::new(Exit::Done, String::from_utf8_lossy(&script).into_owned())
}

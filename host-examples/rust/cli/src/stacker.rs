//! `layerwise stacker`: the build cache of a stacker project.

mod args;
mod explain;
mod file;
mod lookup;
mod manifests;
mod opened;
mod prune;
mod put;
mod show;

use clap::Subcommand;

use crate::args::Global;
use crate::failed::Failed;
use crate::reply::{Reply, Style};
use args::{LookupArgs, PruneArgs, PutArgs};

pub use show::{Decision, explanation as show_explanation};

/// What can be asked of stacker's cache.
#[derive(Subcommand)]
pub enum StackerCommand {
    /// Decide for each layer whether the result of its last build may be reused.
    #[command(after_long_help = lookup::HELP)]
    Lookup(LookupArgs),
    /// Record the results of building layers.
    #[command(after_long_help = put::HELP)]
    Put(PutArgs),
    /// Say why layers are hits or misses, root cause first, naming every changed file.
    #[command(after_long_help = explain::HELP)]
    Explain(LookupArgs),
    /// Drop the entries whose results are gone, and caches of another version.
    #[command(after_long_help = prune::HELP)]
    Prune(PruneArgs),
}

/// Runs a command.
pub fn run(global: &Global, command: &StackerCommand, style: Style) -> Result<Reply, Failed> {
    match command {
        StackerCommand::Lookup(args) => lookup::run(global, args, style),
        StackerCommand::Put(args) => put::run(global, args, style),
        StackerCommand::Explain(args) => explain::run(global, args, style),
        StackerCommand::Prune(args) => prune::run(global, args, style),
    }
}

//! `layerwise stacker`: opens the cache of a project, asks, and answers.

mod args;
mod explain;
mod file;
mod lookup;
mod manifests;
mod opened;
mod prune;
mod put;
mod show;

use super::args::Global;
use super::failed::Failed;
use super::reply::{Reply, Style};

pub use args::StackerCommand;
pub use show::{Decision, explanation as show_explanation};

/// Runs one of the commands.
pub fn run(global: &Global, command: &StackerCommand, style: Style) -> Result<Reply, Failed> {
    match command {
        StackerCommand::Lookup(args) => lookup::run(global, args, style),
        StackerCommand::Put(args) => put::run(global, args, style),
        StackerCommand::Explain(args) => explain::run(global, args, style),
        StackerCommand::Prune(args) => prune::run(global, args, style),
    }
}

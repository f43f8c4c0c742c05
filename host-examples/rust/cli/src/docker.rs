//! `layerwise docker`: Docker's image cache, from its real stores.

mod adopt;
mod args;
mod diff;
mod files;
mod history;
mod named;
mod opened;
mod place;
mod platform;
mod show;
mod step;
mod steps;
mod trust;
mod why;

use clap::Subcommand;

use crate::args::Global;
use crate::failed::Failed;
use crate::reply::{Reply, Style};

pub use show::answer as show_answer;

/// What can be asked of Docker's cache.
#[derive(Subcommand)]
pub enum DockerCommand {
    /// Show what every step of a Dockerfile would hit, and why not.
    #[command(after_long_help = why::HELP)]
    Why(why::WhyArgs),
    /// Decide about a step, and make the changes that go with it.
    #[command(after_long_help = step::HELP)]
    Lookup(step::LookupArgs),
    /// Decide about a step; show the changes without making them.
    #[command(after_long_help = step::HELP)]
    Plan(step::PlanArgs),
    /// Say of every candidate why it is the result of a step, or why not.
    #[command(after_long_help = step::HELP)]
    Explain(step::ExplainArgs),
    /// Show for each step of an image what it would hit today, and why not.
    #[command(after_long_help = history::HELP)]
    History(history::HistoryArgs),
    /// Show where two images part, and which files differ.
    #[command(after_long_help = diff::HELP)]
    Diff(diff::DiffArgs),
    /// Mark images of a layout as built here.
    #[command(after_long_help = adopt::HELP)]
    Adopt(adopt::AdoptArgs),
}

/// Runs a command.
pub fn run(global: &Global, command: &DockerCommand, style: Style) -> Result<Reply, Failed> {
    match command {
        DockerCommand::Why(args) => why::run(global, args, style),
        DockerCommand::Lookup(args) => step::lookup(global, args, style),
        DockerCommand::Plan(args) => step::plan(global, args, style),
        DockerCommand::Explain(args) => step::explain(global, args, style),
        DockerCommand::History(args) => history::run(global, args, style),
        DockerCommand::Diff(args) => diff::run(global, args, style),
        DockerCommand::Adopt(args) => adopt::run(args, style),
    }
}

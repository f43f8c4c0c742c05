//! `layerwise buildkit`: builds by BuildKit; and its remote caches, in registries, layout
//! directories, tar files and configs.

mod archive;
mod args;
mod builds;
mod cached;
mod diff;
mod explain;
mod explain_step;
mod export;
mod found;
mod graph;
mod inspect;
mod layers;
mod opened;
mod orphans;
mod pairs;
mod predict;
mod records;
mod reference;
mod report;
mod show;
mod why;
mod words;

use clap::Subcommand;

use crate::args::Global;
use crate::failed::Failed;
use crate::reply::{Reply, Style};

/// What can be done with BuildKit's builds and remote caches.
#[derive(Subcommand)]
pub enum BuildkitCommand {
    /// Merge, heal or convert caches: write one anew from others, from a file of records, or both.
    #[command(after_long_help = export::HELP)]
    Export(args::ExportArgs),
    /// Show what a cache holds: numbers, findings, a verdict on each record.
    #[command(after_long_help = inspect::HELP)]
    Inspect(args::InspectArgs),
    /// Check a cache; the exit code is 1 when readers would refuse it or it promises what it lacks.
    #[command(after_long_help = inspect::HELP)]
    Verify(args::InspectArgs),
    /// Say what changed from one cache to another: where the builds part, then what follows.
    #[command(after_long_help = diff::HELP)]
    Diff(args::DiffArgs),
    /// Look a step up as a solver does, and say why it is not found.
    #[command(after_long_help = explain::HELP)]
    Explain(args::ExplainArgs),
    /// Draw the chains of a cache: Graphviz DOT, or a picture that needs nothing else.
    #[command(after_long_help = graph::HELP)]
    Graph(args::GraphArgs),
    /// List the builds that a daemon remembers, or that a file holds.
    #[command(after_long_help = builds::HELP)]
    Builds(builds::BuildsArgs),
    /// Say why the steps of a build ran again: the cause first, with its line, old and new.
    #[command(after_long_help = why::HELP)]
    Why(why::WhyArgs),
    /// Say before a build which of its steps some caches have.
    #[command(after_long_help = predict::HELP)]
    Predict(predict::PredictArgs),
}

/// Does what a command asks.
pub fn run(global: &Global, command: &BuildkitCommand, style: Style) -> Result<Reply, Failed> {
    match command {
        BuildkitCommand::Export(args) => export::run(global, args, style),
        BuildkitCommand::Inspect(args) => inspect::inspect(global, args, style),
        BuildkitCommand::Verify(args) => inspect::verify(global, args, style),
        BuildkitCommand::Diff(args) => diff::run(global, args, style),
        BuildkitCommand::Explain(args) => explain::run(global, args, style),
        BuildkitCommand::Graph(args) => graph::run(global, args, style),
        BuildkitCommand::Builds(args) => builds::run(global, args, style),
        BuildkitCommand::Why(args) => why::run(global, args, style),
        BuildkitCommand::Predict(args) => predict::run(global, args, style),
    }
}

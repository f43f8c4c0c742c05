//! `layerwise buildpacks`: the caches of the Buildpacks lifecycle, from layers
//! directories, registries and volumes.

mod app;
mod args;
mod cache;
mod commit;
mod data;
mod document;
mod export;
mod inputs;
mod lent;
mod opening;
mod restore;
mod show;

use clap::Subcommand;

use crate::args::Global;
use crate::failed::Failed;
use crate::reply::{Reply, Style};
use args::{CommitArgs, RestoreArgs, RetrieveArgs, ShowArgs, VerifyArgs};
use document::Verb;

pub use show::plan as show_plan;

/// What can be asked of the caches of the Buildpacks lifecycle.
#[derive(Subcommand)]
pub enum BuildpacksCommand {
    /// Write the layer metadata that a build finds again.
    #[command(after_long_help = restore::HELP)]
    Restore(RestoreArgs),
    /// Decide as `restore` does; show every file without writing it.
    #[command(after_long_help = restore::HELP)]
    Plan(RestoreArgs),
    /// Say of every layer why its metadata is restored, or why not.
    #[command(after_long_help = restore::HELP)]
    Explain(RestoreArgs),
    /// The cache: an image, or the directory of a volume.
    #[command(subcommand)]
    Cache(Box<CacheCommand>),
}

/// What can be done with a cache.
#[derive(Subcommand)]
pub enum CacheCommand {
    /// Show the metadata, and for each cached layer whether it is there.
    #[command(after_long_help = cache::HELP)]
    Show(ShowArgs),
    /// Read layers and compare them with their diff ids.
    #[command(after_long_help = cache::HELP)]
    Verify(VerifyArgs),
    /// Unpack layers into a directory.
    #[command(after_long_help = cache::HELP)]
    Retrieve(RetrieveArgs),
    /// Replace the cache by one made of old and new layers.
    #[command(after_long_help = commit::HELP)]
    Commit(CommitArgs),
}

/// Runs a command.
pub fn run(global: &Global, command: &BuildpacksCommand, style: Style) -> Result<Reply, Failed> {
    match command {
        BuildpacksCommand::Restore(args) => restore::run(global, args, Verb::Restore, style),
        BuildpacksCommand::Plan(args) => restore::run(global, args, Verb::Plan, style),
        BuildpacksCommand::Explain(args) => restore::run(global, args, Verb::Explain, style),
        BuildpacksCommand::Cache(command) => match &**command {
            CacheCommand::Show(args) => cache::show(global, args, style),
            CacheCommand::Verify(args) => cache::verify(global, args, style),
            CacheCommand::Retrieve(args) => cache::retrieve(global, args, style),
            CacheCommand::Commit(args) => commit::run(global, args, style),
        },
    }
}

//! The command line: its options and commands.

use clap::{Parser, Subcommand};

use crate::args::Global;
use crate::audit::{self, AuditArgs};
use crate::buildkit::BuildkitCommand;
use crate::buildpacks::BuildpacksCommand;
use crate::completions::{self, CompletionsArgs};
use crate::conformance::{self, ConformanceArgs};
use crate::demo;
use crate::docker::DockerCommand;
use crate::man::{self, ManArgs};
use crate::record::{self, RecordArgs};
use crate::replay::{self, ReplayArgs};
use crate::rule::{self, RuleArgs};
use crate::scenario::{self, ScenarioArgs};
use crate::schema::{self, SchemaArgs};
use crate::stacker::StackerCommand;

const EXIT_CODES: &str = "\
Exit codes: 0 hit or done, 1 miss, 2 usage, 3 error. An error is one line on standard error; with
--json also a document on standard output. `layerwise COMMAND --help` describes the documents.";

/// Decides what a container build may reuse, and says why.
#[derive(Parser)]
#[command(name = "layerwise", version, after_long_help = EXIT_CODES, max_term_width = 100)]
pub struct Cli {
    #[command(flatten)]
    pub global: Global,
    #[command(subcommand)]
    pub command: Command,
}

/// The commands.
#[derive(Subcommand)]
pub enum Command {
    /// The image cache of Docker's classic builder.
    #[command(subcommand)]
    Docker(Box<DockerCommand>),
    /// The caches of the Buildpacks lifecycle: layer metadata and the cache image.
    #[command(subcommand)]
    Buildpacks(Box<BuildpacksCommand>),
    /// The remote cache of BuildKit.
    #[command(subcommand)]
    Buildkit(Box<BuildkitCommand>),
    /// The build cache of stacker.
    #[command(subcommand)]
    Stacker(Box<StackerCommand>),
    /// Look through whole registries and directories: verify every cache, and say what may go.
    #[command(after_long_help = audit::HELP)]
    Audit(AuditArgs),
    /// Run vector files (plain or gzip) through the component.
    #[command(after_long_help = conformance::HELP)]
    Conformance(ConformanceArgs),
    /// Run a command and write down every call across the boundary of the component.
    #[command(after_long_help = record::HELP)]
    Record(RecordArgs),
    /// Make the calls of transcripts again, without any store, and compare.
    #[command(after_long_help = replay::HELP)]
    Replay(ReplayArgs),
    /// Make calls over real stores in a fresh directory.
    #[command(after_long_help = scenario::HELP)]
    Scenario(ScenarioArgs),
    /// Explain a code; without one, list all codes.
    #[command(after_long_help = rule::HELP)]
    Rule(RuleArgs),
    /// Show hits and misses of each system on sample data.
    #[command(after_long_help = demo::HELP)]
    Demo,
    /// Print the JSON Schema of a document that --json prints; without a name, list all.
    #[command(after_long_help = schema::HELP)]
    Schema(SchemaArgs),
    /// Print the script that completes commands and options in a shell.
    #[command(after_long_help = completions::HELP)]
    Completions(CompletionsArgs),
    /// Print the manual page of a command, or write all of them.
    #[command(after_long_help = man::HELP)]
    Man(ManArgs),
}

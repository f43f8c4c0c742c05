//! What the command line accepts.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};
use layerwise::oci::Platform;
use layerwise::semantics::Semantics;
use layerwise_host::{Recorder, SessionLimits};

use super::buildkit::BuildkitCommand;
use super::buildpacks::BuildpacksCommand;
use super::stacker::StackerCommand;
use super::{conformance, demo, docker, failed, record, replay, rule, scenario};

/// Decides what a container build may reuse, and says why.
#[derive(Parser)]
#[command(name = "layerwise", version, after_long_help = EXIT_CODES, max_term_width = 100)]
pub struct Cli {
    #[command(flatten)]
    pub global: Global,
    #[command(subcommand)]
    pub command: Command,
}

const GLOBAL: &str = "Options of every command";

const EXIT_CODES: &str = "\
Exit codes: 0 hit or done, 1 miss, 2 usage, 3 error. An error is one line on standard error; with
--json also a document on standard output. `layerwise COMMAND --help` describes the documents.";

/// Options of every command.
#[derive(Args)]
pub struct Global {
    /// Print one JSON document instead of text.
    #[arg(long, global = true, help_heading = GLOBAL)]
    pub json: bool,
    /// Print whole ids and whole values.
    #[arg(long, short, global = true, help_heading = GLOBAL)]
    pub verbose: bool,
    /// Run this build of the component instead of the one inside; for programs that were built
    /// with the cargo feature `compiler`.
    #[arg(long, global = true, help_heading = GLOBAL, value_name = "PATH")]
    pub component: Option<PathBuf>,
    /// Where calls are recorded, if they are.
    #[arg(skip)]
    pub record: Option<Recorder>,
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
    /// Say what a code means; without one, list them all.
    #[command(after_long_help = rule::HELP)]
    Rule(RuleArgs),
    /// Show hits and misses of each system on sample data.
    #[command(after_long_help = demo::HELP)]
    Demo,
}

/// What can be asked of Docker's cache.
#[derive(Subcommand)]
pub enum DockerCommand {
    /// Decide about a step, and make the changes that go with the answer.
    #[command(after_long_help = docker::STEP_HELP)]
    Lookup(LookupArgs),
    /// Decide about a step; show the changes without making them.
    #[command(after_long_help = docker::STEP_HELP)]
    Plan(PlanArgs),
    /// Say of every candidate why it is the result of a step, or why not.
    #[command(after_long_help = docker::STEP_HELP)]
    Explain(ExplainArgs),
    /// Show for each step of an image what it would hit today, and why not.
    #[command(after_long_help = docker::HISTORY_HELP)]
    History(HistoryArgs),
    /// Mark images of a layout as built here.
    #[command(after_long_help = docker::ADOPT_HELP)]
    Adopt(AdoptArgs),
}

#[derive(Args)]
pub struct LookupArgs {
    #[command(flatten)]
    pub step: StepArgs,
    /// Change nothing, as `docker plan`.
    #[arg(long, visible_aliases = ["dry-run", "read-only"])]
    pub plan: bool,
    /// Also print the explanation (of the state before any change).
    #[arg(long)]
    pub explain: bool,
    /// With --explain: print every verdict, not only the nearest candidate.
    #[arg(long, requires = "explain")]
    pub all: bool,
}

#[derive(Args)]
pub struct PlanArgs {
    #[command(flatten)]
    pub step: StepArgs,
    /// Also print the explanation.
    #[arg(long)]
    pub explain: bool,
    /// With --explain: print every verdict, not only the nearest candidate.
    #[arg(long, requires = "explain")]
    pub all: bool,
}

#[derive(Args)]
pub struct ExplainArgs {
    #[command(flatten)]
    pub step: StepArgs,
    /// Print every verdict, not only the nearest candidate.
    #[arg(long)]
    pub all: bool,
}

/// One step that is about to run.
#[derive(Args)]
pub struct StepArgs {
    /// The image the step starts from, as an id or a name in the store, or `scratch`.
    #[arg(long, value_name = "ID|REF|scratch")]
    pub parent: String,
    /// The container config the step would commit, a JSON object; `-` is standard input. Of an
    /// image document, its `container_config` is taken.
    #[arg(long, value_name = "FILE|-")]
    pub config: PathBuf,
    /// What the builder builds for; default: what the parent is for, else this machine.
    #[arg(long, value_name = "OS/ARCH[/VARIANT]", value_parser = platform)]
    pub platform: Option<Platform>,
    /// No step of its stage follows. The guarded reading restores no such image from a source:
    /// its command would be that of the build step.
    #[arg(long)]
    pub last: bool,
    #[command(flatten)]
    pub session: SessionArgs,
}

#[derive(Args)]
pub struct HistoryArgs {
    /// The image, as an id or a name in the store.
    pub image: String,
    /// The image its build starts from, or `scratch`. Default: the oldest of its recorded
    /// parents, unless that is the image itself or was built here in one step.
    #[arg(long, value_name = "ID|REF|scratch")]
    pub base: Option<String>,
    /// Ask about the steps after a miss too, where their recorded parent is still there.
    #[arg(long)]
    pub all: bool,
    /// What the builder builds for; default: what the image is for.
    #[arg(long, value_name = "OS/ARCH[/VARIANT]", value_parser = platform)]
    pub platform: Option<Platform>,
    #[command(flatten)]
    pub session: SessionArgs,
}

#[derive(Args)]
pub struct AdoptArgs {
    /// The images, as ids or names in the store.
    #[arg(
        value_name = "IMAGE",
        required_unless_present_any = ["marked", "renew"],
        conflicts_with_all = ["marked", "renew"]
    )]
    pub images: Vec<String>,
    /// All images with a mark that does not count here.
    #[arg(long, conflicts_with = "renew")]
    pub marked: bool,
    /// All images with a mark that counts: write it anew with the first key.
    #[arg(long)]
    pub renew: bool,
    /// The image store, `oci:DIRECTORY`.
    #[arg(long, value_name = "oci:DIRECTORY")]
    pub store: String,
}

/// How a session is opened.
#[derive(Args)]
pub struct SessionArgs {
    /// The image store: `oci:DIRECTORY` an OCI image layout, `docker:DIRECTORY` a Docker data
    /// root (read only), `memory:` an empty one.
    #[arg(long, value_name = "KIND:PATH")]
    pub store: String,
    /// A source: an image whose history may stand for steps. With at least one source, only
    /// images that a source descends from, or that come from one, are answers.
    #[arg(long, value_name = "REF")]
    pub cache_from: Vec<String>,
    /// A source whose writers you vouch for, by its name or whole id. The guarded reading uses no
    /// other. It need not be given with --cache-from too; those that are not come last.
    #[arg(long, value_name = "REF")]
    pub trust: Vec<String>,
    /// Vouch for the sources given with --cache-from that this key signed: an ECDSA P-256 public
    /// key in PEM, such as cosign.pub. Signatures are those in the layout, as cosign names them.
    #[arg(long, value_name = "FILE")]
    pub trust_key: Vec<PathBuf>,
    /// Vouch for all names given with --cache-from.
    #[arg(long)]
    pub trust_all_sources: bool,
    #[command(flatten)]
    pub reading: ReadingArgs,
    /// Pass over children whose document cannot be read instead of failing.
    #[arg(long)]
    pub skip_unreadable: bool,
    /// Refuse sources for another platform instead of noting it.
    #[arg(long)]
    pub same_platform: bool,
    /// Image ids are not digests of config documents (the containerd image store).
    #[arg(long)]
    pub opaque_ids: bool,
    /// The operating system the builder runs on, in Go's spelling.
    #[arg(long, value_name = "OS", default_value = "linux")]
    pub host_os: String,
    /// What versions that write `docker_version` into restored images write there.
    #[arg(
        long,
        value_name = "TEXT",
        default_value = "",
        hide_default_value = true
    )]
    pub docker_version: String,
    #[command(flatten)]
    pub limits: LimitArgs,
}

/// Which reading of the rules decides.
#[derive(Args)]
pub struct ReadingArgs {
    /// Refuse what upstream should have refused (the default).
    #[arg(long, conflicts_with = "compatible")]
    pub guarded: bool,
    /// Decide exactly as upstream does, in its newest version that is known or the named one.
    #[arg(long, value_name = "VERSION", num_args = 0..=1, require_equals = true)]
    pub compatible: Option<Option<String>>,
}

/// What the component may use.
#[derive(Args)]
pub struct LimitArgs {
    /// Set a limit of the session, such as children=1000; an unknown name lists them.
    #[arg(long = "limit", value_name = "NAME=VALUE", value_parser = limit)]
    pub named: Vec<(String, u64)>,
    /// How long one call of the component may take.
    #[arg(long, value_name = "N", default_value_t = 60, value_parser = seconds)]
    pub deadline_seconds: u64,
    /// How much memory the component may have.
    #[arg(long, value_name = "N", default_value_t = 512)]
    pub memory_mib: usize,
}

#[derive(Args)]
pub struct ConformanceArgs {
    /// Vector files; the `format` member of each says what it holds.
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
}

#[derive(Args)]
pub struct RecordArgs {
    /// Where to write the transcript, compressed if the name ends in `.gz`.
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
    /// The command with its arguments, as without `layerwise record`.
    #[arg(
        required = true,
        value_name = "COMMAND",
        trailing_var_arg = true,
        allow_hyphen_values = true
    )]
    pub command: Vec<OsString>,
}

#[derive(Args)]
pub struct ReplayArgs {
    /// Transcripts, plain or gzip.
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
}

#[derive(Args)]
pub struct ScenarioArgs {
    /// Scenarios.
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// Compare with what each file says instead of printing what came.
    #[arg(long)]
    pub check: bool,
}

#[derive(Args)]
pub struct RuleArgs {
    /// A code such as docker/config-mismatch, with or without the part before the slash.
    pub code: Option<String>,
}

/// Such as `linux/amd64`.
pub fn platform(text: &str) -> Result<Platform, failed::BadArgument> {
    let parts: Vec<&str> = text.split('/').collect();
    let (os, architecture, variant) = match parts.as_slice() {
        [os, architecture] => (*os, *architecture, ""),
        [os, architecture, variant] if !variant.is_empty() => (*os, *architecture, *variant),
        _ => ("", "", ""),
    };
    if os.is_empty() || architecture.is_empty() {
        return Err(failed::BadArgument(
            "expected OS/ARCH or OS/ARCH/VARIANT, such as linux/amd64",
        ));
    }
    Ok(Platform {
        os: os.to_owned(),
        architecture: architecture.to_owned(),
        variant: variant.to_owned(),
        ..Platform::default()
    })
}

fn limit(text: &str) -> Result<(String, u64), failed::BadArgument> {
    text.split_once('=')
        .and_then(|(name, value)| Some((name.to_owned(), value.parse().ok()?)))
        .ok_or(failed::BadArgument(
            "expected NAME=VALUE with a whole number",
        ))
}

/// No call ends in no time at all, so that 0 would stop every one.
fn seconds(text: &str) -> Result<u64, failed::BadArgument> {
    let seconds = text.parse().ok().filter(|seconds| *seconds > 0);
    seconds.ok_or(failed::BadArgument(
        "expected a whole number of seconds above 0",
    ))
}

impl ReadingArgs {
    /// As the component takes it.
    pub fn semantics(&self) -> Semantics {
        match &self.compatible {
            None => Semantics::guarded(),
            Some(version) => Semantics::compatible(version.as_deref()),
        }
    }
}

impl LimitArgs {
    /// What the host holds the component to.
    pub fn of_session(&self) -> SessionLimits {
        SessionLimits {
            memory: self.memory_mib.saturating_mul(1 << 20),
            deadline: Duration::from_secs(self.deadline_seconds),
            ..SessionLimits::default()
        }
    }
}

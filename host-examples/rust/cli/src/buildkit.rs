//! `layerwise buildkit`: opens registries, layout directories, tar files and
//! configs, and a session over them.

mod archive;
mod args;
mod diff;
mod explain;
mod export;
mod found;
mod graph;
mod inspect;
mod layers;
mod orphans;
mod records;
mod reference;
mod show;

use std::sync::Arc;

use layerwise::host::Registry;
use layerwise_host::Imports;
use layerwise_host::buildkit::Session;

use super::args::{Global, LimitArgs};
use super::failed::Failed;
use super::lend::{self, Bars, RegistryArgs};
use super::reply::{Reply, Style};

use archive::Archives;
use layers::{Later, Lending};

pub use args::BuildkitCommand;

/// Does what a command asks.
pub fn run(global: &Global, command: &BuildkitCommand, style: Style) -> Result<Reply, Failed> {
    match command {
        BuildkitCommand::Export(args) => export::run(global, args, style),
        BuildkitCommand::Inspect(args) => inspect::inspect(global, args, style),
        BuildkitCommand::Verify(args) => inspect::verify(global, args, style),
        BuildkitCommand::Diff(args) => diff::run(global, args, style),
        BuildkitCommand::Explain(args) => explain::run(global, args, style),
        BuildkitCommand::Graph(args) => graph::run(global, args, style),
    }
}

/// An error that says which cache it is about.
fn about(error: layerwise_host::Error, reference: &str) -> Failed {
    let mut failed = Failed::from(error);
    failed.message = format!("cannot read the cache {reference:?}: {}", failed.message);
    failed.about(reference)
}

/// A session over everything that a reference can name.
struct Opened {
    registry: Arc<dyn Registry + Send + Sync>,
    archives: Arc<Archives>,
    session: Session,
    /// Limits of the component by name.
    limits: Vec<(String, u64)>,
}

impl Opened {
    /// Over what the references name.
    fn reading(
        global: &Global,
        registry: &RegistryArgs,
        limits: &LimitArgs,
    ) -> Result<Self, Failed> {
        let bars = Bars::default();
        let lending = Lending {
            repositories: lend::registry(registry, None, &bars)?,
            places: Later::default(),
            archives: Arc::default(),
            bars: bars.clone(),
        };
        Self::over(global, lending, bars, limits)
    }

    fn over(
        global: &Global,
        lending: Lending,
        bars: Bars,
        limits: &LimitArgs,
    ) -> Result<Self, Failed> {
        let archives = Arc::clone(&lending.archives);
        let registry: Arc<dyn Registry + Send + Sync> = Arc::new(lending);
        let lent = Imports {
            registry: Arc::clone(&registry),
            observer: Arc::new(bars),
            ..Imports::default()
        };
        let session = crate::io::engine(global)?.buildkit(lent, limits.of_session())?;
        Ok(Self {
            registry,
            archives,
            session,
            limits: limits.named.clone(),
        })
    }
}

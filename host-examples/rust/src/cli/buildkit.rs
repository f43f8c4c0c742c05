//! `layerwise buildkit`: opens registries and layout directories, and a session
//! over them.

mod args;
mod diff;
mod explain;
mod export;
mod graph;
mod inspect;
mod layers;
mod records;
mod show;

use std::sync::Arc;

use layerwise::host::Registry;
use layerwise::oci::Descriptor;
use layerwise_host::Lent;
use layerwise_host::buildkit::Session;

use super::args::{Global, LimitArgs};
use super::edges;
use super::failed::Failed;
use super::lend::{self, Bars, RegistryArgs};
use super::reply::{Reply, Style};

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

/// A session over registries and layout directories.
struct Opened {
    registry: Arc<dyn Registry + Send + Sync>,
    session: Session,
    /// Limits of the component by name.
    limits: Vec<(String, u64)>,
}

/// A cache by its reference.
#[derive(Clone, Debug)]
struct Found {
    repository: String,
    manifest: Descriptor,
}

impl Opened {
    /// Over what the references name.
    fn reading(
        global: &Global,
        registry: &RegistryArgs,
        limits: &LimitArgs,
    ) -> Result<Self, Failed> {
        let bars = Bars::default();
        let registry = lend::registry(registry, None, &bars)?;
        Self::over(global, registry, bars, limits)
    }

    fn over(
        global: &Global,
        registry: Arc<dyn Registry + Send + Sync>,
        bars: Bars,
        limits: &LimitArgs,
    ) -> Result<Self, Failed> {
        let lent = Lent {
            registry: Arc::clone(&registry),
            observer: Arc::new(bars),
            ..Lent::default()
        };
        let session = edges::engine(global)?.buildkit(lent, limits.of_session())?;
        Ok(Self {
            registry,
            session,
            limits: limits.named.clone(),
        })
    }

    /// The one manifest a reference stands for.
    fn find(&self, reference: &str) -> Result<Found, Failed> {
        let failed = |failure: layerwise::host::Failure| {
            let message = format!("cannot find the cache {reference:?}: {}", failure.message);
            Failed::new("host", message).about(reference)
        };
        let repository = self.registry.locate(reference).map_err(failed)?;
        let mut answers = self.registry.resolve(&[reference.to_owned()]);
        let mut found = answers.pop().unwrap_or(Ok(Vec::new())).map_err(failed)?;
        match (found.pop(), found.len()) {
            (Some(manifest), 0) => Ok(Found {
                repository,
                manifest,
            }),
            (_, others) => {
                let why = if others == 0 {
                    "it names nothing".to_owned()
                } else {
                    format!("it names {} manifests; name one by its digest", others + 1)
                };
                let message = format!("cannot find the cache {reference:?}: {why}");
                Err(Failed::new("host", message).about(reference))
            }
        }
    }
}

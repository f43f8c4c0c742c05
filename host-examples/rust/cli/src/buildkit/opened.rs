//! A session over everything that a reference can name.

use std::sync::Arc;

use layerwise::host::Registry;
use layerwise_host::Imports;
use layerwise_host::buildkit::Session;

use super::archive::Archives;
use super::layers::{Later, Lending};
use crate::args::{Global, LimitArgs};
use crate::failed::Failed;
use crate::lend::{self, Bars, RegistryArgs};

/// An error that says which cache it is about.
pub fn about(error: layerwise_host::Error, reference: &str) -> Failed {
    let mut failed = Failed::from(error);
    failed.message = format!("cannot read the cache {reference:?}: {}", failed.message);
    failed.about(reference)
}

/// A session over everything that a reference can name.
pub struct Opened {
    pub registry: Arc<dyn Registry + Send + Sync>,
    pub archives: Arc<Archives>,
    pub session: Session,
    /// Limits of the component by name.
    pub limits: Vec<(String, u64)>,
}

impl Opened {
    /// Over what the references name.
    pub fn reading(
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

    pub fn over(
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

//! The library itself as an implementation.

use std::sync::Arc;

use layerwise::buildkit::{
    self, Added, Alternative, Contents, Input, Options, Outcome, Plan, Pushed, Query, ReadOptions,
};
use layerwise::error::Error;
use layerwise::oci::Descriptor;
use layerwise::semantics::Semantics;

use super::host::Host;
use super::subject::{Cache, Checked, Exporter, Subject};

/// The native library, without a component in between.
#[derive(Clone, Copy, Debug, Default)]
pub struct Native;

impl Subject for Native {
    fn exporter(&self, host: Arc<Host>, options: &Options) -> Result<Box<dyn Exporter>, Error> {
        let exporter = buildkit::Exporter::open(Arc::clone(&host), host, options.clone())?;
        Ok(Box::new(exporter))
    }

    fn parse(
        &self,
        config: &str,
        descriptors: &str,
        semantics: &Semantics,
    ) -> Result<Box<dyn Cache>, Error> {
        let cache = buildkit::read(self::config(config, descriptors), &options(semantics))?;
        Ok(Box::new(cache))
    }

    fn open_cache(
        &self,
        host: Arc<Host>,
        repository: &str,
        descriptor: &Descriptor,
        semantics: &Semantics,
    ) -> Result<Box<dyn Cache>, Error> {
        let input = Input::Manifest {
            registry: &host,
            observer: &host,
            repository,
            descriptor,
        };
        let cache = buildkit::read(input, &options(semantics))?;
        Ok(Box::new(cache))
    }

    fn detect(&self, manifest: &str) -> Result<(String, String), Error> {
        buildkit::detect(manifest)
    }

    fn verify_config(&self, config: &str, descriptors: &str) -> Result<Checked, Error> {
        buildkit::inspect(self::config(config, descriptors), false, &[])
    }
}

fn config<'a>(text: &'a str, descriptors: &'a str) -> Input<'a> {
    Input::Config {
        text,
        descriptors: Some(descriptors),
    }
}

fn options(semantics: &Semantics) -> ReadOptions {
    ReadOptions {
        semantics: semantics.clone(),
        ..ReadOptions::default()
    }
}

impl Exporter for buildkit::Exporter<Arc<Host>, Arc<Host>> {
    fn add_all(&mut self, records: &str) -> Result<Vec<Added>, Error> {
        Self::add_all(self, records)
    }

    fn link(&mut self, record: u32, input: u32, alternative: &Alternative) -> Result<(), Error> {
        Self::link(self, record, input, alternative)
    }

    fn put_result(&mut self, record: u32, outcome: &Outcome) -> Result<(), Error> {
        Self::put_result(self, record, outcome)
    }

    fn plan(&mut self) -> Result<Plan, Error> {
        Self::plan(self)
    }

    fn finalize(&mut self, repository: &str) -> Result<Pushed, Error> {
        Self::finalize(self, repository, None)
    }
}

impl Cache for buildkit::Cache {
    fn contents(&mut self) -> Result<Contents, Error> {
        Self::contents(self)
    }

    fn lookup(&mut self, query: &Query) -> Result<Vec<String>, Error> {
        Self::lookup(self, query)
    }

    fn encode(&mut self) -> Result<String, Error> {
        Self::encode(self)
    }
}

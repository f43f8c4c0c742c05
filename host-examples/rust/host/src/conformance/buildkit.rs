//! The export `buildkit` as an implementation: a fresh instance for each
//! exporter, each cache and each function.

use std::sync::Arc;

use layerwise::buildkit::{Added, Alternative, Contents, Options, Outcome, Plan, Pushed, Query};
use layerwise::error::Error;
use layerwise::oci::Descriptor;
use layerwise::semantics::Semantics;
use layerwise_conformance::buildkit::{Cache, Checked, Exporter, Host, Subject};

use super::Component;
use crate::buildkit::Session;
use crate::{Imports, SessionLimits};

impl Component {
    fn buildkit(&self, lent: Imports) -> Result<Session, Error> {
        Ok(self.engine().buildkit(lent, SessionLimits::default())?)
    }
}

fn lent(host: Arc<Host>) -> Imports {
    Imports {
        registry: Arc::<Host>::clone(&host),
        observer: host,
        ..Imports::default()
    }
}

impl Subject for Component {
    fn exporter(&self, host: Arc<Host>, options: &Options) -> Result<Box<dyn Exporter>, Error> {
        let exporter = self.buildkit(lent(host))?.export_to(options.clone())?;
        Ok(Box::new(exporter))
    }

    fn parse(
        &self,
        config: &str,
        descriptors: &str,
        semantics: &Semantics,
    ) -> Result<Box<dyn Cache>, Error> {
        let session = self.buildkit(Imports::default())?;
        Ok(Box::new(session.parse(
            config,
            descriptors,
            semantics,
            &[],
        )?))
    }

    fn open_cache(
        &self,
        host: Arc<Host>,
        repository: &str,
        descriptor: &Descriptor,
        semantics: &Semantics,
    ) -> Result<Box<dyn Cache>, Error> {
        let session = self.buildkit(lent(host))?;
        Ok(Box::new(session.open(
            repository,
            descriptor,
            semantics,
            &[],
        )?))
    }

    fn detect(&self, manifest: &str) -> Result<(String, String), Error> {
        Ok(self.buildkit(Imports::default())?.detect(manifest)?)
    }

    fn verify_config(&self, config: &str, descriptors: &str) -> Result<Checked, Error> {
        let session = self.buildkit(Imports::default())?;
        Ok(session.verify(config, descriptors, &[])?)
    }
}

impl Exporter for crate::buildkit::Exporter {
    fn add_all(&mut self, records: &str) -> Result<Vec<Added>, Error> {
        Ok(Self::add_all(self, records)?)
    }

    fn link(&mut self, record: u32, input: u32, alternative: &Alternative) -> Result<(), Error> {
        Ok(Self::link(self, record, input, alternative)?)
    }

    fn put_result(&mut self, record: u32, outcome: &Outcome) -> Result<(), Error> {
        Ok(Self::put_result(self, record, outcome)?)
    }

    fn plan(&mut self) -> Result<Plan, Error> {
        Ok(Self::plan(self)?)
    }

    fn finalize(&mut self, repository: &str) -> Result<Pushed, Error> {
        Ok(Self::finalize(self, repository, None)?)
    }
}

impl Cache for crate::buildkit::Cache {
    fn contents(&mut self) -> Result<Contents, Error> {
        Ok(Self::contents(self)?)
    }

    fn lookup(&mut self, query: &Query) -> Result<Vec<String>, Error> {
        Ok(Self::lookup(self, query)?)
    }

    fn encode(&mut self) -> Result<String, Error> {
        Ok(Self::encode(self)?)
    }
}

//! The export `buildkit` as an implementation: a fresh instance for each
//! exporter, each cache and each function.

use std::sync::Arc;

use layerwise::buildkit::{Added, Alternative, Contents, Options, Outcome, Plan, Pushed, Query};
use layerwise::error::Error;
use layerwise::oci::Descriptor;
use layerwise::semantics::Semantics;
use layerwise_conformance::buildkit::{Cache, Checked, Exporter, Host, Subject};

use super::{Component, Opened};
use layerwise_host::buildkit::Session;
use layerwise_host::{Imports, SessionLimits};

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
        Ok(Box::new(Opened(exporter)))
    }

    fn parse(
        &self,
        config: &str,
        descriptors: &str,
        semantics: &Semantics,
    ) -> Result<Box<dyn Cache>, Error> {
        let session = self.buildkit(Imports::default())?;
        let cache = session.parse(config, descriptors, semantics, &[])?;
        Ok(Box::new(Opened(cache)))
    }

    fn open_cache(
        &self,
        host: Arc<Host>,
        repository: &str,
        descriptor: &Descriptor,
        semantics: &Semantics,
    ) -> Result<Box<dyn Cache>, Error> {
        let session = self.buildkit(lent(host))?;
        let cache = session.open(repository, descriptor, semantics, &[])?;
        Ok(Box::new(Opened(cache)))
    }

    fn detect(&self, manifest: &str) -> Result<(String, String), Error> {
        Ok(self.buildkit(Imports::default())?.detect(manifest)?)
    }

    fn verify_config(&self, config: &str, descriptors: &str) -> Result<Checked, Error> {
        let session = self.buildkit(Imports::default())?;
        Ok(session.verify(config, descriptors, &[])?)
    }
}

impl Exporter for Opened<layerwise_host::buildkit::Exporter> {
    fn add_all(&mut self, records: &str) -> Result<Vec<Added>, Error> {
        Ok(self.0.add_all(records)?)
    }

    fn link(&mut self, record: u32, input: u32, alternative: &Alternative) -> Result<(), Error> {
        Ok(self.0.link(record, input, alternative)?)
    }

    fn put_result(&mut self, record: u32, outcome: &Outcome) -> Result<(), Error> {
        Ok(self.0.put_result(record, outcome)?)
    }

    fn plan(&mut self) -> Result<Plan, Error> {
        Ok(self.0.plan()?)
    }

    fn finalize(&mut self, repository: &str) -> Result<Pushed, Error> {
        Ok(self.0.finalize(repository, None)?)
    }
}

impl Cache for Opened<layerwise_host::buildkit::Cache> {
    fn contents(&mut self) -> Result<Contents, Error> {
        Ok(self.0.contents()?)
    }

    fn lookup(&mut self, query: &Query) -> Result<Vec<String>, Error> {
        Ok(self.0.lookup(query)?)
    }

    fn encode(&mut self) -> Result<String, Error> {
        Ok(self.0.encode()?)
    }
}

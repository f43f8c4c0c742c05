//! The export `dockerfile` as an implementation.

use std::sync::Arc;

use layerwise::dockerfile::{Copied, Event, Options, Outcome};
use layerwise::error::Error;
use layerwise_conformance::docker::SharedStore;
use layerwise_conformance::dockerfile::{Session, Subject};
use layerwise_conformance::memory_fs::MemoryFs;

use super::{Component, Opened};
use layerwise_host::{Imports, SessionLimits};

impl Subject for Component {
    fn open(
        &self,
        text: &str,
        options: Options,
        images: SharedStore,
        files: Arc<MemoryFs>,
    ) -> Result<Box<dyn Session>, Error> {
        let lent = Imports {
            images,
            files,
            ..Imports::default()
        };
        let limits = SessionLimits::default();
        let session = self.engine().dockerfile(lent, text, options, limits)?;
        Ok(Box::new(Opened(session)))
    }
}

impl Session for Opened<layerwise_host::dockerfile::Session> {
    fn advance(&mut self) -> Result<Event, Error> {
        Ok(self.0.advance()?)
    }

    fn report(&mut self, outcome: Outcome) -> Result<(), Error> {
        Ok(self.0.report(outcome)?)
    }

    fn lend(&mut self, path: Option<&str>, name: Option<&str>) -> Result<(), Error> {
        Ok(self.0.lend(path, name)?)
    }

    fn copied(&mut self) -> Result<Vec<Copied>, Error> {
        Ok(self.0.copied()?)
    }
}

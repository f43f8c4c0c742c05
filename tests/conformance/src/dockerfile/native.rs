//! The library itself as an implementation.

use std::sync::Arc;

use layerwise::dockerfile::{self, Copied, Event, Options, Outcome};
use layerwise::error::Error;

use super::{Session, Subject};
use crate::docker::SharedStore;
use crate::memory_fs::MemoryFs;

/// The native library, without a component in between.
#[derive(Clone, Copy, Debug, Default)]
pub struct Native;

impl Subject for Native {
    fn open(
        &self,
        text: &str,
        options: Options,
        images: SharedStore,
        files: Arc<MemoryFs>,
    ) -> Result<Box<dyn Session>, Error> {
        let session = dockerfile::Session::open(text, options, images, files)?;
        Ok(Box::new(session))
    }
}

impl Session for dockerfile::Session<SharedStore, Arc<MemoryFs>> {
    fn advance(&mut self) -> Result<Event, Error> {
        self.advance()
    }

    fn report(&mut self, outcome: Outcome) -> Result<(), Error> {
        self.report(outcome)
    }

    fn lend(&mut self, path: Option<&str>, name: Option<&str>) -> Result<(), Error> {
        self.lend(path, name)
    }

    fn copied(&mut self) -> Result<Vec<Copied>, Error> {
        Ok(dockerfile::Session::copied(self).to_vec())
    }
}

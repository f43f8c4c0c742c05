//! Recording what crosses the boundary of instances: a transcript, in the form
//! of `tests/TRANSCRIPTS.md`.

mod recordable;
mod tape;

use std::cell::RefCell;
use std::env;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use flate2::{Compression, GzBuilder};
use serde::Serialize;
use serde_json::value::RawValue;
use tempfile::NamedTempFile;

use crate::values::Strings;

pub use recordable::{Plain, Recordable};
pub use tape::{Recording, Tape};

/// Takes down every call of the sessions of an engine, with the calls of what is
/// lent to them: [`crate::EngineOptions::record`]. Nothing else is in it, in
/// particular no layer, and nothing that a lent registry knows of credentials.
/// Clones share what they take down.
#[derive(Clone, Debug, Default)]
pub struct Recorder(Arc<Mutex<Recorded>>);

#[derive(Debug, Default)]
struct Recorded {
    component: String,
    /// The name of instances to come.
    name: String,
    strings: RefCell<Strings>,
    instances: Vec<Instance>,
    /// Where each instance gets a file of its own.
    directory: Option<PathBuf>,
    broken: Option<String>,
}

/// The environment variable that names a directory for transcripts.
const VARIABLE: &str = "LAYERWISE_RECORD";

#[derive(Debug, Serialize)]
struct Instance {
    name: String,
    calls: Vec<Box<RawValue>>,
}

impl Recorder {
    /// The version of the form of transcripts, which is their member `schema`.
    pub const SCHEMA: &str = "layerwise/transcript/1";

    /// A recorder of nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Writes a transcript of each instance into a directory, when the instance
    /// is dropped: `PROCESS-COUNT.json.gz`. The directory is made when it is not
    /// there. A file that cannot be written is told on standard error.
    #[must_use]
    pub fn to_directory(directory: impl Into<PathBuf>) -> Self {
        let recorder = Self::new();
        recorder.lock().directory = Some(directory.into());
        recorder
    }

    /// What the environment variable `LAYERWISE_RECORD` asks for: a directory,
    /// as in [`Recorder::to_directory`].
    #[must_use]
    pub fn from_env() -> Option<Self> {
        let directory = env::var_os(VARIABLE).filter(|value| !value.is_empty())?;
        Some(Self::to_directory(directory))
    }

    /// Instances that are made from now on have this name.
    pub fn name(&self, name: &str) {
        name.clone_into(&mut self.lock().name);
    }

    /// The transcript so far.
    ///
    /// # Errors
    /// When something could not be taken down.
    pub fn transcript(&self) -> io::Result<String> {
        #[derive(Serialize)]
        struct Document<'a> {
            schema: &'static str,
            component: &'a str,
            strings: &'a [String],
            instances: Vec<&'a Instance>,
        }
        let recorded = self.lock();
        if let Some(broken) = &recorded.broken {
            return Err(io::Error::other(broken.clone()));
        }
        let strings = recorded.strings.borrow();
        let used = recorded
            .instances
            .iter()
            .filter(|one| !one.calls.is_empty());
        let mut text = serde_json::to_string(&Document {
            schema: Self::SCHEMA,
            component: &recorded.component,
            strings: strings.list(),
            instances: used.collect(),
        })?;
        text.push('\n');
        Ok(text)
    }

    /// Writes the transcript so far, compressed when the name ends in `.gz`. The
    /// same transcript gives the same bytes. Only its owner may read the file: it
    /// tells of images and paths. A file that is there is replaced, never written
    /// into; anything else is left alone.
    ///
    /// # Errors
    /// When something could not be taken down, something else than a regular file
    /// is there, or the file cannot be written.
    pub fn save(&self, path: &Path) -> io::Result<()> {
        match path.symlink_metadata() {
            Ok(there) if there.is_dir() => return Err(io::ErrorKind::IsADirectory.into()),
            Ok(there) if !there.is_file() => {
                return Err(io::Error::other("what is there is not a regular file"));
            }
            _ => {}
        }
        self.write_beside(path)?.persist(path)?;
        Ok(())
    }

    /// The same where nothing is yet.
    fn save_new(&self, path: &Path) -> io::Result<()> {
        self.write_beside(path)?.persist_noclobber(path)?;
        Ok(())
    }

    /// Writes it into a file that is made exclusively, with the mode 0600 and under
    /// a name nobody can know.
    fn write_beside(&self, path: &Path) -> io::Result<NamedTempFile> {
        let text = self.transcript()?;
        let bytes = if path.extension().is_some_and(|end| end == "gz") {
            let mut packed = GzBuilder::new().write(Vec::new(), Compression::best());
            packed.write_all(text.as_bytes())?;
            packed.finish()?
        } else {
            text.into_bytes()
        };
        let directory = path.parent().filter(|path| !path.as_os_str().is_empty());
        let mut file = NamedTempFile::new_in(directory.unwrap_or(Path::new(".")))?;
        file.write_all(&bytes)?;
        Ok(file)
    }

    fn lock(&self) -> MutexGuard<'_, Recorded> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

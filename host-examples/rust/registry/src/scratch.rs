//! Files that nobody else sees and that are gone afterwards.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek as _, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use layerwise::host::Failure;

use crate::content::unique;
use crate::failures;

/// A temporary file.
#[derive(Debug)]
pub struct Scratch {
    file: Mutex<File>,
    path: PathBuf,
}

impl Scratch {
    /// An empty file in a directory, without a name where that can be.
    pub fn new(directory: &Path) -> Result<Self, Failure> {
        let path = directory.join(format!(".layerwise.scratch.{}", unique()));
        let mut options = OpenOptions::new();
        options.read(true).write(true).create_new(true);
        #[cfg(unix)]
        {
            use std::os::unix::fs::OpenOptionsExt as _;
            options.mode(0o600);
        }
        let file = options
            .open(&path)
            .map_err(|error| failures::of(format!("cannot create {path:?}"), &error))?;
        if cfg!(unix) {
            let _ = fs::remove_file(&path);
        }
        Ok(Self {
            file: Mutex::new(file),
            path,
        })
    }

    /// Writes at the end.
    pub fn writer(&self) -> impl Write + Send + '_ {
        Writer(self)
    }

    /// Reads from the beginning.
    pub fn reader(&self) -> impl Read + Send + '_ {
        Reader { file: self, at: 0 }
    }

    fn file(&self) -> MutexGuard<'_, File> {
        self.file.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if !cfg!(unix) {
            let _ = fs::remove_file(&self.path);
        }
    }
}

struct Writer<'a>(&'a Scratch);

impl Write for Writer<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.file().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.file().flush()
    }
}

struct Reader<'a> {
    file: &'a Scratch,
    at: u64,
}

impl Read for Reader<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut file = self.file.file();
        file.seek(SeekFrom::Start(self.at))?;
        let count = file.read(buffer)?;
        drop(file);
        self.at = self
            .at
            .saturating_add(u64::try_from(count).unwrap_or(u64::MAX));
        Ok(count)
    }
}

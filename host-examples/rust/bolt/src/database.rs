//! An exact copy of a file that may be written meanwhile.

use std::io::{Read, Seek, SeekFrom};
use std::thread;
use std::time::Duration;

use crate::error::Error;
use crate::limits::Limits;
use crate::meta::{self, Newest};
use crate::snapshot::Snapshot;

/// A copy of a database, as it was after one transaction.
#[derive(Clone, Debug)]
pub struct Database {
    bytes: Vec<u8>,
    newest: Newest,
}

/// The longest wait before a database is read again.
const LONGEST_WAIT: Duration = Duration::from_millis(10);

impl Database {
    /// Copies a database that others may be writing. The file must be open for reading;
    /// no lock is taken.
    ///
    /// # Errors
    /// `Io`; `NotBolt`; `Unstable` when a transaction was committed during every one of
    /// `limits.attempts` readings; `TooLarge`.
    pub fn read(file: &mut (impl Read + Seek), limits: &Limits) -> Result<Self, Error> {
        let mut bytes = Vec::new();
        for attempt in 0..limits.attempts {
            if attempt > 0 {
                thread::sleep(LONGEST_WAIT.min(Duration::from_millis(attempt.into())));
            }
            let before = meta::newest(file)?.ok_or(Error::NotBolt)?;
            copy(file, &before, limits, &mut bytes)?;
            let after = meta::newest(file)?;
            if let Some(after) = after.filter(|after| after.meta == before.meta) {
                return Ok(Self {
                    bytes,
                    newest: after,
                });
            }
        }
        let attempts = limits.attempts;
        Err(Error::Unstable { attempts })
    }

    /// Reads all buckets of the copy.
    ///
    /// # Errors
    /// `Damaged`; `TooLarge`.
    pub fn snapshot(&self, limits: &Limits) -> Result<Snapshot<'_>, Error> {
        Snapshot::at(&self.bytes, &self.newest.meta, limits)
    }

    /// Whether one of the two meta pages is invalid: its transaction was not finished, or
    /// it is damaged. What is read is then the state before, as it is for the program
    /// that wrote the database when it starts again.
    pub const fn fell_back(&self) -> bool {
        self.newest.alone
    }
}

/// Copies the pages in use.
fn copy(
    file: &mut (impl Read + Seek),
    newest: &Newest,
    limits: &Limits,
    bytes: &mut Vec<u8>,
) -> Result<(), Error> {
    let used = newest
        .meta
        .pages
        .saturating_mul(newest.meta.page_size.into());
    let length = used.min(file.seek(SeekFrom::End(0))?);
    if length > limits.bytes {
        return Err(Error::TooLarge {
            limit: "bytes",
            value: limits.bytes,
        });
    }
    file.rewind()?;
    bytes.clear();
    file.take(length).read_to_end(bytes)?;
    Ok(())
}

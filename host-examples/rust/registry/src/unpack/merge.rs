//! Moving what was unpacked into place.
//!
//! What is not at the destination yet is moved as a whole. Directories that are
//! on both sides are gone into, and files replace files. Whether all of it can
//! be moved is looked at before anything is.

use std::io;
use std::path::PathBuf;

use layerwise::host::{Failure, FailureCode};

use super::stage::{Held, Stage};
use crate::failures;

/// In the stage directories stay writable for their owner.
const OWN: u32 = 0o700;

impl Stage {
    /// Moves everything.
    ///
    /// # Errors
    /// `conflict` when a directory is to replace something else, or is to be
    /// replaced; then nothing was moved.
    pub fn finish(self) -> Result<(), Failure> {
        let failed = |path: &PathBuf, error: &io::Error| {
            failures::of(format!("cannot move {path:?} into place"), error)
        };
        for (path, attributes) in self.folders.iter().rev() {
            self.work
                .open(path)
                .and_then(|folder| attributes.apply(&folder.into_std(), self.keep_owners, OWN))
                .map_err(|error| failed(path, &error))?;
        }
        for path in self.moves()? {
            self.work
                .rename(path, &self.base, path)
                .map_err(|error| failed(path, &error))?;
        }
        for (path, attributes) in self.folders.iter().rev() {
            self.base
                .open(path)
                .and_then(|folder| attributes.apply(&folder.into_std(), self.keep_owners, 0))
                .map_err(|error| failed(path, &error))?;
        }
        Ok(())
    }

    /// What is to be renamed. The paths are in an order in which all that is in
    /// a directory follows it.
    fn moves(&self) -> Result<Vec<&PathBuf>, Failure> {
        let mut moves: Vec<&PathBuf> = Vec::new();
        for (path, held) in &self.held {
            if moves.last().is_some_and(|moved| path.starts_with(moved)) {
                continue;
            }
            let there = match self.base.symlink_metadata(path) {
                Ok(metadata) => metadata,
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    moves.push(path);
                    continue;
                }
                Err(error) => {
                    let what = format!("cannot move {path:?} into place");
                    return Err(failures::of(what, &error));
                }
            };
            match (*held == Held::Folder, there.is_dir()) {
                (true, true) => {}
                (false, false) => moves.push(path),
                _ => {
                    let message =
                        format!("cannot move {path:?} into place: something else is there");
                    return Err(failures::new(FailureCode::Conflict, message));
                }
            }
        }
        Ok(moves)
    }
}

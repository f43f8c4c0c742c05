//! Looking through all of a layout, and taking away what nothing needs.

use std::collections::BTreeSet;

use layerwise::host::{Failure, FailureCode};
use layerwise::oci::{Descriptor, Digest};
use layerwise_stores::layout::{self, BLOBS, Lock};

use super::Directory;
use crate::failures;

/// So many blobs are taken away before others may write.
const AT_A_TIME: usize = 256;

/// An entry of the index of a layout.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// What it leads to.
    pub descriptor: Descriptor,
    /// What it is called, if it has a name.
    pub name: Option<String>,
}

impl Directory {
    /// The entries of the index, in their order.
    pub fn entries(&self) -> Result<Vec<Entry>, Failure> {
        let (_, index) = self.index(&self.tree()?)?;
        let entries = index.entries().map(|entry| {
            let entry = entry?;
            Ok(Entry {
                name: entry.annotation(layout::REF_NAME).map(str::to_owned),
                descriptor: super::descriptor(&entry)?,
            })
        });
        entries.collect()
    }

    /// Every blob with its size; files with other names are no blobs.
    pub fn all_blobs(&self) -> Result<Vec<(Digest, u64)>, Failure> {
        let root = self.tree()?;
        let blobs = match root.enter(BLOBS) {
            Ok(blobs) => blobs,
            Err(failure) if failure.code == FailureCode::NotFound => return Ok(Vec::new()),
            Err(failure) => return Err(failure),
        };
        let mut all = Vec::new();
        for algorithm in blobs.names()? {
            let Ok(directory) = blobs.enter(&algorithm) else {
                continue;
            };
            for name in directory.names()? {
                let text = format!("{}:{}", algorithm.display(), name.display());
                if let (Ok(digest), Ok(size)) = (text.parse(), directory.size(&name)) {
                    all.push((digest, size));
                }
            }
        }
        Ok(all)
    }

    /// Takes entries out of the index, then blobs away, while the index has no
    /// others than the known ones.
    pub fn prune(
        &self,
        known: &BTreeSet<String>,
        entries: &BTreeSet<String>,
        blobs: &[Digest],
    ) -> Result<u64, Failure> {
        // First the index: what is killed from here on leaves blobs that nothing
        // leads to, and never an entry that leads to nothing.
        if !entries.is_empty() {
            self.update(|index| {
                self.check_known(index, known)?;
                let mut position = index.len();
                while position > 0 {
                    position = position.saturating_sub(1);
                    if entries.contains(index.digest(position)) {
                        index.remove(position);
                    }
                }
                Ok(())
            })?;
        }
        let all = self.blobs()?;
        let mut removed = 0_u64;
        for part in blobs.chunks(AT_A_TIME) {
            let _lock = Lock::take(&all.root, self.wait)?;
            let (_, index) = self.index(&all.root)?;
            self.check_known(&index, known)?;
            for digest in part {
                if all.size(digest).is_ok() {
                    all.remove(digest)?;
                    removed = removed.saturating_add(1);
                }
            }
        }
        Ok(removed)
    }

    fn check_known(&self, index: &layout::Index, known: &BTreeSet<String>) -> Result<(), Failure> {
        let new = (0..index.len()).find(|position| !known.contains(index.digest(*position)));
        let Some(position) = new else { return Ok(()) };
        let message = format!(
            "{:?} has a new entry {}: another program writes into it; try again when none does",
            self.root,
            index.digest(position)
        );
        Err(failures::new(FailureCode::Conflict, message))
    }
}

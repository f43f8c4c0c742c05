//! One pass over the image data base: which images there are, and their links.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use layerwise::host::{Failure, FailureCode};
use layerwise::oci::Digest;

use crate::files;

/// The file that marks an image as built here.
pub const BUILT: &str = "builtLocally";

/// More than any file of one fact has.
const LONGEST_FACT: u64 = 4096;

/// The parent links of all images.
#[derive(Debug, Default)]
pub struct Scan {
    /// Images without a recorded parent, in ascending order.
    pub roots: Vec<String>,
    /// Recorded parent, whatever its text, to its children in ascending order.
    pub children: BTreeMap<String, Vec<String>>,
    /// Whether any image has a built-here mark.
    pub marked: bool,
}

impl Scan {
    /// Reads it. Costs two file look-ups an image; no document is read.
    pub fn read(images: &Path) -> Result<Self, Failure> {
        let metadata = metadata(images);
        let mut scan = Self::default();
        for id in ids(images)? {
            let facts = metadata.join(id.trim_start_matches("sha256:"));
            let parent = match fact(&facts.join("parent"))? {
                Some(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
                None => String::new(),
            };
            scan.marked = scan.marked || facts.join(BUILT).exists();
            if parent.is_empty() {
                scan.roots.push(id);
            } else {
                scan.children.entry(parent).or_default().push(id);
            }
        }
        Ok(scan)
    }
}

/// Reads the file of a fact, if it is there.
pub fn fact(path: &Path) -> Result<Option<Vec<u8>>, Failure> {
    match files::read_if_there(path, LONGEST_FACT) {
        Err(failure) if failure.code == FailureCode::TooLarge => {
            Err(Failure::new(FailureCode::Corrupt, failure.message))
        }
        other => other,
    }
}

/// The ids of all images, in ascending order.
pub fn ids(images: &Path) -> Result<Vec<String>, Failure> {
    let directory = content(images);
    let failed = |error| files::failure("read", &directory, &error);
    let mut ids = Vec::new();
    for entry in fs::read_dir(&directory).map_err(failed)? {
        let name = entry.map_err(failed)?.file_name();
        let id = format!("sha256:{}", name.to_string_lossy());
        if id.parse::<Digest>().is_ok() {
            ids.push(id);
        }
    }
    ids.sort_unstable();
    Ok(ids)
}

/// Where the documents are.
pub fn content(images: &Path) -> PathBuf {
    images.join("imagedb/content/sha256")
}

/// Where the facts are.
pub fn metadata(images: &Path) -> PathBuf {
    images.join("imagedb/metadata/sha256")
}

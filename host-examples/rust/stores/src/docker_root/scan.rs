//! One pass over the image data base: which images there are, and their links.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use layerwise::host::{Failure, FailureCode};
use layerwise::oci::Digest;

use super::image_id;
use crate::files;
use crate::passed::Passed;

/// The file with the recorded parent.
pub const PARENT: &str = "parent";
/// The file that marks an image as built here.
pub const BUILT: &str = "builtLocally";

/// More than any file of one fact has.
const LONGEST_FACT: u64 = 4096;

/// The parent links of all images.
#[derive(Debug, Default)]
pub struct Scan {
    /// Images without a recorded parent, in ascending order.
    pub roots: Vec<String>,
    /// Recorded parent, there or not, to its children in ascending order.
    pub children: BTreeMap<String, Vec<String>>,
    /// Images whose link cannot be read: neither roots nor anyone's children.
    pub passed: Vec<Passed>,
    /// Whether any image has a built-here mark.
    pub marked: bool,
}

impl Scan {
    /// Reads it. Costs three file look-ups an image at most; no document is read.
    ///
    /// # Errors
    /// When a directory of the image data base cannot be read, and `unavailable`
    /// when that may pass: it says nothing of an image then.
    pub fn read(images: &Path) -> Result<Self, Failure> {
        let metadata = metadata(images);
        files::searchable(&metadata)?;
        let mut scan = Self::default();
        for id in ids(images)? {
            let facts = metadata.join(id.trim_start_matches("sha256:"));
            scan.marked = scan.marked || facts.join(BUILT).exists();
            match parent(&facts.join(PARENT)) {
                Ok(None) => scan.roots.push(id),
                Ok(Some(parent)) => scan.children.entry(parent).or_default().push(id),
                Err(failure) if failure.code == FailureCode::Unavailable => return Err(failure),
                Err(failure) => scan.passed.push(Passed {
                    digest: id,
                    failure,
                }),
            }
        }
        Ok(scan)
    }
}

/// Reads a recorded parent; an empty file records none.
///
/// # Errors
/// `corrupt` when the file holds something else than an id; `denied`.
pub fn parent(path: &Path) -> Result<Option<String>, Failure> {
    let text = match fact(path)? {
        Some(bytes) if !bytes.is_empty() => files::text(path, bytes)?,
        _ => return Ok(None),
    };
    if image_id(&text).is_err() {
        return Err(Failure::new(
            FailureCode::Corrupt,
            format!("{path:?} does not hold an image id"),
        ));
    }
    Ok(Some(text))
}

/// Reads the file of a fact, if it is there. What stands in its way is damage:
/// neither its image nor the answer is what is too large or not there.
pub fn fact(path: &Path) -> Result<Option<Vec<u8>>, Failure> {
    match files::read_if_there(path, LONGEST_FACT) {
        Err(Failure {
            code: FailureCode::TooLarge | FailureCode::NotFound,
            message,
        }) => Err(Failure::new(FailureCode::Corrupt, message)),
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

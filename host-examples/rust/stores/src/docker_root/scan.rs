//! One pass over the image data base: which images there are, and their links.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};

use layerwise::host::{Failure, FailureCode};
use layerwise::oci::Digest;
use layerwise_files::{Tree, parallel};

use crate::files;
use crate::passed::Passed;

/// The file with the recorded parent.
pub const PARENT: &str = "parent";
/// The file that marks an image as built here.
pub const BUILT: &str = "builtLocally";

/// The data base: documents are in `content`, facts in `metadata`.
const DATABASE: &str = "imagedb";
const ALGORITHM: &str = "sha256";
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
    /// Reads it. Costs three file look-ups an image at most, on several threads; no document
    /// is read.
    ///
    /// # Errors
    /// When a directory of the image data base cannot be read, and `unavailable`
    /// when that may pass: it says nothing of an image then.
    pub fn read(images: &Tree) -> Result<Self, Failure> {
        let metadata = metadata(images)?;
        let ids = ids(images)?;
        let marked = AtomicBool::new(false);
        let links = parallel::map(parallel::default_threads(), &ids, |id| {
            let facts = facts(metadata.as_ref(), id.trim_start_matches("sha256:"))?;
            if let Some(facts) = &facts
                && !marked.load(Ordering::Relaxed)
                && facts.kind(BUILT).is_ok_and(|kind| kind.is_some())
            {
                marked.store(true, Ordering::Relaxed);
            }
            parent(facts.as_ref())
        });
        let mut scan = Self {
            marked: marked.into_inner(),
            ..Self::default()
        };
        for (id, link) in ids.into_iter().zip(links) {
            match link {
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
pub fn parent(facts: Option<&Tree>) -> Result<Option<String>, Failure> {
    let Some(facts) = facts else {
        return Ok(None);
    };
    let path = facts.path().join(PARENT);
    let text = match fact(Some(facts), PARENT)? {
        Some(bytes) if !bytes.is_empty() => files::text(&path, bytes)?,
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
pub fn fact(facts: Option<&Tree>, name: &str) -> Result<Option<Vec<u8>>, Failure> {
    let Some(facts) = facts else {
        return Ok(None);
    };
    match facts.read(name, LONGEST_FACT) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(failure) if failure.code == FailureCode::NotFound => Ok(None),
        Err(failure) if failure.code == FailureCode::TooLarge => {
            Err(Failure::new(FailureCode::Corrupt, failure.message))
        }
        Err(failure) => Err(failure),
    }
}

/// The ids of all images, in ascending order.
pub fn ids(images: &Tree) -> Result<Vec<String>, Failure> {
    let mut ids = Vec::new();
    for name in content(images)?.names()? {
        let id = format!("sha256:{}", name.to_string_lossy());
        if id.parse::<Digest>().is_ok() {
            ids.push(id);
        }
    }
    ids.sort_unstable();
    Ok(ids)
}

/// Where the documents are.
pub fn content(images: &Tree) -> Result<Tree, Failure> {
    images.descend(&[DATABASE, "content", ALGORITHM])
}

/// Where the facts are, below the driver's part of the data root.
pub fn metadata_path() -> PathBuf {
    [DATABASE, "metadata", ALGORITHM].iter().collect()
}

/// Where the facts are; where there is nothing, no image has any.
pub fn metadata(images: &Tree) -> Result<Option<Tree>, Failure> {
    let metadata = if_there(images.descend(&[DATABASE, "metadata", ALGORITHM]))?;
    if let Some(metadata) = &metadata {
        // Names can be looked up in it: else no image would seem to have facts.
        metadata.kind(PARENT)?;
    }
    Ok(metadata)
}

/// The facts of one image, if there are any.
pub fn facts(metadata: Option<&Tree>, hex: &str) -> Result<Option<Tree>, Failure> {
    match metadata {
        Some(metadata) => if_there(metadata.enter(hex)),
        None => Ok(None),
    }
}

fn if_there(tree: Result<Tree, Failure>) -> Result<Option<Tree>, Failure> {
    match tree {
        Err(failure) if failure.code == FailureCode::NotFound => Ok(None),
        other => other.map(Some),
    }
}

/// The id of an image, which is the SHA-256 of its config.
pub fn image_id(text: &str) -> Result<Digest, Failure> {
    text.parse()
        .ok()
        .filter(|digest: &Digest| digest.algorithm() == "sha256")
        .ok_or_else(|| Failure::new(FailureCode::Invalid, format!("{text:?} is not an image id")))
}

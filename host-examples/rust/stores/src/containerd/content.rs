//! Documents among the content, checked against their digests.

use layerwise::host::{Failure, FailureCode};
use layerwise::oci::Digest;
use layerwise_files::Tree;

use crate::digests;

/// The largest document that is read.
const LONGEST: u64 = 8 << 20;
/// The directory of the content, below containerd's root.
const CONTENT: &str = "io.containerd.content.v1.content";

/// The text with a digest, of at most `limit` bytes.
pub fn read(root: &Tree, digest: &Digest, limit: u64) -> Result<String, Failure> {
    let directory = root.descend(&[CONTENT, "blobs", digest.algorithm()])?;
    let bytes = directory.read(digest.hex(), LONGEST.min(limit))?;
    let path = directory.path().join(digest.hex());
    if !digests::verifies(digest, &bytes) {
        return Err(Failure::new(
            FailureCode::Corrupt,
            format!("{path:?} does not have the digest it is named after"),
        ));
    }
    crate::files::text(&path, bytes)
}

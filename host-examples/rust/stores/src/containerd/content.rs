//! Documents and layers among the content.

use layerwise::host::{Failure, FailureCode};
use layerwise::oci::{Descriptor, Digest};
use layerwise_files::Tree;

use crate::digests;
use crate::layers::Blob;

/// The largest document that is read.
const LONGEST: u64 = 8 << 20;
/// The directory of the content, below containerd's root.
const CONTENT: &str = "io.containerd.content.v1.content";

/// The text with a digest, which is checked, of at most `limit` bytes.
pub fn read(root: &Tree, digest: &Digest, limit: u64) -> Result<String, Failure> {
    let directory = blobs(root, digest)?;
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

/// Opens a layer.
pub fn open(root: &Tree, blob: Descriptor) -> Result<Blob, Failure> {
    let digest: Digest = blob.digest.parse().map_err(|_| {
        let message = format!("{:?} is not the digest of a layer", blob.digest);
        Failure::new(FailureCode::Corrupt, message)
    })?;
    let (file, _) = blobs(root, &digest)?.file(digest.hex())?;
    Ok(Blob {
        digest,
        size: blob.size,
        media_type: blob.media_type,
        bytes: file.into(),
    })
}

fn blobs(root: &Tree, digest: &Digest) -> Result<Tree, Failure> {
    root.descend(&[CONTENT, "blobs", digest.algorithm()])
}

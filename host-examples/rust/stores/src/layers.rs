//! The layers of stored images, for those who read the files in them.

use std::fs::File;
use std::io::{self, Read, Seek as _, SeekFrom};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use layerwise::host::{Failure, FailureCode};
use layerwise::oci::{Digest, sha256};
use serde::Deserialize;

/// A layer of an image.
#[derive(Debug)]
pub struct Layer {
    /// The digest of its uncompressed archive.
    pub diff_id: Digest,
    /// What is stored of it, or why that cannot be read.
    pub stored: Result<Stored, Failure>,
}

/// In which form a layer is stored.
#[derive(Debug)]
pub enum Stored {
    /// As an archive, perhaps compressed.
    Archive(Blob),
    /// Unpacked. The engine keeps the archive without the contents of its files beside
    /// it, as gzip: one JSON document a line, which is a piece of the archive (`"type":
    /// 2`) or stands for the content of a file (`"type": 1`) with its CRC-64 (ISO 3309).
    /// This is the format of the `tar-split` package.
    Split(File),
}

/// Where a driver keeps the unpacked files of an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unpacked {
    /// All of them in one directory, as a container sees them.
    Whole(PathBuf),
    /// A directory for each layer, lowest first, as the overlay file system has them: a
    /// character device 0/0 removes what is below it, and a directory with the attribute
    /// `trusted.overlay.opaque` shows nothing from below.
    Layers(Vec<PathBuf>),
}

/// A blob that was opened; its bytes are not checked yet.
#[derive(Debug)]
pub struct Blob {
    /// The digest its bytes must have.
    pub digest: Digest,
    /// How many bytes it must have.
    pub size: u64,
    /// Its media type; empty if it is not known.
    pub media_type: String,
    /// The bytes.
    pub bytes: Bytes,
}

/// The bytes of a file, or of a part of one. Several can be of one file.
#[derive(Debug)]
pub struct Bytes {
    file: Arc<Mutex<File>>,
    at: u64,
    end: u64,
}

impl Bytes {
    /// So many bytes of a file, from `start` on.
    #[must_use]
    pub fn part(file: &Arc<Mutex<File>>, start: u64, length: u64) -> Self {
        Self {
            file: Arc::clone(file),
            at: start,
            end: start.saturating_add(length),
        }
    }
}

impl From<File> for Bytes {
    fn from(file: File) -> Self {
        Self::part(&Arc::new(Mutex::new(file)), 0, u64::MAX)
    }
}

impl Read for Bytes {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = usize::try_from(self.end.saturating_sub(self.at)).unwrap_or(usize::MAX);
        let length = left.min(buffer.len());
        let room = buffer.get_mut(..length).unwrap_or_default();
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        file.seek(SeekFrom::Start(self.at))?;
        let count = file.read(room)?;
        self.at = self.at.saturating_add(count as u64);
        Ok(count)
    }
}

/// The diff ids of a config document.
///
/// # Errors
/// `invalid` if it is not one, or a diff id is not a digest.
pub fn diff_ids(document: &[u8]) -> Result<Vec<Digest>, Failure> {
    #[derive(Deserialize)]
    struct ImageConfig {
        rootfs: RootFs,
    }
    #[derive(Deserialize)]
    struct RootFs {
        #[serde(default)]
        diff_ids: Option<Vec<String>>,
    }
    let invalid = |why: String| Failure::new(FailureCode::Invalid, why);
    let config: ImageConfig = serde_json::from_slice(document)
        .map_err(|error| invalid(format!("the document is not an image config: {error}")))?;
    let texts = config.rootfs.diff_ids.unwrap_or_default();
    let parse = |text: &String| {
        text.parse()
            .map_err(|_| invalid(format!("the document has {text:?} for a diff id")))
    };
    texts.iter().map(parse).collect()
}

/// The chain id of each layer: the digest of all diff ids up to it.
pub fn chain_ids(diff_ids: &[Digest]) -> Vec<Digest> {
    let mut chain: Vec<Digest> = Vec::with_capacity(diff_ids.len());
    for diff_id in diff_ids {
        let id = match chain.last() {
            None => diff_id.clone(),
            Some(below) => sha256(format!("{below} {diff_id}").as_bytes()),
        };
        chain.push(id);
    }
    chain
}

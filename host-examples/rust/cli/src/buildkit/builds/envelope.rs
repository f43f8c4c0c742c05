//! A `.dockerbuild` file: gzip of a tar of an OCI image layout, read into memory.
//! What its parts mean is the component's affair.

use std::collections::BTreeMap;
use std::io::{self, Cursor, Read as _};

use flate2::read::MultiGzDecoder;
use layerwise::oci::{Descriptor, Digest, sha256};

/// Bytes of an unpacked file.
const MOST: u64 = 256 << 20;
/// Files in it.
const MOST_FILES: usize = 100_000;

/// The contents of a file.
pub enum Envelope {
    /// A layout.
    Layout(Layout),
    /// Anything else, unpacked if it was packed.
    Plain(Vec<u8>),
}

/// An image layout.
pub struct Layout {
    /// Its index.
    pub index: Vec<u8>,
    blobs: BTreeMap<String, Vec<u8>>,
}

impl Envelope {
    /// Opens the bytes of a file.
    pub fn open(bytes: Vec<u8>) -> io::Result<Self> {
        let bytes = match bytes.starts_with(&[0x1f, 0x8b]) {
            true => unpacked(&bytes)?,
            false => bytes,
        };
        // The magic of a tar.
        if bytes.get(257..262) != Some(b"ustar") {
            return Ok(Self::Plain(bytes));
        }
        let mut blobs = BTreeMap::new();
        let mut index = None;
        let mut archive = tar::Archive::new(Cursor::new(bytes));
        for (count, entry) in archive.entries()?.enumerate() {
            if count >= MOST_FILES {
                return Err(invalid(format!("it has more than {MOST_FILES} files")));
            }
            let mut entry = entry?;
            if !entry.header().entry_type().is_file() {
                continue;
            }
            let name = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
            let name = name.strip_prefix("./").unwrap_or(&name);
            let mut content = Vec::new();
            if name == "index.json" {
                entry.read_to_end(&mut content)?;
                index = Some(content);
            } else if let Some(digest) = name.strip_prefix("blobs/") {
                entry.read_to_end(&mut content)?;
                blobs.insert(digest.replacen('/', ":", 1), content);
            }
        }
        let index = index.ok_or_else(|| {
            invalid("it is a tar without index.json, and so no record of a build".to_owned())
        })?;
        Ok(Self::Layout(Layout { index, blobs }))
    }
}

impl Layout {
    /// A blob, which has the digest it is named by.
    pub fn blob(&self, wanted: &Descriptor) -> io::Result<&[u8]> {
        let digest: Digest = wanted
            .digest
            .parse()
            .map_err(|error| invalid(format!("{:?} is not a digest: {error}", wanted.digest)))?;
        let bytes = self.blobs.get(&wanted.digest);
        let bytes = bytes.ok_or_else(|| invalid(format!("{digest} is missing in it")))?;
        if sha256(bytes) != digest {
            return Err(invalid(format!(
                "the bytes of {digest} have another digest"
            )));
        }
        Ok(bytes)
    }
}

fn unpacked(packed: &[u8]) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let plain = MultiGzDecoder::new(packed);
    plain.take(MOST + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MOST {
        return Err(invalid(format!("it has more than {MOST} bytes, unpacked")));
    }
    Ok(bytes)
}

fn invalid(message: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, message)
}

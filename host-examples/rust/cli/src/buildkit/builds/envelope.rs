//! A `.dockerbuild` file: gzip of a tar of an OCI image layout, read into memory.
//! What its parts mean is the component's affair.

use std::collections::BTreeMap;
use std::io::{self, Cursor, Read as _};

use flate2::read::MultiGzDecoder;
use layerwise::oci::{Descriptor, Digest, sha256};

use crate::buildkit::archive::{Places, walk};

/// Bytes of an unpacked file.
const MOST: u64 = 256 << 20;

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
    /// Where each blob begins in the bytes, and how long it is.
    blobs: BTreeMap<String, (u64, u64)>,
    bytes: Vec<u8>,
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
        let Places { blobs, index } = walk(Cursor::new(&bytes))?;
        let index = index.ok_or_else(|| {
            invalid("it is a tar without index.json, and so no record of a build".to_owned())
        })?;
        let index = section(&bytes, index)?.to_vec();
        Ok(Self::Layout(Layout {
            index,
            blobs,
            bytes,
        }))
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
        let place = bytes.ok_or_else(|| invalid(format!("{digest} is missing in it")))?;
        let bytes = section(&self.bytes, *place)?;
        if sha256(bytes) != digest {
            return Err(invalid(format!(
                "the bytes of {digest} have another digest"
            )));
        }
        Ok(bytes)
    }
}

/// A part of the bytes.
fn section(bytes: &[u8], (at, size): (u64, u64)) -> io::Result<&[u8]> {
    let part = || {
        let at = usize::try_from(at).ok()?;
        let end = at.checked_add(usize::try_from(size).ok()?)?;
        bytes.get(at..end)
    };
    part().ok_or_else(|| invalid("it ends inside one of its files".to_owned()))
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

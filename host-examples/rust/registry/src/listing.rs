//! Which files layers hold, without unpacking them.
//!
//! A layer is read in one pass, whatever it is stored as: an archive, what an engine
//! keeps of one ([`Stored::Split`]), which has the CRC-64 of every content, or the
//! directory of a storage driver. [`Files`] lays layers on top of each other as a
//! container sees them; [`ImageRoot`] is that with the contents. The limits are those of
//! unpacking.

mod directory;
mod files;
mod root;
mod split;

use std::collections::BTreeMap;
use std::io::{self, Read};

use crc::{CRC_64_GO_ISO, Crc};
use layerwise::host::{Failure, FailureCode};
use layerwise_files::encode;
use layerwise_stores::{Blob, Stored};
use serde::Serialize;

use crate::decompress::Decompressed;
use crate::digests::{Hasher, Verified};
use crate::failures;
use crate::limits::{FREE_BYTES, Limit, Limits, over};
use crate::unpack::Source;
use crate::unpack::names::parts;
use crate::unpack::tar::{Entry, Kind, Tar};

use split::Split;

pub use files::{Changed, Files, Placed};
pub use root::ImageRoot;

const BUFFER: usize = 64 << 10;
/// What the name of a file begins with that stands for a removed one.
const WHITEOUT: &str = ".wh.";
/// The name of the file that says that nothing below shows in its directory.
const OPAQUE: &str = ".wh..wh..opq";

/// What kind of file it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum FileKind {
    /// A regular file.
    File,
    /// A directory.
    Directory,
    /// A symbolic link.
    Link,
    /// Another name of a file of the same layer.
    HardLink,
    /// A character device.
    CharacterDevice,
    /// A block device.
    BlockDevice,
    /// A named pipe.
    Fifo,
}

/// A file of a layer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LayerFile {
    /// What kind of file.
    pub kind: FileKind,
    /// The 12 permission bits.
    pub mode: u32,
    /// The owner's user id.
    pub uid: u32,
    /// The owner's group id.
    pub gid: u32,
    /// Seconds since 1970, and nanoseconds.
    pub modified: (i64, u32),
    /// Bytes of its content.
    pub size: u64,
    /// Where a link leads, in the encoding of paths.
    pub target: Option<String>,
    /// A checksum of its content, such as `sha256:…` or `crc64:…`; which of them is a
    /// matter of how the layer is stored. `None` if there is no content.
    pub content: Option<String>,
    /// Extended attributes, their values as base64.
    pub attributes: BTreeMap<String, String>,
}

/// What a layer does to a path.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Change {
    /// It puts a file there.
    File(LayerFile),
    /// It removes what is there.
    Removed,
    /// It removes what is in this directory.
    Emptied,
}

/// The checksum of a content as it is in a layer of which no contents are kept.
///
/// # Errors
/// When reading fails.
pub fn crc64(mut content: impl Read) -> io::Result<String> {
    let crc = Crc::<u64>::new(&CRC_64_GO_ISO);
    let mut digest = crc.digest();
    let mut buffer = vec![0; BUFFER];
    loop {
        match content.read(&mut buffer)? {
            0 => return Ok(format!("crc64:{:016x}", digest.finalize())),
            count => digest.update(buffer.get(..count).unwrap_or_default()),
        }
    }
}

/// Reads what a layer does, in the order of its archive.
fn read(
    stored: Stored,
    limits: Limits,
    found: &mut impl FnMut(String, Change) -> Result<(), Failure>,
) -> Result<(), Failure> {
    match stored {
        Stored::Archive(blob) => archive(blob, limits, &mut sha256, found),
        Stored::Split(file) => {
            // Its files bring no compressed bytes of their own.
            let limits = limits.with(Limit::EntryInputBytes, 0);
            let mut tar = Tar::new(Split::new(file, limits), limits);
            while let Some(entry) = tar.next()? {
                let (path, mut change) = change(&entry, limits)?;
                if entry.size > 0 {
                    peek(&mut tar, &entry)?;
                    let checksum = tar.input().checksum(entry.size)?;
                    if let Change::File(file) = &mut change {
                        file.content = Some(checksum);
                    }
                }
                found(path, change)?;
            }
            tar.input().finish()
        }
    }
}

/// Reads an archive. `content` is given the bytes of every file that has some, and says
/// which checksum they have.
fn archive(
    blob: Blob,
    limits: Limits,
    content: &mut impl FnMut(&str, &mut dyn Read) -> io::Result<Option<String>>,
    found: &mut impl FnMut(String, Change) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let digest = blob.digest;
    let unreadable = |error: &io::Error| failures::of(format!("cannot read {digest}"), error);
    let verified = Verified::new(blob.bytes, &digest, blob.size);
    let mut input = Plain {
        input: Decompressed::new(Taken(verified, 0), &blob.media_type)
            .map_err(|error| unreadable(&error))?,
        size: 0,
        limits,
    };
    let mut tar = Tar::new(&mut input, limits);
    let mut list = || {
        while let Some(entry) = tar.next()? {
            let (path, mut change) = change(&entry, limits)?;
            if let Change::File(file) = &mut change
                && entry.size > 0
            {
                let checksum = content(&path, &mut tar);
                file.content = checksum.map_err(|error| failures::of(entry.quoted(), &error))?;
            }
            found(path, change)?;
        }
        Ok(())
    };
    let listed = list();
    // All of the blob is checked: when its bytes are wrong, then that is why anything
    // else went wrong.
    drain(&mut input.input.into_blob()).map_err(|error| unreadable(&error))?;
    listed
}

/// What an entry does, and to which path.
fn change(entry: &Entry, limits: Limits) -> Result<(String, Change), Failure> {
    let corrupt =
        |why: &str| failures::new(FailureCode::Corrupt, format!("{}: {why}", entry.quoted()));
    let parts = parts(&entry.name).map_err(corrupt)?;
    let depth = u64::try_from(parts.len()).unwrap_or(u64::MAX);
    limits.check(Limit::PathDepth, depth, "the depth of a name of the layer")?;
    let path = encode(&parts.join(&b'/'));
    let (above, name) = match path.rsplit_once('/') {
        Some((above, name)) => (Some(above), name),
        None => (None, &*path),
    };
    if name == OPAQUE {
        return Ok((above.unwrap_or_default().to_owned(), Change::Emptied));
    }
    if let Some(name) = name.strip_prefix(WHITEOUT) {
        if name.is_empty() {
            return Err(corrupt("it removes nothing"));
        }
        let removed = above.map_or_else(|| name.to_owned(), |above| format!("{above}/{name}"));
        return Ok((removed, Change::Removed));
    }
    let (kind, target) = match entry.kind {
        Kind::File => (FileKind::File, None),
        Kind::Directory => (FileKind::Directory, None),
        Kind::Symlink => (FileKind::Link, Some(encode(&entry.link))),
        Kind::Hardlink => {
            let target = self::parts(&entry.link).map_err(corrupt)?;
            (FileKind::HardLink, Some(encode(&target.join(&b'/'))))
        }
        Kind::CharacterDevice => (FileKind::CharacterDevice, None),
        Kind::BlockDevice => (FileKind::BlockDevice, None),
        Kind::Fifo => (FileKind::Fifo, None),
    };
    let file = LayerFile {
        kind,
        mode: entry.mode,
        uid: entry.uid,
        gid: entry.gid,
        modified: entry.modified,
        size: entry.size,
        target,
        content: None,
        attributes: entry.attributes.iter().map(base64).collect(),
    };
    Ok((path, Change::File(file)))
}

fn base64((name, value): (&String, &Vec<u8>)) -> (String, String) {
    let value = layerwise::base64::encode(value);
    (name.clone(), value)
}

/// Reads a part of a content, so that the reader below comes to it.
fn peek(tar: &mut Tar<impl Source>, entry: &Entry) -> Result<(), Failure> {
    let read = tar.read(&mut [0]);
    read.map_err(|error| failures::of(entry.quoted(), &error))?;
    Ok(())
}

fn sha256(_path: &str, content: &mut dyn Read) -> io::Result<Option<String>> {
    let mut hasher = Hasher::new();
    hash(content, |bytes| hasher.update(bytes))?;
    Ok(Some(hasher.finish()))
}

/// Has all of the bytes hashed.
fn hash(content: &mut dyn Read, mut update: impl FnMut(&[u8])) -> io::Result<()> {
    let mut buffer = vec![0; BUFFER];
    loop {
        match content.read(&mut buffer)? {
            0 => return Ok(()),
            count => update(buffer.get(..count).unwrap_or_default()),
        }
    }
}

fn drain(input: &mut impl Read) -> io::Result<()> {
    let mut buffer = vec![0; BUFFER];
    while input.read(&mut buffer)? > 0 {}
    Ok(())
}

/// Counts the compressed bytes.
struct Taken<R>(R, u64);

impl<R: Read> Read for Taken<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.0.read(buffer)?;
        self.1 = self.1.saturating_add(count as u64);
        Ok(count)
    }
}

/// The uncompressed bytes, held to the limits.
struct Plain<R: Read> {
    input: Decompressed<Taken<R>>,
    size: u64,
    limits: Limits,
}

impl<R: Read> Plain<R> {
    fn check(&self) -> Result<(), Failure> {
        let what = "the uncompressed size of the layer";
        self.limits.check(Limit::LayerBytes, self.size, what)?;
        let ratio = self.limits.of(Limit::LayerRatio);
        if self.size.saturating_sub(FREE_BYTES) > self.taken().saturating_mul(ratio) {
            let what = "the uncompressed size of so few compressed bytes of the layer";
            return Err(over(Limit::LayerRatio, ratio, what));
        }
        Ok(())
    }
}

impl<R: Read> Read for Plain<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.input.read(buffer)?;
        self.size = self.size.saturating_add(count as u64);
        self.check().map_err(io::Error::other)?;
        Ok(count)
    }
}

impl<R: Read> Source for Plain<R> {
    fn taken(&self) -> u64 {
        self.input.blob().1
    }
}

#[cfg(test)]
mod tests;

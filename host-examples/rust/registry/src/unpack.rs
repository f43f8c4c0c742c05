//! Unpacking a layer where it cannot do harm.
//!
//! Every entry is written into a fresh directory beside the destination, on the
//! same file system. Nothing is ever written through a link: the parents of an
//! entry are directories that this unpacking made. When all of the layer was
//! read and its digest was right, and everything that was read is there, it
//! takes the place of what is at the prefix as a whole.
//!
//! | entry | what happens |
//! |---|---|
//! | below the prefix | unpacked; links as they are, wherever they lead |
//! | a directory above the prefix, as tools write them | says how it looks where it is missing, else left as it is |
//! | elsewhere, or with `..`, or behind a link | `denied` |
//! | a hard link to something that is not a file or link of the layer | `denied` |
//! | a device, a pipe | `denied` |
//! | more than a limit | `too-large`, see [`crate::Limit`] |
//!
//! A name that begins with `/` is one below the root, as everywhere in image
//! layers.

mod attributes;
mod claim;
pub mod names;
mod stage;
mod swap;
pub mod tar;

use std::io::{self, Read};

use layerwise::host::{Failure, FailureCode};

use crate::failures;
use crate::limits::Limit;

use names::Where;
use tar::{Entry, Kind, Tar};

pub use stage::Stage;

/// The uncompressed bytes of a layer, which know how many compressed ones were
/// read for them.
pub trait Source: Read {
    /// That number.
    fn taken(&self) -> u64;
}

impl<T: Source> Source for &mut T {
    fn taken(&self) -> u64 {
        (**self).taken()
    }
}

/// Reads an archive into a stage.
pub fn read(archive: &mut impl Source, stage: &mut Stage) -> Result<(), Failure> {
    let mut tar = Tar::new(archive, stage.limits);
    while let Some(entry) = tar.next()? {
        let more = stage.count_attributes(&entry)?;
        tar.count(more)?;
        take(&entry, &mut tar, stage)?;
    }
    Ok(())
}

fn take(entry: &Entry, tar: &mut Tar<impl Source>, stage: &mut Stage) -> Result<(), Failure> {
    let parts = names::parts(&entry.name).map_err(|why| denied(entry, why))?;
    let depth = u64::try_from(parts.len()).unwrap_or(u64::MAX);
    stage
        .limits
        .check(Limit::PathDepth, depth, "the depth of a name of the layer")?;
    let path = match names::place(&parts, &stage.prefix) {
        Where::Inside(below) => below.join(&b'/'),
        Where::Above(depth) if entry.kind == Kind::Directory => {
            stage.above(depth, entry);
            return Ok(());
        }
        Where::Above(_) | Where::Outside => {
            return Err(denied(entry, "it is not below the prefix of the layer"));
        }
    };
    match &entry.kind {
        Kind::File => stage.file(path, entry, tar),
        Kind::Directory => stage.folder(path, entry),
        Kind::Symlink => stage.symlink(path, entry),
        Kind::Hardlink => {
            let target = names::parts(&entry.link);
            let target = target.map(|target| names::place(&target, &stage.prefix));
            match target {
                Ok(Where::Inside(target)) => stage.hardlink(path, target.join(&b'/'), entry),
                _ => Err(denied(entry, "it is a hard link to something outside")),
            }
        }
        Kind::CharacterDevice | Kind::BlockDevice | Kind::Fifo => {
            Err(denied(entry, "it is a device or a pipe"))
        }
    }
}

fn denied(entry: &Entry, why: &str) -> Failure {
    failures::new(FailureCode::Denied, format!("{}: {why}", entry.quoted()))
}

/// What an error means while writing `entry`: reading the layer can fail too.
fn failed(entry: &Entry, error: &io::Error) -> Failure {
    failures::of(format!("cannot unpack {}", entry.quoted()), error)
}

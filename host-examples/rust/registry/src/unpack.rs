//! Unpacking a layer where it cannot do harm.
//!
//! Every entry is written into a fresh directory beside the destination, on the
//! same file system. Nothing is ever written through a link: the parents of an
//! entry are directories that this unpacking made. When all of the layer was
//! read and its digest was right, what is there is moved into place.
//!
//! | entry | what happens |
//! |---|---|
//! | below the prefix | unpacked |
//! | a directory above the prefix, as tools write them | made where it is missing, else left as it is |
//! | elsewhere, or with `..` | `denied` |
//! | a symbolic link to something outside of the prefix | `denied`, see [`crate::Links`] |
//! | a hard link to something that is not a file of the layer | `denied` |
//! | a device, a pipe | `denied` |
//!
//! A name that begins with `/` is one below the root, as everywhere in image
//! layers.

mod attributes;
mod merge;
mod names;
mod stage;
mod tar;

use std::io::{self, Read};

use layerwise::host::{Failure, FailureCode};

use crate::failures;

use names::Where;
use tar::{Entry, Kind, Tar};

pub use stage::Stage;

/// Reads an archive into a stage.
pub fn read(archive: &mut impl Read, stage: &mut Stage) -> Result<(), Failure> {
    let mut tar = Tar::new(archive);
    let mut count = 0_u64;
    while let Some(entry) = tar.next()? {
        count = count.saturating_add(1);
        if count > stage.most_entries {
            let message = format!("the layer has more than {} entries", stage.most_entries);
            return Err(failures::new(FailureCode::TooLarge, message));
        }
        take(&entry, &mut tar, stage)?;
    }
    Ok(())
}

fn take(entry: &Entry, tar: &mut Tar<impl Read>, stage: &mut Stage) -> Result<(), Failure> {
    let place = match names::place(&entry.name, &stage.prefix) {
        Ok(place) => place,
        Err(why) => return Err(denied(entry, why)),
    };
    let inside = match place {
        Where::Inside(inside) => inside,
        // An ancestor says how a directory looks that is not the layer's.
        Where::Above if entry.kind == Kind::Directory => return Ok(()),
        Where::Above | Where::Outside => {
            return Err(denied(entry, "it is not below the prefix of the layer"));
        }
    };
    match &entry.kind {
        Kind::File => stage.file(&inside, entry, tar),
        Kind::Directory => stage.folder(&inside, entry),
        Kind::Symlink => {
            if !stage.allows_link(&inside, &entry.link)? {
                return Err(denied(entry, "it links to something outside"));
            }
            stage.symlink(&inside, entry)
        }
        Kind::Hardlink => match names::place(&entry.link, &stage.prefix) {
            Ok(Where::Inside(target)) => stage.hardlink(&inside, &target, entry),
            _ => Err(denied(entry, "it is a hard link to something outside")),
        },
        Kind::Device => Err(denied(entry, "it is a device or a pipe")),
    }
}

fn denied(entry: &Entry, why: &str) -> Failure {
    failures::new(FailureCode::Denied, format!("{}: {why}", entry.quoted()))
}

/// What an error means while writing `entry`: reading the layer can fail too.
fn failed(entry: &Entry, error: &io::Error) -> Failure {
    failures::of(format!("cannot unpack {}", entry.quoted()), error)
}

//! What an entry tells about the thing at a place.

use std::ffi::OsStr;
use std::fs::File;
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt as _;

use layerwise::host::{Attribute, Entry, FailureCode, FsFacts, Kind};
use rustix::fs::{FileType, Stat};
use rustix::io::Errno;

use crate::cause::Cause;
use crate::digest::{digest, size};
use crate::encoding::encode;
use crate::place::{Place, kind, open_file, permissions, read_link};
use crate::progress::Meter;

/// What is known of a file from opening it.
#[derive(Debug)]
pub struct Inside {
    /// How it was when it was opened; `None` if it could not be.
    pub stat: Option<Stat>,
    attributes: Vec<Attribute>,
    content: Option<String>,
}

/// Everything wanted about a place.
pub fn entry(path: &str, place: &Place, want: FsFacts, meter: &Meter<'_>) -> Result<Entry, Cause> {
    let stat = place.stat()?;
    let mut entry = outside(path.to_owned(), &stat);
    entry.identity = names_of(&stat).filter(|_| want.identity);
    match (kind(&stat), &place.name) {
        (FileType::Symlink, Some(name)) if want.target => {
            entry.target = Some(encode(&read_link(&place.dir, name)?));
        }
        (FileType::RegularFile, Some(name)) if opens(want) => {
            meter.expect(if want.content { size(&stat) } else { 0 });
            inside(&place.dir, name, want, meter)?.tell(&mut entry);
        }
        (FileType::Directory, _) if want.attributes => {
            entry.attributes = place.open_dir().map(attributes).unwrap_or_default();
        }
        _ => (),
    }
    Ok(entry)
}

/// What is known without opening anything.
pub fn outside(path: String, stat: &Stat) -> Entry {
    Entry {
        path,
        kind: match kind(stat) {
            FileType::RegularFile => Kind::File,
            FileType::Directory => Kind::Directory,
            FileType::Symlink => Kind::Link,
            FileType::Fifo => Kind::Fifo,
            FileType::Socket => Kind::Socket,
            FileType::CharacterDevice => Kind::CharacterDevice,
            FileType::BlockDevice => Kind::BlockDevice,
            FileType::Unknown => Kind::Other,
        },
        mode: permissions(stat),
        uid: stat.st_uid,
        gid: stat.st_gid,
        size: size(stat),
        target: None,
        attributes: Vec::new(),
        content: None,
        identity: None,
    }
}

/// The same text for every name of one file; `None` for a file with one name, and for
/// a directory.
pub fn names_of(stat: &Stat) -> Option<String> {
    let several = kind(stat) != FileType::Directory && stat.st_nlink > 1;
    several.then(|| format!("{}:{}", stat.st_dev, stat.st_ino))
}

/// Whether a regular file must be opened to know what is wanted.
pub const fn opens(want: FsFacts) -> bool {
    want.attributes || want.content
}

/// What is known from opening a regular file, which is done once. Attributes
/// are none when it cannot be opened; content is a failure then.
pub fn inside(
    dir: impl AsFd,
    name: &OsStr,
    want: FsFacts,
    meter: &Meter<'_>,
) -> Result<Inside, Cause> {
    let (mut file, stat): (File, _) = match open_file(dir, name) {
        Err(cause) if cause.code == FailureCode::Denied && !want.content => {
            return Ok(Inside {
                stat: None,
                attributes: Vec::new(),
                content: None,
            });
        }
        other => other?,
    };
    let attributes = if want.attributes {
        attributes(&file)
    } else {
        Vec::new()
    };
    let content = if want.content {
        Some(digest(&mut file, &stat, (b"", b""), meter)?)
    } else {
        None
    };
    Ok(Inside {
        stat: Some(stat),
        attributes,
        content,
    })
}

impl Inside {
    /// Fills in an entry. Mode, owner and size become those of the file that was
    /// opened, so that all are of one file even when it was just replaced.
    pub fn tell(self, entry: &mut Entry) {
        if let Some(stat) = self.stat {
            let identity = entry.identity.take();
            *entry = outside(std::mem::take(&mut entry.path), &stat);
            entry.identity = identity;
        }
        entry.attributes = self.attributes;
        entry.content = self.content;
    }
}

/// Extended attributes in the system's order; `None` if any cannot be read.
pub fn attributes(of: impl AsFd) -> Vec<Attribute> {
    read_attributes(of).unwrap_or_default()
}

fn read_attributes(of: impl AsFd) -> Result<Vec<Attribute>, Errno> {
    let length = rustix::fs::flistxattr_query(&of)?;
    if length == 0 {
        return Ok(Vec::new());
    }
    let mut names = vec![0; length];
    let length = rustix::fs::flistxattr(&of, names.as_mut_slice())?;
    names.truncate(length);
    let mut attributes = Vec::new();
    for name in names.split(|b| *b == 0).filter(|name| !name.is_empty()) {
        let key = OsStr::from_bytes(name);
        let mut value = vec![0; rustix::fs::fgetxattr_query(&of, key)?];
        if !value.is_empty() {
            let length = rustix::fs::fgetxattr(&of, key, value.as_mut_slice())?;
            value.truncate(length);
        }
        attributes.push(Attribute {
            name: encode(name),
            value: layerwise::base64::encode(&value),
        });
    }
    Ok(attributes)
}

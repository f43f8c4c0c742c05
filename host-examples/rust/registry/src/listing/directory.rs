//! What the directory of a layer does, as the overlay file system has it (the engine's
//! `overlay2`; see [`layerwise_stores::Unpacked`]).

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use cap_std::fs::MetadataExt as _;
use layerwise::host::{Entry, Failure, FailureCode, Filesystem as _, FsFacts, Kind};
use layerwise_files::{Tree, decode};

use super::{Change, FileKind, LayerFile};
use crate::failures;
use crate::limits::{Limit, Limits};

/// The attributes of the overlay file system begin with one of these.
const PREFIXES: [&str; 2] = ["trusted.overlay.", "user.overlay."];
const OPAQUE: &str = "opaque";
/// `y` in base64.
const YES: &str = "eQ==";
/// What these attributes say is somewhere else; engines switch them off.
const ELSEWHERE: [&str; 2] = ["redirect", "metacopy"];

/// What the layer does that lies in `directory`, which is `root` in `files`.
///
/// # Errors
/// What walking fails with, and `unsupported` for a file that is not where its name is.
pub fn read(
    files: &layerwise_files::Files,
    root: &str,
    directory: &Path,
    limits: Limits,
) -> Result<Vec<(String, Change)>, Failure> {
    let want = FsFacts {
        target: true,
        attributes: true,
        ..FsFacts::default()
    };
    let mut changes = Vec::new();
    for entry in files.walk(root, want, limits.of(Limit::LayerEntries))? {
        if entry.path == "." {
            continue;
        }
        let depth = entry.path.split('/').count() as u64;
        limits.check(Limit::PathDepth, depth, "the depth of a name of the layer")?;
        if entry.kind == Kind::CharacterDevice && is_whiteout(directory, &entry.path)? {
            changes.push((entry.path, Change::Removed));
            continue;
        }
        for attribute in &entry.attributes {
            match overlay(&attribute.name) {
                Some(OPAQUE) if attribute.value == YES => {
                    changes.push((entry.path.clone(), Change::Emptied));
                }
                Some(name) if ELSEWHERE.contains(&name) => {
                    let message = format!(
                        "{:?} in {directory:?} has the attribute {:?}: its content is elsewhere",
                        entry.path, attribute.name
                    );
                    return Err(failures::new(FailureCode::Unsupported, message));
                }
                _ => {}
            }
        }
        // No tar has sockets, so no image has.
        let path = entry.path.clone();
        if let Some(file) = LayerFile::of(entry) {
            changes.push((path, Change::File(file)));
        }
    }
    Ok(changes)
}

fn overlay(attribute: &str) -> Option<&str> {
    PREFIXES
        .iter()
        .find_map(|prefix| attribute.strip_prefix(prefix))
}

/// Whether a character device stands for a removed file.
fn is_whiteout(directory: &Path, path: &str) -> Result<bool, Failure> {
    let invalid = |_| failures::new(FailureCode::Invalid, format!("{path:?} is not a path"));
    let bytes = decode(path).map_err(invalid)?;
    let mut names: Vec<&OsStr> = bytes
        .split(|byte| *byte == b'/')
        .map(OsStr::from_bytes)
        .collect();
    let name = names.pop().unwrap_or_default();
    let above = Tree::open(directory)?.descend(&names)?;
    let found = above.dir().symlink_metadata(Path::new(name));
    let found =
        found.map_err(|error| failures::of(format!("{path:?} in {directory:?}"), &error))?;
    Ok(found.rdev() == 0)
}

const fn kind(kind: Kind) -> Option<FileKind> {
    match kind {
        Kind::File => Some(FileKind::File),
        Kind::Directory => Some(FileKind::Directory),
        Kind::Link => Some(FileKind::Link),
        Kind::CharacterDevice => Some(FileKind::CharacterDevice),
        Kind::BlockDevice => Some(FileKind::BlockDevice),
        Kind::Fifo => Some(FileKind::Fifo),
        Kind::Socket | Kind::Other => None,
    }
}

impl LayerFile {
    /// A file of a directory as a layer would have it; times and contents are not known.
    /// `None` for what no layer has, such as a socket.
    #[must_use]
    pub fn of(entry: Entry) -> Option<Self> {
        let kind = kind(entry.kind)?;
        let attributes = entry.attributes.into_iter();
        let own = attributes.filter(|attribute| overlay(&attribute.name).is_none());
        let attributes: BTreeMap<String, String> = own
            .map(|attribute| (attribute.name, attribute.value))
            .collect();
        Some(Self {
            kind,
            mode: entry.mode,
            uid: entry.uid,
            gid: entry.gid,
            modified: (0, 0),
            size: if kind == FileKind::File {
                entry.size
            } else {
                0
            },
            target: entry.target,
            content: None,
            attributes,
        })
    }
}

//! What differs between two files of layers, for people.

use std::collections::BTreeSet;

use jiff::Timestamp;
use layerwise::explain::Difference;
use layerwise_registry::{Changed, FileKind, LayerFile};

use crate::report::{Change, FileChange};

/// A path that changed.
pub fn change(changed: &Changed<'_>) -> FileChange {
    let (change, differences) = match (changed.old, changed.new) {
        (Some(old), Some(new)) => (Change::Changed, differences(&old.file, &new.file)),
        (Some(_), None) => (Change::Removed, Vec::new()),
        (None, _) => (Change::Added, Vec::new()),
    };
    FileChange {
        path: changed.path.to_owned(),
        change,
        differences,
    }
}

/// Every property in which two files differ.
pub fn differences(old: &LayerFile, new: &LayerFile) -> Vec<Difference> {
    let LayerFile {
        kind,
        mode,
        uid,
        gid,
        modified,
        size,
        target,
        content,
        attributes,
    } = old;
    let mut list = Vec::new();
    let mut note = |name: &str, have: Option<String>, want: Option<String>| {
        if have != want {
            list.push(Difference::new(name, have, want));
        }
    };
    note("kind", Some(word(*kind)), Some(word(new.kind)));
    note("content", content.clone(), new.content.clone());
    note("size", Some(size.to_string()), Some(new.size.to_string()));
    note("target", target.clone(), new.target.clone());
    let octal = |mode: u32| Some(format!("{mode:04o}"));
    note("mode", octal(*mode), octal(new.mode));
    let owner = |uid: u32, gid: u32| Some(format!("{uid}:{gid}"));
    note("owner", owner(*uid, *gid), owner(new.uid, new.gid));
    note("time", Some(time(*modified)), Some(time(new.modified)));
    let names: BTreeSet<&String> = attributes.keys().chain(new.attributes.keys()).collect();
    for name in names {
        let (have, want) = (attributes.get(name), new.attributes.get(name));
        note(&format!("attribute {name}"), have.cloned(), want.cloned());
    }
    list
}

fn word(kind: FileKind) -> String {
    let word = match kind {
        FileKind::File => "file",
        FileKind::Directory => "directory",
        FileKind::Link => "link",
        FileKind::HardLink => "hard link",
        FileKind::CharacterDevice => "character device",
        FileKind::BlockDevice => "block device",
        FileKind::Fifo => "pipe",
    };
    word.to_owned()
}

/// Such as `2026-11-30T10:00:00Z`; seconds since 1970 for what no calendar has.
fn time((seconds, nanoseconds): (i64, u32)) -> String {
    let nanoseconds = i32::try_from(nanoseconds).unwrap_or_default();
    match Timestamp::new(seconds, nanoseconds) {
        Ok(time) => time.to_string(),
        Err(_) => format!("@{seconds}"),
    }
}

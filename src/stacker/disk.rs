//! Hashes of files and trees of directories (stacker spec, section 9).

use super::reason::{Fault, Reason};
use crate::base64;
use crate::host::{
    Entry, Failure, FailureCode, Filesystem, FsFacts, Hashing, Kind, complete, only,
};
use crate::limits::Limit;
use crate::mtree::{self, Change, Spec, SpecError, Tree};
use crate::paths;
use crate::prelude::*;

use super::options::Limits;

/// What a walk must tell for a tree text.
const TREE_FACTS: FsFacts = FsFacts {
    identity: false,
    target: true,
    attributes: true,
    content: true,
};

/// Hash and mode text of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileHash {
    /// `sha256:` and the hash of the bytes followed by the mode text.
    pub hash: String,
    /// The mode as Go writes it, such as `-rw-r--r--`.
    pub mode: String,
}

/// Looks at one path.
pub(crate) fn stat<F: Filesystem>(fs: &F, path: &str, follow: bool) -> Result<Entry, Failure> {
    only(fs.stat(&[path.to_owned()], follow, FsFacts::default()))
}

/// Looks at paths, following links; one answer each.
pub(crate) fn stat_all<F: Filesystem>(fs: &F, paths: &[String]) -> Vec<Result<Entry, Failure>> {
    if paths.is_empty() {
        return Vec::new();
    }
    complete(fs.stat(paths, true, FsFacts::default()), paths.len())
}

/// Looks at paths without following links; one answer each.
pub(crate) fn lstat_all<F: Filesystem>(fs: &F, paths: &[String]) -> Vec<Result<Entry, Failure>> {
    if paths.is_empty() {
        return Vec::new();
    }
    complete(fs.stat(paths, false, FsFacts::default()), paths.len())
}

/// Hashes of files whose kind and mode are known; one answer each.
pub(crate) fn hash_all<F: Filesystem>(
    fs: &F,
    files: &[(&str, &Entry)],
) -> Vec<Result<String, Failure>> {
    if files.is_empty() {
        return Vec::new();
    }
    let wanted: Vec<_> = files
        .iter()
        .map(|(path, entry)| Hashing {
            prefix: String::new(),
            path: (*path).to_owned(),
            suffix: mode_text(entry.kind, entry.mode),
        })
        .collect();
    hash_each(fs, &wanted)
}

/// Hashes of files, each with what is hashed after its bytes; one answer each.
pub(crate) fn hash_each<F: Filesystem>(fs: &F, wanted: &[Hashing]) -> Vec<Result<String, Failure>> {
    if wanted.is_empty() {
        return Vec::new();
    }
    complete(fs.hash(wanted), wanted.len())
}

/// The hash of a file (stacker spec, section 9.1).
pub(crate) fn hash_file<F: Filesystem>(fs: &F, path: &str) -> Result<FileHash, Fault> {
    let failed = |failure: Failure| Fault::host(Reason::HashFile, path, &failure);
    let entry = stat(fs, path, true).map_err(failed)?;
    let hash = only(hash_all(fs, &[(path, &entry)])).map_err(failed)?;
    Ok(FileHash {
        hash,
        mode: mode_text(entry.kind, entry.mode),
    })
}

/// A mode as Go writes it (stacker spec, section 9.1).
pub(crate) fn mode_text(kind: Kind, mode: u32) -> String {
    let mut text = String::with_capacity(12);
    text.push_str(match kind {
        Kind::Directory => "d",
        Kind::Link => "L",
        Kind::BlockDevice | Kind::CharacterDevice => "D",
        Kind::Fifo => "p",
        Kind::Socket => "S",
        Kind::File | Kind::Other => "",
    });
    let letters = [
        ('u', mode & 0o4000 != 0),
        ('g', mode & 0o2000 != 0),
        ('c', kind == Kind::CharacterDevice),
        ('t', mode & 0o1000 != 0),
        ('?', kind == Kind::Other),
    ];
    text.extend(
        letters
            .iter()
            .filter(|(_, set)| *set)
            .map(|(letter, _)| letter),
    );
    if text.is_empty() {
        text.push('-');
    }
    for (bit, letter) in (0..9).rev().zip("rwxrwxrwx".chars()) {
        text.push(if mode >> bit & 1 == 1 { letter } else { '-' });
    }
    text
}

/// The tree below a directory (stacker spec, section 9.2). A file or a link in its place is
/// an error, where upstream crashes.
pub(crate) fn walk<F: Filesystem>(fs: &F, path: &str, limits: &Limits) -> Result<Tree, Fault> {
    tree(&walk_entries(fs, path, limits)?, path)
}

/// The tree that entries make.
pub(crate) fn tree(entries: &[Entry], path: &str) -> Result<Tree, Fault> {
    Tree::new(entries).map_err(|error| {
        let failure = Failure::new(FailureCode::Corrupt, error.to_string());
        Fault::host(Reason::Io, path, &failure)
    })
}

/// What is below a directory, itself first.
pub(crate) fn walk_entries<F: Filesystem>(
    fs: &F,
    path: &str,
    limits: &Limits,
) -> Result<Vec<Entry>, Fault> {
    let io = |failure: Failure| Fault::host(Reason::Io, path, &failure);
    let not_a_directory = || {
        let message = "not a directory; stacker crashes here";
        Fault::new(Reason::WalkRootNotADirectory, path, message)
    };
    if stat(fs, path, false).map_err(io)?.kind != Kind::Directory {
        return Err(not_a_directory());
    }
    let limit = limits.get(Limit::Entries);
    let entries = fs.walk(path, TREE_FACTS, limit).map_err(|failure| {
        if failure.code == FailureCode::TooLarge {
            return limits.excess(Limit::Entries, "", path).into();
        }
        io(failure)
    })?;
    limits.check(
        Limit::Entries,
        u64::try_from(entries.len()).unwrap_or(u64::MAX),
        "",
        path,
    )?;
    Ok(entries)
}

/// A recorded tree: its text, decoded. `subject` is the import path or overlay
/// source it is about.
pub(crate) fn recorded(text: &str, subject: &str) -> Result<Vec<u8>, Fault> {
    base64::decode(text).ok_or_else(|| {
        Fault::new(
            Reason::BadBase64,
            subject,
            "the recorded tree is not base64",
        )
    })
}

/// Reads a recorded tree.
pub(crate) fn parse<'a>(text: &'a [u8], subject: &str, limits: &Limits) -> Result<Spec<'a>, Fault> {
    Spec::parse(text).map_err(|error| spec_fault(&error, subject, limits))
}

/// Compares a recorded tree with the one on disk (stacker spec, section 9.4).
pub(crate) fn compare(
    spec: &Spec<'_>,
    tree: &Tree,
    subject: &str,
    limits: &Limits,
) -> Result<Vec<Change>, Fault> {
    mtree::compare(spec, tree, limits.get(Limit::Keys))
        .map_err(|error| spec_fault(&error, subject, limits))
}

fn spec_fault(error: &SpecError, subject: &str, limits: &Limits) -> Fault {
    let code = match error {
        SpecError::LineTooLong => Reason::SpecLineTooLong,
        SpecError::BadName(_) => Reason::BadSpecName,
        SpecError::TooLarge => return limits.excess(Limit::Keys, "", subject).into(),
    };
    Fault::new(code, subject, error.to_string())
}

/// The path of an overlay source, which a definition holds as text.
pub(crate) fn source_path(source: &str) -> String {
    paths::from_text(source)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modes_are_written_as_go_does() {
        for (kind, mode, want) in [
            (Kind::File, 0o644, "-rw-r--r--"),
            (Kind::File, 0o4755, "urwxr-xr-x"),
            (Kind::File, 0o7000, "ugt---------"),
            (Kind::File, 0, "----------"),
            (Kind::Directory, 0o1777, "dtrwxrwxrwx"),
            (Kind::CharacterDevice, 0o4666, "Ducrw-rw-rw-"),
            (Kind::Fifo, 0o600, "prw-------"),
        ] {
            assert_eq!(mode_text(kind, mode), want);
        }
    }
}

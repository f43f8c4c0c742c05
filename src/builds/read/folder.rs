//! The files of a folder of the client (Builds spec, sections 1.4 and 4).

use super::assemble::LIMITS;
use super::bad::Bad;
use super::contents;
use crate::base64;
use crate::builds::reason::Reason;
use crate::builds::{Entry, EntryKind, Stat, Tree, TreeError, header};
use crate::error::{Error, Problem};
use crate::host::{Filesystem, FsFacts, Hashing, Kind, complete};
use crate::limits::{Limit, Limits};
use crate::paths;
use crate::prelude::*;

/// What is being done, for errors.
const OPERATION: &str = "read";

/// The files below a directory, as a client would send them: without owners.
///
/// # Errors
/// What the host says; `limit-exceeded`.
pub fn directory(files: &impl Filesystem, root: &str) -> Result<Tree, Error> {
    let want = FsFacts {
        target: true,
        attributes: true,
        ..FsFacts::default()
    };
    let failed = |failure: &crate::host::Failure| {
        Problem::new(
            Reason::FolderUnreadable,
            OPERATION,
            root,
            failure.message.clone(),
        )
        .from_failure(failure)
    };
    let walked = files.walk(root, want, LIMITS.get(Limit::Entries));
    let walked = walked.map_err(|failure| failed(&failure))?;
    let mut tree = Tree::of_client();
    let mut hashed = Vec::new();
    let mut wanted = Vec::new();
    for entry in walked {
        if entry.path == "." {
            continue;
        }
        // A name that is not UTF-8 is in no tree, as the daemon takes none.
        let Ok(path) = String::from_utf8(paths::decode(&entry.path)) else {
            continue;
        };
        let stat = Stat {
            mode: entry.mode,
            xattrs: entry
                .attributes
                .iter()
                .filter_map(|one| {
                    let name = String::from_utf8(paths::decode(&one.name)).ok()?;
                    Some((name, base64::decode(&one.value)?))
                })
                .collect(),
            ..Stat::default()
        };
        match entry.kind {
            Kind::Directory => put(&mut tree, &path, Entry::folder(&stat))?,
            Kind::Link => {
                let target = entry.target.unwrap_or_default();
                let target = paths::lossy(&paths::decode(&target));
                put(&mut tree, &path, Entry::symlink(&stat, &target))?;
            }
            Kind::File => {
                let size = usize::try_from(entry.size).unwrap_or(usize::MAX);
                let before = header(&stat, &EntryKind::File, size);
                wanted.push(Hashing {
                    prefix: paths::encode(&before),
                    path: paths::join(&[root, &entry.path]),
                    ..Hashing::default()
                });
                hashed.push((path, stat.mode));
            }
            // Clients send no pipes, sockets and devices.
            _ => {}
        }
    }
    let digests = complete(files.hash(&wanted), wanted.len());
    for ((path, mode), digest) in hashed.into_iter().zip(digests) {
        let entry = Entry {
            kind: EntryKind::File,
            digest: digest.map_err(|failure| failed(&failure))?,
            mode: Some(mode),
            content: None,
        };
        put(&mut tree, &path, entry)?;
    }
    Ok(tree)
}

/// The digests that a daemon recorded, as base64. `None` if they are not those of all
/// files: a daemon writes them some time after the build.
///
/// # Errors
/// `corrupt` if they are none, `limit-exceeded`.
pub fn digests<const N: usize>(text: &str, limits: &Limits<N>) -> Result<Option<Tree>, Error> {
    let refuse = |bad: &Bad| match bad {
        Bad::Above(limit) => limits.excess(*limit, OPERATION, "digests"),
        bad => Error::Corrupt(Problem::new(
            Reason::Unreadable,
            OPERATION,
            "digests",
            bad.to_string(),
        )),
    };
    let message = base64::decode(text).ok_or_else(|| refuse(&Bad::Base64))?;
    let entries = contents::entries(&message, limits).map_err(|bad| refuse(&bad))?;
    let mut tree = Tree::of_client();
    for entry in entries {
        let kind = match entry.kind {
            contents::Kind::File => EntryKind::File,
            contents::Kind::Header => EntryKind::Folder,
            contents::Kind::Link => EntryKind::Symlink(entry.target),
            contents::Kind::Directory => continue,
        };
        if entry.path.is_empty() {
            continue;
        }
        if entry.digest.is_empty() {
            return Ok(None);
        }
        let known = Entry {
            kind,
            digest: entry.digest,
            mode: None,
            content: None,
        };
        put(&mut tree, &entry.path, known)?;
    }
    let has_any = tree.iter().next().is_some();
    Ok(has_any.then_some(tree))
}

fn put(tree: &mut Tree, path: &str, entry: Entry) -> Result<(), Error> {
    tree.insert(path, entry).map_err(|error| {
        let message = error.to_string();
        match error {
            TreeError::Path(path) => Error::Invalid(Problem::new(
                Reason::FolderUnreadable,
                OPERATION,
                path,
                message,
            )),
            TreeError::TooMany => LIMITS.excess(Limit::Entries, OPERATION, path),
        }
    })
}

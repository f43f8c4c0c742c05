//! The import `filesystem`.

use super::{Host, answers, wit};
use crate::component::types::convert;
use crate::host::{
    Attribute, Change, Content, Entry, Failure, Filesystem, FsFacts, Hashing, Kind, Precondition,
};
use crate::prelude::*;
use wit::filesystem as files;

impl Filesystem for Host {
    fn stat(&self, paths: &[String], follow: bool, want: FsFacts) -> Vec<Result<Entry, Failure>> {
        answers(files::stat(paths, follow, facts(want)))
    }

    fn list_names(&self, directory: &str) -> Result<Vec<String>, Failure> {
        Ok(files::list_names(directory)?)
    }

    fn read(&self, paths: &[String], limit: u64) -> Vec<Result<Content, Failure>> {
        answers(files::read(paths, limit))
    }

    fn walk(&self, root: &str, want: FsFacts, limit: u64) -> Result<Vec<Entry>, Failure> {
        Ok(convert(files::walk(root, facts(want), limit)?))
    }

    fn hash(&self, list: &[Hashing]) -> Vec<Result<String, Failure>> {
        let list: Vec<files::Hashing> = convert(list.to_vec());
        answers(files::hash(&list))
    }

    fn write(&self, changes: &[Change]) -> Vec<Result<(), Failure>> {
        let changes: Vec<files::Change> = convert(changes.to_vec());
        answers(files::write(&changes))
    }

    fn rename(&self, old: &str, new: &str) -> Result<(), Failure> {
        Ok(files::rename(old, new)?)
    }

    fn remove(&self, paths: &[String]) -> Vec<Result<(), Failure>> {
        answers(files::remove(paths))
    }
}

fn facts(want: FsFacts) -> files::Facts {
    let mut facts = files::Facts::empty();
    facts.set(files::Facts::TARGET, want.target);
    facts.set(files::Facts::ATTRIBUTES, want.attributes);
    facts.set(files::Facts::CONTENT, want.content);
    facts.set(files::Facts::IDENTITY, want.identity);
    facts
}

impl From<files::Entry> for Entry {
    fn from(entry: files::Entry) -> Self {
        let attributes = entry.attributes.into_iter();
        Self {
            path: entry.path,
            kind: match entry.kind {
                files::Kind::File => Kind::File,
                files::Kind::Directory => Kind::Directory,
                files::Kind::Link => Kind::Link,
                files::Kind::Fifo => Kind::Fifo,
                files::Kind::Socket => Kind::Socket,
                files::Kind::CharacterDevice => Kind::CharacterDevice,
                files::Kind::BlockDevice => Kind::BlockDevice,
                files::Kind::Other => Kind::Other,
            },
            mode: entry.mode,
            uid: entry.uid,
            gid: entry.gid,
            size: entry.size,
            target: entry.target,
            attributes: attributes
                .map(|attribute| Attribute {
                    name: attribute.name,
                    value: attribute.value,
                })
                .collect(),
            content: entry.content,
            identity: entry.identity,
        }
    }
}

impl From<files::Content> for Content {
    fn from(content: files::Content) -> Self {
        Self {
            text: content.text,
            lossy: content.lossy,
            digest: content.digest,
        }
    }
}

impl From<Hashing> for files::Hashing {
    fn from(hashing: Hashing) -> Self {
        Self {
            prefix: hashing.prefix,
            path: hashing.path,
            suffix: hashing.suffix,
        }
    }
}

impl From<Change> for files::Change {
    fn from(change: Change) -> Self {
        Self {
            path: change.path,
            text: change.text,
            mode: change.mode,
            parents: change.parents,
            precondition: match change.precondition {
                Precondition::Any => files::Precondition::Any,
                Precondition::Absent => files::Precondition::Absent,
                Precondition::Unchanged(digest) => files::Precondition::Unchanged(digest),
            },
        }
    }
}

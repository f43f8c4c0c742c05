//! The import `filesystem`.

use layerwise::host::{Change, Content, Entry, Failure, FsFacts, Hashing, Kind, Precondition};

use super::{State, wit};
use crate::bindings::convert;

type Answers<T> = Vec<Result<T, wit::types::Failure>>;

fn answers<A, B: From<A>>(list: Vec<Result<A, Failure>>) -> Answers<B> {
    list.into_iter()
        .map(|answer| Ok(B::from(answer?)))
        .collect()
}

impl wit::filesystem::Host for State {
    fn stat(
        &mut self,
        paths: Vec<String>,
        follow: bool,
        want: wit::filesystem::Facts,
    ) -> Answers<wit::filesystem::Entry> {
        answers(self.lent().files.stat(&paths, follow, facts(want)))
    }

    fn list_names(&mut self, directory: String) -> Result<Vec<String>, wit::types::Failure> {
        Ok(self.lent().files.list_names(&directory)?)
    }

    fn read(&mut self, paths: Vec<String>, limit: u64) -> Answers<wit::filesystem::Content> {
        answers(self.lent().files.read(&paths, limit))
    }

    fn walk(
        &mut self,
        root: String,
        want: wit::filesystem::Facts,
        limit: u64,
    ) -> Result<Vec<wit::filesystem::Entry>, wit::types::Failure> {
        Ok(convert(self.lent().files.walk(
            &root,
            facts(want),
            limit,
        )?))
    }

    fn hash(&mut self, files: Vec<wit::filesystem::Hashing>) -> Answers<String> {
        let files: Vec<Hashing> = convert(files);
        answers(self.lent().files.hash(&files))
    }

    fn write(&mut self, changes: Vec<wit::filesystem::Change>) -> Answers<()> {
        let changes: Vec<Change> = convert(changes);
        answers(self.lent().files.write(&changes))
    }

    fn rename(&mut self, old: String, new: String) -> Result<(), wit::types::Failure> {
        Ok(self.lent().files.rename(&old, &new)?)
    }

    fn remove(&mut self, paths: Vec<String>) -> Answers<()> {
        answers(self.lent().files.remove(&paths))
    }
}

fn facts(want: wit::filesystem::Facts) -> FsFacts {
    FsFacts {
        target: want.contains(wit::filesystem::Facts::TARGET),
        attributes: want.contains(wit::filesystem::Facts::ATTRIBUTES),
        content: want.contains(wit::filesystem::Facts::CONTENT),
        identity: want.contains(wit::filesystem::Facts::IDENTITY),
    }
}

impl From<Entry> for wit::filesystem::Entry {
    fn from(entry: Entry) -> Self {
        let attributes = entry.attributes.into_iter();
        Self {
            path: entry.path,
            kind: match entry.kind {
                Kind::File => wit::filesystem::Kind::File,
                Kind::Directory => wit::filesystem::Kind::Directory,
                Kind::Link => wit::filesystem::Kind::Link,
                Kind::Fifo => wit::filesystem::Kind::Fifo,
                Kind::Socket => wit::filesystem::Kind::Socket,
                Kind::CharacterDevice => wit::filesystem::Kind::CharacterDevice,
                Kind::BlockDevice => wit::filesystem::Kind::BlockDevice,
                Kind::Other => wit::filesystem::Kind::Other,
            },
            mode: entry.mode,
            uid: entry.uid,
            gid: entry.gid,
            size: entry.size,
            target: entry.target,
            attributes: attributes
                .map(|attribute| wit::filesystem::Attribute {
                    name: attribute.name,
                    value: attribute.value,
                })
                .collect(),
            content: entry.content,
            identity: entry.identity,
        }
    }
}

impl From<Content> for wit::filesystem::Content {
    fn from(content: Content) -> Self {
        Self {
            text: content.text,
            lossy: content.lossy,
            digest: content.digest,
        }
    }
}

impl From<wit::filesystem::Hashing> for Hashing {
    fn from(hashing: wit::filesystem::Hashing) -> Self {
        Self {
            prefix: hashing.prefix,
            path: hashing.path,
            suffix: hashing.suffix,
        }
    }
}

impl From<wit::filesystem::Change> for Change {
    fn from(change: wit::filesystem::Change) -> Self {
        Self {
            path: change.path,
            text: change.text,
            mode: change.mode,
            parents: change.parents,
            precondition: match change.precondition {
                wit::filesystem::Precondition::Any => Precondition::Any,
                wit::filesystem::Precondition::Absent => Precondition::Absent,
                wit::filesystem::Precondition::Unchanged(digest) => Precondition::Unchanged(digest),
            },
        }
    }
}

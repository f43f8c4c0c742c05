//! A file system in memory: types, modes, owners, attributes, links and names
//! of any bytes, with the answers a Unix system gives.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use layerwise::base64;
use layerwise::host::{
    Attribute, Change, Content, Entry, Failure, FailureCode, Filesystem, FsFacts, Hashing, Kind,
    Precondition,
};
use layerwise::oci::sha256;
use layerwise::paths;

/// How many links one path may lead through.
const LINKS: u32 = 40;

/// What an object is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Body {
    /// A regular file with its bytes.
    File(Vec<u8>),
    /// A directory.
    Directory,
    /// A symbolic link with its target.
    Link(Vec<u8>),
    /// Something without content.
    Special(Kind),
}

/// An object of the file system.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Object {
    /// What it is.
    pub body: Body,
    /// The 12 permission bits.
    pub mode: u32,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Extended attributes in the order in which they are listed.
    pub attributes: Vec<(Vec<u8>, Vec<u8>)>,
    /// The same for every name of one file; `None` for a file with one name.
    pub identity: Option<String>,
}

impl Object {
    /// An object of root's without attributes.
    pub const fn new(body: Body, mode: u32) -> Self {
        Self {
            body,
            mode,
            uid: 0,
            gid: 0,
            attributes: Vec::new(),
            identity: None,
        }
    }

    const fn kind(&self) -> Kind {
        match self.body {
            Body::File(_) => Kind::File,
            Body::Directory => Kind::Directory,
            Body::Link(_) => Kind::Link,
            Body::Special(kind) => kind,
        }
    }
}

/// How often each method was called; batches count once, but for `hashed`,
/// which counts files.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Calls {
    /// Calls of `stat`.
    pub stat: u64,
    /// Calls of `read`.
    pub read: u64,
    /// Calls of `walk`.
    pub walk: u64,
    /// Files that were hashed.
    pub hashed: u64,
    /// Calls of `write`, `rename` and `remove`.
    pub changed: u64,
}

/// The names from the root to an object; the root has none.
type Place = Vec<Vec<u8>>;

#[derive(Debug, Default)]
struct State {
    objects: BTreeMap<Place, Object>,
    calls: Calls,
}

/// A file system in memory. Its root is a directory of root's, mode 0755.
#[derive(Debug)]
pub struct MemoryFs(Mutex<State>);

impl Default for MemoryFs {
    fn default() -> Self {
        let root = Object::new(Body::Directory, 0o755);
        let objects = BTreeMap::from([(Place::new(), root)]);
        Self(Mutex::new(State {
            objects,
            calls: Calls::default(),
        }))
    }
}

impl MemoryFs {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts an object at a path of plain bytes. Missing parents are made as
    /// directories of root's, mode 0755. An existing directory gets mode and
    /// owner, and the attributes on top of its own; anything else is replaced.
    ///
    /// # Errors
    /// When something that is no directory is in the way.
    pub fn put(&self, path: &[u8], object: Object) -> Result<(), Failure> {
        let mut state = self.state();
        let (parent, name) = split(path)?;
        let parent = state.make_directories(parent)?;
        let place = [parent, vec![name.to_vec()]].concat();
        match state.objects.get_mut(&place) {
            Some(old) if old.body == Body::Directory && object.body == Body::Directory => {
                old.mode = object.mode;
                old.uid = object.uid;
                old.gid = object.gid;
                for (name, value) in object.attributes {
                    match old.attributes.iter_mut().find(|(known, _)| *known == name) {
                        Some(slot) => slot.1 = value,
                        None => old.attributes.push((name, value)),
                    }
                }
            }
            _ => {
                state.remove_tree(&place);
                state.objects.insert(place, object);
            }
        }
        Ok(())
    }

    /// Puts a regular file of root's, mode 0644.
    ///
    /// # Errors
    /// As of [`MemoryFs::put`].
    pub fn put_file(&self, path: &str, text: &str) -> Result<(), Failure> {
        self.put(
            path.as_bytes(),
            Object::new(Body::File(text.as_bytes().to_vec()), 0o644),
        )
    }

    /// Removes whatever is at a path of plain bytes, with everything below.
    pub fn remove_all(&self, path: &[u8]) {
        let mut state = self.state();
        if let Ok(place) = state.resolve(path, false) {
            state.remove_tree(&place);
        }
    }

    /// The object at a path of plain bytes; links are followed.
    pub fn object(&self, path: &[u8]) -> Option<Object> {
        let state = self.state();
        let place = state.resolve(path, true).ok()?;
        state.objects.get(&place).cloned()
    }

    /// The bytes of a file as text, if it is there.
    pub fn text(&self, path: &[u8]) -> Option<String> {
        match self.object(path)?.body {
            Body::File(bytes) => Some(paths::lossy(&bytes)),
            _ => None,
        }
    }

    /// All plain paths, sorted.
    pub fn paths(&self) -> Vec<Vec<u8>> {
        let state = self.state();
        state
            .objects
            .keys()
            .map(|place| [b"/", place.join(&b'/').as_slice()].concat())
            .collect()
    }

    /// Another file system that holds the same.
    #[must_use]
    pub fn copy(&self) -> Self {
        Self(Mutex::new(State {
            objects: self.state().objects.clone(),
            calls: Calls::default(),
        }))
    }

    /// How often each method was called.
    pub fn calls(&self) -> Calls {
        self.state().calls
    }
}

impl State {
    /// Where a path leads. A slash at its end follows a link, and needs a
    /// directory.
    fn resolve(&self, path: &[u8], follow: bool) -> Result<Place, Failure> {
        let mut rest: VecDeque<Vec<u8>> = path.split(|b| *b == b'/').map(<[u8]>::to_vec).collect();
        let mut place = Place::new();
        let mut links = 0;
        if path.is_empty() {
            return Err(failure(
                FailureCode::NotFound,
                path,
                "no such file or directory",
            ));
        }
        while let Some(name) = rest.pop_front() {
            let Some(here) = self.objects.get(&place) else {
                return Err(failure(
                    FailureCode::NotFound,
                    path,
                    "no such file or directory",
                ));
            };
            if here.body != Body::Directory {
                return Err(failure(FailureCode::Other, path, "not a directory"));
            }
            match name.as_slice() {
                b"" | b"." => continue,
                b".." => {
                    place.pop();
                    continue;
                }
                _ => place.push(name),
            }
            let Some(there) = self.objects.get(&place) else {
                return Err(failure(
                    FailureCode::NotFound,
                    path,
                    "no such file or directory",
                ));
            };
            if let Body::Link(target) = &there.body
                && (follow || !rest.is_empty())
            {
                links += 1;
                if links > LINKS {
                    return Err(failure(
                        FailureCode::Other,
                        path,
                        "too many levels of symbolic links",
                    ));
                }
                place.pop();
                if target.first() == Some(&b'/') {
                    place.clear();
                }
                for part in target.split(|b| *b == b'/').rev() {
                    rest.push_front(part.to_vec());
                }
            }
        }
        Ok(place)
    }

    fn make_directories(&mut self, path: &[u8]) -> Result<Place, Failure> {
        let mut place = Place::new();
        let parts: Vec<&[u8]> = path.split(|b| *b == b'/').collect();
        for (at, part) in parts.iter().enumerate() {
            match *part {
                b"" | b"." => continue,
                b".." => {
                    place.pop();
                    continue;
                }
                name => place.push(name.to_vec()),
            }
            match self.objects.get(&place).map(|there| &there.body) {
                Some(Body::Directory) => {}
                Some(_) => {
                    let so_far = parts.get(..=at).unwrap_or_default().join(&b'/');
                    place = self.resolve(&so_far, true)?;
                    if self
                        .objects
                        .get(&place)
                        .is_none_or(|there| there.body != Body::Directory)
                    {
                        return Err(failure(FailureCode::Other, &so_far, "not a directory"));
                    }
                }
                None => {
                    self.objects
                        .insert(place.clone(), Object::new(Body::Directory, 0o755));
                }
            }
        }
        Ok(place)
    }

    fn remove_tree(&mut self, place: &Place) {
        self.objects.retain(|known, _| !known.starts_with(place));
    }

    /// Where a path leads when its last name need not exist.
    fn slot(&self, path: &[u8]) -> Result<Place, Failure> {
        let (parent, name) = split(path)?;
        let mut place = self.resolve(parent, true)?;
        if self
            .objects
            .get(&place)
            .is_none_or(|there| there.body != Body::Directory)
        {
            return Err(failure(FailureCode::Other, path, "not a directory"));
        }
        place.push(name.to_vec());
        Ok(place)
    }

    fn file(&self, path: &[u8]) -> Result<&[u8], Failure> {
        let place = self.resolve(path, true)?;
        match self.objects.get(&place).map(|object| &object.body) {
            Some(Body::File(bytes)) => Ok(bytes),
            Some(Body::Directory) => Err(failure(FailureCode::Other, path, "is a directory")),
            _ => Err(failure(
                FailureCode::Unsupported,
                path,
                "not a regular file",
            )),
        }
    }

    fn write(&mut self, change: &Change) -> Result<(), Failure> {
        let path = paths::decode(&change.path);
        if change.parents {
            self.make_directories(split(&path)?.0)?;
        }
        let place = self.slot(&path)?;
        let old = self.objects.get(&place);
        let holds = match (&change.precondition, old.map(|old| &old.body)) {
            (Precondition::Any, _) | (Precondition::Absent, None) => true,
            (Precondition::Unchanged(digest), Some(Body::File(bytes))) => {
                sha256(bytes).as_str() == digest
            }
            _ => false,
        };
        if !holds {
            return Err(failure(
                FailureCode::Conflict,
                &path,
                "the file was changed",
            ));
        }
        if old.is_some_and(|old| old.body == Body::Directory) {
            return Err(failure(FailureCode::Other, &path, "is a directory"));
        }
        let mode = old.map_or(change.mode, |old| old.mode);
        let body = Body::File(change.text.as_bytes().to_vec());
        self.objects.insert(place, Object::new(body, mode));
        Ok(())
    }

    fn remove(&mut self, path: &[u8]) -> Result<(), Failure> {
        let place = self.resolve(path, false)?;
        if self.children(&place).next().is_some() {
            return Err(failure(FailureCode::Other, path, "directory not empty"));
        }
        self.objects.remove(&place);
        Ok(())
    }

    /// What is directly in a directory, sorted by name.
    fn children(&self, place: &Place) -> impl Iterator<Item = (&Place, &Object)> {
        let depth = place.len() + 1;
        self.objects
            .range(place.clone()..)
            .take_while({
                let place = place.clone();
                move |(known, _)| known.starts_with(&place)
            })
            .filter(move |(known, _)| known.len() == depth)
    }
}

impl Filesystem for MemoryFs {
    fn stat(&self, wanted: &[String], follow: bool, want: FsFacts) -> Vec<Result<Entry, Failure>> {
        let mut state = self.state();
        state.calls.stat += 1;
        let look = |path: &String| {
            let place = state.resolve(&paths::decode(path), follow)?;
            let missing = || {
                failure(
                    FailureCode::NotFound,
                    path.as_bytes(),
                    "no such file or directory",
                )
            };
            Ok(entry(
                path.clone(),
                state.objects.get(&place).ok_or_else(missing)?,
                want,
            ))
        };
        wanted.iter().map(look).collect()
    }

    fn list_names(&self, directory: &str) -> Result<Vec<String>, Failure> {
        let state = self.state();
        let path = paths::decode(directory);
        let place = state.resolve(&path, true)?;
        if state
            .objects
            .get(&place)
            .is_none_or(|there| there.body != Body::Directory)
        {
            return Err(failure(FailureCode::Other, &path, "not a directory"));
        }
        let name = |(place, _): (&Place, _)| place.last().map(|name| paths::encode(name));
        Ok(state.children(&place).filter_map(name).collect())
    }

    fn read(&self, wanted: &[String], limit: u64) -> Vec<Result<Content, Failure>> {
        let mut state = self.state();
        state.calls.read += 1;
        let read = |path: &String| {
            let path = paths::decode(path);
            let bytes = state.file(&path)?;
            if bytes.len() as u64 > limit {
                return Err(failure(
                    FailureCode::TooLarge,
                    &path,
                    "larger than the limit",
                ));
            }
            Ok(Content {
                text: paths::lossy(bytes),
                lossy: std::str::from_utf8(bytes).is_err(),
                digest: sha256(bytes).to_string(),
            })
        };
        wanted.iter().map(read).collect()
    }

    fn walk(&self, root: &str, want: FsFacts, limit: u64) -> Result<Vec<Entry>, Failure> {
        let mut state = self.state();
        state.calls.walk += 1;
        let path = paths::decode(root);
        let start = state.resolve(&path, false)?;
        if state
            .objects
            .get(&start)
            .is_none_or(|there| there.body != Body::Directory)
        {
            return Err(failure(FailureCode::Other, &path, "not a directory"));
        }
        let mut entries = Vec::new();
        let below = state.objects.range(start.clone()..);
        for (place, object) in below.take_while(|(known, _)| known.starts_with(&start)) {
            if entries.len() as u64 >= limit {
                return Err(failure(
                    FailureCode::TooLarge,
                    &path,
                    "more entries than the limit",
                ));
            }
            let names = place.get(start.len()..).unwrap_or_default().join(&b'/');
            let name = if names.is_empty() {
                ".".to_owned()
            } else {
                paths::encode(&names)
            };
            entries.push(entry(name, object, want));
        }
        Ok(entries)
    }

    fn hash(&self, files: &[Hashing]) -> Vec<Result<String, Failure>> {
        let mut state = self.state();
        state.calls.hashed += files.len() as u64;
        let hash = |file: &Hashing| {
            let bytes = state.file(&paths::decode(&file.path))?;
            let prefix = paths::decode(&file.prefix);
            Ok(sha256(&[&prefix, bytes, file.suffix.as_bytes()].concat()).to_string())
        };
        files.iter().map(hash).collect()
    }

    fn write(&self, changes: &[Change]) -> Vec<Result<(), Failure>> {
        let mut state = self.state();
        state.calls.changed += 1;
        let mut answers = Vec::new();
        for change in changes {
            answers.push(state.write(change));
            if answers.last().is_some_and(Result::is_err) {
                break;
            }
        }
        answers
    }

    fn rename(&self, old: &str, new: &str) -> Result<(), Failure> {
        let mut state = self.state();
        state.calls.changed += 1;
        let (old, new) = (paths::decode(old), paths::decode(new));
        let from = state.resolve(&old, false)?;
        let to = state.slot(&new)?;
        if state.objects.contains_key(&to) {
            return Err(failure(FailureCode::Conflict, &new, "file exists"));
        }
        if let Some(object) = state.objects.remove(&from) {
            state.objects.insert(to, object);
        }
        Ok(())
    }

    fn remove(&self, wanted: &[String]) -> Vec<Result<(), Failure>> {
        let mut state = self.state();
        state.calls.changed += 1;
        wanted
            .iter()
            .map(|path| state.remove(&paths::decode(path)))
            .collect()
    }
}

fn entry(path: String, object: &Object, want: FsFacts) -> Entry {
    let attribute = |(name, value): &(Vec<u8>, Vec<u8>)| Attribute {
        name: paths::encode(name),
        value: base64::encode(value),
    };
    let size = match &object.body {
        Body::File(bytes) | Body::Link(bytes) => bytes.len() as u64,
        Body::Directory | Body::Special(_) => 0,
    };
    Entry {
        path,
        kind: object.kind(),
        mode: if object.kind() == Kind::Link {
            0o777
        } else {
            object.mode
        },
        uid: object.uid,
        gid: object.gid,
        size,
        target: match &object.body {
            Body::Link(target) if want.target => Some(paths::encode(target)),
            _ => None,
        },
        attributes: match object.body {
            Body::File(_) | Body::Directory if want.attributes => {
                object.attributes.iter().map(attribute).collect()
            }
            _ => Vec::new(),
        },
        content: match &object.body {
            Body::File(bytes) if want.content => Some(sha256(bytes).to_string()),
            _ => None,
        },
        identity: object.identity.clone().filter(|_| want.identity),
    }
}

/// Directory and last name of a path.
fn split(path: &[u8]) -> Result<(&[u8], &[u8]), Failure> {
    let end = path.iter().rposition(|b| *b != b'/').map_or(0, |at| at + 1);
    let path = path.get(..end).unwrap_or_default();
    let at = path.iter().rposition(|b| *b == b'/').map_or(0, |at| at + 1);
    let (parent, name) = path.split_at_checked(at).unwrap_or_default();
    if name.is_empty() {
        return Err(failure(FailureCode::Invalid, path, "no name"));
    }
    Ok((if parent.is_empty() { b"/" } else { parent }, name))
}

fn failure(code: FailureCode, path: &[u8], what: &str) -> Failure {
    Failure::new(code, format!("{}: {what}", String::from_utf8_lossy(path)))
}

#[cfg(test)]
mod tests;

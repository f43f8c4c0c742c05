//! OCI image layout directories as repositories.
//!
//! The conventions are those of the image store of `layerwise-stores`: writers
//! hold the lock on `.layerwise.lock`, write blobs first, and replace
//! `index.json` by rename after comparing it once more, because other tools do
//! not know the lock. Entries and members of other tools are kept. Nothing in a
//! layout is reached through a link: who made it could have it point anywhere.

mod blobs;
mod prune;
mod schema;

use std::ffi::OsString;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use layerwise::host::{Failure, FailureCode};
use layerwise::oci::{Descriptor, Digest};
use layerwise_files::Tree;
use layerwise_stores::layout::{self, Index, Lock};
use layerwise_stores::place::{LATEST, Target};

use crate::content::Content;
use crate::failures;

use blobs::Blobs;
pub use prune::Entry;
use schema::Links;

/// How often a change is made anew when another program keeps writing.
const ATTEMPTS: u32 = 10;
/// No `index.json` is larger.
const LONGEST_INDEX: u64 = 64 << 20;
/// How many indexes inside indexes are looked into before a blob is deleted.
const MOST_INDEXES: usize = 10_000;

/// A layout directory, whether there is one yet or not.
#[derive(Debug)]
pub struct Directory {
    /// Where it is, for messages.
    root: PathBuf,
    /// The directory that it must be in, and the names from there; `None` if
    /// the user may name any.
    below: Option<(PathBuf, Vec<OsString>)>,
    wait: Duration,
}

impl Directory {
    /// A layout at a path that the user chose.
    pub fn new(root: &Path, wait: Duration) -> Self {
        Self {
            root: root.to_owned(),
            below: None,
            wait,
        }
    }

    /// A layout below a directory, which no link leads out of.
    pub fn below(directory: PathBuf, names: Vec<OsString>, wait: Duration) -> Self {
        let root = directory.clone();
        Self {
            root: names.iter().fold(root, |path, name| path.join(name)),
            below: Some((directory, names)),
            wait,
        }
    }

    /// The entries with a name; with a digest, one of them.
    pub fn resolve(&self, target: &Target) -> Result<Vec<Descriptor>, Failure> {
        let (_, index) = self.index(&self.tree()?)?;
        let entries: Vec<layout::Descriptor> = index.entries().collect::<Result<_, _>>()?;
        let named = |name: &str| -> Vec<&layout::Descriptor> {
            let named = entries
                .iter()
                .filter(|entry| entry.annotation(layout::REF_NAME) == Some(name));
            named.collect()
        };
        let found: Vec<&layout::Descriptor> = match target {
            Target::Digest(digest) => {
                let same = entries
                    .iter()
                    .filter(|entry| entry.digest == digest.as_str());
                same.take(1).collect()
            }
            Target::Tag(name) => named(name),
            Target::Default => match (named(LATEST), entries.as_slice()) {
                (found, _) if !found.is_empty() => found,
                (_, [only]) => vec![only],
                (_, []) => Vec::new(),
                (_, several) => {
                    let message = format!("{:?} has {}", self.root, names(several));
                    return Err(failures::new(FailureCode::Invalid, message));
                }
            },
        };
        if found.is_empty() {
            let message = match (target, target.tag()) {
                (Target::Digest(digest), _) => {
                    format!("no {digest} in the index of {:?}", self.root)
                }
                (_, name) => format!("no {:?} in {:?}", name.unwrap_or_default(), self.root),
            };
            return Err(failures::new(FailureCode::NotFound, message));
        }
        found.into_iter().map(descriptor).collect()
    }

    /// A blob or manifest as bytes that can be read.
    pub fn content(&self, digest: &Digest, size: u64) -> Content<'_> {
        let blob = digest.clone();
        Content::new(digest.clone(), size, move || {
            Ok(Box::new(self.blobs()?.open(&blob, size)?))
        })
    }

    /// Whether a blob is there; its bytes are not read.
    pub fn has(&self, digest: &Digest) -> Result<bool, Failure> {
        Ok(self.blobs()?.size(digest).is_ok())
    }

    /// Whether a blob is there with the right bytes.
    pub fn holds(&self, digest: &Digest, size: u64) -> bool {
        let blobs = self.blobs();
        blobs.is_ok_and(|blobs| blobs.holds(digest, size))
    }

    /// Stores a blob unless it is there with the right bytes; returns whether it
    /// was not. Makes the layout where there is none.
    pub fn store(&self, content: &Content<'_>) -> Result<bool, Failure> {
        layout::create(&self.make()?)?;
        let blobs = self.blobs()?;
        if blobs.holds(&content.digest, content.size) {
            return Ok(false);
        }
        blobs.store(content)?;
        Ok(true)
    }

    /// Gives a stored manifest a name, taking it from other entries.
    pub fn tag(&self, name: &str, digest: &Digest, limit: u64) -> Result<(), Failure> {
        if !layout::is_name(name) {
            let message = format!("{name:?} is not a name an image layout can hold");
            return Err(failures::new(FailureCode::Invalid, message));
        }
        let bytes = self.manifest(digest, limit)?;
        let entry = layout::Descriptor {
            media_type: schema::media_type(digest, &bytes)?,
            digest: digest.to_string(),
            size: u64::try_from(bytes.len()).unwrap_or(u64::MAX),
            ..layout::Descriptor::default()
        };
        self.update(|index| {
            let names: Vec<Option<String>> = index.names().collect();
            let own: Vec<usize> = index.positions(digest.as_str()).collect();
            let has = |position: usize| {
                names
                    .get(position)
                    .is_some_and(|known| known.as_deref() == Some(name))
            };
            for position in 0..names.len() {
                if has(position) && !own.contains(&position) {
                    index.annotate(position, layout::REF_NAME, None);
                }
            }
            if own.iter().any(|position| has(*position)) {
                return Ok(());
            }
            let nameless = |position: &usize| names.get(*position).is_some_and(Option::is_none);
            let position = match own.iter().copied().find(nameless) {
                Some(position) => position,
                None => {
                    index.push(&entry)?;
                    index.len().saturating_sub(1)
                }
            };
            index.annotate(position, layout::REF_NAME, Some(name));
            Ok(())
        })
    }

    /// Takes every entry of a manifest out of the index, and its blob away when
    /// nothing else refers to it.
    pub fn delete(&self, digest: &Digest) -> Result<(), Failure> {
        let blobs = self.blobs()?;
        let (_, index) = self.index(&blobs.root)?;
        if index.positions(digest.as_str()).next().is_none() && blobs.size(digest).is_err() {
            let message = format!("no manifest {digest} in {:?}", self.root);
            return Err(failures::new(FailureCode::NotFound, message));
        }
        self.update(|index| {
            let mut own: Vec<usize> = index.positions(digest.as_str()).collect();
            while let Some(position) = own.pop() {
                index.remove(position);
            }
            Ok(())
        })?;
        let _lock = Lock::take(&blobs.root, self.wait)?;
        if blobs.size(digest).is_ok() && !self.is_referred_to(digest)? {
            blobs.remove(digest)?;
        }
        Ok(())
    }

    /// A manifest, checked, whatever its size.
    fn manifest(&self, digest: &Digest, limit: u64) -> Result<Vec<u8>, Failure> {
        let size = self.blobs()?.size(digest)?;
        if size > limit {
            let message = format!("{digest} has {size} bytes, more than the limit of {limit}");
            return Err(failures::new(FailureCode::TooLarge, message));
        }
        self.content(digest, size).bytes()
    }

    /// Whether the index, or one inside it, refers to a manifest. Says yes when
    /// that cannot be told.
    fn is_referred_to(&self, digest: &Digest) -> Result<bool, Failure> {
        let (_, index) = self.index(&self.tree()?)?;
        let mut links = Links::default();
        for entry in index.entries() {
            let Ok(entry) = entry else { return Ok(true) };
            links.add(&entry);
        }
        while let Some((inner, size)) = links.next_index() {
            if links.count() > MOST_INDEXES || size > LONGEST_INDEX {
                return Ok(true);
            }
            let mut bytes = Vec::new();
            let read = self.content(&inner, size).open()?.read_to_end(&mut bytes);
            if read.is_err() || !links.read(&bytes) {
                return Ok(true);
            }
        }
        Ok(links.has(digest.as_str()))
    }

    /// Makes a change and writes it, unless it changes nothing; again when
    /// another program wrote the file in between.
    fn update(&self, change: impl Fn(&mut Index) -> Result<(), Failure>) -> Result<(), Failure> {
        let root = self.tree()?;
        let _lock = Lock::take(&root, self.wait)?;
        for _ in 0..ATTEMPTS {
            let (text, before) = self.index(&root)?;
            let mut index = before.clone();
            change(&mut index)?;
            if index == before {
                return Ok(());
            }
            let name = layout::INDEX_NAME;
            let unchanged = || Ok(root.read(name, LONGEST_INDEX)? == text);
            if root.replace(&root, name, layout::TEMPORARY, &index.to_text()?, unchanged)? {
                return Ok(());
            }
        }
        let path = self.root.join(layout::INDEX_NAME);
        let message = format!("another program keeps changing {path:?}");
        Err(failures::new(FailureCode::Conflict, message))
    }

    fn index(&self, root: &Tree) -> Result<(Vec<u8>, Index), Failure> {
        let text = layout::read_index(root)?;
        let index = Index::parse(root, &text)?;
        Ok((text, index))
    }

    /// The directory, when it is a layout.
    fn tree(&self) -> Result<Tree, Failure> {
        let root = match &self.below {
            Some((directory, names)) => Tree::open(directory)?.descend(names)?,
            None => return layout::open(&self.root),
        };
        layout::check_layout(&root)?;
        Ok(root)
    }

    /// The directory, made where there is none.
    fn make(&self) -> Result<Tree, Failure> {
        match &self.below {
            Some((directory, names)) => Tree::open(directory)?.make(names),
            None => Tree::create(&self.root),
        }
    }

    fn blobs(&self) -> Result<Blobs, Failure> {
        Ok(Blobs {
            root: self.tree()?,
            wait: self.wait,
        })
    }
}

/// How many entries there are, and what they can be named by.
fn names(entries: &[layout::Descriptor]) -> String {
    /// How many are listed.
    const MOST: usize = 20;
    let listed = entries.iter().take(MOST).map(|entry| {
        let name = entry.annotation(layout::REF_NAME);
        name.map_or_else(|| format!("@{}", entry.digest), |name| format!(":{name}"))
    });
    let listed: Vec<String> = listed.collect();
    let more = match entries.len().saturating_sub(MOST) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let count = entries.len();
    let listed = listed.join(", ");
    format!("{count} entries, name one of them: {listed}{more}")
}

fn descriptor(entry: &layout::Descriptor) -> Result<Descriptor, Failure> {
    let annotations = entry.annotations.iter().flatten();
    Ok(Descriptor {
        media_type: entry.media_type.clone(),
        digest: entry.checked_digest()?.to_string(),
        size: entry.size,
        annotations: annotations
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect(),
    })
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::fs;

    use super::*;
    use crate::content::unique;

    /// Another program that writes `index.json` while a change is made: nothing
    /// of either is lost, and one that never stops is told of.
    #[test]
    fn changes_in_between_are_built_upon() {
        let root = std::env::temp_dir().join(format!("layerwise-directory-{}", unique()));
        layout::create(&Tree::create(&root).unwrap()).unwrap();
        let directory = Directory::new(&root, Duration::from_secs(5));
        let path = root.join(layout::INDEX_NAME);
        let interfere = |text: &str| {
            let now = fs::read_to_string(&path).unwrap();
            fs::write(&path, now.replacen('{', &format!("{{\"{text}\":1,"), 1)).unwrap();
        };
        let runs = Cell::new(0);
        let entry = layout::Descriptor {
            digest: layerwise::oci::sha256(b"x").to_string(),
            ..layout::Descriptor::default()
        };
        let answer = directory.update(|index| {
            runs.set(runs.get() + 1);
            if runs.get() == 1 {
                interfere("theirs");
            }
            index.push(&entry)
        });
        assert_eq!((answer, runs.get()), (Ok(()), 2));
        let text = fs::read_to_string(&path).unwrap();
        assert!(
            text.contains("theirs") && text.contains(&entry.digest),
            "{text}"
        );
        let answer = directory.update(|index| {
            runs.set(runs.get() + 1);
            interfere(&format!("run {}", runs.get()));
            index.push(&entry)
        });
        assert_eq!(answer.unwrap_err().code, FailureCode::Conflict);
        fs::remove_dir_all(&root).unwrap();
    }
}

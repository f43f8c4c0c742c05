//! The root directory of an image as a container sees it, without a container: what its
//! layers hold, laid on top of each other, and checksums of the contents.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::io::Read;
use std::path::PathBuf;
use std::sync::Arc;

use layerwise::host::{
    Attribute, Entry, Failure, FailureCode, Filesystem as _, FsFacts, Hashing, Kind,
};
use layerwise_files::{Access, Root, decode};
use layerwise_stores::{Images, Stored, Unpacked};

use super::{Change, FileKind, Files, LayerFile, Placed, archive, directory, hash};
use crate::digests::Hasher;
use crate::failures;
use crate::limits::{Limit, Limits};

/// What a directory is that no layer tells of, as engines make it.
const UNTOLD: u32 = 0o755;

/// An image that keeps its files in layers or in a directory.
pub struct ImageRoot {
    image: String,
    limits: Limits,
    kept: Kept,
}

/// In which form its files are.
enum Kept {
    /// In one directory.
    Whole(layerwise_files::Files),
    /// In a directory for each layer.
    Directories(Files, layerwise_files::Files),
    /// In archives, which the store opens.
    Archives(Files, Arc<dyn Images + Send + Sync>),
}

impl ImageRoot {
    /// Reads what files an image of a store has.
    ///
    /// # Errors
    /// What reading its layers fails with; `unsupported` if the store keeps no contents;
    /// `corrupt` for layers that no engine would unpack.
    pub fn read(
        store: &Arc<dyn Images + Send + Sync>,
        image: &str,
        limits: Limits,
    ) -> Result<Self, Failure> {
        let kept = match store.unpacked(image)? {
            Some(Unpacked::Whole(path)) => Kept::Whole(opened(&[path])?),
            Some(Unpacked::Layers(paths)) => {
                let files = opened(&paths)?;
                let mut all = Files::default();
                for (layer, path) in paths.iter().enumerate() {
                    let changes = directory::read(&files, &name(layer), path, limits)?;
                    all.lay(layer, changes, &limits)?;
                }
                Kept::Directories(all, files)
            }
            None => Kept::Archives(unpacked(&**store, image, limits)?, Arc::clone(store)),
        };
        Ok(Self {
            image: image.to_owned(),
            limits,
            kept,
        })
    }

    /// Everything in it, as [`layerwise::host::Filesystem::walk`] tells of a directory;
    /// which names are of one file is not told.
    ///
    /// # Errors
    /// `too-large` for more than `limit`; `corrupt` for a file below something else than
    /// a directory.
    pub fn walk(&self, limit: u64) -> Result<Vec<Entry>, Failure> {
        let files = match &self.kept {
            Kept::Whole(files) => {
                let want = FsFacts {
                    target: true,
                    attributes: true,
                    ..FsFacts::default()
                };
                return files.walk(&name(0), want, limit);
            }
            Kept::Directories(files, _) | Kept::Archives(files, _) => files,
        };
        let mut entries = Vec::new();
        let mut untold = BTreeSet::new();
        for (path, placed) in files.iter().filter(|(path, _)| !path.is_empty()) {
            let mut at = path;
            while let Some((above, _)) = at.rsplit_once('/') {
                at = above;
                match files.get(above) {
                    None => {
                        let new = untold.insert(above);
                        let count = untold.len() as u64;
                        let what = "the number of directories that no layer tells of";
                        self.limits.check(Limit::LayerDirectories, count, what)?;
                        if !new {
                            break;
                        }
                    }
                    Some(above) if above.file.kind == FileKind::Directory => break,
                    Some(_) => {
                        let message = format!(
                            "image {:?} has {path:?} below what is no directory",
                            self.image
                        );
                        return Err(failures::new(FailureCode::Corrupt, message));
                    }
                }
            }
            entries.push(entry(path, &placed.file));
        }
        entries.extend(untold.into_iter().chain(["."]).map(bare));
        if entries.len() as u64 > limit {
            let message = format!("image {:?} has more than {limit} files", self.image);
            return Err(failures::new(FailureCode::TooLarge, message));
        }
        entries.sort_by_cached_key(|entry| order(&entry.path));
        Ok(entries)
    }

    /// SHA-256 of files by their paths in it, as [`layerwise::host::Filesystem::hash`].
    pub fn hash(&self, files: &[Hashing]) -> Vec<Result<String, Failure>> {
        match &self.kept {
            Kept::Whole(opened) => {
                let within = |hashing: &Hashing| at(hashing, 0, &hashing.path);
                opened.hash(&files.iter().map(within).collect::<Vec<_>>())
            }
            Kept::Directories(all, opened) => each(files, |wanted| {
                let found = wanted.iter().map(|hashing| {
                    let placed = self.file(all, &hashing.path)?;
                    Ok(at(hashing, placed.layer, &hashing.path))
                });
                let found = found.collect::<Result<Vec<_>, Failure>>()?;
                Ok(opened.hash(&found))
            }),
            Kept::Archives(all, store) => {
                each(files, |wanted| self.hash_archived(all, &**store, wanted))
            }
        }
    }

    fn file<'a>(&self, all: &'a Files, path: &str) -> Result<&'a Placed, Failure> {
        let file = all.get(path);
        file.filter(|placed| placed.file.kind == FileKind::File)
            .ok_or_else(|| {
                let message = format!("{path:?} is no file of image {:?}", self.image);
                failures::new(FailureCode::NotFound, message)
            })
    }

    /// Reads every archive that has some of the files once.
    fn hash_archived(
        &self,
        all: &Files,
        store: &dyn Images,
        wanted: &[Hashing],
    ) -> Result<Vec<Result<String, Failure>>, Failure> {
        let mut places: BTreeMap<usize, BTreeMap<&str, Vec<usize>>> = BTreeMap::new();
        for (number, hashing) in wanted.iter().enumerate() {
            let placed = self.file(all, &hashing.path)?;
            // A second name has the content of the first.
            let path = placed.file.target.as_deref().unwrap_or(&hashing.path);
            let layer = places.entry(placed.layer).or_default();
            layer.entry(path).or_default().push(number);
        }
        let mut sums: BTreeMap<usize, String> = BTreeMap::new();
        for (layer, stored) in store.layers(&self.image)?.into_iter().enumerate() {
            let Some(paths) = places.get(&layer) else {
                continue;
            };
            let Stored::Archive(blob) = stored.stored? else {
                return Err(self.without_contents());
            };
            let mut content = |path: &str, content: &mut dyn Read| {
                let Some(numbers) = paths.get(path) else {
                    return Ok(None);
                };
                let asked = numbers.iter().filter_map(|number| wanted.get(*number));
                let mut hashers: Vec<Hasher> = asked
                    .map(|hashing| {
                        let mut hasher = Hasher::new();
                        hasher.update(&decode(&hashing.prefix).unwrap_or_default());
                        hasher
                    })
                    .collect();
                hash(content, |bytes| {
                    hashers.iter_mut().for_each(|hasher| hasher.update(bytes));
                })?;
                for (number, mut hasher) in numbers.iter().zip(hashers) {
                    let suffix = wanted.get(*number).map(|hashing| hashing.suffix.as_bytes());
                    hasher.update(suffix.unwrap_or_default());
                    // The last of a name counts.
                    sums.insert(*number, hasher.finish());
                }
                Ok(None)
            };
            archive(blob, self.limits, &mut content, &mut |_, _| Ok(()))?;
        }
        let sum = |(number, hashing): (usize, &Hashing)| {
            sums.remove(&number).ok_or_else(|| {
                let message = format!("{:?} has no content in its layer", hashing.path);
                failures::new(FailureCode::Corrupt, message)
            })
        };
        Ok(wanted.iter().enumerate().map(sum).collect())
    }

    fn without_contents(&self) -> Failure {
        without_contents(&self.image)
    }
}

impl fmt::Debug for ImageRoot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ImageRoot")
            .field("image", &self.image)
            .finish_non_exhaustive()
    }
}

/// The files of layers that are archives.
fn unpacked(store: &dyn Images, image: &str, limits: Limits) -> Result<Files, Failure> {
    let mut all = Files::default();
    for (number, layer) in store.layers(image)?.into_iter().enumerate() {
        let Stored::Archive(blob) = layer.stored? else {
            return Err(without_contents(image));
        };
        let mut changes = Vec::new();
        let mut passed = |_: &str, _: &mut dyn Read| Ok(None);
        archive(blob, limits, &mut passed, &mut |path, change| {
            changes.push((path, change));
            Ok(())
        })?;
        join(&mut changes)?;
        all.lay(number, changes, &limits)?;
    }
    Ok(all)
}

/// Makes every second name of a file one of its own: the same file, whose target is the
/// path under which its content is in the archive.
fn join(changes: &mut [(String, Change)]) -> Result<(), Failure> {
    let mut first: BTreeMap<&str, (&str, &LayerFile)> = BTreeMap::new();
    let mut joined = Vec::new();
    for (number, (path, change)) in changes.iter().enumerate() {
        let Change::File(file) = change else { continue };
        if file.kind != FileKind::HardLink {
            first.insert(path, (path, file));
            continue;
        }
        let target = file.target.as_deref().unwrap_or_default();
        let Some(found) = first.get(target).copied() else {
            let message = format!("{path:?} is a second name of {target:?}, which is not there");
            return Err(failures::new(FailureCode::Corrupt, message));
        };
        first.insert(path, found);
        let mut same = found.1.clone();
        if same.kind == FileKind::File {
            same.target = Some(found.0.to_owned());
        }
        joined.push((number, same));
    }
    for (number, file) in joined {
        if let Some((_, change)) = changes.get_mut(number) {
            *change = Change::File(file);
        }
    }
    Ok(())
}

/// Opens directories under their numbers.
fn opened(paths: &[PathBuf]) -> Result<layerwise_files::Files, Failure> {
    let root = |(number, path)| Root::new(path, Access::ReadOnly).named(name(number));
    layerwise_files::Files::open(paths.iter().enumerate().map(root))
}

fn name(number: usize) -> String {
    format!("/{number}")
}

/// The same file where it lies.
fn at(hashing: &Hashing, layer: usize, path: &str) -> Hashing {
    Hashing {
        path: format!("{}/{path}", name(layer)),
        ..hashing.clone()
    }
}

/// One answer for all if all of it fails.
fn each(
    files: &[Hashing],
    hash: impl FnOnce(&[Hashing]) -> Result<Vec<Result<String, Failure>>, Failure>,
) -> Vec<Result<String, Failure>> {
    hash(files).unwrap_or_else(|failure| files.iter().map(|_| Err(failure.clone())).collect())
}

fn entry(path: &str, file: &LayerFile) -> Entry {
    let kind = match file.kind {
        FileKind::File | FileKind::HardLink => Kind::File,
        FileKind::Directory => Kind::Directory,
        FileKind::Link => Kind::Link,
        FileKind::CharacterDevice => Kind::CharacterDevice,
        FileKind::BlockDevice => Kind::BlockDevice,
        FileKind::Fifo => Kind::Fifo,
    };
    let attributes = file.attributes.iter().map(|(name, value)| Attribute {
        name: name.clone(),
        value: value.clone(),
    });
    Entry {
        path: path.to_owned(),
        kind,
        mode: file.mode,
        uid: file.uid,
        gid: file.gid,
        size: file.size,
        target: file.target.clone().filter(|_| kind == Kind::Link),
        attributes: attributes.collect(),
        identity: None,
        content: None,
    }
}

/// A directory that no layer tells of.
fn bare(path: &str) -> Entry {
    Entry {
        path: path.to_owned(),
        kind: Kind::Directory,
        mode: UNTOLD,
        uid: 0,
        gid: 0,
        size: 0,
        target: None,
        attributes: Vec::new(),
        identity: None,
        content: None,
    }
}

/// A directory before what is in it, names in the order of their bytes.
fn order(path: &str) -> Vec<u8> {
    if path == "." {
        return Vec::new();
    }
    let mut bytes = decode(path).unwrap_or_default();
    bytes
        .iter_mut()
        .filter(|byte| **byte == b'/')
        .for_each(|byte| *byte = 0);
    bytes
}

fn without_contents(image: &str) -> Failure {
    let message = format!("the contents of the files of image {image:?} are not in this store");
    failures::new(FailureCode::Unsupported, message)
}

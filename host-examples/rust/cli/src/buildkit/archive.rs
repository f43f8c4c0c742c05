//! Image layouts inside tar files, as `type=oci` and newer versions of
//! `docker save` write them, as repositories to read from.
//!
//! Nothing is unpacked: one walk finds where each blob is in the file. Only what a
//! layout has is looked at, and only where the name stands in the header itself,
//! so that no header can make another one mean something else.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use layerwise::host::{Failure, FailureCode, Presence, Retrieval, Retrieved};
use layerwise::oci::{Descriptor, Digest};
use layerwise_registry::measure;
use serde::Deserialize;

/// What the repository of a file begins with.
const ARCHIVE: &str = "archive:";
/// Entries that are walked.
const MOST: usize = 1_000_000;
/// No index is larger.
const LONGEST_INDEX: u64 = 64 << 20;
/// The names of an entry of an index, the first that is there counts.
const NAMES: [&str; 2] = [
    "org.opencontainers.image.ref.name",
    "io.containerd.image.name",
];

/// The tar files that were opened, each once.
#[derive(Default)]
pub struct Archives(Mutex<BTreeMap<PathBuf, Arc<Archive>>>);

/// One tar file.
pub struct Archive {
    path: PathBuf,
    /// Where each blob begins and how long it is.
    blobs: BTreeMap<String, (u64, u64)>,
    entries: Vec<Entry>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Index {
    manifests: Vec<Entry>,
}

#[derive(Clone, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Entry {
    media_type: String,
    digest: String,
    size: u64,
    annotations: BTreeMap<String, String>,
}

impl Archives {
    /// The repository of a tar file.
    pub fn repository(file: &Path) -> String {
        format!("{ARCHIVE}{}", file.display())
    }

    /// The tar file of a repository; `None` for another kind of repository.
    pub fn of(&self, repository: &str) -> Option<Result<Arc<Archive>, Failure>> {
        let path = PathBuf::from(repository.strip_prefix(ARCHIVE)?);
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(archive) = known.get(&path) {
            return Some(Ok(Arc::clone(archive)));
        }
        Some(Archive::open(&path).map(|archive| {
            let archive = Arc::new(archive);
            known.insert(path, Arc::clone(&archive));
            archive
        }))
    }
}

/// What a file is compressed with, by its first bytes.
fn compression(file: &mut File) -> io::Result<Option<&'static str>> {
    let mut first = Vec::new();
    file.by_ref().take(6).read_to_end(&mut first)?;
    file.rewind()?;
    let known: [(&[u8], &str); 4] = [
        (&[0x1f, 0x8b], "gzip"),
        (&[0x28, 0xb5, 0x2f, 0xfd], "zstd"),
        (&[0xfd, b'7', b'z', b'X', b'Z'], "xz"),
        (b"BZh", "bzip2"),
    ];
    let mut known = known.iter();
    Ok(known
        .find(|(magic, _)| first.starts_with(magic))
        .map(|(_, name)| *name))
}

impl Archive {
    fn open(path: &Path) -> Result<Self, Failure> {
        let failed = |error: io::Error| {
            let code = match error.kind() {
                io::ErrorKind::NotFound => FailureCode::NotFound,
                io::ErrorKind::InvalidData => FailureCode::Corrupt,
                _ => FailureCode::Other,
            };
            Failure::new(code, format!("cannot read {path:?}: {error}"))
        };
        let mut file = File::open(path).map_err(failed)?;
        if !file.metadata().is_ok_and(|facts| facts.is_file()) {
            let message = format!("{path:?} is not a regular file");
            return Err(Failure::new(FailureCode::Invalid, message));
        }
        if let Some(packed) = compression(&mut file).map_err(failed)? {
            let message = format!(
                "{path:?} is compressed with {packed}, and places in it cannot be looked up: \
                 uncompress it first"
            );
            return Err(Failure::new(FailureCode::Invalid, message));
        }
        let places = walk(&mut file).map_err(|error| match error.kind() {
            // Its words would be bytes of the file.
            io::ErrorKind::NotFound | io::ErrorKind::PermissionDenied => failed(error),
            _ => Failure::new(
                FailureCode::Corrupt,
                format!("{path:?} is no tar file, or a damaged one"),
            ),
        });
        let Places { blobs, index } = places?;
        let Some((at, size)) = index.filter(|(_, size)| *size <= LONGEST_INDEX) else {
            let message = format!(
                "{path:?} has no index.json: an image layout in a tar file has one, as \
                 `--output type=oci` and `docker save` of Docker 25 or newer write it"
            );
            return Err(Failure::new(FailureCode::Invalid, message));
        };
        let mut text = Vec::new();
        section(file, at, size)
            .and_then(|mut index| index.read_to_end(&mut text))
            .map_err(failed)?;
        let index: Index = serde_json::from_slice(&text).map_err(|error| {
            let message = format!("cannot read index.json in {path:?}: {error}");
            Failure::new(FailureCode::Corrupt, message)
        })?;
        Ok(Self {
            path: path.to_owned(),
            blobs,
            entries: index.manifests,
        })
    }

    /// The manifest of a name or digest, or the only one.
    pub fn resolve(&self, name: Option<&str>) -> Result<Descriptor, Failure> {
        let is = |entry: &&Entry, name: &str| {
            let names = NAMES.iter().filter_map(|key| entry.annotations.get(*key));
            entry.digest == name || names.into_iter().any(|known| known == name)
        };
        let all = self.entries.iter();
        let mut found: Vec<&Entry> = match name {
            Some(name) => all.filter(|entry| is(entry, name)).collect(),
            None => all.collect(),
        };
        match (found.pop(), found.len()) {
            (Some(entry), 0) => Ok(Descriptor {
                media_type: entry.media_type.clone(),
                digest: entry.digest.clone(),
                size: entry.size,
                annotations: Vec::new(),
            }),
            (None, _) => {
                let what = name.map_or("nothing".to_owned(), |name| format!("no {name:?}"));
                let message = format!("{:?} has {what} in its index", self.path);
                Err(Failure::new(FailureCode::NotFound, message))
            }
            (Some(_), others) => {
                let names: Vec<&str> = self.entries.iter().map(Entry::name).collect();
                let message = format!(
                    "{:?} has {} entries; name one of them, as archive:FILE:NAME: {}",
                    self.path,
                    others + 1,
                    names.join(", ")
                );
                Err(Failure::new(FailureCode::Invalid, message))
            }
        }
    }

    /// A document, checked.
    pub fn document(&self, wanted: &Descriptor, limit: u64) -> Result<String, Failure> {
        let digest = self.digest(wanted)?;
        let (_, size) = self.place(wanted)?;
        if size > limit {
            let message = format!("{digest} has {size} bytes, more than the limit of {limit}");
            return Err(Failure::new(FailureCode::TooLarge, message));
        }
        let mut bytes = Vec::new();
        let read = self.blob(wanted)?.read_to_end(&mut bytes);
        read.map_err(|error| self.failed(&error))?;
        if digest.verifies(&bytes) == Some(false) {
            let message = format!("the bytes of {digest} have another digest");
            return Err(Failure::new(FailureCode::Corrupt, message));
        }
        String::from_utf8(bytes).map_err(|error| {
            let at = error.utf8_error().valid_up_to();
            let message = format!("{digest} is not utf-8 at byte {at}");
            Failure::new(FailureCode::Unsupported, message)
        })
    }

    /// Whether a blob is there.
    pub fn has(&self, digest: &str) -> Presence {
        if self.blobs.contains_key(digest) {
            Presence::Present
        } else {
            Presence::Absent
        }
    }

    /// The bytes of a blob.
    pub fn blob(&self, wanted: &Descriptor) -> Result<Box<dyn Read + Send>, Failure> {
        let (at, size) = self.place(wanted)?;
        let file = File::open(&self.path).and_then(|file| section(file, at, size));
        Ok(Box::new(file.map_err(|error| self.failed(&error))?))
    }

    /// Reads a layer and hashes it.
    pub fn hash(
        &self,
        layer: &Retrieval,
        heard: impl Fn(&str, u64, u64) + Send + Sync + 'static,
    ) -> Result<Retrieved, Failure> {
        if layer.into.is_some() {
            let message = "layers of a tar file are not unpacked";
            return Err(Failure::new(FailureCode::Unsupported, message));
        }
        let wanted = &layer.descriptor;
        self.digest(wanted)?;
        let found = measure(self.blob(wanted)?, &wanted.digest, wanted.size, heard)?;
        if found.digest != wanted.digest {
            let message = format!("the bytes of {} have another digest", wanted.digest);
            return Err(Failure::new(FailureCode::Corrupt, message));
        }
        Ok(Retrieved {
            diff_id: found.diff_id,
            size: found.plain_size,
        })
    }

    fn digest(&self, wanted: &Descriptor) -> Result<Digest, Failure> {
        let digest: Digest = wanted.digest.parse().map_err(|error| {
            let message = format!("{:?} is not a digest: {error}", wanted.digest);
            Failure::new(FailureCode::Invalid, message)
        })?;
        if digest.algorithm() != "sha256" {
            let message = format!("only sha256 is checked in a tar file, and not {digest}");
            return Err(Failure::new(FailureCode::Denied, message));
        }
        Ok(digest)
    }

    fn place(&self, wanted: &Descriptor) -> Result<(u64, u64), Failure> {
        let Some((at, size)) = self.blobs.get(&wanted.digest).copied() else {
            let message = format!("no {} in {:?}", wanted.digest, self.path);
            return Err(Failure::new(FailureCode::NotFound, message));
        };
        if size != wanted.size {
            let message = format!(
                "{} has {size} bytes, and its descriptor says {}",
                wanted.digest, wanted.size
            );
            return Err(Failure::new(FailureCode::Truncated, message));
        }
        Ok((at, size))
    }

    fn failed(&self, error: &io::Error) -> Failure {
        let message = format!("cannot read {:?}: {error}", self.path);
        Failure::new(FailureCode::Other, message)
    }
}

impl Entry {
    fn name(&self) -> &str {
        let names = NAMES.iter().find_map(|key| self.annotations.get(*key));
        names.unwrap_or(&self.digest)
    }
}

/// Where things are in a tar file: where each begins, and how long it is.
#[derive(Debug, Default)]
pub struct Places {
    /// Blobs by their digests.
    pub blobs: BTreeMap<String, (u64, u64)>,
    pub index: Option<(u64, u64)>,
}

/// Finds the blobs and the index of a layout.
pub fn walk(file: impl Read + Seek) -> io::Result<Places> {
    let mut places = Places::default();
    let mut archive = tar::Archive::new(file);
    let entries = archive.entries_with_seek()?.raw(true);
    for (count, entry) in entries.enumerate() {
        let entry = entry.map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
        if count > MOST {
            let message = format!("it has more than {MOST} entries");
            return Err(io::Error::new(io::ErrorKind::InvalidData, message));
        }
        if !entry.header().entry_type().is_file() {
            continue;
        }
        let place = (entry.raw_file_position(), entry.size());
        let name = entry.path_bytes().into_owned();
        let Ok(name) = std::str::from_utf8(&name) else {
            continue;
        };
        let name = name.strip_prefix("./").unwrap_or(name);
        if name == "index.json" {
            places.index = Some(place);
        } else if let Some(digest) = name.strip_prefix("blobs/") {
            places.blobs.insert(digest.replacen('/', ":", 1), place);
        }
    }
    Ok(places)
}

fn section(mut file: File, at: u64, size: u64) -> io::Result<io::Take<File>> {
    file.seek(SeekFrom::Start(at))?;
    Ok(file.take(size))
}

//! The files of a layer, with the digests that a builder would have for them.

use std::collections::BTreeMap;
use std::io::{Cursor, Read as _};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::{fs, process};

use flate2::read::MultiGzDecoder;
use layerwise::builds::{Entry, EntryKind, Stat};
use layerwise::host::{Registry, Source, Transfer};
use layerwise::oci::{Descriptor, Digest};

use super::paths::Paths;
use crate::buildkit::archive::Archives;

/// The largest layer that is read, packed, and unpacked.
const MOST: u64 = 256 << 20;
const MOST_UNPACKED: u64 = 1 << 30;
/// Entries of a layer.
const MOST_ENTRIES: usize = 100_000;

/// A file of a layer.
pub struct File {
    /// As it is.
    pub own: Entry,
    /// Its bytes, to give it another mode; `None` for what is no file.
    pub bytes: Option<Vec<u8>>,
}

/// The files of a layer by their paths; `None` for one that cannot be read.
pub fn read(
    (registry, archives): (&(dyn Registry + Send + Sync), &Archives),
    repository: &str,
    layer: &Descriptor,
) -> Option<BTreeMap<String, File>> {
    if layer.size > MOST {
        return None;
    }
    let packed = match archives.of(repository) {
        Some(archive) => {
            let mut bytes = Vec::new();
            let blob = archive.ok()?.blob(layer).ok()?;
            blob.take(layer.size).read_to_end(&mut bytes).ok()?;
            bytes
        }
        None => fetched(registry, repository, layer)?,
    };
    let mut tar = Vec::new();
    if packed.starts_with(&[0x1f, 0x8b]) {
        let plain = MultiGzDecoder::new(packed.as_slice());
        plain.take(MOST_UNPACKED + 1).read_to_end(&mut tar).ok()?;
    } else {
        tar = packed;
    }
    if tar.len() as u64 > MOST_UNPACKED {
        return None;
    }
    let mut files = BTreeMap::new();
    for entry in tar::Archive::new(Cursor::new(tar)).entries().ok()? {
        let mut entry = entry.ok()?;
        let path = String::from_utf8(entry.path_bytes().into_owned()).ok()?;
        let path = path.trim_start_matches("./").trim_matches('/').to_owned();
        let odd = |part: &str| matches!(part, "" | "." | "..") || part.starts_with(".wh.");
        if path.is_empty() {
            continue;
        }
        if path.split('/').any(odd) || files.len() >= MOST_ENTRIES {
            return None;
        }
        let stat = Stat {
            mode: entry.header().mode().ok()? & 0o7777,
            ..Stat::default()
        };
        let kind = entry.header().entry_type();
        let file = if kind.is_dir() {
            let own = Entry::folder(&stat);
            File { own, bytes: None }
        } else if kind.is_symlink() {
            let target = entry.link_name_bytes()?.into_owned();
            let own = Entry::symlink(&stat, &String::from_utf8(target).ok()?);
            File { own, bytes: None }
        } else if kind.is_file() {
            let mut bytes = Vec::new();
            entry.read_to_end(&mut bytes).ok()?;
            File {
                own: Entry::file(&stat, &bytes),
                bytes: Some(bytes),
            }
        } else {
            // Whose bytes a hard link has stands elsewhere.
            return None;
        };
        files.insert(path, file);
    }
    Some(files)
}

/// The bytes of a layer, which have its digest.
fn fetched(registry: &dyn Registry, repository: &str, layer: &Descriptor) -> Option<Vec<u8>> {
    let scratch = Scratch::new()?;
    let transfer = Transfer {
        descriptor: layer.clone(),
        diff_id: None,
        source: Source::Repository(repository.to_owned()),
    };
    let layout = format!("oci:{}", scratch.0.display());
    registry.store(&layout, &[transfer]).pop()?.ok()?;
    let digest: Digest = layer.digest.parse().ok()?;
    let blob = scratch.0.join("blobs").join(digest.algorithm());
    fs::read(blob.join(digest.hex())).ok()
}

/// A directory for a layer that is looked at.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> Option<Self> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("layerwise-layer-{}-{count}", process::id());
        let path = std::env::temp_dir().join(name);
        fs::create_dir(&path).ok()?;
        Some(Self(path))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // A directory that stays holds nothing that is used again.
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Entries as a daemon keeps their digests (Builds spec, section 1.4).
pub fn digests(entries: &Paths) -> Vec<u8> {
    let mut message = Vec::new();
    for (path, entry) in entries {
        let (kind, target) = match &entry.kind {
            EntryKind::File => (0, ""),
            EntryKind::Folder => (2, ""),
            EntryKind::Symlink(target) => (3, target.as_str()),
        };
        let mut path = format!("/{path}").replace('/', "\0");
        if kind == 2 {
            path.push('\0');
        }
        let mut known = field(1, entry.digest.as_bytes());
        known.extend([2 << 3, kind]);
        known.extend(field(3, target.as_bytes()));
        let both = [field(1, path.as_bytes()), field(2, &known)].concat();
        message.extend(field(1, &both));
    }
    message
}

/// A field of bytes of a protobuf message.
fn field(number: u8, value: &[u8]) -> Vec<u8> {
    let mut field = vec![number << 3 | 2];
    let mut length = value.len();
    while length > 0x7f {
        field.push(u8::try_from(length & 0x7f).unwrap_or_default() | 0x80);
        length >>= 7;
    }
    field.push(u8::try_from(length).unwrap_or_default());
    field.extend_from_slice(value);
    field
}

//! The files of a layer, with the digests that a builder would have for them.

use std::collections::BTreeMap;
use std::fs;
use std::io::{Cursor, Read as _};

use layerwise::builds::copied::File;
use layerwise::builds::{Entry, Stat};
use layerwise::host::{Registry, Source, Transfer};
use layerwise::oci::{Descriptor, Digest};
use layerwise_registry::decompressed;

use crate::buildkit::archive::Archives;

/// The largest layer that is read, packed, and unpacked.
const MOST: u64 = 256 << 20;
const MOST_UNPACKED: u64 = 1 << 30;
/// Entries of a layer.
const MOST_ENTRIES: usize = 100_000;

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
    let plain = decompressed(packed.as_slice(), &layer.media_type).ok()?;
    plain.take(MOST_UNPACKED + 1).read_to_end(&mut tar).ok()?;
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
    let scratch = tempfile::tempdir().ok()?;
    let transfer = Transfer {
        descriptor: layer.clone(),
        diff_id: None,
        source: Source::Repository(repository.to_owned()),
    };
    let layout = format!("oci:{}", scratch.path().display());
    registry.store(&layout, &[transfer]).pop()?.ok()?;
    let digest: Digest = layer.digest.parse().ok()?;
    let blob = scratch.path().join("blobs").join(digest.algorithm());
    fs::read(blob.join(digest.hex())).ok()
}

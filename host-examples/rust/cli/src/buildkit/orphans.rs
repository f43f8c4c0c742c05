//! Blobs of a layout directory that nothing refers to any more. Builders that
//! export with `type=local` into the same directory again leave them there.

use std::collections::BTreeSet;
use std::path::Path;

use layerwise::host::{Filesystem as _, FsFacts, Kind, Registry};
use layerwise::oci::Descriptor;
use layerwise_files::{Access, Files, Root};
use serde::{Deserialize, Serialize};

/// Blobs that no entry of the index leads to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Orphans {
    /// How many.
    pub blobs: u64,
    /// How large all of them are.
    pub bytes: u64,
}

/// Entries of a directory that are walked.
const MOST: u64 = 10_000_000;
/// No index or manifest is larger.
const LONGEST: u64 = 64 << 20;

#[derive(Default, Deserialize)]
#[serde(default)]
struct Document {
    config: Option<Entry>,
    subject: Option<Entry>,
    layers: Option<Vec<Entry>>,
    manifests: Option<Vec<Entry>>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Entry {
    media_type: String,
    digest: String,
    size: u64,
}

/// Counts the orphans of a layout directory; `None` if it cannot be told, since a
/// manifest that its index leads to cannot be read.
pub fn count(registry: &dyn Registry, repository: &str) -> Option<Orphans> {
    let directory = repository.strip_prefix("oci:")?;
    let root = Root::new(Path::new(directory), Access::ReadOnly).named(".");
    let files = Files::open([root]).ok()?;
    let wanted = ["index.json".to_owned()];
    let index = files.read(&wanted, LONGEST).pop()?.ok()?;
    let mut open: Vec<Document> = vec![serde_json::from_str(&index.text).ok()?];
    let mut known = BTreeSet::new();
    while let Some(document) = open.pop() {
        let lists = [document.layers, document.manifests];
        let lists = lists.into_iter().flatten().flatten();
        let all = lists.chain(document.config).chain(document.subject);
        for entry in all {
            if !known.insert(entry.digest.clone()) || !is_manifest(&entry.media_type) {
                continue;
            }
            let wanted = Descriptor {
                media_type: entry.media_type,
                digest: entry.digest,
                size: entry.size,
                annotations: Vec::new(),
            };
            let text = registry.read(repository, &[wanted], LONGEST).pop()?.ok()?;
            open.push(serde_json::from_str(&text).ok()?);
        }
    }
    let mut orphans = Orphans::default();
    for entry in files.walk("blobs", FsFacts::default(), MOST).ok()? {
        if entry.kind == Kind::File && !known.contains(&entry.path.replacen('/', ":", 1)) {
            orphans.blobs += 1;
            orphans.bytes = orphans.bytes.saturating_add(entry.size);
        }
    }
    Some(orphans)
}

fn is_manifest(media_type: &str) -> bool {
    [
        "application/vnd.oci.image.index.v1+json",
        "application/vnd.oci.image.manifest.v1+json",
        "application/vnd.docker.distribution.manifest.list.v2+json",
        "application/vnd.docker.distribution.manifest.v2+json",
    ]
    .contains(&media_type)
}

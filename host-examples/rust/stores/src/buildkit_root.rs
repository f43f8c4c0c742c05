//! What a BuildKit daemon keeps of its builds, read-only and beside the daemon.
//!
//! Facts this relies on (BuildKit 0.12 to 0.34, Docker Engine 29):
//!
//! * `history.db` is a bolt database; its bucket `_records` has a message for each
//!   build, under the name of the build. Docker's engine has it in `buildkit/` of its
//!   data root, and calls it `history_c8d.db` when containerd keeps its images.
//! * What records lead to is content under its digest: in `content/blobs` of the
//!   directory of a worker (`runc-overlayfs`), of Docker's `buildkit/`, or of containerd.
//! * `cache.db` has what the daemon finds results by: in `_links` and `_result` a bucket
//!   for each key.
//! * `metadata_v2.db` beside that content has a bucket `_main` with a bucket for each
//!   cached snapshot, and in `_external/REF` what else is known of it, such as the
//!   digests of the files of a build context.
//!
//! What the messages mean is the component's affair.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use layerwise::host::{Failure, FailureCode};
use layerwise::oci::Digest;
use layerwise_bolt::Bucket;
use layerwise_files::Tree;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::{database, digests};

const HISTORIES: [&str; 2] = ["history.db", "history_c8d.db"];
const CACHE: &str = "cache.db";
const METADATA: &str = "metadata_v2.db";
const CONTENT: [&str; 2] = ["content", "blobs"];
/// Content of containerd, below its root.
const CONTAINERD: [&str; 2] = ["io.containerd.content.v1.content", "blobs"];
/// Where an engine that started containerd itself keeps its root, below the data root.
const DAEMON: [&str; 2] = ["containerd", "daemon"];
/// Directories that are looked at as those of workers.
const MOST_WORKERS: usize = 100;

/// The builds that a daemon remembers.
#[derive(Debug)]
pub struct BuildkitRoot {
    directory: Tree,
    /// The daemon's directory, then those of its workers.
    workers: Vec<Tree>,
    /// Where content is.
    content: Vec<Tree>,
}

/// The record of a build.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BuildRecord {
    /// Its name.
    pub name: String,
    /// Its message.
    pub message: Vec<u8>,
}

impl BuildkitRoot {
    /// Opens the root of a daemon such as `/var/lib/buildkit`, or a data root of Docker
    /// such as `/var/lib/docker`.
    ///
    /// # Errors
    /// `not-found` if it holds no history, `denied`, `unsupported` for the storage of
    /// Podman and Buildah.
    pub fn open(path: &Path) -> Result<Self, Failure> {
        let root = Tree::open(path)?;
        let mut content = Vec::new();
        let directory = if has_history(&root)? {
            root
        } else if let Some(buildkit) = below(&root, &["buildkit"])?
            && has_history(&buildkit)?
        {
            let own = [DAEMON.as_slice(), &CONTAINERD].concat();
            content.extend(below(&root, &own)?);
            // Where the packages of Docker start containerd, it has a root beside.
            if let Some(beside) = path.parent()
                && let Ok(beside) = Tree::open(&beside.join("containerd"))
            {
                content.extend(below(&beside, &CONTAINERD)?);
            }
            buildkit
        } else {
            return Err(nothing(&root)?);
        };
        let mut workers = vec![directory.again()?];
        let mut names = directory.names()?;
        names.sort_unstable();
        for name in names.into_iter().take(MOST_WORKERS) {
            if directory.kind(&name)?.is_some_and(|kind| kind.is_dir()) {
                workers.push(directory.enter(&name)?);
            }
        }
        for worker in &workers {
            content.extend(below(worker, &CONTENT)?);
        }
        Ok(Self {
            directory,
            workers,
            content,
        })
    }

    /// The records of all builds, in the order of their names.
    ///
    /// # Errors
    /// If the history cannot be read; `unavailable` if it changes all the time.
    pub fn records(&self) -> Result<Vec<BuildRecord>, Failure> {
        let mut records = Vec::new();
        for name in HISTORIES {
            if self.directory.kind(name)?.is_none() {
                continue;
            }
            database::read(&self.directory, name, |snapshot, _| {
                let found = snapshot.bucket(&[b"_records"]);
                let values = found.iter().flat_map(Bucket::values);
                records.extend(values.map(|(name, message)| BuildRecord {
                    name: lossy(name),
                    message: message.to_vec(),
                }));
                Ok(())
            })?;
        }
        Ok(records)
    }

    /// The content with a digest, of at most `limit` bytes.
    ///
    /// # Errors
    /// `not-found`, `too-large`, `corrupt` if it has another digest.
    pub fn blob(&self, digest: &Digest, limit: u64) -> Result<Vec<u8>, Failure> {
        for content in &self.content {
            let Some(directory) = below(content, &[digest.algorithm()])? else {
                continue;
            };
            if directory.kind(digest.hex())?.is_none() {
                continue;
            }
            let bytes = directory.read(digest.hex(), limit)?;
            if digests::verifies(digest, &bytes) {
                return Ok(bytes);
            }
            let message = format!("the bytes of {digest} have another digest");
            return Err(Failure::new(FailureCode::Corrupt, message));
        }
        let path = self.directory.path();
        let message = format!("no content {digest} belongs to the builds of {path:?}");
        Err(Failure::new(FailureCode::NotFound, message))
    }

    /// What the daemon finds results by, as `evidence.daemons` of `wit/builds.wit` has it;
    /// `None` if it keeps nothing.
    ///
    /// # Errors
    /// As [`Self::records`].
    pub fn keys(&self) -> Result<Option<String>, Failure> {
        if self.directory.kind(CACHE)?.is_none() {
            return Ok(None);
        }
        let mut keys = Keys {
            snapshots: self.snapshots()?,
            ..Keys::default()
        };
        database::read(&self.directory, CACHE, |snapshot, _| {
            for (name, all) in [("_links", &mut keys.links), ("_result", &mut keys.results)] {
                let buckets = snapshot.bucket(&[name.as_bytes()]);
                for (of, bucket) in buckets.iter().flat_map(Bucket::buckets) {
                    let values = bucket.values();
                    all.extend(values.map(|(key, _)| (lossy(of), lossy(key))));
                }
            }
            Ok(())
        })?;
        let text = serde_json::to_string(&keys).map_err(|error| {
            Failure::new(FailureCode::Other, format!("cannot write keys: {error}"))
        })?;
        Ok(Some(text))
    }

    /// The names of the snapshots of all workers; `None` if no database has them.
    fn snapshots(&self) -> Result<Option<BTreeSet<String>>, Failure> {
        let mut found = None;
        for worker in &self.workers {
            if worker.kind(METADATA)?.is_none() {
                continue;
            }
            database::read(worker, METADATA, |snapshot, _| {
                let all = snapshot.bucket(&[b"_main"]);
                let names = all.iter().flat_map(Bucket::buckets);
                let found = found.get_or_insert_with(BTreeSet::new);
                found.extend(names.map(|(name, _)| lossy(name)));
                Ok(())
            })?;
        }
        Ok(found)
    }

    /// What is known of the files of the last context of each name: a message with their
    /// digests, by the name of the local source, such as `context`. Of several projects
    /// that of the last use counts.
    ///
    /// # Errors
    /// As [`Self::records`].
    pub fn contexts(&self) -> Result<BTreeMap<String, Vec<u8>>, Failure> {
        let mut contexts: BTreeMap<String, (u64, Vec<u8>)> = BTreeMap::new();
        for worker in &self.workers {
            if worker.kind(METADATA)?.is_none() {
                continue;
            }
            database::read(worker, METADATA, |snapshot, _| {
                let external = snapshot.bucket(&[b"_external"]);
                for (reference, known) in external.iter().flat_map(Bucket::buckets) {
                    let facts = snapshot.bucket(&[b"_main", reference]);
                    let fact = |name: &[u8]| facts.as_ref().and_then(|facts| facts.get(name));
                    let name = fact(b"cache.description").and_then(local);
                    // A snapshot and the one it is committed as: one of them has the digests.
                    let digests = known.get(b"buildkit.contenthash.v0");
                    let digests = digests.filter(|digests| !digests.is_empty());
                    let (Some(name), Some(digests)) = (name, digests) else {
                        continue;
                    };
                    // The key by which the next build finds it stands with the snapshot
                    // that is written to.
                    let written = fact(b"cache.equalMutable").and_then(value::<String>);
                    let written = written.and_then(|name| {
                        let facts = snapshot.bucket(&[b"_main", name.as_bytes()])?;
                        facts.get(b"local.sharedKey").and_then(value::<String>)
                    });
                    let key = fact(b"local.sharedKey").and_then(value::<String>);
                    if key.or(written).is_some_and(|key| is_of_patterns(&key)) {
                        continue;
                    }
                    let used = fact(b"cache.lastUsedAt").or_else(|| fact(b"cache.createdAt"));
                    let used = used.and_then(value::<u64>).unwrap_or_default();
                    let known = contexts.entry(name).or_default();
                    if used >= known.0 {
                        *known = (used, digests.to_vec());
                    }
                }
                Ok(())
            })?;
        }
        let contexts = contexts.into_iter();
        Ok(contexts
            .map(|(name, (_, digests))| (name, digests))
            .collect())
    }
}

/// Keys as they cross.
#[derive(Default, Serialize)]
struct Keys {
    links: Vec<(String, String)>,
    results: Vec<(String, String)>,
    snapshots: Option<BTreeSet<String>>,
}

/// Whether a source was only looked into for `.dockerignore`, before the files of the
/// context: its key is `NAME:NAME-.dockerignore:CLIENT`.
fn is_of_patterns(key: &str) -> bool {
    key.contains("-.dockerignore:")
}

/// The name of the local source that a description is about.
fn local(description: &[u8]) -> Option<String> {
    let text = value::<String>(description)?;
    let name = text.strip_prefix("local source for ")?;
    Some(name.to_owned())
}

/// The value of a fact.
fn value<T: DeserializeOwned>(fact: &[u8]) -> Option<T> {
    #[derive(Deserialize)]
    struct Member<T> {
        value: T,
    }
    let member: Member<T> = serde_json::from_slice(fact).ok()?;
    Some(member.value)
}

fn has_history(directory: &Tree) -> Result<bool, Failure> {
    for name in HISTORIES {
        if directory.kind(name)?.is_some() {
            return Ok(true);
        }
    }
    Ok(false)
}

/// A directory below another, if all of the way is there.
fn below(directory: &Tree, names: &[&str]) -> Result<Option<Tree>, Failure> {
    let mut found = directory.again()?;
    for name in names {
        match found.kind(name)? {
            Some(kind) if kind.is_dir() => found = found.enter(name)?,
            _ => return Ok(None),
        }
    }
    Ok(Some(found))
}

/// Why there is no history of builds here.
fn nothing(root: &Tree) -> Result<Failure, Failure> {
    let path = root.path();
    if root.kind("overlay-layers")?.is_some() || root.kind("vfs-layers")?.is_some() {
        let message = format!(
            "{path:?} is storage of Podman and Buildah, which keep no record of a build: \
             build with BuildKit to have one"
        );
        return Ok(Failure::new(FailureCode::Unsupported, message));
    }
    let message = format!(
        "{path:?} holds no history of builds: no {:?} is there or in its \"buildkit\"",
        HISTORIES[0]
    );
    Ok(Failure::new(FailureCode::NotFound, message))
}

fn lossy(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

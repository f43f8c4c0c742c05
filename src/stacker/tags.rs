//! Which image a tag names in a layout (stacker spec, section 7).

use super::codec::Unknown;
use super::descriptor::{DESCRIPTOR, Descriptor, INDEX};
use super::disk;
use super::layout::{Layout, Unreadable};
use super::options::Version;
use super::reason::{Fault, Reason};
use super::reference;
use super::schema::{Kind, LAYOUT};
use super::value::Value;
use crate::host::{Content, Failure, Filesystem, Kind as FileKind, Results, only};
use crate::limits::Limit;
use crate::oci::{Digest, sha256};
use crate::paths;
use crate::prelude::*;

const REF_NAME: &str = "org.opencontainers.image.ref.name";

impl<F: Filesystem> Layout<'_, F> {
    /// The hex digest of the one image a tag names.
    pub fn resolve(&self, tag: &str, memory: &mut Option<IndexMemory>) -> Result<String, Fault> {
        self.find(tag, memory)?.ok_or_else(|| {
            let message = "the tag names several images";
            Fault::new(Reason::AmbiguousReference, tag, message)
        })
    }

    /// The hex digest of the image a tag names, `None` if it names several.
    pub fn find(
        &self,
        tag: &str,
        memory: &mut Option<IndexMemory>,
    ) -> Result<Option<String>, Fault> {
        let index = self.open()?;
        if !reference::is_valid(tag) {
            let message = "not a valid reference name";
            return Err(Fault::new(Reason::InvalidReference, tag, message));
        }
        let index_path = paths::join(&[&self.root, "index.json"]);
        let index =
            index.map_err(|failure| Fault::host(Reason::OciIndex, &index_path, &failure))?;
        let digest = sha256(index.text.as_bytes());
        let known = memory.take().filter(|memory| memory.digest == digest);
        let known = match known {
            Some(known) => known,
            None => {
                let schema = self.version.schema();
                let value = Value::read(
                    &index.text,
                    &Kind::Record(&schema.index),
                    self.depth(),
                    Unknown::Skipped,
                )
                .map_err(|error| Fault::new(Reason::OciIndex, &index_path, error.to_string()))?;
                IndexMemory::new(digest, &value, self.version)
            }
        };
        let roots = known.named.get(tag).cloned().unwrap_or_default();
        *memory = Some(known);
        let mut results = Images::default();
        self.collect(roots, tag, &mut results)?;
        let Some(digest) = results.digest else {
            let message = "the tag names no image";
            return Err(Fault::new(Reason::AmbiguousReference, tag, message));
        };
        if results.count > 1 {
            return Ok(None);
        }
        match digest.split_once(':') {
            Some((_, hex)) => Ok(Some(hex.to_owned())),
            None => {
                let message =
                    format!("the digest {digest:?} has no algorithm; stacker crashes here");
                Err(Fault::new(Reason::OciWalk, tag, message))
            }
        }
    }

    /// Checks that the directory is a layout, and reads its index.
    fn open(&self) -> Result<Result<Content, Failure>, Fault> {
        let at = |name: &str| paths::join(&[&self.root, name]);
        let [layout_path, index_path, blobs_path] = ["oci-layout", "index.json", "blobs"].map(at);
        let bad = |path: &str, message: String| Fault::new(Reason::OciLayout, path, message);
        let failed = |path: &str, failure: &Failure| Fault::host(Reason::OciLayout, path, failure);
        let limit = self.limits.get(Limit::DocumentBytes);
        let asked = [layout_path.clone(), index_path.clone()];
        let mut read = Results::new(self.fs.read(&asked, limit));
        let (layout, index) = (read.take(), read.take());
        let layout = layout.map_err(|failure| failed(&layout_path, &failure))?;
        let layout = Value::read(
            &layout.text,
            &Kind::Record(&LAYOUT),
            self.depth(),
            Unknown::Skipped,
        )
        .map_err(|error| bad(&layout_path, error.to_string()))?;
        let version = layout
            .field(&LAYOUT, "Version")
            .map(Value::text)
            .unwrap_or_default();
        if version != "1.0.0" {
            return Err(bad(
                &layout_path,
                format!("layout version {version:?} is not supported"),
            ));
        }
        let stats = disk::stat_all(self.fs, &[blobs_path.clone(), index_path.clone()]);
        for ((answer, path), directory) in stats
            .iter()
            .zip([&blobs_path, &index_path])
            .zip([true, false])
        {
            let entry = answer.as_ref().map_err(|failure| failed(path, failure))?;
            if (entry.kind == FileKind::Directory) != directory {
                let what = if directory {
                    "not a directory"
                } else {
                    "a directory"
                };
                return Err(bad(path, what.to_owned()));
            }
        }
        Ok(index)
    }

    /// Follows descriptors to the images they lead to. Each distinct descriptor
    /// is read once; how often it is reached is counted, not walked.
    fn collect(
        &self,
        roots: Vec<Descriptor>,
        tag: &str,
        results: &mut Images,
    ) -> Result<(), Fault> {
        let mut counts: BTreeMap<Descriptor, Images> = BTreeMap::new();
        let mut read = 0;
        // Open documents: the descriptor, its children, the next one, what was found.
        let mut open: Vec<(Option<Descriptor>, Vec<Descriptor>, usize, Images)> =
            vec![(None, roots, 0, Images::default())];
        while let Some((descriptor, children, next, found)) = open.last_mut() {
            let Some(child) = children.get(*next).cloned() else {
                let (descriptor, found) = (descriptor.clone(), found.clone());
                open.pop();
                match (descriptor, open.last_mut()) {
                    (Some(descriptor), Some(above)) => {
                        above.3.add(&found);
                        counts.insert(descriptor, found);
                    }
                    _ => *results = found,
                }
                continue;
            };
            *next += 1;
            if child.is_target(self.version) {
                found.add(&Images {
                    digest: Some(child.digest),
                    count: 1,
                });
            } else if let Some(known) = counts.get(&child) {
                found.add(known);
            } else {
                read += 1;
                self.limits.check(Limit::Documents, read, "", tag)?;
                let children = self
                    .children(&child)
                    .map_err(|failure| Fault::new(Reason::OciWalk, tag, failure.message))?;
                open.push((Some(child), children, 0, Images::default()));
            }
        }
        Ok(())
    }

    /// What a document that is no image leads to.
    fn children(&self, descriptor: &Descriptor) -> Result<Vec<Descriptor>, Unreadable> {
        let Some(value) = only(self.documents(core::slice::from_ref(descriptor)))? else {
            return Ok(Vec::new());
        };
        Ok(match descriptor.media_type.as_str() {
            INDEX => inside_index(&value, self.version).collect(),
            DESCRIPTOR => vec![Descriptor::new(&value, self.version)],
            _ => Vec::new(),
        })
    }
}

/// The descriptors in an index.
fn inside_index(index: &Value, version: Version) -> impl Iterator<Item = Descriptor> {
    let record = &version.schema().index;
    let manifests = index
        .field(record, "Manifests")
        .map(Value::items)
        .unwrap_or_default();
    let subject = match index.field(record, "Subject") {
        Some(Value::Pointer(Some(subject))) => Some(&**subject),
        _ => None,
    };
    manifests
        .iter()
        .chain(subject)
        .map(move |value| Descriptor::new(value, version))
}

/// How many images were found (at most 2 are told apart), and the first.
#[derive(Clone, Debug, Default)]
struct Images {
    digest: Option<String>,
    count: u8,
}

impl Images {
    fn add(&mut self, other: &Self) {
        if self.digest.is_none() {
            self.digest.clone_from(&other.digest);
        }
        self.count = self.count.saturating_add(other.count).min(2);
    }
}

/// A parsed index, kept while its bytes stay the same.
#[derive(Debug)]
pub(crate) struct IndexMemory {
    digest: Digest,
    named: BTreeMap<String, Vec<Descriptor>>,
}

impl IndexMemory {
    fn new(digest: Digest, index: &Value, version: Version) -> Self {
        let mut named: BTreeMap<String, Vec<Descriptor>> = BTreeMap::new();
        let schema = version.schema();
        let manifests = index
            .field(&schema.index, "Manifests")
            .map(Value::items)
            .unwrap_or_default();
        for value in manifests {
            let annotations = value
                .field(&schema.descriptor, "Annotations")
                .and_then(Value::map);
            if let Some(name) = annotations.and_then(|annotations| annotations.get(REF_NAME)) {
                let descriptors = named.entry(name.text().to_owned()).or_default();
                descriptors.push(Descriptor::new(value, version));
            }
        }
        Self { digest, named }
    }
}

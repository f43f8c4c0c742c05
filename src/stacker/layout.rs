//! OCI layout directories as stacker's library reads them: whether a manifest
//! can be read (stacker spec, section 4), and which image a tag names (stacker
//! spec, section 7).

use super::codec::Unknown;
use super::config::{Caps, Version};
use super::disk::{self, excess, only};
use super::reason::{Code, Fault};
use super::reference;
use super::schema::{Kind, LAYOUT, Record};
use super::value::Value;
use crate::host::{Content, Failure, FailureCode, Filesystem, Kind as FileKind};
use crate::oci::{Digest, sha256};
use crate::paths;
use crate::prelude::*;

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const INDEX: &str = "application/vnd.oci.image.index.v1+json";
const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
const DESCRIPTOR: &str = "application/vnd.oci.descriptor.v1+json";
const EMPTY: &str = "application/vnd.oci.empty.v1+json";
const EMPTY_DIGEST: &str =
    "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a";
const REF_NAME: &str = "org.opencontainers.image.ref.name";

/// How many documents are asked for in one call.
const BATCH: usize = 32;

/// The parts of a descriptor that matter here.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Descriptor {
    pub media_type: String,
    pub digest: String,
    pub size: i64,
    pub data: Option<Vec<u8>>,
}

impl Descriptor {
    /// From a value of the version's descriptor structure.
    pub fn new(value: &Value, version: Version) -> Self {
        let field = |name: &str| value.field(&version.schema().descriptor, name);
        let text = |name: &str| field(name).map(Value::text).unwrap_or_default().to_owned();
        Self {
            media_type: text("MediaType"),
            digest: text("Digest"),
            size: field("Size").and_then(Value::integer).unwrap_or_default(),
            data: match field("Data") {
                Some(Value::Bytes(bytes)) => bytes.clone(),
                _ => None,
            },
        }
    }

    /// Whether its blob is parsed; of others only the presence matters.
    fn is_parsed(&self, version: Version) -> bool {
        match self.media_type.as_str() {
            MANIFEST | INDEX | CONFIG | DESCRIPTOR => true,
            EMPTY => version == Version::V16,
            _ => false,
        }
    }

    /// Whether it is a result when a tag leads to it.
    fn is_target(&self, version: Version) -> bool {
        self.media_type == MANIFEST || !self.is_parsed(version)
    }
}

/// What is wrong with a descriptor or its blob, whose fault it is included.
type Unreadable = Failure;

/// A layout directory.
pub(crate) struct Layout<'a, F> {
    pub fs: &'a F,
    pub caps: &'a Caps,
    pub version: Version,
    pub root: String,
}

/// What has to be known of a blob.
enum Need {
    /// Nothing: the descriptor carries it.
    Nothing,
    /// That it is there.
    Presence(String),
    /// What is in it.
    Content(String),
}

impl<F: Filesystem> Layout<'_, F> {
    /// For each descriptor, why it cannot be read, if so.
    pub fn readable(&self, descriptors: &[Descriptor]) -> Vec<Result<(), Unreadable>> {
        let mut answers = Vec::with_capacity(descriptors.len());
        for batch in descriptors.chunks(BATCH) {
            answers.extend(
                self.documents(batch)
                    .into_iter()
                    .map(|answer| answer.map(|_| ())),
            );
        }
        answers
    }

    /// Reads blobs as their media types say; nothing for blobs that are not
    /// parsed.
    fn documents(&self, batch: &[Descriptor]) -> Vec<Result<Option<Value>, Unreadable>> {
        let needs: Vec<_> = batch
            .iter()
            .map(|descriptor| self.need(descriptor))
            .collect();
        let presence = |need: &Result<Need, Unreadable>| match need {
            Ok(Need::Presence(path)) => Some(path.clone()),
            _ => None,
        };
        let content = |need: &Result<Need, Unreadable>| match need {
            Ok(Need::Content(path)) => Some(path.clone()),
            _ => None,
        };
        let presence: Vec<_> = needs.iter().filter_map(presence).collect();
        let content: Vec<_> = needs.iter().filter_map(content).collect();
        let mut stats = disk::stat_all(self.fs, &presence).into_iter();
        let reads = match content.as_slice() {
            [] => Vec::new(),
            paths => self.fs.read(paths, self.caps.get("document-bytes")),
        };
        let mut reads = reads.into_iter();
        let mut answers = Vec::with_capacity(batch.len());
        for (descriptor, need) in batch.iter().zip(needs) {
            answers.push(need.and_then(|need| match need {
                Need::Nothing => {
                    let text = paths::lossy(descriptor.data.as_deref().unwrap_or_default());
                    self.parse(descriptor, &text)
                }
                Need::Presence(path) => match stats.next().unwrap_or_else(unanswered) {
                    Ok(_) => Ok(None),
                    Err(failure) => Err(of(&path, &failure)),
                },
                Need::Content(path) => match reads.next().unwrap_or_else(unanswered) {
                    Ok(content) => {
                        self.verify(descriptor, &path, &content)?;
                        self.parse(descriptor, &content.text)
                    }
                    Err(failure) => Err(of(&path, &failure)),
                },
            }));
        }
        answers
    }

    /// Checks a descriptor by itself.
    fn need(&self, descriptor: &Descriptor) -> Result<Need, Unreadable> {
        if self.version == Version::V16 {
            if descriptor.size < 0 {
                return Err(wrong(format!("negative size {}", descriptor.size)));
            }
            if descriptor.media_type == EMPTY {
                let data = descriptor.data.as_deref();
                if descriptor.digest != EMPTY_DIGEST
                    || descriptor.size != 2
                    || data.is_some_and(|data| data != b"{}")
                {
                    return Err(wrong("not the empty document"));
                }
            }
            if let Some(data) = &descriptor.data {
                let size = i64::try_from(data.len()).unwrap_or(i64::MAX);
                if sha256(data).as_str() != descriptor.digest || size != descriptor.size {
                    return Err(wrong("the embedded data has another digest or size"));
                }
                return Ok(Need::Nothing);
            }
        }
        let digest: Digest = match descriptor.digest.parse::<Digest>() {
            Ok(digest) if digest.algorithm() == "sha256" => digest,
            _ => {
                let words = format!("{:?} is not a sha256 digest", descriptor.digest);
                return Err(wrong(words));
            }
        };
        let path = paths::join(&[&self.root, "blobs/sha256", digest.hex()]);
        Ok(if descriptor.is_parsed(self.version) {
            Need::Content(path)
        } else {
            Need::Presence(path)
        })
    }

    /// Digest and size of a blob. The host has computed the digest too, but is
    /// not trusted where it can be checked (threat T9).
    fn verify(
        &self,
        descriptor: &Descriptor,
        path: &str,
        content: &Content,
    ) -> Result<(), Unreadable> {
        let (digest, length) = if content.lossy {
            let length = disk::stat(self.fs, path, true).map(|entry| entry.size);
            (
                content.digest.clone(),
                length.map_err(|failure| of(path, &failure))?,
            )
        } else {
            let length = u64::try_from(content.text.len()).unwrap_or(u64::MAX);
            (sha256(content.text.as_bytes()).to_string(), length)
        };
        if digest != descriptor.digest {
            return Err(wrong(format!("{path} has the digest {digest}")));
        }
        match u64::try_from(descriptor.size) {
            Ok(size) if size != length => {
                Err(wrong(format!("{path} has {length} bytes, not {size}")))
            }
            _ => Ok(()),
        }
    }

    /// Reads a document as its media type says.
    fn parse(&self, descriptor: &Descriptor, text: &str) -> Result<Option<Value>, Unreadable> {
        let schema = self.version.schema();
        let (record, forbidden): (&'static Record, &[&str]) = match descriptor.media_type.as_str() {
            MANIFEST => (&schema.manifest, &["Manifests"]),
            INDEX => (&schema.index, &["Config", "Layers"]),
            CONFIG => (&schema.image, &[]),
            DESCRIPTOR => (&schema.descriptor, &[]),
            _ => return Ok(None),
        };
        let value = Value::read_first(text, &Kind::Record(record), self.depth())
            .map_err(|error| wrong(error.to_string()))?;
        for name in forbidden {
            if value.field(record, name).is_some_and(Value::is_true) {
                return Err(wrong(format!("has members of another media type: {name}")));
            }
        }
        if !forbidden.is_empty() {
            let stated = value
                .field(record, "MediaType")
                .map(Value::text)
                .unwrap_or_default();
            if !stated.is_empty() && stated != descriptor.media_type {
                return Err(wrong(format!("says that it is {stated:?}")));
            }
        }
        Ok(Some(value))
    }

    fn depth(&self) -> u32 {
        u32::try_from(self.caps.get("depth")).unwrap_or(u32::MAX)
    }

    /// The hex digest of the one image a tag names.
    pub fn resolve(&self, tag: &str, memory: &mut Option<IndexMemory>) -> Result<String, Fault> {
        self.find(tag, memory)?.ok_or_else(|| {
            let message = "the tag names several images";
            Fault::new(Code::AmbiguousReference, tag, message)
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
            return Err(Fault::new(Code::InvalidReference, tag, message));
        }
        let index_path = paths::join(&[&self.root, "index.json"]);
        let index = index.map_err(|failure| Fault::host(Code::OciIndex, &index_path, &failure))?;
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
                .map_err(|error| Fault::new(Code::OciIndex, &index_path, error.to_string()))?;
                IndexMemory::new(digest, &value, self.version)
            }
        };
        let roots = known.named.get(tag).cloned().unwrap_or_default();
        *memory = Some(known);
        let mut results = Results::default();
        self.collect(roots, tag, &mut results)?;
        let Some(digest) = results.digest else {
            let message = "the tag names no image";
            return Err(Fault::new(Code::AmbiguousReference, tag, message));
        };
        if results.count > 1 {
            return Ok(None);
        }
        match digest.split_once(':') {
            Some((_, hex)) => Ok(Some(hex.to_owned())),
            None => {
                let message =
                    format!("the digest {digest:?} has no algorithm; stacker crashes here");
                Err(Fault::new(Code::OciWalk, tag, message))
            }
        }
    }

    /// The media types of the layers of an OCI image, `None` if it cannot be
    /// read or is no such image.
    pub fn layer_types(&self, hex: &str) -> Option<Vec<String>> {
        let schema = self.version.schema();
        let path = paths::join(&[&self.root, "blobs/sha256", hex]);
        let read = self.fs.read(&[path], self.caps.get("document-bytes"));
        let text = only(read).ok()?.text;
        let record = &schema.manifest;
        let value = Value::read_first(&text, &Kind::Record(record), self.depth()).ok()?;
        let stated = value.field(record, "MediaType").map(Value::text);
        if !matches!(stated, None | Some("" | MANIFEST)) {
            return None;
        }
        let layers = value.field(record, "Layers").map(Value::items)?;
        let types = layers
            .iter()
            .map(|layer| Descriptor::new(layer, self.version).media_type);
        Some(types.collect())
    }

    /// The blobs of an image that are not there: its config and its layers.
    /// What cannot be looked at now is not called gone.
    pub fn missing_blobs(&self, image: &Descriptor) -> Vec<String> {
        if image.media_type != MANIFEST {
            return Vec::new();
        }
        let Some(Ok(Some(value))) = self.documents(core::slice::from_ref(image)).pop() else {
            return Vec::new();
        };
        let record = &self.version.schema().manifest;
        let layers = value
            .field(record, "Layers")
            .map(Value::items)
            .unwrap_or_default();
        let wanted = layers.iter().chain(value.field(record, "Config"));
        let wanted: Vec<_> = wanted
            .map(|value| Descriptor::new(value, self.version))
            .filter(|descriptor| descriptor.data.is_none())
            .filter_map(|descriptor| descriptor.digest.parse::<Digest>().ok())
            .filter(|digest| digest.algorithm() == "sha256")
            .collect();
        let blobs: Vec<_> = wanted
            .iter()
            .map(|digest| paths::join(&[&self.root, "blobs/sha256", digest.hex()]))
            .collect();
        let stats = disk::stat_all(self.fs, &blobs);
        let gone = |(digest, stat): (Digest, Result<_, Failure>)| {
            let failure = stat.err()?;
            (failure.code == FailureCode::NotFound).then(|| digest.to_string())
        };
        wanted.into_iter().zip(stats).filter_map(gone).collect()
    }

    /// Checks that the directory is a layout, and reads its index.
    fn open(&self) -> Result<Result<Content, Failure>, Fault> {
        let at = |name: &str| paths::join(&[&self.root, name]);
        let [layout_path, index_path, blobs_path] = ["oci-layout", "index.json", "blobs"].map(at);
        let bad = |path: &str, message: String| Fault::new(Code::OciLayout, path, message);
        let failed = |path: &str, failure: &Failure| Fault::host(Code::OciLayout, path, failure);
        let limit = self.caps.get("document-bytes");
        let mut answers = self
            .fs
            .read(&[layout_path.clone(), index_path.clone()], limit);
        let index = answers.pop().filter(|_| answers.len() == 1);
        let layout = only(answers).map_err(|failure| failed(&layout_path, &failure))?;
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
        Ok(index.unwrap_or_else(unanswered))
    }

    /// Follows descriptors to the images they lead to. Each distinct descriptor
    /// is read once; how often it is reached is counted, not walked.
    fn collect(
        &self,
        roots: Vec<Descriptor>,
        tag: &str,
        results: &mut Results,
    ) -> Result<(), Fault> {
        let mut counts: BTreeMap<Descriptor, Results> = BTreeMap::new();
        let mut read = 0;
        // Open documents: the descriptor, its children, the next one, what was found.
        let mut open: Vec<(Option<Descriptor>, Vec<Descriptor>, usize, Results)> =
            vec![(None, roots, 0, Results::default())];
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
                found.add(&Results {
                    digest: Some(child.digest),
                    count: 1,
                });
            } else if let Some(known) = counts.get(&child) {
                found.add(known);
            } else {
                read += 1;
                let limit = self.caps.get("documents");
                if read > limit {
                    return Err(excess("documents", limit, tag).into());
                }
                let children = self
                    .children(&child)
                    .map_err(|failure| Fault::new(Code::OciWalk, tag, failure.message))?;
                open.push((Some(child), children, 0, Results::default()));
            }
        }
        Ok(())
    }

    /// What a document that is no image leads to.
    fn children(&self, descriptor: &Descriptor) -> Result<Vec<Descriptor>, Unreadable> {
        let document = self.documents(core::slice::from_ref(descriptor)).pop();
        let Some(value) = document.unwrap_or_else(unanswered)? else {
            return Ok(Vec::new());
        };
        Ok(match descriptor.media_type.as_str() {
            INDEX => inside_index(&value, self.version).collect(),
            DESCRIPTOR => vec![Descriptor::new(&value, self.version)],
            _ => Vec::new(),
        })
    }
}

/// What the document itself is to blame for.
fn wrong(words: impl Into<String>) -> Failure {
    Failure::new(FailureCode::Corrupt, words)
}

/// What the host said of a path.
fn of(path: &str, failure: &Failure) -> Failure {
    Failure::new(failure.code, format!("{path}: {failure}"))
}

fn unanswered<T>() -> Result<T, Failure> {
    Err(Failure::new(
        FailureCode::Invalid,
        "the host did not answer",
    ))
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
struct Results {
    digest: Option<String>,
    count: u8,
}

impl Results {
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

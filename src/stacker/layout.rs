//! OCI layout directories as stacker's library reads them: whether a manifest can be
//! read (stacker spec, section 4).

use super::descriptor::{CONFIG, DESCRIPTOR, Descriptor, EMPTY, EMPTY_DIGEST, INDEX, MANIFEST};
use super::disk;
use super::options::{Limits, Version};
use super::schema::{Kind, Record};
use super::value::Value;
use crate::host::{Content, Failure, FailureCode, Filesystem, Results, only};
use crate::limits::Limit;
use crate::oci::{Digest, sha256};
use crate::paths;
use crate::prelude::*;

/// How many documents are asked for in one call.
const BATCH: usize = 32;

/// What is wrong with a descriptor or its blob, whose fault it is included.
pub(super) type Unreadable = Failure;

/// A layout directory.
pub(crate) struct Layout<'a, F> {
    pub fs: &'a F,
    pub limits: &'a Limits,
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
    pub(super) fn documents(&self, batch: &[Descriptor]) -> Vec<Result<Option<Value>, Unreadable>> {
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
        let mut stats = Results::new(disk::stat_all(self.fs, &presence));
        let reads = match content.as_slice() {
            [] => Vec::new(),
            paths => self.fs.read(paths, self.limits.get(Limit::DocumentBytes)),
        };
        let mut reads = Results::new(reads);
        let mut answers = Vec::with_capacity(batch.len());
        for (descriptor, need) in batch.iter().zip(needs) {
            answers.push(need.and_then(|need| match need {
                Need::Nothing => {
                    let text = paths::lossy(descriptor.data.as_deref().unwrap_or_default());
                    self.parse(descriptor, &text)
                }
                Need::Presence(path) => match stats.take() {
                    Ok(_) => Ok(None),
                    Err(failure) => Err(of(&path, &failure)),
                },
                Need::Content(path) => match reads.take() {
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

    pub(super) fn depth(&self) -> u32 {
        self.limits.depth()
    }

    /// The media types of the layers of an OCI image, `None` if it cannot be
    /// read or is no such image.
    pub fn layer_types(&self, hex: &str) -> Option<Vec<String>> {
        let schema = self.version.schema();
        let path = paths::join(&[&self.root, "blobs/sha256", hex]);
        let read = self.fs.read(&[path], self.limits.get(Limit::DocumentBytes));
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
}

/// What the document itself is to blame for.
fn wrong(words: impl Into<String>) -> Failure {
    Failure::new(FailureCode::Corrupt, words)
}

/// What the host said of a path.
fn of(path: &str, failure: &Failure) -> Failure {
    Failure::new(failure.code, format!("{path}: {failure}"))
}

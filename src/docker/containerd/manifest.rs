//! Manifests and indexes: what is read of them, and the manifest of a restored image.

use crate::docker::restore::Restored;
use crate::go_json::{Escapes, List, Writer, from_str, object};
use crate::host::{Failure, FailureCode};
use crate::oci::{Descriptor, Platform, sha256};
use crate::prelude::*;

/// The media types of what the engine writes.
pub const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
const LAYER: &str = "application/vnd.docker.image.rootfs.diff.tar.gzip";

/// A manifest or an index: the members that lead to its documents and layers.
#[derive(Clone, Debug, Default)]
pub struct Manifest {
    pub config: Option<Layer>,
    layers: Vec<Layer>,
    pub manifests: Option<List<Layer>>,
}

/// A descriptor with all that Go reads and writes of it.
#[derive(Clone, Debug, Default)]
pub struct Layer {
    media_type: String,
    pub digest: String,
    size: i64,
    urls: Vec<String>,
    pub annotations: BTreeMap<String, String>,
    data: String,
    pub platform: Option<Told>,
    artifact_type: String,
}

/// A platform as an index or a config document tells it.
#[derive(Clone, Debug, Default)]
pub struct Told {
    architecture: String,
    os: String,
    os_version: String,
    os_features: Vec<String>,
    variant: String,
}

object!(Manifest {
    "config" => config,
    "layers" => layers,
    "manifests" => manifests,
});

object!(Layer {
    "mediaType" => media_type,
    "digest" => digest,
    "size" => size,
    "urls" => urls,
    "annotations" => annotations,
    "data" => data,
    "platform" => platform,
    "artifactType" => artifact_type,
});

object!(Told {
    "architecture" => architecture,
    "os" => os,
    "os.version" => os_version,
    "os.features" => os_features,
    "variant" => variant,
});

/// What a restored image stands on.
#[derive(Clone, Copy, Debug)]
pub enum Stacked<'a> {
    /// An image of the store, by its id.
    Stored(&'a str),
    /// The manifest of an image that this session made and did not store.
    Made(&'a str),
}

impl Manifest {
    /// Whether it is an index.
    pub const fn is_index(&self) -> bool {
        self.config.is_none()
    }

    /// Its layers, lowest first.
    pub fn into_layers(self) -> Vec<Layer> {
        self.layers
    }
}

impl Layer {
    /// The descriptor of a layer's content, as the engine writes it whatever the content
    /// is.
    pub fn compressed(blob: Descriptor) -> Self {
        Self {
            media_type: LAYER.to_owned(),
            digest: blob.digest,
            size: i64::try_from(blob.size).unwrap_or(i64::MAX),
            ..Self::default()
        }
    }

    /// Where the layer's content is.
    pub fn descriptor(self) -> Descriptor {
        Descriptor {
            media_type: self.media_type,
            digest: self.digest,
            size: u64::try_from(self.size).unwrap_or(0),
            annotations: Vec::new(),
        }
    }

    fn encode(&self, w: &mut Writer) {
        let texts = |w: &mut Writer, name: &str, list: &[String]| {
            if !list.is_empty() {
                w.member(name).list(list, |w, text| w.string(text));
            }
        };
        let text = |w: &mut Writer, name: &str, text: &str| {
            if !text.is_empty() {
                w.member(name).string(text);
            }
        };
        w.object(|w| {
            w.member("mediaType").string(&self.media_type);
            w.member("digest").string(&self.digest);
            w.member("size").integer(self.size);
            texts(w, "urls", &self.urls);
            if !self.annotations.is_empty() {
                w.member("annotations").object(|w| {
                    for (key, value) in &self.annotations {
                        w.member(key).string(value);
                    }
                });
            }
            text(w, "data", &self.data);
            if let Some(platform) = &self.platform {
                w.member("platform").object(|w| {
                    w.member("architecture").string(&platform.architecture);
                    w.member("os").string(&platform.os);
                    text(w, "os.version", &platform.os_version);
                    texts(w, "os.features", &platform.os_features);
                    text(w, "variant", &platform.variant);
                });
            }
            text(w, "artifactType", &self.artifact_type);
        });
    }
}

impl From<Told> for Platform {
    fn from(told: Told) -> Self {
        Self {
            os: told.os,
            architecture: told.architecture,
            variant: told.variant,
            os_version: told.os_version,
            os_features: told.os_features,
        }
    }
}

/// Reads a manifest or an index.
///
/// # Errors
/// `corrupt` for a text that is neither.
pub fn read(digest: &str, text: &str, depth: u32) -> Result<Manifest, Failure> {
    let manifest: Result<Manifest, _> = from_str(text, depth);
    let why = match manifest {
        Ok(manifest) if manifest.config.is_some() || manifest.manifests.is_some() => {
            return Ok(manifest);
        }
        Ok(_) => "it has neither a config nor manifests".to_owned(),
        Err(error) => error.to_string(),
    };
    let message = format!("{digest:?} is not a manifest: {why}");
    Err(Failure::new(FailureCode::Corrupt, message))
}

/// The layers of a manifest.
///
/// # Errors
/// As [`read`].
pub fn layers(text: &str, depth: u32) -> Result<Vec<Layer>, Failure> {
    let digest = sha256(text.as_bytes());
    Ok(read(digest.as_str(), text, depth)?.into_layers())
}

impl Restored {
    /// Gives it the manifest that the engine writes for it.
    pub fn stacked(mut self, layers: &[Layer]) -> Self {
        let config = Layer {
            media_type: CONFIG.to_owned(),
            digest: sha256(self.document.as_bytes()).to_string(),
            size: i64::try_from(self.document.len()).unwrap_or(i64::MAX),
            ..Layer::default()
        };
        let mut w = Writer::new(Escapes::Short);
        w.object(|w| {
            w.member("mediaType").string(MANIFEST);
            w.member("schemaVersion").integer(2);
            config.encode(w.member("config"));
            w.member("layers").list(layers, |w, layer| layer.encode(w));
        });
        self.manifest = Some(indented(&w.finish()));
        self
    }
}

/// Compact JSON with a line for each member, as Go indents it by four blanks.
fn indented(json: &str) -> String {
    let mut text = String::with_capacity(json.len() * 2);
    let (mut depth, mut quoted, mut escaped) = (0_usize, false, false);
    let mut before = None;
    let line = |text: &mut String, depth: usize| {
        text.push('\n');
        text.extend(core::iter::repeat_n("    ", depth));
    };
    for letter in json.chars() {
        let opened = !quoted && matches!(before, Some('{' | '['));
        if quoted {
            quoted = escaped || letter != '"';
            escaped = !escaped && letter == '\\';
            text.push(letter);
        } else if matches!(letter, '}' | ']') {
            if !opened {
                depth = depth.saturating_sub(1);
                line(&mut text, depth);
            }
            text.push(letter);
        } else {
            if opened {
                depth += 1;
                line(&mut text, depth);
            }
            text.push(letter);
            match letter {
                ',' => line(&mut text, depth),
                ':' => text.push(' '),
                '"' => quoted = true,
                _ => {}
            }
        }
        before = Some(letter);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_indented_as_go_does_it() {
        let compact = r#"{"a":"b:,{\"\\","c":[],"d":{},"e":[1,{"f":null}]}"#;
        let want = r#"{
    "a": "b:,{\"\\",
    "c": [],
    "d": {},
    "e": [
        1,
        {
            "f": null
        }
    ]
}"#;
        assert_eq!(indented(compact), want);
    }

    /// Everything that a descriptor can hold is written again.
    #[test]
    fn a_descriptor_is_written_as_it_was_read() {
        let text = concat!(
            r#"{"mediaType":"a","digest":"b","size":3,"urls":["u"],"annotations":{"k":"v"},"#,
            r#""data":"eA==","platform":{"architecture":"arm","os":"linux","os.version":"1","#,
            r#""os.features":["f"],"variant":"v7"},"artifactType":"t"}"#
        );
        let layer: Layer = from_str(text, 10).unwrap();
        let mut w = Writer::new(Escapes::Short);
        layer.encode(&mut w);
        assert_eq!(w.finish(), text);
    }

    #[test]
    fn neither_a_manifest_nor_an_index() {
        for text in ["", "{}", "[]", r#"{"config":1}"#] {
            let failure = read("sha256:x", text, 10).unwrap_err();
            assert_eq!(failure.code, FailureCode::Corrupt, "{text}");
        }
    }
}

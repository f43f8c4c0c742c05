//! The documents of a cache image: config and manifest, as they are written and
//! as they are read (Buildpacks spec, section 3). What is written depends on
//! nothing but the arguments.

use super::staged::Staged;
use crate::buildpacks::label::CACHE_LABEL;
use crate::go_json::{Error, Ignored, Writer, from_str, object};
use crate::oci::{Descriptor, Digest};
use crate::prelude::*;

/// The annotation of the manifest that names the scope.
pub const SCOPE: &str = "layerwise.buildpacks.scope";

/// Media types.
pub const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const INDEX: &str = "application/vnd.oci.image.index.v1+json";
pub const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
pub const LAYER: &str = "application/vnd.oci.image.layer.v1.tar+gzip";
pub const PLAIN_LAYER: &str = "application/vnd.oci.image.layer.v1.tar";

/// The metadata of a volume cache; a name that stands for this is one.
pub const VOLUME: &str = "application/vnd.buildpacks.lifecycle.cache.metadata.v1+json";
const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
const DOCKER_LIST: &str = "application/vnd.docker.distribution.manifest.list.v2+json";
const DOCKER_LAYER: &str = "application/vnd.docker.image.rootfs.diff.tar.gzip";

/// The time of everything.
const CREATED: &str = "1980-01-01T00:00:01Z";

/// Size of the tar without entries.
pub const EMPTY_LAYER_SIZE: usize = 1_024;

/// The config document.
pub fn config(os: &str, label: Option<&str>, layers: &[Staged]) -> String {
    let mut w = Writer::default();
    w.object(|w| {
        w.member("architecture").string("");
        w.member("created").string(CREATED);
        if !layers.is_empty() {
            w.member("history").list(layers, |w, _| {
                w.object(|w| w.member("created").string(CREATED));
            });
        }
        w.member("os").string(os);
        w.member("rootfs").object(|w| {
            w.member("type").string("layers");
            w.member("diff_ids")
                .list(layers, |w, layer| w.string(layer.diff_id.as_str()));
        });
        w.member("config").object(|w| {
            if let Some(label) = label {
                w.member("Labels")
                    .object(|w| w.member(CACHE_LABEL).string(label));
            }
        });
    });
    w.finish()
}

/// The manifest for a config.
pub fn manifest(config: &Descriptor, layers: &[Staged], scope: Option<&str>) -> String {
    let descriptor = |w: &mut Writer, descriptor: &Descriptor| {
        w.object(|w| {
            w.member("mediaType").string(&descriptor.media_type);
            w.member("size").raw(&descriptor.size.to_string());
            w.member("digest").string(&descriptor.digest);
        });
    };
    let mut w = Writer::default();
    w.object(|w| {
        w.member("schemaVersion").integer(2);
        w.member("mediaType").string(MANIFEST);
        descriptor(w.member("config"), config);
        w.member("layers")
            .list(layers, |w, layer| descriptor(w, &layer.descriptor));
        if let Some(scope) = scope {
            w.member("annotations")
                .object(|w| w.member(SCOPE).string(scope));
        }
    });
    w.finish()
}

/// What a manifest says, after it was checked.
#[derive(Debug)]
pub enum Manifest {
    /// A list of images for other platforms.
    Index,
    /// One image.
    Image {
        /// Its config.
        config: Descriptor,
        /// The blobs of its layers.
        layers: Vec<Descriptor>,
        /// The scope it names.
        scope: Option<String>,
    },
}

/// Reads a manifest; what its descriptor says it is, what it says itself and
/// what it looks like must agree (threat T7).
///
/// # Errors
/// What is wrong with it.
pub fn read_manifest(text: &str, media_type: &str, depth: u32) -> Result<Manifest, String> {
    let read: ManifestText = from_str(text, depth).map_err(|error: Error| error.to_string())?;
    let said = if read.media_type.is_empty() {
        media_type
    } else {
        &read.media_type
    };
    if !media_type.is_empty() && said != media_type {
        return Err(format!("a {media_type:?} that says it is a {said:?}"));
    }
    if read.schema_version != 2 {
        return Err("schema version is not 2".to_owned());
    }
    let image_shape = read.config.is_some() || read.layers.is_some();
    if image_shape && read.manifests.is_some() {
        return Err("both an image and an index".to_owned());
    }
    match (said, read.config) {
        (INDEX | DOCKER_LIST, _) if !image_shape => Ok(Manifest::Index),
        (MANIFEST | DOCKER_MANIFEST, Some(config)) => {
            let layers = read.layers.unwrap_or_default();
            Ok(Manifest::Image {
                config: config.checked()?,
                layers: layers
                    .into_iter()
                    .map(DescriptorText::checked)
                    .collect::<Result<_, _>>()?,
                scope: read.annotations.get(SCOPE).cloned(),
            })
        }
        _ => Err(format!("not an image manifest: {said:?}")),
    }
}

/// What a config says.
#[derive(Debug)]
pub struct Config {
    /// The diff ids of its layers.
    pub diff_ids: Vec<Digest>,
    /// What upstream calls valid says that it has layers.
    pub of_layers: bool,
    /// The label of the cache, if it is there.
    pub label: Option<String>,
}

/// Reads a config.
///
/// # Errors
/// What is wrong with it.
pub fn read_config(text: &str, depth: u32) -> Result<Config, String> {
    let read: ConfigText = from_str(text, depth).map_err(|error: Error| error.to_string())?;
    let diff_ids = read.rootfs.diff_ids.iter();
    let diff_ids = diff_ids.map(|text| text.parse().map_err(|_| format!("{text:?} is no diff id")));
    Ok(Config {
        diff_ids: diff_ids.collect::<Result<_, _>>()?,
        of_layers: read.rootfs.kind == "layers",
        label: read.config.labels.get(CACHE_LABEL).cloned(),
    })
}

#[derive(Debug, Default)]
struct ManifestText {
    schema_version: i64,
    media_type: String,
    config: Option<DescriptorText>,
    layers: Option<Vec<DescriptorText>>,
    manifests: Option<Vec<Ignored>>,
    annotations: BTreeMap<String, String>,
}

object!(ManifestText {
    "schemaVersion" => schema_version,
    "mediaType" => media_type,
    "config" => config,
    "layers" => layers,
    "manifests" => manifests,
    "annotations" => annotations,
});

#[derive(Debug, Default)]
struct DescriptorText {
    media_type: String,
    size: i64,
    digest: String,
}

object!(DescriptorText {
    "mediaType" => media_type,
    "size" => size,
    "digest" => digest,
});

impl DescriptorText {
    /// Blobs keep their bytes and get the media type of this format.
    fn checked(self) -> Result<Descriptor, String> {
        let digest: Digest = self
            .digest
            .parse()
            .map_err(|_| format!("{:?} is no digest", self.digest))?;
        Ok(Descriptor {
            media_type: if self.media_type == DOCKER_LAYER {
                LAYER.to_owned()
            } else {
                self.media_type
            },
            digest: digest.to_string(),
            size: u64::try_from(self.size).map_err(|_| "a negative size".to_owned())?,
            annotations: Vec::new(),
        })
    }
}

#[derive(Debug, Default)]
struct ConfigText {
    rootfs: RootfsText,
    config: LabelsText,
}

#[derive(Debug, Default)]
struct RootfsText {
    kind: String,
    diff_ids: Vec<String>,
}

#[derive(Debug, Default)]
struct LabelsText {
    labels: BTreeMap<String, String>,
}

object!(ConfigText { "rootfs" => rootfs, "config" => config });
object!(RootfsText { "type" => kind, "diff_ids" => diff_ids });
object!(LabelsText { "Labels" => labels });

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oci::sha256;

    fn layer(text: &str) -> Staged {
        Staged {
            diff_id: sha256(text.as_bytes()),
            descriptor: Descriptor {
                media_type: LAYER.to_owned(),
                digest: sha256(text.as_bytes()).to_string(),
                size: 3,
                annotations: Vec::new(),
            },
        }
    }

    #[test]
    fn documents_have_these_members() {
        let a = layer("a");
        let id = a.diff_id.as_str();
        assert_eq!(
            config("linux", Some("{\"<\"}"), &[a.clone(), a.clone()]),
            format!(
                "{{\"architecture\":\"\",\"created\":\"1980-01-01T00:00:01Z\",\"history\":[{{\
                 \"created\":\"1980-01-01T00:00:01Z\"}},{{\"created\":\"1980-01-01T00:00:01Z\"}}],\
                 \"os\":\"linux\",\"rootfs\":{{\"type\":\"layers\",\"diff_ids\":[\"{id}\",\"{id}\"]}},\
                 \"config\":{{\"Labels\":{{\"io.buildpacks.lifecycle.cache.metadata\":\
                 \"{{\\\"\\u003c\\\"}}\"}}}}}}"
            )
        );
        assert!(config("linux", None, &[]).ends_with(r#""diff_ids":[]},"config":{}}"#));
        let config = Descriptor {
            media_type: CONFIG.to_owned(),
            digest: id.to_owned(),
            size: 7,
            annotations: Vec::new(),
        };
        let text = manifest(&config, core::slice::from_ref(&a), None);
        assert_eq!(
            text,
            format!(
                "{{\"schemaVersion\":2,\"mediaType\":\"{MANIFEST}\",\"config\":{{\"mediaType\":\
                 \"{CONFIG}\",\"size\":7,\"digest\":\"{id}\"}},\"layers\":[{{\"mediaType\":\
                 \"{LAYER}\",\"size\":3,\"digest\":\"{id}\"}}]}}"
            )
        );
        let scoped = manifest(&config, core::slice::from_ref(&a), Some("team/app"));
        assert!(scoped.ends_with(r#","annotations":{"layerwise.buildpacks.scope":"team/app"}}"#));
    }

    #[test]
    fn media_type_and_shape_must_agree() {
        let image = manifest(&layer("c").descriptor, &[layer("a")], Some("s"));
        for said in [MANIFEST, ""] {
            let read = read_manifest(&image, said, 9).unwrap();
            let Manifest::Image { layers, scope, .. } = read else {
                panic!("{read:?}")
            };
            assert_eq!((layers.len(), scope.as_deref()), (1, Some("s")));
        }
        let index = format!(r#"{{"schemaVersion":2,"mediaType":"{INDEX}","manifests":[]}}"#);
        assert!(matches!(
            read_manifest(&index, INDEX, 9),
            Ok(Manifest::Index)
        ));
        let both = image.replace("\"layers\"", "\"manifests\":[],\"layers\"");
        let schema = r#"{"schemaVersion":2"#;
        let part = |member: &str, media_type: &str| {
            format!(r#"{schema},"mediaType":"{media_type}",{member}}}"#)
        };
        let (only_layers, with_layers) = (
            part(r#""layers":[]"#, INDEX),
            part(r#""layers":[],"manifests":[]"#, INDEX),
        );
        for (text, media_type) in [
            (image.as_str(), INDEX),
            (image.as_str(), DOCKER_MANIFEST),
            (index.as_str(), MANIFEST),
            (both.as_str(), MANIFEST),
            (only_layers.as_str(), INDEX),
            (with_layers.as_str(), INDEX),
            ("{}", MANIFEST),
            ("{\"schemaVersion\":2}", MANIFEST),
            ("null", MANIFEST),
            ("", MANIFEST),
            (&image.replace("\"size\":3", "\"size\":-3"), MANIFEST),
            (&image.replace("sha256:", "md5:"), MANIFEST),
            (&image.replace(MANIFEST, "text/plain"), "text/plain"),
        ] {
            assert!(read_manifest(text, media_type, 9).is_err(), "{text}");
        }
    }

    #[test]
    fn layers_of_docker_become_layers_of_this_format() {
        let text = manifest(&layer("c").descriptor, &[layer("a")], None);
        for (before, after) in [(LAYER, LAYER), (DOCKER_LAYER, LAYER), ("x/y", "x/y")] {
            let Ok(Manifest::Image { layers, .. }) =
                read_manifest(&text.replace(LAYER, before), MANIFEST, 9)
            else {
                panic!("{before}")
            };
            assert_eq!(layers[0].media_type, after);
        }
    }

    #[test]
    fn configs_round_trip() {
        let text = config("linux", Some("x"), &[layer("a"), layer("b")]);
        let read = read_config(&text, 9).unwrap();
        assert_eq!(read.diff_ids, [sha256(b"a"), sha256(b"b")]);
        assert_eq!(read.label.as_deref(), Some("x"));
        assert!(read_config(r#"{"rootfs":{"diff_ids":["x"]}}"#, 9).is_err());
    }
}

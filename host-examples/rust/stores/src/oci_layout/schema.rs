//! The documents of a layout, and the names in them.

use std::collections::BTreeMap;
use std::path::Path;

use layerwise::host::{Failure, FailureCode};
use layerwise::oci::Digest;
use layerwise_files::Tree;
use serde::{Deserialize, Serialize};

/// The annotation with the id of the image that the other two are about.
pub const IMAGE: &str = "dev.layerwise.image";
/// The annotation with the id of the recorded parent.
pub const PARENT: &str = "dev.layerwise.parent";
/// The annotation that says whether an image was built here.
pub const BUILT_HERE: &str = "dev.layerwise.built-here";
/// The annotation with a name.
pub const REF_NAME: &str = "org.opencontainers.image.ref.name";
/// The annotation with a full name, as containerd and `docker save` write it.
pub const FULL_NAME: &str = "io.containerd.image.name";
/// The annotation on manifests that only tell something about other manifests.
const ATTESTATION: &str = "vnd.docker.reference.type";

pub const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
pub const INDEX: &str = "application/vnd.oci.image.index.v1+json";
pub const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
pub const LAYER: &str = "application/vnd.oci.image.layer.v1.tar";
const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
const DOCKER_LIST: &str = "application/vnd.docker.distribution.manifest.list.v2+json";
const DOCKER_CONFIG: &str = "application/vnd.docker.container.image.v1+json";

/// Docker's layer media types and what OCI calls them.
const LAYER_TYPES: [(&str, &str); 4] = [
    ("application/vnd.docker.image.rootfs.diff.tar", LAYER),
    (
        "application/vnd.docker.image.rootfs.diff.tar.gzip",
        "application/vnd.oci.image.layer.v1.tar+gzip",
    ),
    (
        "application/vnd.docker.image.rootfs.diff.tar.zstd",
        "application/vnd.oci.image.layer.v1.tar+zstd",
    ),
    (
        "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",
        "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip",
    ),
];

/// The name of the file that makes a directory a layout.
pub const LAYOUT_FILE: &str = "oci-layout";
const LAYOUT_VERSION: &str = "1.0.0";
const LONGEST_LAYOUT_FILE: u64 = 4096;

/// A descriptor as documents hold it; its digest is not checked yet.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Descriptor {
    /// Media type; empty if there is none.
    #[serde(default)]
    pub media_type: String,
    /// Digest as it is written.
    pub digest: String,
    /// Size in bytes.
    pub size: u64,
    /// Where else the content is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub urls: Option<Vec<String>>,
    /// Annotations by name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub annotations: Option<BTreeMap<String, String>>,
}

/// A descriptor of a manifest or an index, checked.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Pointer {
    pub digest: Digest,
    pub size: u64,
    pub media_type: &'static str,
}

/// A manifest or index, before its members are told apart.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Body {
    pub media_type: Option<String>,
    pub config: Option<Descriptor>,
    pub layers: Option<Vec<Descriptor>>,
    pub manifests: Option<Vec<Descriptor>>,
}

/// A manifest that is written.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Manifest<'a> {
    pub schema_version: u32,
    pub media_type: &'a str,
    pub config: Descriptor,
    pub layers: Vec<Descriptor>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct LayoutFile {
    image_layout_version: String,
}

impl Descriptor {
    /// One annotation.
    pub fn annotation(&self, key: &str) -> Option<&str> {
        Some(self.annotations.as_ref()?.get(key)?.as_str())
    }

    /// What leads on to images: nothing for other kinds of content.
    ///
    /// # Errors
    /// `corrupt` when the digest is not one, or when something is noted of an
    /// image and the media type is not one of images.
    pub fn pointer(&self) -> Result<Option<Pointer>, Failure> {
        if self.annotation(ATTESTATION).is_some() {
            return Ok(None);
        }
        let known = [MANIFEST, INDEX, DOCKER_MANIFEST, DOCKER_LIST];
        let Some(media_type) = known.into_iter().find(|known| *known == self.media_type) else {
            if self.annotation(IMAGE).is_none() {
                return Ok(None);
            }
            let message = format!("a descriptor has {:?} for its media type", self.media_type);
            return Err(Failure::new(FailureCode::Corrupt, message));
        };
        Ok(Some(Pointer {
            digest: self.checked_digest()?,
            size: self.size,
            media_type,
        }))
    }

    /// Whether this is the config of an image.
    pub fn is_image_config(&self) -> bool {
        self.media_type == CONFIG || self.media_type == DOCKER_CONFIG
    }

    /// The digest, checked.
    ///
    /// # Errors
    /// `corrupt` when it is not one.
    pub fn checked_digest(&self) -> Result<Digest, Failure> {
        self.digest.parse().map_err(|_| {
            let message = format!("a descriptor has {:?} for its digest", self.digest);
            Failure::new(FailureCode::Corrupt, message)
        })
    }

    /// The same layer as an OCI manifest lists it.
    pub fn as_oci_layer(&self) -> Self {
        let renamed = LAYER_TYPES
            .iter()
            .find(|(docker, _)| *docker == self.media_type);
        let mut layer = self.clone();
        if let Some((_, oci)) = renamed {
            (*oci).clone_into(&mut layer.media_type);
        }
        layer
    }
}

impl Pointer {
    pub fn is_index(&self) -> bool {
        self.media_type == INDEX || self.media_type == DOCKER_LIST
    }

    pub fn descriptor(&self) -> Descriptor {
        Descriptor {
            media_type: self.media_type.to_owned(),
            digest: self.digest.to_string(),
            size: self.size,
            ..Descriptor::default()
        }
    }
}

/// Opens a layout by the path that the user gave.
///
/// # Errors
/// As [`check_layout`], which it passes.
pub fn open(path: &Path) -> Result<Tree, Failure> {
    let root = Tree::open(path).map_err(|failure| none(path, failure))?;
    check_layout(&root)?;
    Ok(root)
}

fn none(root: &Path, failure: Failure) -> Failure {
    let message = format!("{root:?} is not an oci image layout: {failure}");
    Failure::new(failure.code, message)
}

/// Checks that a directory is a layout of the version that is known here.
///
/// # Errors
/// `not-found` if it is not one, `corrupt`, `unsupported` for another version.
pub fn check_layout(root: &Tree) -> Result<(), Failure> {
    let path = root.path().join(LAYOUT_FILE);
    let bytes = root
        .read(LAYOUT_FILE, LONGEST_LAYOUT_FILE)
        .map_err(|failure| none(root.path(), failure))?;
    let file: LayoutFile = serde_json::from_slice(&bytes)
        .map_err(|error| Failure::new(FailureCode::Corrupt, format!("{path:?}: {error}")))?;
    if file.image_layout_version != LAYOUT_VERSION {
        let version = file.image_layout_version;
        return Err(Failure::new(
            FailureCode::Unsupported,
            format!("{path:?} has the version {version:?}: expected {LAYOUT_VERSION:?}"),
        ));
    }
    Ok(())
}

/// The text of an `oci-layout` file.
pub fn layout_file() -> String {
    format!("{{\"imageLayoutVersion\":\"{LAYOUT_VERSION}\"}}")
}

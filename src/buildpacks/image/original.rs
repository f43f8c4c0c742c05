//! What a name stands for: resolved once, then read by digest, each document
//! hashed again (Buildpacks spec, section 4.1, threats T9 and T10).

use super::document::{Manifest, VOLUME, read_config, read_manifest};
use super::staged::Staged;
use crate::buildpacks::quote::quoted;
use crate::buildpacks::reason::Reason;
use crate::error::{Error, Problem};
use crate::explain::Difference;
use crate::host::{Failure, FailureCode, Registry, only};
use crate::oci::{Descriptor, Digest};
use crate::prelude::*;

/// The image behind a name.
#[derive(Clone, Debug)]
pub enum Original {
    /// There is none, or none that may be seen.
    Absent(Vec<Difference>),
    /// An index: no child of it is for no architecture.
    Empty { digest: Digest },
    /// An image of another scope, or of none.
    Foreign {
        digest: Digest,
        found: Option<String>,
    },
    /// Documents that are missing, do not have their digest or do not agree.
    Corrupt {
        digest: Option<Digest>,
        why: Difference,
    },
    /// An image.
    Image {
        digest: Digest,
        label: Option<String>,
        layers: BTreeMap<Digest, Descriptor>,
        /// All blobs, in order.
        blobs: Vec<String>,
        /// Manifest and config name different numbers of layers: upstream
        /// believes the label, and no layer can be had.
        mismatch: Option<String>,
    },
    /// A volume cache: its metadata, empty without any, or why it cannot be
    /// read; and whatever layers are there (Buildpacks spec, section 10).
    Volume {
        digest: Digest,
        label: Result<String, Difference>,
    },
}

/// Which scope an image must have.
#[derive(Clone, Copy, Debug)]
pub struct Scope<'a> {
    /// None where scopes are not looked at.
    pub wanted: Option<&'a str>,
    /// An image without a scope will do.
    pub accept_none: bool,
}

impl Original {
    /// The image that was just saved.
    pub fn saved(digest: Digest, label: Option<String>, staged: &[Staged]) -> Self {
        Self::Image {
            digest,
            label,
            layers: by_diff_id(
                staged
                    .iter()
                    .map(|layer| (layer.diff_id.clone(), layer.descriptor.clone())),
            ),
            blobs: staged
                .iter()
                .map(|layer| layer.descriptor.digest.clone())
                .collect(),
            mismatch: None,
        }
    }

    /// The digest of its manifest, where it is known.
    pub const fn digest(&self) -> Option<&Digest> {
        match self {
            Self::Absent(_) => None,
            Self::Corrupt { digest, .. } => digest.as_ref(),
            Self::Empty { digest }
            | Self::Foreign { digest, .. }
            | Self::Image { digest, .. }
            | Self::Volume { digest, .. } => Some(digest),
        }
    }

    /// Whether it is a volume cache.
    pub const fn is_volume(&self) -> bool {
        matches!(self, Self::Volume { .. })
    }

    /// The layers of an image by diff id.
    pub const fn layers(&self) -> &BTreeMap<Digest, Descriptor> {
        const NONE: &BTreeMap<Digest, Descriptor> = &BTreeMap::new();
        match self {
            Self::Image { layers, .. } => layers,
            _ => NONE,
        }
    }

    /// Why no layer can be had of an image that has some.
    pub fn mismatch(&self) -> Option<&str> {
        match self {
            Self::Image { mismatch, .. } => mismatch.as_deref(),
            _ => None,
        }
    }

    /// The digests of its layers' blobs.
    pub fn blobs(&self) -> impl Iterator<Item = &str> {
        let blobs = match self {
            Self::Image { blobs, .. } => blobs.as_slice(),
            _ => &[],
        };
        blobs.iter().map(String::as_str)
    }
}

/// Finds the image behind a name.
///
/// # Errors
/// When the registry cannot tell what the name stands for.
pub fn open<R: Registry>(
    registry: &R,
    repository: &str,
    name: &str,
    limit: u64,
    depth: u64,
    scope: Scope<'_>,
) -> Result<Original, Error> {
    let depth = u32::try_from(depth).unwrap_or(u32::MAX);
    let mut found = match only(registry.resolve(&[name.to_owned()])) {
        Ok(found) => found,
        Err(failure) => {
            return match failure.code {
                FailureCode::NotFound => Ok(Original::Absent(Vec::new())),
                FailureCode::Unauthorized => Ok(Original::Absent(vec![Difference::fact(
                    "unauthorized",
                    failure,
                )])),
                _ => Err(inaccessible(name, &failure)),
            };
        }
    };
    let Some(descriptor) = found.pop() else {
        return Ok(Original::Absent(Vec::new()));
    };
    // Upstream fails where a document cannot be read (Buildpacks spec, section
    // 4.1).
    let forgiving = scope.wanted.is_some();
    let corrupt = |digest, why| match forgiving {
        true => Ok(Original::Corrupt { digest, why }),
        false => Err(broken(name, &why)),
    };
    let Ok(digest) = descriptor.digest.parse::<Digest>() else {
        let why = Difference::fact("manifest.digest", descriptor.digest);
        return corrupt(None, why);
    };
    if found.iter().any(|other| other.digest != descriptor.digest) {
        return corrupt(
            None,
            Difference::fact("manifests", "the name is listed more than once"),
        );
    }
    if descriptor.media_type == VOLUME {
        return volume(registry, repository, name, &descriptor, digest, limit);
    }
    let text = match read(registry, repository, name, &descriptor, &digest, limit)? {
        Ok(text) => text,
        Err(why) => return corrupt(Some(digest), Difference::fact("manifest", why)),
    };
    let (config, blobs, found) = match read_manifest(&text, &descriptor.media_type, depth) {
        Ok(Manifest::Index) => return Ok(Original::Empty { digest }),
        Ok(Manifest::Image {
            config,
            layers,
            scope,
        }) => (config, layers, scope),
        Err(why) => return corrupt(Some(digest), Difference::fact("manifest", why)),
    };
    if let Some(wanted) = scope.wanted
        && found.as_deref() != Some(wanted)
        && !(found.is_none() && scope.accept_none)
    {
        return Ok(Original::Foreign { digest, found });
    }
    let Ok(config_digest) = config.digest.parse::<Digest>() else {
        return corrupt(
            Some(digest),
            Difference::fact("config.digest", config.digest),
        );
    };
    let text = match read(registry, repository, name, &config, &config_digest, limit)? {
        Ok(text) => text,
        Err(why) => return corrupt(Some(digest), Difference::fact("config", why)),
    };
    let config = match read_config(&text, depth) {
        Ok(config) => config,
        Err(why) => return corrupt(Some(digest), Difference::fact("config", why)),
    };
    if !config.of_layers {
        let why = Difference::fact("config.rootfs.type", "not \"layers\"");
        return Ok(Original::Corrupt {
            digest: Some(digest),
            why,
        });
    }
    let (blob_count, diff_count) = (blobs.len(), config.diff_ids.len());
    let names = blobs.iter().map(|blob| blob.digest.clone()).collect();
    let mismatch = (blob_count != diff_count)
        .then(|| format!("mismatched fs layers ({blob_count}) and diff ids ({diff_count})"));
    if forgiving && mismatch.is_some() {
        let counts = (blob_count.to_string(), diff_count.to_string());
        return corrupt(Some(digest), Difference::new("layers", counts.0, counts.1));
    }
    let blobs = blobs
        .into_iter()
        .chain(core::iter::repeat_with(Descriptor::default));
    Ok(Original::Image {
        digest,
        label: config.label,
        layers: by_diff_id(config.diff_ids.into_iter().zip(blobs)),
        blobs: names,
        mismatch,
    })
}

/// A volume cache; without its metadata file it has none.
fn volume<R: Registry>(
    registry: &R,
    repository: &str,
    name: &str,
    descriptor: &Descriptor,
    digest: Digest,
    limit: u64,
) -> Result<Original, Error> {
    let label = if descriptor.size == 0 {
        Ok(String::new())
    } else {
        read(registry, repository, name, descriptor, &digest, limit)?
            .map_err(|why| Difference::fact("metadata", why))
    };
    Ok(Original::Volume { digest, label })
}

/// Reads one document; the inner error is one of the image, not of the host.
fn read<R: Registry>(
    registry: &R,
    repository: &str,
    name: &str,
    descriptor: &Descriptor,
    digest: &Digest,
    limit: u64,
) -> Result<Result<String, String>, Error> {
    let wanted = core::slice::from_ref(descriptor);
    match only(registry.read(repository, wanted, limit)) {
        Ok(text) if digest.verifies(text.as_bytes()) != Some(true) => {
            Ok(Err(format!("does not have the digest {digest}")))
        }
        Ok(text) if u64::try_from(text.len()).unwrap_or(u64::MAX) > limit => {
            Ok(Err("larger than the limit document-bytes".to_owned()))
        }
        Ok(text) => Ok(Ok(text)),
        Err(failure) => match failure.code {
            FailureCode::NotFound
            | FailureCode::Corrupt
            | FailureCode::Truncated
            | FailureCode::TooLarge
            | FailureCode::Unsupported
            | FailureCode::Invalid => Ok(Err(failure.message)),
            _ => Err(inaccessible(name, &failure)),
        },
    }
}

/// The first of several layers with one diff id counts.
fn by_diff_id(
    layers: impl IntoIterator<Item = (Digest, Descriptor)>,
) -> BTreeMap<Digest, Descriptor> {
    let mut map = BTreeMap::new();
    for (diff_id, descriptor) in layers {
        map.entry(diff_id).or_insert(descriptor);
    }
    map
}

fn broken(name: &str, why: &Difference) -> Error {
    let words = format!("{}: {}", why.path, why.have.as_deref().unwrap_or_default());
    inaccessible(name, &Failure::new(FailureCode::Corrupt, words))
}

fn inaccessible(name: &str, failure: &Failure) -> Error {
    let words = format!("accessing cache image {}: {failure}", quoted(name));
    Problem::new(Reason::AccessFailed, "open", name, words).from_failure(failure)
}

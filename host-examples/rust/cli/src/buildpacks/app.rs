//! The label of the previous application image.

use std::collections::BTreeMap;

use layerwise::buildpacks::APP_LABEL;
use layerwise::host::{FailureCode, Registry};
use layerwise::oci::{Descriptor, Platform};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::args::DOCKER_ROOT;
use crate::failed::Failed;

/// The largest manifest or config that is read.
const LONGEST: u64 = 16 << 20;

/// Indexes in indexes that are followed.
const NESTED: usize = 4;

/// A manifest or an index; which one is seen by its members.
#[derive(Deserialize)]
struct Manifest {
    config: Option<Entry>,
    manifests: Option<Vec<Entry>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Entry {
    #[serde(default)]
    media_type: String,
    digest: String,
    size: u64,
    platform: Option<For>,
}

#[derive(Deserialize)]
struct For {
    os: String,
    architecture: String,
    #[serde(default)]
    variant: String,
}

#[derive(Deserialize)]
struct Image {
    config: Option<Config>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Config {
    labels: Option<BTreeMap<String, String>>,
}

/// An image of a Docker data root.
pub struct OfDocker<'a> {
    root: &'a str,
    name: &'a str,
}

impl<'a> OfDocker<'a> {
    /// Reads `docker:[DIR#]NAME`; `None` for other references.
    pub fn parse(reference: &'a str) -> Option<Self> {
        let rest = reference.strip_prefix("docker:")?;
        if rest.starts_with("//") {
            // How other tools mark references to registries.
            return None;
        }
        let (root, name) = rest.rsplit_once('#').unwrap_or((DOCKER_ROOT, rest));
        Some(Self { root, name })
    }

    /// The label, as [`label`] returns it.
    pub fn label(&self) -> Result<Option<String>, Failed> {
        let Self { root, name } = self;
        let store = layerwise_stores::open(&format!("docker:{root}"))?.images;
        let failed = |why: &str| {
            let message = format!("cannot read the app image {name:?} of {root:?}: {why}");
            Failed::new("host", message).about(name)
        };
        let image = match store.resolve(&[(*name).to_owned()], LONGEST).pop() {
            Some(Ok(image)) => image,
            Some(Err(failure)) if failure.code == FailureCode::NotFound => return Ok(None),
            Some(Err(failure)) => return Err(failed(&failure.message)),
            None => return Err(failed("the host returned nothing")),
        };
        let document = image.document.unwrap_or_default();
        let image: Image =
            serde_json::from_str(&document).map_err(|error| failed(&error.to_string()))?;
        Ok(image.label())
    }
}

/// The label; `None` if there is no such image, or it has no such label.
pub fn label(
    registry: &dyn Registry,
    name: &str,
    platform: Option<&Platform>,
) -> Result<Option<String>, Failed> {
    let failed = |why: &str| {
        Failed::new("host", format!("cannot read the app image {name:?}: {why}")).about(name)
    };
    let repository = registry.locate(name).map_err(|f| failed(&f.message))?;
    let answer = registry.resolve(&[name.to_owned()]).into_iter().next();
    let mut descriptor = match answer {
        Some(Ok(found)) => found.into_iter().next(),
        Some(Err(failure)) if failure.code == FailureCode::NotFound => None,
        Some(Err(failure)) => return Err(failed(&failure.message)),
        None => return Err(failed("the host returned nothing")),
    };
    for _ in 0..NESTED {
        let Some(wanted) = descriptor.take() else {
            return Ok(None);
        };
        let manifest: Manifest = read(registry, &repository, &wanted).map_err(|f| failed(&f))?;
        match (manifest.config, manifest.manifests) {
            (Some(config), None) => {
                let image: Image =
                    read(registry, &repository, &config.into()).map_err(|f| failed(&f))?;
                return Ok(image.label());
            }
            (None, Some(images)) => {
                descriptor = Some(choose(images, platform).map_err(|why| failed(&why))?);
            }
            _ => return Err(failed("it is neither an image nor an index")),
        }
    }
    Err(failed("its indexes are nested too deeply"))
}

/// The image of an index for a platform.
fn choose(images: Vec<Entry>, platform: Option<&Platform>) -> Result<Descriptor, String> {
    let names = |images: &[Entry]| {
        let names: Vec<String> = images.iter().filter_map(Entry::name).collect();
        names.join(", ")
    };
    let Some(wanted) = platform else {
        let names = names(&images);
        return Err(format!(
            "it is an index of {names}; name one of these with --app-platform"
        ));
    };
    let all = names(&images);
    let fits = |image: &Entry| {
        image.platform.as_ref().is_some_and(|here| {
            here.os == wanted.os
                && here.architecture == wanted.architecture
                && (wanted.variant.is_empty() || here.variant == wanted.variant)
        })
    };
    images
        .into_iter()
        .find(fits)
        .map(Into::into)
        .ok_or_else(|| format!("it is an index of {all}, and the platform asked for is not there"))
}

fn read<T: DeserializeOwned>(
    registry: &dyn Registry,
    repository: &str,
    wanted: &Descriptor,
) -> Result<T, String> {
    let answer = registry
        .read(repository, std::slice::from_ref(wanted), LONGEST)
        .into_iter()
        .next();
    let text = match answer {
        Some(Ok(text)) => text,
        Some(Err(failure)) => return Err(failure.message),
        None => return Err("the host returned nothing".to_owned()),
    };
    serde_json::from_str(&text).map_err(|error| format!("{}: {error}", wanted.digest))
}

impl Image {
    fn label(self) -> Option<String> {
        self.config?.labels?.remove(APP_LABEL)
    }
}

impl Entry {
    fn name(&self) -> Option<String> {
        let For {
            os,
            architecture,
            variant,
        } = self.platform.as_ref()?;
        Some(match variant.as_str() {
            "" => format!("{os}/{architecture}"),
            variant => format!("{os}/{architecture}/{variant}"),
        })
    }
}

impl From<Entry> for Descriptor {
    fn from(entry: Entry) -> Self {
        Self {
            media_type: entry.media_type,
            digest: entry.digest,
            size: entry.size,
            annotations: Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images_of_a_data_root_are_told_apart() {
        let read = |text: &str| OfDocker::parse(text).map(|of| format!("{} {}", of.root, of.name));
        assert_eq!(read("docker:app").unwrap(), "/var/lib/docker app");
        assert_eq!(read("docker:/a#b:/c#app:1").unwrap(), "/a#b:/c app:1");
        assert_eq!(read("docker://host/app"), None);
        assert_eq!(read("host/app"), None);
    }
}

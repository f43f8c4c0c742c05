//! What a builder builds for when nobody says it: what the image is for that the step
//! starts from, else this machine.

use std::env::consts::ARCH;

use layerwise::host::Image;
use layerwise::oci::Platform;
use serde::Deserialize;

use super::opened::Opened;
use crate::failed::Failed;

/// The platform of the parent where it names an architecture, else that of this
/// machine.
pub fn default(opened: &Opened<'_>, parent: Option<&Image>) -> Result<Platform, Failed> {
    let document = parent.and_then(|image| image.document.as_deref());
    // A document that cannot be read is an error of the lookup, with better words.
    let told = document.and_then(|text| serde_json::from_str::<Told>(text).ok());
    match told.filter(|told| !told.architecture.is_empty()) {
        Some(told) => Ok(told.into()),
        None => machine(opened),
    }
}

/// This machine, by the names of images.
fn machine(opened: &Opened<'_>) -> Result<Platform, Failed> {
    let here = Platform {
        os: opened.args.host_os.clone(),
        architecture: architecture(ARCH).to_owned(),
        ..Platform::default()
    };
    let limits = opened.args.limits.of_session();
    let mut predicates = opened.engine.docker_predicates(limits)?;
    Ok(predicates.normalize_platform(&here, &opened.args.host_os)?)
}

/// Rust's name of an architecture as Go spells it, where the two differ and Docker
/// does not know both.
fn architecture(name: &str) -> &str {
    match name {
        "x86" => "386",
        "powerpc64" if cfg!(target_endian = "little") => "ppc64le",
        "powerpc64" => "ppc64",
        "loongarch64" => "loong64",
        other => other,
    }
}

/// The platform of an image document.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Told {
    os: String,
    architecture: String,
    variant: String,
    #[serde(rename = "os.version")]
    os_version: String,
    #[serde(rename = "os.features")]
    os_features: Vec<String>,
}

impl From<Told> for Platform {
    fn from(told: Told) -> Self {
        let Told {
            os,
            architecture,
            variant,
            os_version,
            os_features,
        } = told;
        Self {
            os,
            architecture,
            variant,
            os_version,
            os_features,
        }
    }
}

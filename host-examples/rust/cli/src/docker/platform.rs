//! What a builder builds for when nobody says it: what the image is for that the step
//! starts from, or this machine, by the rules of the engine's version.

use layerwise::host::Image;
use layerwise::oci::Platform;
use serde::Deserialize;

use super::opened::Opened;
use crate::failed::Failed;

/// The platform that a step on the parent is asked for.
pub fn default(opened: &Opened<'_>, parent: Option<&Image>) -> Result<Platform, Failed> {
    let document = parent.and_then(|image| image.document.as_deref());
    // A document that cannot be read is an error of the lookup, with better words.
    let told = document.and_then(|text| serde_json::from_str::<Told>(text).ok());
    let base = told.map(Platform::from);
    let machine = Platform {
        os: opened.args.host_os.clone(),
        ..layerwise_stores::machine()
    };
    let limits = opened.args.limits.of_session();
    let mut predicates = opened.engine.docker_predicates(limits)?;
    let machine = predicates.normalize_platform(&machine, &opened.args.host_os)?;
    Ok(predicates.step_platform(base.as_ref(), None, &machine, &opened.semantics)?)
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

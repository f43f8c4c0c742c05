//! What a stage begins with (Dockerfile spec, section 5).

use super::reason::Reason;
use super::refusal::{Stop, refused};
use super::version::Rules;
use crate::docker::config::ContainerConfig;
use crate::docker::image::ImageDocument;
use crate::error::{Error, Problem};
use crate::host::{Facts, FailureCode, Image, ImageStore, only};
use crate::oci::Platform;
use crate::prelude::*;

use super::limits::SessionLimits;

/// An image that a stage can begin with.
#[derive(Clone, Debug, Default)]
pub struct Base {
    /// Its id.
    pub id: String,
    /// Its config.
    pub config: Option<ContainerConfig>,
    /// What it is for.
    pub platform: Platform,
}

/// Finds an image by its name.
///
/// # Errors
/// `dockerfile/base-not-found`, and what the host answers.
pub fn find<S: ImageStore>(
    name: &str,
    store: &S,
    rules: &Rules,
    limits: &SessionLimits,
) -> Result<Base, Stop> {
    let found = only(store.resolve(&[name.to_owned()], limits.document_bytes()));
    match found {
        Ok(image) => Ok(read(image, rules, limits)?),
        Err(failure) if failure.code == FailureCode::NotFound => Err(refused(
            Reason::BaseNotFound,
            format!("the image {name} is not here; the engine would pull it"),
        )),
        Err(failure) => {
            let problem = Problem::new(Reason::HostFailed, "resolve", name, failure.to_string());
            Err(Stop::Failed(problem.from_failure(&failure)))
        }
    }
}

/// Reads the image of a step; `None` if it cannot be read.
pub fn get<S: ImageStore>(
    id: &str,
    store: &S,
    rules: &Rules,
    limits: &SessionLimits,
) -> Option<Base> {
    let want = Facts {
        document: true,
        ..Facts::default()
    };
    let image = only(store.get(&[id.to_owned()], want, limits.document_bytes())).ok()?;
    read(image, rules, limits).ok()
}

fn read(image: Image, rules: &Rules, limits: &SessionLimits) -> Result<Base, Error> {
    let text = image.document.unwrap_or_default();
    limits.document(text.len(), &image.id)?;
    let document = ImageDocument::read(&text, &rules.config, limits.depth()).map_err(|error| {
        Error::Invalid(Problem::new(
            Reason::InvalidArgument,
            "read image",
            &image.id,
            error.to_string(),
        ))
    })?;
    Ok(Base {
        platform: document.platform(),
        config: document.config.map(|config| *config),
        id: image.id,
    })
}

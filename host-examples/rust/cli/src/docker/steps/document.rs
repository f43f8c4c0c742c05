//! Images and their documents, as far as their steps need them.

use layerwise::docker::Order;
use layerwise::host::{Facts, Failure, FailureCode, Image, ImageStore};
use layerwise::oci::Platform;
use layerwise::semantics::Semantics;
use layerwise_host::Error;
use layerwise_host::docker::Predicates;
use serde::Deserialize;
use serde_json::value::RawValue;

/// The largest document that is read.
const LONGEST_DOCUMENT: u64 = 64 << 20;

/// An image document as far as steps are concerned, in the form that the
/// component writes: texts are equal when what they say is.
#[derive(Deserialize)]
pub struct Document {
    #[serde(default)]
    pub history: Vec<Box<RawValue>>,
    #[serde(default)]
    os: String,
    #[serde(default)]
    architecture: String,
    #[serde(default)]
    variant: String,
    #[serde(default, rename = "os.version")]
    os_version: String,
    #[serde(default, rename = "os.features")]
    os_features: Vec<String>,
}

impl Document {
    /// Whether this history begins with all of another one.
    pub fn continues(&self, other: &Self) -> bool {
        other.history.len() < self.history.len()
            && other
                .history
                .iter()
                .zip(&self.history)
                .all(|(a, b)| a.get() == b.get())
    }

    pub fn platform(&self) -> Platform {
        Platform {
            os: self.os.clone(),
            architecture: self.architecture.clone(),
            variant: self.variant.clone(),
            os_version: self.os_version.clone(),
            os_features: self.os_features.clone(),
        }
    }
}

pub fn command(entry: &RawValue) -> String {
    #[derive(Deserialize)]
    struct Entry {
        #[serde(default)]
        created_by: String,
    }
    serde_json::from_str(entry.get()).map_or_else(|_| String::new(), |e: Entry| e.created_by)
}

pub fn document(
    predicates: &mut Predicates,
    image: &Image,
    semantics: &Semantics,
) -> Result<Document, Error> {
    let text = image.document.as_deref().unwrap_or_default();
    let written = predicates
        .encode_image(text, Order::Declared, semantics)
        .map_err(|error| about(error, &image.id))?;
    serde_json::from_str(&written)
        .map_err(|error| layerwise::error::Error::Other(error.to_string()).into())
}

/// The same error with the image in place of the argument's name.
fn about(error: Error, image: &str) -> Error {
    use layerwise::error::Error as E;
    match error {
        Error::Refused(E::Invalid(mut problem)) => {
            problem.subject = image.to_owned();
            E::Invalid(problem).into()
        }
        Error::Refused(E::Corrupt(mut problem)) => {
            problem.subject = image.to_owned();
            E::Corrupt(problem).into()
        }
        other => other,
    }
}

pub const LINK: Facts = Facts {
    document: false,
    parent: true,
    built: false,
};

pub const BUILT: Facts = Facts {
    document: false,
    parent: false,
    built: true,
};

pub const DOCUMENT: Facts = Facts {
    document: true,
    parent: false,
    built: true,
};

pub fn one(store: &dyn ImageStore, id: &str, want: Facts) -> Result<Image, Failure> {
    let mut answers = store.get(&[id.to_owned()], want, LONGEST_DOCUMENT);
    let none = || Failure::new(FailureCode::Other, "the store returned nothing");
    answers.pop().unwrap_or_else(|| Err(none()))
}

//! The images of a request, as a store.

use std::collections::{BTreeMap, BTreeSet};

use layerwise::host::{Facts, Failure, FailureCode, Image, ImageStore, Provenance};
use layerwise::oci::sha256;
use schemars::JsonSchema;
use serde::Deserialize;

/// An image as a request has it.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "image-in-request")]
pub struct Given {
    /// The exact text of its config document; its SHA-256 is the id.
    document: String,
    /// The id of the recorded parent.
    #[serde(default)]
    parent: Option<String>,
    /// Whether it was built by the store's own builder; null if nobody knows.
    #[serde(default)]
    built_here: Option<bool>,
    /// What it is called.
    #[serde(default)]
    names: Vec<String>,
}

/// The images by their ids.
#[derive(Debug, Default)]
pub struct Images {
    all: BTreeMap<String, Image>,
    names: BTreeMap<String, String>,
    children: BTreeMap<Option<String>, BTreeSet<String>>,
}

impl Images {
    /// All that were given.
    pub fn new(given: Vec<Given>) -> Self {
        let mut images = Self::default();
        for one in given {
            let id = sha256(one.document.as_bytes()).to_string();
            for name in one.names {
                images.names.insert(name, id.clone());
            }
            let siblings = images.children.entry(one.parent.clone()).or_default();
            siblings.insert(id.clone());
            let image = Image {
                id: id.clone(),
                document: Some(one.document),
                parent: one.parent,
                built: match one.built_here {
                    None => Provenance::Unknown,
                    Some(true) => Provenance::BuiltHere,
                    Some(false) => Provenance::Elsewhere,
                },
            };
            images.all.insert(id, image);
        }
        images
    }

    /// The image behind an id or a name.
    pub fn find(&self, name: &str) -> Option<&Image> {
        let named = || self.all.get(self.names.get(name)?);
        self.all.get(name).or_else(named)
    }
}

impl ImageStore for Images {
    fn get(&self, ids: &[String], want: Facts, _: u64) -> Vec<Result<Image, Failure>> {
        let of = |id: &String| {
            let image = self.all.get(id).ok_or_else(|| none(id))?;
            Ok(Image {
                id: id.clone(),
                document: image.document.clone().filter(|_| want.document),
                parent: image.parent.clone().filter(|_| want.parent),
                built: match want.built {
                    true => image.built,
                    false => Provenance::Unknown,
                },
            })
        };
        ids.iter().map(of).collect()
    }

    fn resolve(&self, references: &[String], _: u64) -> Vec<Result<Image, Failure>> {
        let of = |name: &String| self.find(name).cloned().ok_or_else(|| none(name));
        references.iter().map(of).collect()
    }

    fn children(&self, parent: Option<&str>) -> Result<Vec<String>, Failure> {
        let children = self.children.get(&parent.map(str::to_owned));
        Ok(children.into_iter().flatten().cloned().collect())
    }

    fn set_parent(&self, _: &str, _: &str) -> Result<(), Failure> {
        Err(read_only())
    }

    fn create(&self, _: Option<&str>, _: &str, _: Option<&str>) -> Result<String, Failure> {
        Err(read_only())
    }
}

fn none(name: &str) -> Failure {
    let message = format!("no image {name:?} is in the request");
    Failure::new(FailureCode::NotFound, message)
}

fn read_only() -> Failure {
    Failure::new(FailureCode::Unsupported, "the service writes nothing")
}

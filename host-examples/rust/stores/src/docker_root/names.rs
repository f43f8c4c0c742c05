//! `repositories.json`: the names of images.
//!
//! `{"Repositories":{"busybox":{"busybox:latest":"sha256:…","busybox@sha256:…":
//! "sha256:…"}}}`: familiar repository to familiar name to image id. The engine
//! writes the file when it starts, so a missing one means no names.

use std::collections::BTreeMap;
use std::path::PathBuf;

use layerwise::host::{Failure, FailureCode};
use layerwise_files::Tree;
use serde::Deserialize;

use super::scan::image_id;
use crate::reference::Named;

const NAME: &str = "repositories.json";
/// The largest file that is read: about 300,000 names.
const LONGEST: u64 = 64 << 20;

/// The names of one reading of the file.
#[derive(Default)]
pub struct Names {
    path: PathBuf,
    repositories: BTreeMap<String, Option<BTreeMap<String, String>>>,
}

#[derive(Deserialize)]
struct File {
    #[serde(rename = "Repositories")]
    repositories: Option<BTreeMap<String, Option<BTreeMap<String, String>>>>,
}

impl Names {
    /// Reads the file.
    ///
    /// # Errors
    /// When it cannot be read; `corrupt` when it is not what it should be.
    pub fn read(images: &Tree) -> Result<Self, Failure> {
        let path = images.path().join(NAME);
        if images.kind(NAME)?.is_none() {
            return Ok(Self::default());
        }
        let bytes = images.read(NAME, LONGEST)?;
        let file: File = serde_json::from_slice(&bytes).map_err(|error| {
            Failure::new(
                FailureCode::Corrupt,
                format!("{path:?} is not a list of image names: {error}"),
            )
        })?;
        Ok(Self {
            path,
            repositories: file.repositories.unwrap_or_default(),
        })
    }

    /// Every name.
    pub fn all(&self) -> impl Iterator<Item = &String> {
        let repositories = self.repositories.values().flatten();
        repositories.flat_map(BTreeMap::keys)
    }

    /// The id a name leads to.
    ///
    /// # Errors
    /// `corrupt` when it leads to something else.
    pub fn look_up(&self, name: &Named) -> Result<Option<String>, Failure> {
        let familiar = name.familiar();
        let repository = self.repositories.get(&name.familiar_repository());
        let Some(id) = repository.and_then(|names| names.as_ref()?.get(&familiar)) else {
            return Ok(None);
        };
        if image_id(id).is_err() {
            let path = &self.path;
            return Err(Failure::new(
                FailureCode::Corrupt,
                format!("{path:?} lets {familiar:?} lead to {id:?}, which is not an image id"),
            ));
        }
        Ok(Some(id.clone()))
    }
}

//! The image store of the Docker spec, section 2, as a list.

use std::collections::BTreeMap;

use layerwise::host::{Failure, FailureCode, Image, Provenance};
use layerwise_stores::Faults;
use sha2::{Digest, Sha256};

use super::document::{self, Record};

/// An image store; children are listed as they were added.
#[derive(Clone, Debug, Default)]
pub struct Store {
    /// All images, each with its document.
    pub images: Vec<Image>,
    /// Names and the ids they lead to.
    pub references: BTreeMap<String, String>,
    /// Operations that fail.
    pub faults: Faults,
}

/// An image as a lookup uses it.
#[derive(Clone, Debug)]
pub struct Read {
    /// Its id.
    pub id: String,
    /// Its document.
    pub document: Record,
}

/// `sha256:` and the digest of a document in hex.
pub fn id_of(document: &str) -> String {
    let hex: Vec<String> = Sha256::digest(document.as_bytes())
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    format!("sha256:{}", hex.concat())
}

impl Store {
    /// The recorded facts of an image.
    pub fn find(&self, id: &str) -> Option<&Image> {
        self.images.iter().find(|image| image.id == id)
    }

    fn read(&self, id: &str) -> Option<Read> {
        let text = self.find(id)?.document.clone()?;
        let document = document::read_image(&text)?;
        Some(Read {
            id: id.to_owned(),
            document,
        })
    }

    /// An image by its id.
    pub fn get(&self, id: &str) -> Option<Read> {
        match self.faults.get.get(id) {
            Some(_) => None,
            None => self.read(id),
        }
    }

    /// An image by a name or an id.
    ///
    /// # Errors
    /// A planted failure, or that there is no such image.
    pub fn get_by_ref(&self, name: &str) -> Result<Read, FailureCode> {
        if let Some(failure) = self.faults.resolve.get(name) {
            return Err(failure.code);
        }
        let id = self.references.get(name).map_or(name, |id| id);
        self.read(id).ok_or(FailureCode::NotFound)
    }

    /// The images with this parent; without one, those that were built here
    /// and have none.
    pub fn children(&self, parent: Option<&str>) -> Vec<String> {
        let listed = |image: &&Image| {
            image.parent.as_deref() == parent
                && (parent.is_some() || image.built == Provenance::BuiltHere)
        };
        self.images
            .iter()
            .filter(listed)
            .map(|image| image.id.clone())
            .collect()
    }

    /// Whether an image was built here; one that is not known to be was not.
    pub fn is_built_locally(&self, id: &str) -> bool {
        self.find(id)
            .is_some_and(|image| image.built == Provenance::BuiltHere)
    }

    /// The recorded parent; `None` if it cannot be read or there is none.
    pub fn get_parent(&self, id: &str) -> Option<String> {
        match self.faults.parent.get(id) {
            Some(_) => None,
            None => self.find(id)?.parent.clone(),
        }
    }

    /// Records a parent link.
    ///
    /// # Errors
    /// A planted failure, or that one of the images does not exist.
    pub fn set_parent(&mut self, target: &str, parent: &str) -> Result<(), Failure> {
        if let Some(failure) = self.faults.set_parent.get(target) {
            return Err(failure.clone());
        }
        if self.find(target).is_none() || self.find(parent).is_none() {
            return Err(Failure::new(FailureCode::NotFound, "no such image"));
        }
        self.link(target, Some(parent));
        Ok(())
    }

    /// Stores a document as an image and returns its id.
    ///
    /// # Errors
    /// A planted failure.
    pub fn create(&mut self, parent: Option<&str>, document: &str) -> Result<String, Failure> {
        if let Some(failure) = &self.faults.create {
            return Err(failure.clone());
        }
        let id = id_of(document);
        if self.find(&id).is_none() {
            self.images.push(Image {
                id: id.clone(),
                document: Some(document.to_owned()),
                parent: None,
                built: Provenance::Elsewhere,
            });
        }
        if parent.is_some() {
            self.link(&id, parent);
        }
        Ok(id)
    }

    fn link(&mut self, target: &str, parent: Option<&str>) {
        for image in self.images.iter_mut().filter(|image| image.id == target) {
            image.parent = parent.map(str::to_owned);
        }
    }
}

//! A repository in memory.

use core::cell::RefCell;

use crate::host::{
    Failure, FailureCode, Level, Observer, Presence, Registry, Retrieval, Retrieved, Shelf, Stored,
    Transfer,
};
use crate::oci::{Descriptor, sha256};
use crate::prelude::*;

/// Holds documents and layers, and the calls it got.
#[derive(Clone, Debug, Default)]
pub(super) struct Memory {
    pub documents: Rc<RefCell<BTreeMap<String, String>>>,
    pub missing: Rc<RefCell<BTreeSet<String>>>,
    pub calls: Rc<RefCell<Vec<String>>>,
    pub refuse_writes: Rc<RefCell<bool>>,
    /// The diff ids of layers.
    pub plain: Rc<RefCell<BTreeMap<String, String>>>,
    /// What reading a digest, or `has`, fails with.
    pub failing: Rc<RefCell<BTreeMap<String, FailureCode>>>,
}

impl Memory {
    fn call(&self, call: String) {
        self.calls.borrow_mut().push(call);
    }

    pub fn put(&self, text: &str) -> Descriptor {
        let digest = sha256(text.as_bytes()).to_string();
        let mut documents = self.documents.borrow_mut();
        documents.insert(digest.clone(), text.to_owned());
        Descriptor {
            media_type: String::new(),
            digest,
            size: text.len() as u64,
            annotations: Vec::new(),
        }
    }
}

impl Registry for Memory {
    fn locate(&self, reference: &str) -> Result<String, Failure> {
        Ok(reference.to_owned())
    }

    fn resolve(&self, _: &[String]) -> Vec<Result<Vec<Descriptor>, Failure>> {
        Vec::new()
    }

    fn read(&self, _: &str, wanted: &[Descriptor], _: u64) -> Vec<Result<String, Failure>> {
        let documents = self.documents.borrow();
        let failing = self.failing.borrow();
        let find = |item: &Descriptor| {
            if let Some(code) = failing.get(&item.digest) {
                return Err(Failure::new(*code, "a fault"));
            }
            let missing = || Failure::new(FailureCode::NotFound, "not found");
            documents.get(&item.digest).cloned().ok_or_else(missing)
        };
        wanted.iter().map(find).collect()
    }

    fn has(&self, repository: &str, digests: &[String]) -> Result<Vec<Presence>, Failure> {
        self.call(format!("has {repository} {}", digests.len()));
        if let Some(code) = self.failing.borrow().get("has") {
            return Err(Failure::new(*code, "a fault"));
        }
        let missing = self.missing.borrow();
        let there = |digest| {
            if missing.contains(digest) {
                Presence::Absent
            } else {
                Presence::Present
            }
        };
        Ok(digests.iter().map(there).collect())
    }

    fn write(
        &self,
        _: &str,
        shelf: Shelf,
        media_type: &str,
        document: &str,
    ) -> Result<Descriptor, Failure> {
        self.call(format!("write {shelf:?}"));
        if *self.refuse_writes.borrow() {
            return Err(Failure::new(FailureCode::Corrupt, "boom"));
        }
        let descriptor = self.put(document);
        Ok(Descriptor {
            media_type: media_type.to_owned(),
            ..descriptor
        })
    }

    fn store(&self, _: &str, layers: &[Transfer]) -> Vec<Result<Stored, Failure>> {
        self.call(format!("store {}", layers.len()));
        let stored = |layer: &Transfer| Stored {
            descriptor: layer.descriptor.clone(),
            diff_id: None,
            written: true,
        };
        layers.iter().map(|layer| Ok(stored(layer))).collect()
    }

    fn retrieve(&self, _: &str, layers: &[Retrieval]) -> Vec<Result<Retrieved, Failure>> {
        let failing = self.failing.borrow();
        let plain = self.plain.borrow();
        let read = |layer: &Retrieval| {
            let digest = &layer.descriptor.digest;
            if let Some(code) = failing.get(digest) {
                return Err(Failure::new(*code, "a fault"));
            }
            let missing = || Failure::new(FailureCode::NotFound, "not found");
            let diff_id = plain.get(digest).cloned().ok_or_else(missing)?;
            Ok(Retrieved { diff_id, size: 0 })
        };
        layers.iter().map(read).collect()
    }

    fn tag(&self, reference: &str, digest: &str) -> Result<(), Failure> {
        self.call(format!("tag {reference} {digest}"));
        Ok(())
    }

    fn delete(&self, _: &str, _: &str) -> Result<(), Failure> {
        Ok(())
    }
}

impl Observer for Memory {
    fn log(&self, level: Level, message: &str, _: &[(&str, &str)]) {
        if level == Level::Warn {
            self.call(format!("warn {message}"));
        }
    }

    fn progress(&self, _: &str, _: &str, _: u64, _: u64) {}
}

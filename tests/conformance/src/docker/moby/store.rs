//! The image store that a case describes.

use std::collections::BTreeMap;

use layerwise::host::{Failure, FailureCode, Image, Provenance};
use layerwise_stores::{Faults, Memory, Order};

use super::format::{self, BuiltLocally};

/// The store before the case.
pub fn build(store: &format::Store<'_>) -> Memory {
    let memory = Memory::new(Order::Added);
    for image in &store.images {
        let parent = Some(image.parent.as_str()).filter(|parent| !parent.is_empty());
        let built = match &image.built_locally {
            BuiltLocally::Known(true) => Provenance::BuiltHere,
            BuiltLocally::Known(false) => Provenance::Elsewhere,
            BuiltLocally::Text(_) => Provenance::Unknown,
        };
        memory.insert(&image.id, &image.raw, parent, built);
    }
    for (name, id) in &store.refs {
        memory.set_reference(name, id);
    }
    memory.set_faults(faults(&store.faults));
    memory
}

/// The store as it is now, behind `children` in the order of ids; names are left
/// behind.
pub fn sorted(images: &[Image], failing: &format::Faults) -> Memory {
    let memory = Memory::new(Order::Sorted);
    for image in images {
        let document = image.document.as_deref().unwrap_or_default();
        memory.insert(&image.id, document, image.parent.as_deref(), image.built);
    }
    memory.set_faults(Faults {
        resolve: BTreeMap::new(),
        ..faults(failing)
    });
    memory
}

fn faults(failing: &format::Faults) -> Faults {
    let other = |(key, message): (&String, &String)| {
        (key.clone(), Failure::new(FailureCode::Other, message))
    };
    Faults {
        get: failing.get.iter().map(other).collect(),
        resolve: failing
            .get_by_ref
            .iter()
            .map(|(name, fault)| {
                let code = match fault.kind.as_str() {
                    "canceled" => FailureCode::Cancelled,
                    "deadline" => FailureCode::Deadline,
                    _ => FailureCode::Other,
                };
                (name.clone(), Failure::new(code, &fault.msg))
            })
            .collect(),
        set_parent: failing.set_parent.iter().map(other).collect(),
        parent: failing.get_parent.iter().map(other).collect(),
        create: failing
            .create
            .as_ref()
            .map(|m| Failure::new(FailureCode::Full, m)),
    }
}

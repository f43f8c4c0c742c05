//! A cache image of one application.

use std::sync::Arc;

use layerwise::buildpacks::{Addition, AdditionSource, CacheImage, ImageOptions, ImagePolicy};
use layerwise::host::{Registry, Silent};
use layerwise::oci::sha256;
use layerwise::semantics::Semantics;
use layerwise_conformance::memory_registry::MemoryRegistry;

pub const NAME: &str = "registry.example/team/app:cache";

pub fn options() -> ImageOptions {
    ImageOptions {
        reference: NAME.to_owned(),
        scope: "team/app".to_owned(),
        policy: ImagePolicy {
            delete_original: true,
            ..ImagePolicy::default()
        },
        ..ImageOptions::default()
    }
}

pub fn compatible(version: Option<&str>) -> ImageOptions {
    ImageOptions {
        semantics: Semantics::compatible(version),
        ..options()
    }
}

pub fn open<R: Registry>(registry: &Arc<R>, options: ImageOptions) -> CacheImage<Arc<R>, Silent> {
    CacheImage::open(registry.clone(), Silent, options).expect("opens")
}

/// The diff id of a layer of this name.
pub fn id(name: &str) -> String {
    sha256(name.as_bytes()).to_string()
}

pub fn addition(registry: &MemoryRegistry, name: &str) -> Addition {
    registry.put_source(name, &id(name));
    Addition {
        source: AdditionSource::File(name.to_owned()),
        diff_id: id(name),
    }
}

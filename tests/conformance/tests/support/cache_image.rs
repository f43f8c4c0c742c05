//! A cache image of one application.

use std::sync::Arc;

use layerwise::buildpacks::{
    Addition, AdditionSource, CacheImage, Commit, ImageOptions, ImagePolicy, LayerAnswer, Outcome,
    WantedLayer,
};
use layerwise::error::Error;
use layerwise::host::{Destination, Registry, Silent};
use layerwise::oci::sha256;
use layerwise::semantics::Semantics;
use layerwise_conformance::memory_registry::MemoryRegistry;

pub type Image = CacheImage<Arc<MemoryRegistry>, Silent>;

pub const REPOSITORY: &str = "registry.example/team/app";
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

pub fn metadata(layers: &[&str]) -> String {
    let layers: Vec<_> = layers
        .iter()
        .map(|name| format!("\"{name}\":{{\"sha\":\"{}\",\"cache\":true}}", id(name)))
        .collect();
    format!(
        "{{\"buildpacks\":[{{\"key\":\"b\",\"layers\":{{{}}}}}]}}",
        layers.join(",")
    )
}

/// One build: takes over what is there and adds what is not.
pub fn build(registry: &Arc<MemoryRegistry>, layers: &[&str]) -> Result<Commit, Error> {
    let mut image = CacheImage::open(registry.clone(), Silent, options())?;
    for name in layers {
        let reused = image.reuse(&[id(name)])?;
        if reused[0].outcome != Outcome::Done {
            let added = image.add(&[addition(registry, name)])?;
            if added[0].outcome != Outcome::Done {
                return Err(Error::Other(added[0].message.clone()));
            }
        }
    }
    image.set_metadata(&metadata(layers))?;
    image.commit()
}

pub fn retrieve(image: &Image, name: &str) -> LayerAnswer {
    let wanted = WantedLayer {
        diff_id: id(name),
        into: Some(Destination {
            root: "/".to_owned(),
            prefix: format!("layers/b/{name}"),
        }),
    };
    image.retrieve(&[wanted]).expect("answers").remove(0)
}

pub fn code(answer: &LayerAnswer) -> &str {
    answer
        .finding
        .code
        .strip_prefix("buildpacks/")
        .expect("a code of this system")
}

pub fn reason(image: &Image) -> String {
    image.metadata().finding.code.replace("buildpacks/", "")
}

pub fn verdict(commit: &Commit) -> String {
    commit
        .notes
        .last()
        .expect("a verdict")
        .code
        .replace("buildpacks/", "")
}

//! The manifests that building a layer made, as the component takes them.

use std::path::Path;

use layerwise::stacker::LayerType;
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

use super::args::PutArgs;
use super::file::Layer;
use crate::failed::Failed;

/// The media types of indexes, which a build does not make.
const INDEXES: [&str; 2] = [
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
];

/// A JSON map from layer types to descriptors: the given one, or what the layout
/// of results has under the names that stacker gives its results.
pub fn of(args: &PutArgs, layer: &Layer, oci: &Path) -> Result<String, Failed> {
    if let Some(file) = &args.manifests {
        return crate::io::text("the manifests", file);
    }
    let types = args.types.iter().map(|text| {
        LayerType::wanted(text)
            .map_err(|_| Failed::usage(format!("{text:?} is no layer type, such as tar")))
    });
    let types: Vec<_> = types.collect::<Result<_, _>>()?;
    let mut manifests = Map::new();
    if layer.build_only {
        // Nothing of it is in the layout; the first type stands for the result.
        if let Some(first) = types.first() {
            manifests.insert(first.text.clone(), json!({}));
        }
        return Ok(Value::Object(manifests).to_string());
    }
    let index = oci.join("index.json");
    let text = crate::io::text("the index of results", &index)?;
    let bad = |why: &str| Failed::unreadable("the index of results", &index, why);
    let found: Index<'_> =
        serde_json::from_str(&text).map_err(|error| bad(&format!("it is no index: {error}")))?;
    for kind in types {
        let tag = match kind.name.as_str() {
            "tar" => layer.name.clone(),
            other => format!("{}-{other}", layer.name),
        };
        let descriptor = found.tagged(&tag).map_err(|why| bad(&why))?;
        manifests.insert(kind.text, descriptor);
    }
    Ok(Value::Object(manifests).to_string())
}

#[derive(Deserialize)]
struct Index<'a> {
    #[serde(borrow, default)]
    manifests: Vec<&'a RawValue>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Tagged {
    media_type: Option<String>,
    #[serde(default)]
    annotations: Option<Map<String, Value>>,
}

impl Index<'_> {
    fn tagged(&self, tag: &str) -> Result<Value, String> {
        let mut found = Vec::new();
        for raw in &self.manifests {
            let tagged: Tagged = serde_json::from_str(raw.get())
                .map_err(|error| format!("a descriptor in it is malformed: {error}"))?;
            let name = tagged.annotations.as_ref();
            let name = name.and_then(|all| all.get("org.opencontainers.image.ref.name"));
            if name.and_then(Value::as_str) == Some(tag) {
                found.push((raw, tagged));
            }
        }
        match found.as_slice() {
            [(raw, tagged)] => {
                let media_type = tagged.media_type.as_deref().unwrap_or_default();
                if INDEXES.contains(&media_type) {
                    return Err(format!("the tag {tag:?} is an index; give --manifests"));
                }
                serde_json::from_str(raw.get()).map_err(|error| error.to_string())
            }
            [] => Err(format!("it has no manifest with the tag {tag:?}")),
            _ => Err(format!("it has several manifests with the tag {tag:?}")),
        }
    }
}

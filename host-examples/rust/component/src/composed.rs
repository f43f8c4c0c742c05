//! The component and the stores over WASI as one component.

use std::format;
use std::string::String;
use std::vec::Vec;

use wac_graph::types::Package;
use wac_graph::{CompositionGraph, EncodeOptions, PackageId};

use crate::{COMPONENT, STORES};

/// The types that the exports speak of, which have no functions.
const TYPES: &str = "layerwise:cache/types@";

/// The component with the exports of the one that is released, and no imports but those of
/// WASI. It exports the shared types too, because no import brings them.
///
/// # Errors
/// When the stores do not export what the component imports, as text.
pub fn composed() -> Result<Vec<u8>, String> {
    let mut graph = CompositionGraph::new();
    let package = add(&mut graph, "layerwise:stores", STORES)?;
    let stores = graph.instantiate(package);
    let package = add(&mut graph, "layerwise:decisions", COMPONENT)?;
    let decisions = graph.instantiate(package);
    let failed = |name: &str, error: &str| format!("compose {name}: {error}");
    let world = &graph.types()[graph[package].ty()];
    let imports: Vec<String> = world.imports.keys().cloned().collect();
    let exports: Vec<String> = world.exports.keys().cloned().collect();
    for name in imports {
        let lent = graph
            .alias_instance_export(stores, &name)
            .map_err(|error| failed(&name, &format!("{error}")))?;
        graph
            .set_instantiation_argument(decisions, &name, lent)
            .map_err(|error| failed(&name, &format!("{error}")))?;
        if name.starts_with(TYPES) {
            graph
                .export(lent, &name)
                .map_err(|error| failed(&name, &format!("{error}")))?;
        }
    }
    for name in exports {
        let decided = graph
            .alias_instance_export(decisions, &name)
            .map_err(|error| failed(&name, &format!("{error}")))?;
        graph
            .export(decided, &name)
            .map_err(|error| failed(&name, &format!("{error}")))?;
    }
    graph
        .encode(EncodeOptions::default())
        .map_err(|error| format!("compose: {error}"))
}

fn add(graph: &mut CompositionGraph, name: &str, bytes: &[u8]) -> Result<PackageId, String> {
    let package = Package::from_bytes(name, None, bytes, graph.types_mut())
        .map_err(|error| format!("read {name}: {error:#}"))?;
    graph
        .register_package(package)
        .map_err(|error| format!("take {name}: {error}"))
}

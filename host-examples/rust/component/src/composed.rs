//! The component and the stores over WASI as one component.

use std::string::{String, ToString as _};
use std::vec::Vec;
use std::{format, vec};

use wac_graph::types::Package;
use wac_graph::{CompositionGraph, EncodeOptions, plug};

use crate::{COMPONENT, STORES};

/// The component with the exports of the one that is released, and no imports but those of
/// WASI.
///
/// # Errors
/// When the stores do not export what the component imports, as text.
pub fn composed() -> Result<Vec<u8>, String> {
    let mut graph = CompositionGraph::new();
    let mut package = |name: &str, bytes: &[u8]| {
        let package = Package::from_bytes(name, None, bytes, graph.types_mut())
            .map_err(|error| format!("read {name}: {error:#}"))?;
        graph
            .register_package(package)
            .map_err(|error| format!("take {name}: {error}"))
    };
    let stores = package("layerwise:stores", STORES)?;
    let decisions = package("layerwise:decisions", COMPONENT)?;
    plug(&mut graph, vec![stores], decisions).map_err(|error| error.to_string())?;
    graph
        .encode(EncodeOptions::default())
        .map_err(|error| format!("compose: {error}"))
}

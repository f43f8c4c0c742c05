//! The component by itself, as a file.

use wasmparser::{Parser, Payload};
use wit_parser::decoding::{DecodedWasm, decode};
use wit_parser::{Resolve, WorldId, WorldKey};

use crate::failure::Failure;
use crate::place::{Place, read, sha256};

/// What the file is called.
pub const FILE: &str = "layerwise.wasm";

pub fn make(place: &Place) -> Result<(), Failure> {
    let mut cargo = place.tool("cargo");
    cargo.args(["run", "--quiet", "--package", "layerwise-component", "--"]);
    place.output(cargo.arg(place.out.join(FILE)))?;
    Ok(())
}

/// Name, version and licence are inside, and nothing is imported but what a host lends.
pub fn prove(place: &Place) -> Result<String, Failure> {
    let bytes = read(&place.out.join(FILE))?;
    for (section, want) in [
        ("version", &*place.version),
        ("licenses", env!("CARGO_PKG_LICENSE")),
        ("source", env!("CARGO_PKG_REPOSITORY")),
    ] {
        let text = inside(&bytes, section)?;
        if text.as_deref() != Some(want) {
            return Err(Failure::new(format!(
                "its section {section} is {text:?}, not {want:?}"
            )));
        }
    }
    let (imports, exports) = interfaces(&bytes)?;
    if let Some(other) = imports
        .iter()
        .find(|name| !name.starts_with("layerwise:cache/"))
    {
        return Err(Failure::new(format!("the component imports {other}")));
    }
    Ok(format!(
        "version {} inside, {} imports, {} exports, {} bytes, sha256:{}",
        place.version,
        imports.len(),
        exports.len(),
        bytes.len(),
        sha256(&bytes)
    ))
}

/// The text of a custom section of the component itself, not of a module in it.
fn inside(component: &[u8], name: &str) -> Result<Option<String>, Failure> {
    let mut depth = 0;
    for payload in Parser::new(0).parse_all(component) {
        match payload.map_err(|error| Failure::new(format!("read the component: {error}")))? {
            Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => depth += 1,
            Payload::End(_) => depth -= 1,
            Payload::CustomSection(section) if depth == 0 && section.name() == name => {
                return Ok(Some(String::from_utf8_lossy(section.data()).into_owned()));
            }
            _ => {}
        }
    }
    Ok(None)
}

/// The interfaces that a component imports and exports.
pub fn interfaces(component: &[u8]) -> Result<(Vec<String>, Vec<String>), Failure> {
    let decoded =
        decode(component).map_err(|e| Failure::new(format!("read the component: {e:#}")))?;
    let DecodedWasm::Component(resolve, world) = decoded else {
        return Err(Failure::new("the component is a WIT package"));
    };
    Ok((names(&resolve, world, true), names(&resolve, world, false)))
}

fn names(resolve: &Resolve, world: WorldId, imports: bool) -> Vec<String> {
    let Some(world) = resolve.worlds.get(world) else {
        return Vec::new();
    };
    let items = if imports {
        &world.imports
    } else {
        &world.exports
    };
    let name = |key: &WorldKey| resolve.name_world_key(key);
    items.keys().map(name).collect()
}

//! The component by itself, as a file.

use wasmparser::{Parser, Payload};

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
    let (imports, exports) = super::oci::interfaces(&bytes)?;
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

//! Compiled code kept on disk, so that a start costs a memory map.
//!
//! A file belongs to one component, one wasmtime and one set of engine settings;
//! all three are in its name. Files are written whole and then renamed.

use std::fs;
use std::hash::{Hash as _, Hasher};
use std::path::{Path, PathBuf};

use layerwise::oci::sha256;
use wasmtime::Engine;
use wasmtime::component::Component;

use crate::error::Error;

/// Loads the compiled form of a component, by default the one inside, out of
/// `directory`, or compiles it and keeps it there. A directory that cannot be used
/// costs time, never an error.
pub fn load_or_compile(
    engine: &Engine,
    other: Option<&[u8]>,
    directory: &Path,
) -> Result<Component, Error> {
    let path = match other {
        None => path(engine, env!("LAYERWISE_COMPONENT_SHA256"), directory),
        Some(wasm) => path(engine, sha256(wasm).hex(), directory),
    };
    if let Some(component) = load(engine, &path) {
        return Ok(component);
    }
    let component = compile(engine, other)?;
    keep(&component, &path);
    Ok(component)
}

/// Compiles a component, by default the one inside.
pub fn compile(engine: &Engine, other: Option<&[u8]>) -> Result<Component, Error> {
    Component::new(engine, other.unwrap_or(crate::COMPONENT))
        .map_err(|error| Error::Engine(format!("the component cannot be compiled: {error:#}")))
}

fn path(engine: &Engine, component: &str, directory: &Path) -> PathBuf {
    let mut settings = Settings(Vec::new());
    engine.precompile_compatibility_hash().hash(&mut settings);
    let settings = sha256(&settings.0);
    let short = |hex: &str| hex.chars().take(32).collect::<String>();
    directory.join(format!(
        "{}-{}.cwasm",
        short(component),
        short(settings.hex())
    ))
}

/// Collects what wasmtime hashes of its settings, for a stable digest.
struct Settings(Vec<u8>);

impl Hasher for Settings {
    fn finish(&self) -> u64 {
        0
    }

    fn write(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }
}

#[expect(
    unsafe_code,
    reason = "compiled code is trusted as the executable itself is"
)]
fn load(engine: &Engine, path: &Path) -> Option<Component> {
    if !path.is_file() {
        return None;
    }
    // SAFETY: the file lies in a directory of the user that runs this program and
    // was written by it; wasmtime checks version and settings, and refuses others.
    unsafe { Component::deserialize_file(engine, path) }.ok()
}

fn keep(component: &Component, path: &Path) {
    let Ok(code) = component.serialize() else {
        return;
    };
    let Some(directory) = path.parent() else {
        return;
    };
    let partial = path.with_extension(format!("{}.partial", std::process::id()));
    let written = fs::create_dir_all(directory)
        .and_then(|()| fs::write(&partial, code))
        .and_then(|()| fs::rename(&partial, path));
    if written.is_err() {
        let _ = fs::remove_file(&partial);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_known_digest_is_that_of_the_component() {
        let known = env!("LAYERWISE_COMPONENT_SHA256");
        assert_eq!(known, sha256(crate::COMPONENT).hex());
    }
}

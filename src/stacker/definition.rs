//! A layer as the user describes it.

use super::codec::Unknown;
use super::reason::{Fault, Reason};
use super::reference::{Source, layer_of};
use super::schema::{Kind, Schema};
use super::value::Value;
use crate::go_json::Error;
use crate::paths;
use crate::prelude::*;

/// A definition, parsed once.
#[derive(Clone, Debug)]
pub(crate) struct Definition {
    /// All of it, for comparisons and to be recorded.
    pub layer: Value,
    pub from: Source,
    pub imports: Vec<Import>,
    pub overlays: Vec<Overlay>,
    pub has_binds: bool,
    /// The result stays in the directory of roots.
    pub build_only: bool,
}

/// An import of a definition.
#[derive(Clone, Debug)]
pub(crate) struct Import {
    /// The full path or url: the key of its record.
    pub path: String,
    /// It has a destination: neither recorded nor checked.
    pub unchecked: bool,
    /// The SHA-256 that the definition demands, in lower-case hex; else empty.
    pub hash: String,
    /// The mode that a copy gets instead of that of its source.
    pub mode: Option<u32>,
    /// The owner and group that a copy gets, where they are stated.
    pub owner: [Option<u32>; 2],
}

impl Import {
    /// Whether its content is pinned by a hash in the definition.
    pub const fn is_pinned(&self) -> bool {
        !self.hash.is_empty()
    }
}

/// An overlay directory of a definition.
#[derive(Clone, Debug)]
pub(crate) struct Overlay {
    pub source: String,
    pub dest: String,
}

impl Definition {
    /// Reads the JSON of a definition.
    pub fn read(
        name: &str,
        text: &str,
        schema: &'static Schema,
        depth: u32,
        unknown: Unknown,
    ) -> Result<Self, Fault> {
        let bad = |error: Error| {
            Fault::new(
                Reason::BadDefinition,
                name,
                format!("not a layer of this version: {error}"),
            )
        };
        let layer = read_layer(text, schema, depth, unknown).map_err(bad)?;
        Ok(Self::new(layer, schema))
    }

    fn new(layer: Value, schema: &Schema) -> Self {
        let record = &schema.layer;
        let from = layer
            .field(record, "From")
            .map(|from| source(from, schema))
            .unwrap_or_default();
        let items = |name: &str| {
            layer
                .field(record, name)
                .map(Value::items)
                .unwrap_or_default()
        };
        let imports = items("Imports").iter().map(|import| {
            let text = |name: &str| element(schema, "Import", import, name);
            let number = |name: &str| {
                let number = field(schema, "Import", import, name).and_then(Value::integer);
                number.and_then(|number| u32::try_from(number).ok())
            };
            Import {
                path: text("Path"),
                unchecked: !text("Dest").is_empty(),
                hash: text("Hash").to_ascii_lowercase(),
                mode: number("Mode"),
                owner: [number("Uid"), number("Gid")],
            }
        });
        let overlays = items("OverlayDirs").iter().map(|overlay| {
            let text = |name: &str| element(schema, "OverlayDir", overlay, name);
            Overlay {
                source: text("Source"),
                dest: text("Dest"),
            }
        });
        Self {
            from,
            imports: imports.collect(),
            overlays: overlays.collect(),
            has_binds: !items("Binds").is_empty(),
            build_only: layer.field(record, "BuildOnly").is_some_and(Value::is_true),
            layer,
        }
    }

    /// Refuses names that would lead out of the directories kept for them
    /// (threat T11): the layer's, and the last elements of its imports, overlay
    /// directories and base tarball, are single names; a destination has no
    /// `..`.
    pub fn check_names(&self, layer: &str) -> Result<(), Fault> {
        let refused = |what: &str, name: &str| {
            let message = format!("{what} {name:?} leads out of its directory");
            Err(Fault::new(Reason::UnsafeName, layer, message))
        };
        let is_name =
            |name: &str| !matches!(name, "" | "." | ".." | "/") && !name.contains(['/', '\0']);
        if !is_name(layer) {
            return refused("the layer name", layer);
        }
        let tarball = (self.from.kind == "tar").then_some(("the base", &self.from.url));
        let imports = self
            .imports
            .iter()
            .map(|import| ("the import", &import.path));
        let overlays = self
            .overlays
            .iter()
            .map(|overlay| ("the overlay", &overlay.source));
        for (what, path) in tarball.into_iter().chain(imports).chain(overlays) {
            if !is_name(paths::last_element(path)) {
                return refused(what, path);
            }
        }
        for overlay in &self.overlays {
            if overlay.dest.split('/').any(|part| part == "..") {
                return refused("the destination", &overlay.dest);
            }
        }
        Ok(())
    }

    /// The imports that are recorded and checked, with their places in the
    /// list.
    pub fn checked_imports(&self) -> impl Iterator<Item = (usize, &Import)> {
        self.imports
            .iter()
            .enumerate()
            .filter(|(_, import)| !import.unchecked)
    }

    /// The checked imports out of other layers, with the names of these.
    pub fn imported_layers(&self) -> impl Iterator<Item = (&Import, &str)> {
        let imports = self.checked_imports().map(|(_, import)| import);
        let changing = imports.filter(|import| !import.is_pinned());
        changing.filter_map(|import| Some((import, layer_of(&import.path)?)))
    }

    /// The layer this one is built on.
    pub fn built_on(&self) -> Option<&str> {
        (self.from.kind == "built").then_some(self.from.tag.as_str())
    }
}

/// Reads the JSON of a layer.
pub(crate) fn read_layer(
    text: &str,
    schema: &'static Schema,
    depth: u32,
    unknown: Unknown,
) -> Result<Value, Error> {
    Value::read(text, &Kind::Record(&schema.layer), depth, unknown)
}

/// The source of a layer.
pub(crate) fn source(from: &Value, schema: &Schema) -> Source {
    let text = |name: &str| element(schema, "ImageSource", from, name);
    Source {
        kind: text("Type"),
        url: text("Url"),
        tag: text("Tag"),
    }
}

/// A text field of one of the named structures; empty where the version has no
/// such field.
fn element(schema: &Schema, record: &str, value: &Value, name: &str) -> String {
    field(schema, record, value, name)
        .map(Value::text)
        .unwrap_or_default()
        .to_owned()
}

/// A field of one of the named structures, if the version has it.
fn field<'a>(schema: &Schema, record: &str, value: &'a Value, name: &str) -> Option<&'a Value> {
    let kind = schema
        .named
        .iter()
        .find(|(named, _)| *named == record)
        .map(|(_, kind)| kind);
    match kind {
        Some(Kind::Record(record)) => value.field(record, name),
        _ => None,
    }
}

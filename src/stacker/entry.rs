//! What the cache holds for a name.

use core::cell::OnceCell;

use super::schema::{Kind, Schema};
use super::value::Value;
use crate::oci;
use crate::prelude::*;

/// An entry of the cache.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    schema: &'static Schema,
    value: Value,
    /// As it is written.
    pub text: String,
    hash: OnceCell<u64>,
    digest: OnceCell<String>,
}

impl Entry {
    /// An entry from its value.
    pub fn new(value: Value, schema: &'static Schema) -> Self {
        let text = value.json(&Kind::Record(&schema.entry));
        Self {
            schema,
            value,
            text,
            hash: OnceCell::new(),
            digest: OnceCell::new(),
        }
    }

    /// The structure hash (stacker spec, section 8).
    pub fn hash(&self) -> u64 {
        *self
            .hash
            .get_or_init(|| self.value.hash(&Kind::Record(&self.schema.entry)))
    }

    /// SHA-256 of the text as it is written.
    pub fn digest(&self) -> &str {
        self.digest
            .get_or_init(|| oci::sha256(self.text.as_bytes()).to_string())
    }

    fn field(&self, name: &str) -> Option<&Value> {
        self.value.field(&self.schema.entry, name)
    }

    /// The recorded definition.
    pub fn layer(&self) -> Option<&Value> {
        self.field("Layer")
    }

    /// The name it was built as.
    pub fn name(&self) -> &str {
        self.field("Name").map(Value::text).unwrap_or_default()
    }

    /// The recorded base hash.
    pub fn base(&self) -> &str {
        self.field("Base").map(Value::text).unwrap_or_default()
    }

    /// The recorded epoch.
    pub fn epoch(&self) -> Option<i64> {
        self.field("SourceDateEpoch").and_then(Value::integer)
    }

    /// Whether the layer is only built, not put into the image layout.
    pub fn build_only(&self) -> bool {
        let flag = self
            .layer()
            .and_then(|layer| layer.field(&self.schema.layer, "BuildOnly"));
        flag.is_some_and(Value::is_true)
    }

    /// Its manifests by layer type, sorted.
    pub fn manifests(&self) -> impl Iterator<Item = (&str, &Value)> {
        let map = self.field("Manifests").and_then(Value::map);
        map.into_iter()
            .flatten()
            .map(|(key, value)| (key.as_str(), value))
    }

    /// Type and hash of a recorded import.
    pub fn import(&self, path: &str) -> Option<(i64, &str)> {
        match self.field("Imports")?.map()?.get(path)? {
            Value::Record(fields) => match fields.as_slice() {
                [kind, hash] => Some((kind.integer()?, hash.text())),
                _ => None,
            },
            _ => None,
        }
    }

    /// Hash of a recorded overlay directory.
    pub fn overlay(&self, source: &str) -> Option<&str> {
        match self.field("OverlayDirs")?.map()?.get(source)? {
            Value::Record(fields) => fields.first().map(Value::text),
            _ => None,
        }
    }
}

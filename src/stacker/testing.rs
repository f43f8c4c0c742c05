//! The rules of this system one by one, as pure functions: what runs the vectors asks
//! for them. A build tool needs none of them.

use super::codec::Unknown;
use super::definition::{self, read_layer};
use super::disk;
use super::layer_type;
use super::miss::Change;
use super::options::{LIMITS, Semantics, Version};
use super::put::{HostFacts, stored_text};
use super::reason::{Fault, Reason};
use super::reference::{self, NoTag};
use super::schema::Kind;
use super::value::{Value, hash_layer_type};
use crate::error::Error;
use crate::explain::Difference;
use crate::go_json::{Reader, Shape};
use crate::hashstructure;
use crate::host::Filesystem;
use crate::mtree;
use crate::paths;
use crate::prelude::*;

pub use super::disk::FileHash;
pub use super::layer_type::LayerType;

/// Nesting of a document that these functions accept, as Go does.
const DEPTH: u32 = 10_000;

/// A definition as it is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LayerText {
    /// The JSON text.
    pub text: String,
    /// Whether reading it gives an equal definition. When not, the layer misses
    /// in every new session.
    pub stable: bool,
}

/// Two definitions compared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Equality {
    /// Whether they are equal as Go compares them.
    pub equal: bool,
    /// Where they differ, both sides as JSON.
    pub differences: Vec<Difference>,
}

/// The tag of a base.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BaseTag {
    /// The tag that is looked up.
    pub tag: String,
    /// Whether it is a valid reference name.
    pub valid: bool,
}

/// The structure hash (stacker spec, section 8) of a JSON value: `string`,
/// `int64`, `int`, `uint32`, `uint8`, `bool`, `nil`, `bytes`, `strings`,
/// `string-map`, `LayerType`, or a structure of the stacker spec, section 3, in
/// the version's JSON form.
///
/// # Errors
/// `bad-value` for another type or a value that is not of it.
pub fn hash_value(name: &str, value: &str, semantics: &Semantics) -> Result<u64, Error> {
    hash_of(name, value, semantics).map_err(|fault| fault.at("hash-value"))
}

fn hash_of(name: &str, value: &str, semantics: &Semantics) -> Result<u64, Fault> {
    const TEXTS: Kind = Kind::List(&Kind::Text);
    const PAIRS: Kind = Kind::Map(&Kind::Text);
    let version = semantics.resolve()?;
    let bad = |message: String| Fault::new(Reason::BadValue, name, message);
    let read = |kind: &Kind| {
        Value::read(value, kind, DEPTH, Unknown::Skipped).map_err(|error| bad(error.to_string()))
    };
    let kind = match name {
        "string" => &Kind::Text,
        "int64" | "int" => &Kind::Integer,
        "uint32" => &Kind::Word,
        "bool" => &Kind::Bool,
        "bytes" => &Kind::Bytes,
        "strings" => &TEXTS,
        "string-map" => &PAIRS,
        "uint8" => {
            let number = read(&Kind::Word)?.json(&Kind::Word);
            let byte = number.parse().map_err(|_| bad("not a byte".to_owned()))?;
            return Ok(hashstructure::byte(byte));
        }
        "nil" => {
            let is_nil = Reader::new(value, DEPTH).peek() == Ok(Shape::Null);
            return if is_nil {
                Ok(hashstructure::nil())
            } else {
                Err(bad("not null".to_owned()))
            };
        }
        "LayerType" => {
            let text = read(&Kind::Text)?;
            let text = layer_type::normalise(text.text());
            let text = text.ok_or_else(|| bad("not a layer type".to_owned()))?;
            return Ok(hash_layer_type(&text));
        }
        _ => {
            // `Imports` is a list in a layer and a map in an entry.
            let is_list = Reader::new(value, DEPTH).peek() == Ok(Shape::List);
            let all = version.schema().named.iter();
            let mut all = all.filter(|(known, _)| *known == name);
            let first = all.next();
            let rest = all.find(|(_, kind)| is_list && matches!(kind, Kind::List(_)));
            let named = rest.or(first);
            let unknown = || bad("no such type in this version".to_owned());
            &named.ok_or_else(unknown)?.1
        }
    };
    Ok(read(kind)?.hash(kind))
}

/// Encodes a name as tree texts do (stacker spec, section 9.3). The name is a
/// path of the filesystem interface.
pub fn vis(name: &str) -> String {
    mtree::vis(&paths::decode(name))
}

/// Decodes a name of a tree text; the answer is a path of the filesystem
/// interface.
///
/// # Errors
/// `bad-spec-name`.
pub fn unvis(text: &str) -> Result<String, Error> {
    match mtree::unvis(text.as_bytes()) {
        Some(name) => Ok(paths::encode(&name)),
        None => {
            let fault = Fault::new(Reason::BadSpecName, text, "not an encoded name");
            Err(fault.at("unvis"))
        }
    }
}

/// The hash of a file as it is recorded for an import (stacker spec, section
/// 9.1).
///
/// # Errors
/// `hash-file`.
pub fn hash_file<F: Filesystem>(fs: &F, path: &str) -> Result<FileHash, Error> {
    disk::hash_file(fs, path).map_err(|fault| fault.at("hash-file"))
}

/// The text of the tree below a directory as it is stored: base64 (stacker
/// spec, section 9.2).
///
/// # Errors
/// `io`, `walk-root-not-a-directory`, `bad-time`.
pub fn tree_text<F: Filesystem>(fs: &F, root: &str, host: &HostFacts) -> Result<String, Error> {
    let bad_time = |_| Fault::new(Reason::BadTime, &host.now, "expected YYYY-MM-DDThh:mm:ss");
    let text = || {
        let date = host.now.parse().map_err(bad_time)?;
        let tree = disk::walk(fs, root, &LIMITS)?;
        Ok::<_, Fault>(stored_text(&tree, root, host, date))
    };
    text().map_err(|fault| fault.at("tree-text"))
}

/// Compares a stored tree text with the tree below a directory (stacker spec,
/// section 9.4). The changes have the index 0 and the given root.
///
/// # Errors
/// `bad-base64`, `spec-line-too-long`, `bad-spec-name`, `io`,
/// `walk-root-not-a-directory`.
pub fn compare_tree<F: Filesystem>(fs: &F, stored: &str, root: &str) -> Result<Vec<Change>, Error> {
    let compare = || {
        let text = disk::recorded(stored, root)?;
        let spec = disk::parse(&text, root, &LIMITS)?;
        let tree = disk::walk(fs, root, &LIMITS)?;
        disk::compare(&spec, &tree, root, &LIMITS)
    };
    let changes = compare().map_err(|fault: Fault| fault.at("compare-tree"))?;
    let change = |change: mtree::Change| Change {
        index: 0,
        root: root.to_owned(),
        path: change.path,
        kind: change.kind,
        keys: change.keys.into_iter().map(|key| key.key).collect(),
    };
    Ok(changes.into_iter().map(change).collect())
}

/// Reads a layer type, such as `tar` or `squashfs+true`.
///
/// # Errors
/// `bad-layer-type`.
pub fn parse_layer_type(text: &str) -> Result<LayerType, Error> {
    layer_type::parse(text).map_err(|fault| fault.at("parse-layer-type"))
}

/// The tag of the layout of base images that a base stands for; for a built
/// one, the name of the layer (stacker spec, section 7). `from` is a JSON
/// object.
///
/// # Errors
/// `bad-oci-tag`, and `unsupported-base-type` for a type without tags.
pub fn parse_tag(from: &str, semantics: &Semantics) -> Result<BaseTag, Error> {
    tag_of(from, semantics).map_err(|fault| fault.at("parse-tag"))
}

fn tag_of(from: &str, semantics: &Semantics) -> Result<BaseTag, Fault> {
    let schema = semantics.resolve()?.schema();
    let kind = schema
        .named
        .iter()
        .find(|(name, _)| *name == "ImageSource")
        .map(|(_, kind)| kind);
    let bad = |message: String| Fault::new(Reason::BadValue, "from", message);
    let kind = kind.ok_or_else(|| bad("no such type in this version".to_owned()))?;
    let value = Value::read(from, kind, DEPTH, semantics.unknown_members())
        .map_err(|error| bad(error.to_string()))?;
    let source = definition::source(&value, schema);
    match source.lookup_tag() {
        Ok(tag) => Ok(BaseTag {
            valid: reference::is_valid(&tag),
            tag,
        }),
        Err(NoTag::Missing) => {
            let message = "the url of an oci base is directory:tag";
            Err(Fault::new(Reason::BadOciTag, source.url, message))
        }
        Err(NoTag::Unsupported) => {
            let message = "a base of this type is not looked up by a tag";
            Err(Fault::new(
                Reason::UnsupportedBaseType,
                source.kind,
                message,
            ))
        }
    }
}

/// A definition as it is written to the cache file, and whether it survives
/// that (stacker spec, sections 3 and 5).
///
/// # Errors
/// `bad-definition`.
pub fn encode_layer(definition: &str, semantics: &Semantics) -> Result<LayerText, Error> {
    let encode = || {
        let version = semantics.resolve()?;
        let layer = layer_of(definition, version, semantics)?;
        let kind = Kind::Record(&version.schema().layer);
        let text = layer.json(&kind);
        let again = read_layer(&text, version.schema(), DEPTH, Unknown::Skipped);
        Ok::<_, Fault>(LayerText {
            stable: again.is_ok_and(|again| again == layer),
            text,
        })
    };
    encode().map_err(|fault| fault.at("encode-layer"))
}

/// Compares a recorded definition with a current one (stacker spec, section 5).
///
/// # Errors
/// `bad-definition`.
pub fn compare_layers(have: &str, want: &str, semantics: &Semantics) -> Result<Equality, Error> {
    let compare = || {
        let version = semantics.resolve()?;
        let have = layer_of(have, version, semantics)?;
        let want = layer_of(want, version, semantics)?;
        let mut differences = Vec::new();
        have.differences(
            &want,
            &Kind::Record(&version.schema().layer),
            "",
            &mut differences,
        );
        Ok::<_, Fault>(Equality {
            equal: have == want,
            differences,
        })
    };
    compare().map_err(|fault| fault.at("compare-layers"))
}

fn layer_of(text: &str, version: Version, semantics: &Semantics) -> Result<Value, Fault> {
    read_layer(text, version.schema(), DEPTH, semantics.unknown_members())
        .map_err(|error| Fault::new(Reason::BadDefinition, "definition", error.to_string()))
}

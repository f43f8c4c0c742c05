//! What keys are made of, and the members of the JSON of an operation (Builds spec,
//! sections 3.1 and 3.4).

use serde_json::Value;

use super::unknown::Unknown;
use crate::oci::sha256;
use crate::prelude::*;

/// How an input stands in the key of an operation.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct InputKey {
    /// Stands in the link from the input; empty if the operation uses the whole of it.
    pub selector: String,
    /// The paths whose content is a second key of the input; `None` if it has none.
    pub content: Option<Vec<Selection>>,
}

/// Paths of a tree.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Selection {
    /// The path; empty or `/` is the root.
    pub path: String,
    /// The path is a pattern.
    pub wildcard: bool,
    /// A symlink at the end of the path stands for what it points to.
    pub follow: bool,
    /// Only what matches one of these, if there are any.
    pub include: Vec<String>,
    /// Not what matches one of these.
    pub exclude: Vec<String>,
    /// Paths that must be there.
    pub required: Vec<String>,
}

/// What a digest is written as.
pub(super) fn digest(bytes: &[u8]) -> String {
    sha256(bytes).to_string()
}

pub(super) fn refused(message: &str) -> Unknown {
    Unknown::Refused(message.to_owned())
}

/// The text of a member; empty if it is left out.
pub(super) fn text<'a>(message: &'a Value, name: &str) -> &'a str {
    message
        .get(name)
        .and_then(Value::as_str)
        .unwrap_or_default()
}

/// The number of a member; 0 if it is left out.
pub(super) fn number(message: &Value, name: &str) -> i64 {
    message
        .get(name)
        .and_then(Value::as_i64)
        .unwrap_or_default()
}

/// The bool of a member; false if it is left out.
pub(super) fn flag(message: &Value, name: &str) -> bool {
    message
        .get(name)
        .and_then(Value::as_bool)
        .unwrap_or_default()
}

/// The items of a member; none if it is left out.
pub(super) fn items<'a>(message: &'a Value, name: &str) -> &'a [Value] {
    match message.get(name) {
        Some(Value::Array(items)) => items,
        _ => &[],
    }
}

/// The texts of a member; none if it is left out.
pub(super) fn texts(message: &Value, name: &str) -> Vec<String> {
    let texts = items(message, name).iter().filter_map(Value::as_str);
    texts.map(ToOwned::to_owned).collect()
}

//! The cache-map digest of an operation, and for each input its selector and what
//! its content key is made from (Builds spec, section 3).

use serde_json::Value;

use super::exec;
use super::file;
use super::message::{self, Message};
use super::model::{Op, OpKind, Platform};
use super::unknown::Unknown;
use super::version::Rules;
use crate::go_json::{Escapes, Writer};
use crate::oci::sha256;
use crate::prelude::*;

/// What a cache knows an operation by, without its inputs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CacheMap {
    /// The digest of the definition.
    pub digest: String,
    /// One for each input.
    pub inputs: Vec<InputKey>,
}

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

/// The key of an operation with this number of inputs. `platform` is that of the
/// daemon. Sources are not known by their definition: see [`super::source_keys`].
///
/// # Errors
/// Why the key is not known.
pub fn cache_map(
    op: &Op,
    inputs: usize,
    platform: &Platform,
    rules: Rules,
) -> Result<CacheMap, Unknown> {
    let message = &op.message;
    let (json, inputs) = match op.kind {
        OpKind::Exec => (
            exec::json(message, op.platform.as_ref().unwrap_or(platform))?,
            exec::inputs(message, inputs, rules)?,
        ),
        OpKind::File => (
            file::json(message, inputs)?,
            file::inputs(message, inputs, rules)?,
        ),
        OpKind::Merge => (
            plain("merge", "Merge", &message::MERGE, message)?,
            whole(inputs),
        ),
        OpKind::Diff => (
            plain("diff", "Diff", &message::DIFF, message)?,
            whole(inputs),
        ),
        // Upstream has it under the name of another kind.
        OpKind::Build => (
            plain("build", "Exec", &message::BUILD, message)?,
            whole(inputs),
        ),
        OpKind::Passthrough => {
            check_passthrough(message, inputs)?;
            let json = plain("passthrough", "Passthrough", &message::PASSTHROUGH, message)?;
            (json, whole(inputs))
        }
        OpKind::Source | OpKind::Result => return Err(Unknown::Form),
    };
    Ok(CacheMap {
        digest: digest(json.as_bytes()),
        inputs,
    })
}

/// Inputs that count as a whole.
fn whole(inputs: usize) -> Vec<InputKey> {
    vec![InputKey::default(); inputs]
}

/// The JSON of an operation that is written as it is.
fn plain(
    kind: &str,
    name: &str,
    schema: &'static Message,
    message: &Value,
) -> Result<String, Unknown> {
    let mut writer = Writer::new(Escapes::Short);
    let mut result = Ok(());
    writer.object(|w| {
        w.member("Type").string(&format!("buildkit.{kind}.v0"));
        w.member(name);
        result = message::write(w, schema, message);
    });
    result.map(|()| writer.finish())
}

fn check_passthrough(message: &Value, inputs: usize) -> Result<(), Unknown> {
    if text(message, "id").is_empty() {
        return Err(refused("invalid passthrough op with no id"));
    }
    let outputs = items(message, "outputs");
    if outputs.is_empty() {
        return Err(refused("invalid passthrough op with no outputs"));
    }
    for output in outputs {
        let index = output.as_i64().ok_or(Unknown::Form)?;
        if usize::try_from(index).map_or(true, |index| inputs > 0 && index >= inputs) {
            let message = format!("invalid passthrough output input index {index}");
            return Err(Unknown::Refused(message));
        }
    }
    Ok(())
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

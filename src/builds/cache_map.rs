//! The cache-map digest of an operation, and for each input its selector and what
//! its content key is made from (Builds spec, section 3).

use serde_json::Value;

use super::exec;
use super::file;
use super::key::{InputKey, digest, items, refused, text};
use super::message::{self, Message};
use super::model::{Op, OpKind};
use super::unknown::Unknown;
use super::version::Rules;
use crate::go_json::{Escapes, Writer};
use crate::oci::Platform;
use crate::prelude::*;

/// What a cache knows an operation by, without its inputs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CacheMap {
    /// The digest of the definition.
    pub digest: String,
    /// One for each input.
    pub inputs: Vec<InputKey>,
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
        OpKind::Logged => return Err(Unknown::Logged),
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

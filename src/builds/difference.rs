//! What differs between the definitions of two steps (Builds spec, section 6.3).

use serde_json::Value;

use super::exec;
use super::message::is_zero;
use super::model::{Op, OpKind};
use super::redact::is_secret;
use crate::oci::Platform;
use crate::prelude::*;

/// A field that differs.
#[derive(Clone, Debug, PartialEq)]
pub struct Field {
    /// Its path in the JSON of the operation, such as `Op.exec.meta.env[2]`.
    pub field: String,
    /// Before; `None` if it was not there, or zero.
    pub old: Option<Value>,
    /// After.
    pub new: Option<Value>,
    /// The option whose value it is, if that says that it is secret.
    pub secret: Option<String>,
}

/// The fields that differ, sorted, of those that stand in the digest; if none of them
/// differs, of those that stand in the selectors.
pub(super) fn fields(old: &Op, new: &Op) -> Vec<Field> {
    let fields = compare(&leaves(old, false), &leaves(new, false));
    if fields.is_empty() {
        return compare(&leaves(old, true), &leaves(new, true));
    }
    fields
}

fn compare(old: &BTreeMap<String, Value>, new: &BTreeMap<String, Value>) -> Vec<Field> {
    let mut names: BTreeSet<&String> = old.keys().collect();
    names.extend(new.keys());
    let names = names.into_iter();
    let differing = names.filter(|name| old.get(*name) != new.get(*name));
    differing
        .map(|name| Field {
            field: name.clone(),
            old: old.get(name).cloned(),
            new: new.get(name).cloned(),
            secret: option(name, old).or_else(|| option(name, new)),
        })
        .collect()
}

/// Where the words of a command stand.
const ARGUMENTS: &str = "Op.exec.meta.args[";

/// The word before a word of a command, if it is an option with a secret value.
fn option(path: &str, leaves: &BTreeMap<String, Value>) -> Option<String> {
    let place: usize = path
        .strip_prefix(ARGUMENTS)?
        .strip_suffix(']')?
        .parse()
        .ok()?;
    let before = leaves.get(&format!("{ARGUMENTS}{}]", place.checked_sub(1)?))?;
    let before = before.as_str()?;
    let is_option = before.starts_with('-') && !before.contains(['=', ' ']) && is_secret(before);
    is_option.then(|| before.to_owned())
}

/// Every value of an operation that is not zero and that stands in a key, by its path.
fn leaves(op: &Op, with_selectors: bool) -> BTreeMap<String, Value> {
    let mut leaves = BTreeMap::new();
    let root = format!("Op.{}", op.kind.name());
    let covered = match op.kind {
        OpKind::Exec => exec::comparable(&op.message, with_selectors),
        _ => op.message.clone(),
    };
    // What is still to do; the JSON is as deep as its reader allows.
    let mut rest = vec![(root, &covered)];
    while let Some((path, value)) = rest.pop() {
        match value {
            Value::Object(members) => {
                let members = members.iter();
                rest.extend(members.map(|(name, member)| (format!("{path}.{name}"), member)));
            }
            Value::Array(items) => {
                let items = items.iter().enumerate();
                rest.extend(items.map(|(at, item)| (format!("{path}[{at}]"), item)));
            }
            scalar if is_zero(scalar) => {}
            scalar => {
                leaves.insert(path, scalar.clone());
            }
        }
    }
    if let (OpKind::Exec, Some(platform)) = (op.kind, &op.platform) {
        platform_leaves(platform, &mut leaves);
    }
    leaves
}

fn platform_leaves(platform: &Platform, leaves: &mut BTreeMap<String, Value>) {
    let Platform {
        os,
        architecture,
        variant,
        os_version,
        os_features,
    } = platform;
    let named = [
        ("OS", os),
        ("Architecture", architecture),
        ("Variant", variant),
        ("OSVersion", os_version),
    ];
    for (name, value) in named {
        if !value.is_empty() {
            leaves.insert(format!("platform.{name}"), Value::String(value.clone()));
        }
    }
    for (at, feature) in os_features.iter().enumerate() {
        let path = format!("platform.OSFeatures[{at}]");
        leaves.insert(path, Value::String(feature.clone()));
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_word_after_a_secret_option_is_marked() {
        let op = |args: &[&str]| Op {
            kind: OpKind::Exec,
            message: json!({"meta": {"args": args}}),
            platform: None,
        };
        let old = op(&["tool", "--token", "a", "-p", "1"]);
        let new = op(&["tool", "--token", "b", "-p", "2"]);
        let fields = fields(&old, &new);
        let marked: Vec<_> = fields
            .iter()
            .map(|field| (field.field.as_str(), field.secret.as_deref()))
            .collect();
        let want = [
            ("Op.exec.meta.args[2]", Some("--token")),
            ("Op.exec.meta.args[4]", None),
        ];
        assert_eq!(marked, want);
    }
}

//! What differs between the definitions of two steps (Builds spec, section 6.3).

use serde_json::Value;

use super::exec;
use super::message::is_zero;
use super::model::{Op, OpKind};
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
        })
        .collect()
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

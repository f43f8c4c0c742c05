//! Cache-map digests, selectors and content keys of operations.

use layerwise::builds::read::predicate;
use layerwise::builds::{Hashed, Op, Platform, Resolved, Rules, Unknown, cache_map, source_keys};
use layerwise::limits::{Limit, Limits};
use serde::Deserialize;
use serde_json::{Value, json};

use super::trees::{self, Entry};
use crate::Case;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct OpCase {
    pub id: u32,
    op: Value,
    inputs: usize,
    #[expect(dead_code, reason = "for people")]
    from: String,
    cachemap: Option<String>,
    #[serde(default)]
    deps: Vec<Dep>,
    tree: Option<Vec<Entry>>,
    #[serde(default, rename = "sourceKeys")]
    source_keys: Vec<SourceKey>,
    refused: Option<String>,
    lost: Option<String>,
    /// The operation before its record lost something.
    really: Option<Value>,
    #[serde(default)]
    #[expect(dead_code, reason = "for people")]
    engines: Vec<String>,
    #[serde(default)]
    #[expect(dead_code, reason = "for people")]
    confirmed: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Dep {
    selector: String,
    content: bool,
    key: Option<String>,
    #[serde(rename = "keyError")]
    key_error: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SourceKey {
    form: String,
    cachemap: String,
    digest: Option<String>,
    chain: Option<String>,
    commit: Option<String>,
    key: Option<String>,
}

pub(super) fn run(case: &OpCase, report: &mut Case<'_>) {
    let op = match read(&case.op) {
        Ok(op) => op,
        Err(error) => return report.fail("operation", "read", error),
    };
    let platform = Platform {
        os: "linux".to_owned(),
        architecture: "amd64".to_owned(),
        ..Platform::default()
    };
    if !case.source_keys.is_empty() {
        return run_source(case, &op, &platform, report);
    }
    let keys = cache_map(&op, case.inputs, &platform, Rules::NEWEST);
    if let Some(message) = &case.refused {
        return assert(
            report,
            "refused",
            Err(Unknown::Refused(message.clone())),
            keys,
        );
    }
    if case.lost.is_some() {
        return run_lost(case, &platform, keys, report);
    }
    let keys = match keys {
        Ok(keys) => keys,
        Err(error) => return report.fail("key", "known", error.to_string()),
    };
    report.equal(
        "cache map",
        case.cachemap.as_deref().unwrap_or(""),
        &keys.digest,
    );
    report.equal("inputs", &case.deps.len(), &keys.inputs.len());
    let tree = case
        .tree
        .as_ref()
        .map(|entries| Hashed::new(trees::tree(entries, false)));
    for (at, (want, have)) in case.deps.iter().zip(&keys.inputs).enumerate() {
        report.equal(&format!("selector {at}"), &want.selector, &have.selector);
        report.equal(
            &format!("content {at}"),
            &want.content,
            &have.content.is_some(),
        );
        let (Some(tree), Some(selections)) = (&tree, &have.content) else {
            continue;
        };
        match (tree.key(selections), &want.key, &want.key_error) {
            (Ok(key), Some(want), _) => {
                report.equal(&format!("key {at}"), want, &key);
            }
            (Err(error), _, Some(want)) if want.ends_with(&error.to_string()) => {}
            (have, want, error) => {
                report.fail(
                    &format!("key {at}"),
                    format!("{want:?} {error:?}"),
                    format!("{have:?}"),
                );
            }
        }
    }
}

/// Records lose what a symlink action does: then nothing is known, else everything.
fn run_lost(
    case: &OpCase,
    platform: &Platform,
    keys: Result<layerwise::builds::CacheMap, Unknown>,
    report: &mut Case<'_>,
) {
    assert(report, "lost", Err(Unknown::Symlink), keys);
    let mut whole = case.op.clone();
    if let (Some(action), Some(really)) = (
        whole.pointer_mut("/Op/file/actions/0/Action"),
        case.really.clone(),
    ) {
        *action = really;
    }
    match read(&whole).map(|op| cache_map(&op, case.inputs, platform, Rules::NEWEST)) {
        Ok(Ok(keys)) => {
            report.equal(
                "whole",
                case.cachemap.as_deref().unwrap_or(""),
                &keys.digest,
            );
        }
        other => report.fail("whole", "known", format!("{other:?}")),
    }
}

fn run_source(case: &OpCase, op: &Op, platform: &Platform, report: &mut Case<'_>) {
    let find = |part: fn(&SourceKey) -> &Option<String>| {
        case.source_keys.iter().find_map(|key| part(key).clone())
    };
    let to = Resolved {
        digest: find(|key| &key.digest),
        chain: find(|key| &key.chain),
        commit: find(|key| &key.commit),
        reference: case.source_keys.iter().find_map(|key| {
            let (_, reference) = key.key.as_ref()?.split_once(".git#")?;
            Some(reference.to_owned())
        }),
    };
    let keys = match source_keys(op, platform, &to) {
        Ok(keys) => keys,
        Err(error) => return report.fail("source", "known", error.to_string()),
    };
    for want in &case.source_keys {
        if !keys.contains(&want.cachemap) {
            report.fail(&want.form, want.cachemap.clone(), format!("{keys:?}"));
        }
    }
}

/// An operation of a predicate.
fn read(op: &Value) -> Result<Op, String> {
    let definition = json!({"llbDefinition": [{"id": "step0", "op": op}]});
    let predicate = json!({"buildConfig": definition}).to_string();
    let definition = predicate::of_text(&predicate, &Limits::new([(Limit::Entries, 1)]));
    let steps = definition.map_err(|error| error.to_string())?.steps;
    let step = steps.into_iter().next().ok_or("no step")?;
    Ok(step.op)
}

fn assert<T: PartialEq + std::fmt::Debug>(report: &mut Case<'_>, what: &str, want: T, have: T) {
    report.equal(what, &want, &have);
}

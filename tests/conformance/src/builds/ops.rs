//! Cache-map digests, selectors and content keys of operations.

use layerwise::builds::testing::Question;
use serde::Deserialize;
use serde_json::{Value, json};

use super::subject::{Subject, ask};
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
    deps: Vec<Value>,
    tree: Option<Value>,
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
struct SourceKey {
    form: String,
    cachemap: String,
    digest: Option<String>,
    chain: Option<String>,
    commit: Option<String>,
    key: Option<String>,
}

pub(super) fn run(case: &OpCase, subject: &dyn Subject, report: &mut Case<'_>) {
    let ask = |op: &Value| {
        let resolved = resolved(case);
        let document = json!({"op": op, "inputs": case.inputs, "tree": case.tree,
            "resolved": resolved});
        ask(subject, Question::Key, &document)
    };
    let answer = match ask(&case.op) {
        Ok(answer) => answer,
        Err(error) => return report.fail("operation", "read", error),
    };
    if !case.source_keys.is_empty() {
        return compare_source(case, &answer, report);
    }
    if let Some(message) = &case.refused {
        report.equal("refused", &json!({"refused": message}), &answer);
        return;
    }
    if case.lost.is_none() {
        return compare(case, &answer, report);
    }
    // Records lose what a symlink action does: then nothing is known, else everything.
    report.equal("unknown", &true, &answer.get("unknown").is_some());
    let mut whole = case.op.clone();
    if let (Some(action), Some(really)) = (
        whole.pointer_mut("/Op/file/actions/0/Action"),
        case.really.clone(),
    ) {
        *action = really;
    }
    match ask(&whole) {
        Ok(answer) => compare(case, &answer, report),
        Err(error) => report.fail("operation", "read", error),
    }
}

fn compare(case: &OpCase, answer: &Value, report: &mut Case<'_>) {
    let cachemap = answer.get("cachemap").and_then(Value::as_str);
    report.equal("cache map", &case.cachemap.as_deref(), &cachemap);
    let deps = answer.get("deps").and_then(Value::as_array);
    let deps = deps.map_or(&[][..], Vec::as_slice);
    report.equal("inputs", &case.deps.len(), &deps.len());
    for (at, (want, have)) in case.deps.iter().zip(deps).enumerate() {
        for member in ["selector", "content", "key"] {
            let what = format!("{member} {at}");
            report.equal(&what, &want.get(member), &have.get(member));
        }
        // Upstream says more of where it was.
        let error = |dep: &Value| {
            dep.get("keyError")
                .and_then(Value::as_str)
                .map(ToOwned::to_owned)
        };
        let (want, have) = (error(want), error(have));
        let same = match (&want, &have) {
            (Some(want), Some(have)) => want.ends_with(have.as_str()),
            (want, have) => want == have,
        };
        if !same {
            report.fail(
                &format!("error {at}"),
                format!("{want:?}"),
                format!("{have:?}"),
            );
        }
    }
}

/// What the source of a case was resolved to.
fn resolved(case: &OpCase) -> Value {
    let find = |part: fn(&SourceKey) -> &Option<String>| {
        case.source_keys.iter().find_map(|key| part(key).clone())
    };
    let reference = case.source_keys.iter().find_map(|key| {
        let (_, reference) = key.key.as_ref()?.split_once(".git#")?;
        Some(reference.to_owned())
    });
    json!({
        "digest": find(|key| &key.digest),
        "chain": find(|key| &key.chain),
        "commit": find(|key| &key.commit),
        "reference": reference,
    })
}

fn compare_source(case: &OpCase, answer: &Value, report: &mut Case<'_>) {
    let keys = answer.get("keys").and_then(Value::as_array);
    for want in &case.source_keys {
        let cachemap = Value::from(want.cachemap.clone());
        if !keys.is_some_and(|keys| keys.contains(&cachemap)) {
            report.fail(&want.form, want.cachemap.clone(), answer.to_string());
        }
    }
}

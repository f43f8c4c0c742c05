//! Digests of the content of trees.

use layerwise::builds::testing::Question;
use serde::Deserialize;
use serde_json::{Value, json};

use super::subject::{Subject, ask};
use crate::Report;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TreeCase {
    tree: Value,
    transfer: bool,
    attrs: Value,
    queries: Vec<Query>,
}

#[derive(Deserialize)]
struct Query {
    digest: Option<String>,
    error: Option<String>,
    /// What is asked.
    #[serde(flatten)]
    question: Value,
}

pub(super) fn run(at: usize, case: &TreeCase, subject: &dyn Subject, report: &mut Report) {
    let queries: Vec<&Value> = case.queries.iter().map(|query| &query.question).collect();
    let document = json!({"tree": case.tree, "transfer": case.transfer, "attrs": case.attrs,
        "queries": queries});
    report.about(&format!("tree {at}"));
    let answers = ask(subject, Question::Content, &document);
    for (number, query) in case.queries.iter().enumerate() {
        let want = match (&query.digest, &query.error) {
            (Some(digest), _) => json!({"digest": digest}),
            (None, error) => json!({"error": error}),
        };
        report.case(&format!("tree {at} query {number}"), |report| {
            let have = answers.as_ref().map(|answers| answers.get(number));
            report.equal("digest", &Ok(Some(&want)), &have);
        });
    }
}

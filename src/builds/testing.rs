//! Single rules as functions, which only vector runners call: a question with all it
//! needs as JSON, the answer as JSON.

mod given;
mod pair;
mod told;
mod tree;

use serde::Deserialize;
use serde_json::{Value, json};

use super::cache_map::cache_map;
use super::content::Hashed;
use super::key::Selection;
use super::model::{Op, OpKind};
use super::source::{Resolved, source_keys};
use super::transfer::Filters;
use super::unknown::Unknown;
use super::version::Rules;
use crate::error::Error;
use crate::oci::Platform;
use crate::prelude::*;

use given::{definition, invalid, read};

/// What is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Question {
    /// The key of an operation, or those of a source.
    Key,
    /// Digests of the content of a tree.
    Content,
    /// Why the steps of a build ran, against an earlier one.
    Why,
    /// What would become of the steps of a build with a cache.
    Prediction,
}

/// Answers a question.
///
/// # Errors
/// `invalid` for a document that is not of the question's form.
pub fn answer(question: Question, document: &str) -> Result<String, Error> {
    let answer = match question {
        Question::Key => key(&read(document)?)?,
        Question::Content => content(&read(document)?)?,
        Question::Why => pair::why(&read(document)?)?,
        Question::Prediction => pair::prediction(&read(document)?)?,
    };
    Ok(answer.to_string())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct KeyCase {
    op: Value,
    inputs: usize,
    tree: Option<Vec<tree::Entry>>,
    /// What a source is resolved to.
    resolved: Option<ResolvedCase>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ResolvedCase {
    digest: Option<String>,
    chain: Option<String>,
    commit: Option<String>,
    reference: Option<String>,
}

fn key(case: &KeyCase) -> Result<Value, Error> {
    let config = json!({"llbDefinition": [{"id": "step0", "op": case.op}]});
    let definition = definition(&json!({"buildConfig": config}).to_string())?;
    let Some(step) = definition.steps.first() else {
        return Err(invalid(&"no operation"));
    };
    let platform = Platform {
        os: "linux".to_owned(),
        architecture: "amd64".to_owned(),
        ..Platform::default()
    };
    if step.op.kind == OpKind::Source {
        return Ok(source(&step.op, &platform, case.resolved.as_ref()));
    }
    let keys = match cache_map(&step.op, case.inputs, &platform, Rules::NEWEST) {
        Ok(keys) => keys,
        Err(Unknown::Refused(message)) => return Ok(json!({"refused": message})),
        Err(unknown) => return Ok(json!({"unknown": unknown.to_string()})),
    };
    let tree = case
        .tree
        .as_ref()
        .map(|entries| tree::of_list(entries, false));
    let tree = tree.transpose()?.map(Hashed::new);
    let deps = keys.inputs.iter().map(|input| {
        let mut dep = json!({"selector": input.selector, "content": input.content.is_some()});
        if let (Some(tree), Some(selections), Value::Object(members)) =
            (&tree, &input.content, &mut dep)
        {
            let (name, value) = match tree.key(selections) {
                Ok(key) => ("key", key),
                Err(error) => ("keyError", error.to_string()),
            };
            members.insert(name.to_owned(), Value::String(value));
        }
        dep
    });
    let deps: Vec<Value> = deps.collect();
    Ok(json!({"cachemap": keys.digest, "deps": deps}))
}

fn source(op: &Op, platform: &Platform, case: Option<&ResolvedCase>) -> Value {
    let to = case.map_or_else(Resolved::default, |case| Resolved {
        digest: case.digest.clone(),
        chain: case.chain.clone(),
        commit: case.commit.clone(),
        reference: case.reference.clone(),
    });
    match source_keys(op, platform, &to) {
        Ok(keys) => json!({"keys": keys}),
        Err(unknown) => json!({"unknown": unknown.to_string()}),
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ContentCase {
    tree: Vec<tree::Entry>,
    /// Whether it is what a client sends, by these attributes.
    transfer: bool,
    attrs: Value,
    queries: Vec<Query>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
#[derive(Default)]
struct Query {
    path: String,
    wildcard: bool,
    follow: bool,
    include: Vec<String>,
    exclude: Vec<String>,
    required: Vec<String>,
}

fn content(case: &ContentCase) -> Result<Value, Error> {
    let mut tree = tree::of_list(&case.tree, case.transfer)?;
    if case.transfer {
        let filters = Filters::of(&case.attrs);
        let filters = filters.ok_or_else(|| invalid(&"the attributes are not lists"))?;
        tree = tree.sent(&filters).map_err(|error| invalid(&error))?;
    }
    let hashed = Hashed::new(tree);
    let answers = case.queries.iter().map(|query| {
        let selection = Selection {
            path: query.path.clone(),
            wildcard: query.wildcard,
            follow: query.follow,
            include: query.include.clone(),
            exclude: query.exclude.clone(),
            required: query.required.clone(),
        };
        match hashed.digest(&selection) {
            Ok(digest) => json!({"digest": digest}),
            Err(error) => json!({"error": error.to_string()}),
        }
    });
    Ok(answers.collect())
}

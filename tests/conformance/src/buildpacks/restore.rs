//! The family `restore`.

use std::collections::BTreeMap;
use std::sync::Arc;

use layerwise::buildpacks::{
    GroupElement, RestoreOptions, RestorePlan, RestorePolicy, RestoreRequest, ShaStore,
};
use layerwise::error::Error;
use layerwise::semantics::Semantics;
use serde_json::value::RawValue;

use super::files::MemoryFiles;
use super::format::{self, Content, Decision, Restore, RestoreExpected};
use super::log::LogBook;
use super::reserved;
use super::subject::{Subject, bare};
use crate::Case;

/// Where the layers are.
const DIRECTORY: &str = "layers";

/// Runs one case: planned first, which must change nothing, then done.
pub fn run(case: &Restore, semantics: &Semantics, subject: &dyn Subject, r: &mut Case<'_>) {
    let files = Arc::new(MemoryFiles::with(DIRECTORY, &case.existing_files));
    let options = RestoreOptions {
        semantics: semantics.clone(),
        directory: DIRECTORY.to_owned(),
        platform_api: case.platform_api.clone(),
        shas: match case.sha_store {
            format::ShaStore::Files => ShaStore::Files,
            format::ShaStore::Map => ShaStore::Memory,
        },
        policy: RestorePolicy {
            skip_layers: case.skip_layers,
            ..RestorePolicy::default()
        },
        limits: Vec::new(),
    };
    let observer = Arc::new(LogBook::default());
    let mut session = match subject.open_restorer(files.clone(), observer, options) {
        Ok(session) => session,
        Err(error) => {
            r.fail("open", "a session", error.to_string());
            return;
        }
    };
    let request = request(case);
    let planned = session.plan(&request);
    r.equal(
        "a plan changes nothing",
        &case.existing_files,
        &files.below(DIRECTORY),
    );
    let explained = session.explain(&request);
    if let (Ok(plan), Ok(explanation)) = (&planned, &explained) {
        let considered = u64::try_from(plan.decisions.len()).unwrap_or(u64::MAX);
        r.equal("decisions explained", &considered, &explanation.considered);
    }
    let done = session.restore(&request);
    r.equal("plan and restore", &planned, &done);
    let shas = session.shas().unwrap_or_default();
    let mut map: BTreeMap<String, BTreeMap<String, String>> = BTreeMap::new();
    for recorded in shas {
        let layers = map.entry(recorded.buildpack).or_default();
        layers.insert(recorded.layer, recorded.sha);
    }
    let expect = if semantics.is_guarded() {
        reserved::expected(case)
    } else {
        case.expect.clone()
    };
    r.equal("sha_map", &expect.sha_map, &map);
    compare_outcome(&expect, &done, r);
    compare_files(&expect.files, &files.below(DIRECTORY), r);
}

fn request(case: &Restore) -> RestoreRequest {
    let label = |metadata: &Option<Box<RawValue>>, label: &Option<String>| {
        label
            .clone()
            .or_else(|| metadata.as_ref().map(|value| value.get().to_owned()))
    };
    RestoreRequest {
        group: case
            .group
            .iter()
            .map(|element| GroupElement {
                id: element.id.clone(),
                version: element.version.clone(),
                api: element.api.clone(),
            })
            .collect(),
        app: label(&case.app_metadata, &case.app_label),
        cache: label(&case.cache_metadata, &case.cache_label),
        retrieval: String::new(),
    }
}

fn compare_outcome(expect: &RestoreExpected, done: &Result<RestorePlan, Error>, r: &mut Case<'_>) {
    let error = done.as_ref().err().map(|error| match error.problem() {
        Some(problem) => bare(&problem.code).to_owned(),
        None => error.to_string(),
    });
    r.equal("error", &expect.error, &error);
    let decisions: Vec<Decision> = done
        .iter()
        .flat_map(|plan| &plan.decisions)
        .map(|decision| Decision {
            buildpack: decision.buildpack.clone(),
            layer: decision.layer.clone(),
            source: decision.origin.as_str().to_owned(),
            restored: decision.restored,
            reason: bare(&decision.finding.code).to_owned(),
        })
        .collect();
    r.equal("decisions", &expect.decisions, &decisions);
}

fn compare_files(
    expected: &BTreeMap<String, Content>,
    actual: &BTreeMap<String, String>,
    r: &mut Case<'_>,
) {
    let paths: Vec<_> = expected.keys().collect();
    r.equal("files", &paths, &actual.keys().collect());
    for (path, content) in expected {
        let Some(text) = actual.get(path) else {
            continue;
        };
        match content {
            Content::Text(want) => {
                r.equal(path, want, text);
            }
            Content::Toml(want) => match text.parse::<toml::Table>() {
                Err(error) => r.fail(path, want.to_string(), error.to_string()),
                Ok(table) => {
                    let have = toml::Value::Table(table);
                    if !same(want, &have) {
                        r.fail(path, want.to_string(), text.clone());
                    }
                }
            },
        }
    }
}

/// Whether two values are the same; numbers compare by value, to the last bit.
fn same(want: &RawValue, have: &toml::Value) -> bool {
    let want = want.get();
    match have {
        toml::Value::Boolean(have) => want == have.to_string(),
        toml::Value::String(have) => {
            serde_json::from_str::<String>(want).is_ok_and(|want| want == *have)
        }
        toml::Value::Float(have) => want.parse() == Ok(*have),
        toml::Value::Integer(have) => {
            want.parse() == Ok(*have)
                || want
                    .parse()
                    .is_ok_and(|want: f64| exact(want) == Some(*have))
        }
        toml::Value::Array(have) => {
            let want: Option<Vec<Box<RawValue>>> = serde_json::from_str(want).ok();
            want.is_some_and(|want| {
                let mut pairs = want.iter().zip(have);
                want.len() == have.len() && pairs.all(|(want, have)| same(want, have))
            })
        }
        toml::Value::Table(have) => {
            let want: Option<BTreeMap<String, Box<RawValue>>> = serde_json::from_str(want).ok();
            want.is_some_and(|want| {
                let mut members = want.iter();
                let found = members.all(|(name, want)| {
                    let have = have.get(name);
                    have.is_some_and(|have| same(want, have))
                });
                want.len() == have.len() && found
            })
        }
        toml::Value::Datetime(_) => false,
    }
}

/// A float that is an integer.
fn exact(value: f64) -> Option<i64> {
    (value.fract() == 0.0)
        .then(|| format!("{value}").parse().ok())
        .flatten()
}

//! Pairs of real builds: state and causes of every step of the second one.

use std::collections::BTreeMap;

use layerwise::base64;
use layerwise::builds::testing::Question;
use serde::Deserialize;
use serde_json::{Value, json};

use super::expected::{self, Expected};
use super::record;
use super::subject::{Subject, ask};
use crate::Report;

#[derive(Deserialize)]
pub(super) struct File {
    images: Value,
    bases: BTreeMap<String, Recorded>,
    pub scenarios: Vec<Scenario>,
}

/// What a build left behind, and of the first one what it was made from.
#[derive(Deserialize)]
struct Recorded {
    engine: String,
    provenance: Vec<String>,
    status: String,
    /// The `.dockerbuild` file, base64.
    record: String,
    #[serde(default)]
    context: Files,
    #[serde(default)]
    named: BTreeMap<String, Files>,
}

/// Files by path; null for one that is removed.
type Files = BTreeMap<String, Value>;

#[derive(Deserialize)]
pub(super) struct Scenario {
    name: String,
    base: String,
    daemon: String,
    /// What was done to the daemon or the registry between the builds.
    between: Vec<String>,
    changes: Changes,
    #[serde(flatten)]
    recorded: Recorded,
    expected: Expectations,
}

#[derive(Deserialize)]
struct Changes {
    context: Files,
    named: BTreeMap<String, Files>,
}

#[derive(Deserialize)]
struct Expectations {
    steps: Vec<Expected>,
}

impl File {
    pub fn scenario(&self, name: &str) -> Option<&Scenario> {
        self.scenarios.iter().find(|scenario| scenario.name == name)
    }

    pub const fn images(&self) -> &Value {
        &self.images
    }
}

pub(super) fn run(file: &File, scenario: &Scenario, subject: &dyn Subject, report: &mut Report) {
    report.about(&scenario.name);
    let answer = question(file, scenario);
    match answer.and_then(|document| ask(subject, Question::Why, &document)) {
        Ok(answer) => compare(scenario, &answer, report),
        Err(error) => report.case(&scenario.name, |report| {
            report.fail("builds", "read", error);
        }),
    }
}

fn compare(scenario: &Scenario, answer: &Value, report: &mut Report) {
    let steps = answer.as_array().map_or(&[][..], Vec::as_slice);
    for want in &scenario.expected.steps {
        let vertex = Value::from(want.vertex.clone());
        let have = steps
            .iter()
            .find(|step| step.get("vertex") == Some(&vertex));
        let name = format!("{}/{}", scenario.name, want.vertex);
        report.case(&format!("{name}/state"), |report| {
            let state = have.and_then(|step| step.get("state")?.as_str());
            report.equal(&want.name, &Some(want.state.as_str()), &state);
        });
        report.case(&format!("{name}/causes"), |report| match have {
            Some(step) => expected::compare(want, step, report),
            None => report.fail(&want.name, "known", "missing"),
        });
    }
}

fn question(file: &File, scenario: &Scenario) -> Result<Value, String> {
    let base = file.bases.get(&scenario.base).ok_or("no such base")?;
    let changed = scenario.expected.steps.iter();
    let changed: Vec<(String, String)> = changed.flat_map(Expected::changed_bytes).collect();
    Ok(json!({
        "old": document(base, folders(base))?,
        "new": second(file, scenario)?,
        "images": file.images,
        "imported": scenario.daemon == "fresh" && !scenario.lost(),
        "changed": changed,
    }))
}

/// The second build of a scenario.
pub(super) fn second(file: &File, scenario: &Scenario) -> Result<Value, String> {
    let base = file.bases.get(&scenario.base).ok_or("no such base")?;
    let mut folders = folders(base);
    let named = scenario.changes.named.iter();
    let named = named.map(|(name, changes)| (name.as_str(), changes));
    for (name, changes) in named.chain([("context", &scenario.changes.context)]) {
        let files = folders.entry(name.to_owned()).or_default();
        for (path, entry) in changes {
            if entry.is_null() {
                files.remove(path);
            } else {
                files.insert(path.clone(), entry.clone());
            }
        }
    }
    document(&scenario.recorded, folders)
}

fn folders(base: &Recorded) -> BTreeMap<String, Files> {
    let mut folders = base.named.clone();
    folders.insert("context".to_owned(), base.context.clone());
    folders
}

fn document(recorded: &Recorded, folders: BTreeMap<String, Files>) -> Result<Value, String> {
    // The client may have been told less than the record has.
    let log = record::log(&recorded.record)?;
    Ok(json!({
        "engine": recorded.engine,
        "provenance": recorded.provenance,
        "log": log.map(|log| base64::encode(&log)),
        "status": recorded.status,
        "folders": folders,
    }))
}

impl Scenario {
    /// Whether the caller knows that a cache lost something.
    fn lost(&self) -> bool {
        let mut between = self.between.iter();
        between.any(|done| done.starts_with("blob removed"))
    }
}

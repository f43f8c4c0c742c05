//! Pairs of real builds: state and causes of every step of the second one.

use std::collections::BTreeMap;

use layerwise::base64;
use layerwise::builds::read::{predicate, status};
use layerwise::builds::{self, Build, Evidence, Known, NoResult, Platform, Stat, Tree, Why, why};
use layerwise::limits::{Limit, Limits};
use serde::Deserialize;
use serde_json::Value;

use super::expected::{self, Expected};
use super::record;
use crate::Report;

const LIMITS: Limits<1> = Limits::new([(Limit::Entries, 1_000_000)]);

#[derive(Deserialize)]
pub(super) struct File {
    pub format: String,
    images: BTreeMap<String, Image>,
    bases: BTreeMap<String, Recorded>,
    pub scenarios: Vec<Scenario>,
}

/// The chain id of an image, or those of an index by platform.
#[derive(Deserialize)]
struct Image {
    chain: Option<String>,
    #[serde(default)]
    index: BTreeMap<String, Manifest>,
}

#[derive(Deserialize)]
struct Manifest {
    chain: String,
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

/// Files by path: `["f", mode, text]`, `["b", mode, base64]`, `["l", target]`,
/// `["d", mode]`; null for one that is removed.
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

pub(super) fn run(file: &File, scenario: &Scenario, report: &mut Report) {
    match explain(file, scenario) {
        Ok(why) => compare(scenario, &why, report),
        Err(error) => report.case(&scenario.name, |report| {
            report.fail("builds", "read", error);
        }),
    }
}

fn compare(scenario: &Scenario, why: &Why, report: &mut Report) {
    let steps = why.steps.iter();
    let steps: BTreeMap<&str, usize> = steps
        .enumerate()
        .map(|(at, step)| (step.vertex.as_str(), at))
        .collect();
    for want in &scenario.expected.steps {
        let have = steps.get(want.vertex.as_str());
        let have = have.and_then(|at| why.steps.get(*at));
        let name = format!("{}/{}", scenario.name, want.vertex);
        report.case(&format!("{name}/state"), |report| {
            let state = have.map(|step| step.verdict.state.as_str());
            report.equal(&want.name, &Some(want.state.as_str()), &state);
        });
        report.case(&format!("{name}/causes"), |report| match have {
            Some(step) => expected::compare(want, step, why, report),
            None => report.fail(&want.name, "known", "missing"),
        });
    }
}

impl Scenario {
    /// Whether the caller knows that a cache lost something.
    fn lost(&self) -> bool {
        let mut between = self.between.iter();
        between.any(|done| done.starts_with("blob removed"))
    }
}

impl File {
    pub fn scenario(&self, name: &str) -> Option<&Scenario> {
        self.scenarios.iter().find(|scenario| scenario.name == name)
    }
}

/// The two builds of a scenario, each with what is known besides its record.
pub(super) struct Pair {
    pub old: (Build, Known),
    pub new: (Build, Known),
}

pub(super) fn pair(file: &File, scenario: &Scenario) -> Result<Pair, String> {
    let base = file.bases.get(&scenario.base).ok_or("no such base")?;
    let mut old_files = base.named.clone();
    old_files.insert("context".to_owned(), base.context.clone());
    let mut new_files = old_files.clone();
    let mut apply = |name: &str, changes: &Files| {
        let files = new_files.entry(name.to_owned()).or_default();
        for (path, entry) in changes {
            if entry.is_null() {
                files.remove(path);
            } else {
                files.insert(path.clone(), entry.clone());
            }
        }
    };
    apply("context", &scenario.changes.context);
    for (name, changes) in &scenario.changes.named {
        apply(name, changes);
    }
    let chains = chains(&file.images);
    let known = |files: &BTreeMap<String, Files>| -> Result<Known, String> {
        let folders = files
            .iter()
            .map(|(name, files)| Ok((name.clone(), tree(files)?)));
        Ok(Known {
            folders: folders.collect::<Result<_, String>>()?,
            chains: chains.clone(),
        })
    };
    Ok(Pair {
        old: (build(base)?, known(&old_files)?),
        new: (build(&scenario.recorded)?, known(&new_files)?),
    })
}

fn explain(file: &File, scenario: &Scenario) -> Result<Why, String> {
    let Pair { old, new } = pair(file, scenario)?;
    let changed = scenario.expected.steps.iter();
    let evidence = Evidence {
        no_result: if scenario.daemon == "fresh" && !scenario.lost() {
            NoResult::NotImported
        } else {
            NoResult::Lost
        },
        changed: changed.flat_map(Expected::changed_bytes).collect(),
    };
    Ok(why((&old.0, &old.1), (&new.0, &new.1), &evidence))
}

fn build(recorded: &Recorded) -> Result<Build, String> {
    let definitions = recorded.provenance.iter();
    let definitions = definitions
        .map(|text| predicate::of_text(text, &LIMITS).map_err(|error| error.to_string()));
    // The client may have been told less than the record has.
    let vertices = match record::log(&recorded.record)? {
        Some(log) => status::of_log(&log, &LIMITS),
        None => status::of_progress(&recorded.status, &LIMITS),
    };
    Ok(Build {
        definitions: definitions.collect::<Result<_, _>>()?,
        vertices: vertices.map_err(|error| error.to_string())?,
        engine: Some(recorded.engine.clone()),
    })
}

fn chains(images: &BTreeMap<String, Image>) -> BTreeMap<(String, Platform), String> {
    let mut chains = BTreeMap::new();
    for (digest, image) in images {
        if let Some(chain) = &image.chain {
            chains.insert((digest.clone(), Platform::default()), chain.clone());
        }
        for (platform, manifest) in &image.index {
            let (os, architecture) = platform.split_once('/').unwrap_or((platform, ""));
            let platform = Platform {
                os: os.to_owned(),
                architecture: architecture.to_owned(),
                ..Platform::default()
            };
            chains.insert((digest.clone(), platform), manifest.chain.clone());
        }
    }
    chains
}

fn tree(files: &Files) -> Result<Tree, String> {
    let mut tree = Tree::of_client();
    for (path, entry) in files {
        let text = |at: usize| entry.get(at).and_then(Value::as_str).unwrap_or_default();
        let mode = entry.get(1).and_then(Value::as_u64).unwrap_or_default();
        let stat = Stat {
            mode: u32::try_from(mode).unwrap_or_default(),
            ..Stat::default()
        };
        let entry = match text(0) {
            "f" => builds::Entry::file(&stat, text(2).as_bytes()),
            "b" => builds::Entry::file(&stat, &base64::decode(text(2)).unwrap_or_default()),
            "l" => builds::Entry::symlink(&stat, text(1)),
            "d" => builds::Entry::folder(&stat),
            other => return Err(format!("{path}: kind {other:?}")),
        };
        tree.insert(path, entry)
            .map_err(|error| error.to_string())?;
    }
    Ok(tree)
}

//! Cases of several steps on one file tree.

use std::collections::BTreeMap;
use std::sync::Arc;

use layerwise::error::Error;
use layerwise::explain::Finding;
use layerwise::paths;
use layerwise::stacker::{Answer, Epoch, LayerDefinition, Opened, Options, Outcome, Places, State};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::shared::{Head, Host, changed, code, failure, have, plain, read, same, short, want};
use super::subject::{Cache, Subject};
use super::tree::{TreeEntry, write_tree};
use crate::Case;
use crate::memory_fs::MemoryFs;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Scenario {
    host: Host,
    config: Config,
    definitions: BTreeMap<String, Value>,
    fs: Vec<TreeEntry>,
    steps: Vec<Map<String, Value>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Config {
    stacker_dir: String,
    oci_dir: String,
    rootfs_dir: String,
    source_date_epoch: Option<i64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Named {
    name: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Put {
    name: String,
    manifests: Value,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Change {
    #[serde(default)]
    remove: Vec<String>,
    #[serde(default)]
    write: Vec<TreeEntry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Define {
    definitions: BTreeMap<String, Value>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SetHost {
    host: Host,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SetConfig {
    source_date_epoch: Option<i64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Nothing {}

/// Runs a scenario.
pub(super) fn run(
    subject: &dyn Subject,
    head: &Head,
    case: Map<String, Value>,
    check: &mut Case<'_>,
) -> Result<(), String> {
    let scenario: Scenario = read(case)?;
    let fs = Arc::new(MemoryFs::default());
    write_tree(&fs, scenario.fs)?;
    let config = scenario.config;
    let mut world = World {
        subject,
        fs: &fs,
        cache: None,
        cache_file: format!("{}/build.cache", config.stacker_dir).into_bytes(),
        host: scenario.host,
        options: Options {
            semantics: head.semantics(),
            places: Places {
                stacker: paths::from_text(&config.stacker_dir),
                rootfs: paths::from_text(&config.rootfs_dir),
                oci: paths::from_text(&config.oci_dir),
            },
            epoch: epoch(config.source_date_epoch),
            definitions: definitions(scenario.definitions),
            ..Options::default()
        },
    };
    for (number, mut step) in scenario.steps.into_iter().enumerate() {
        let op = match step.remove("op") {
            Some(Value::String(op)) => op,
            other => return Err(format!("step {number}: no op: {other:?}")),
        };
        let expect = step.remove("expect");
        let actual = world
            .step(&op, step)
            .map_err(|error| format!("step {number} {op}: {error}"))?;
        match (expect, actual) {
            (Some(expect), Some(actual)) => {
                same(check, &format!("step {number} {op}"), &expect, &actual)
            }
            (None, None) => {}
            (expect, actual) => {
                check.fail(
                    &format!("step {number} {op}"),
                    format!("{expect:?}"),
                    format!("{actual:?}"),
                );
            }
        }
    }
    Ok(())
}

fn epoch(seconds: Option<i64>) -> Epoch {
    seconds.map_or(Epoch::Unset, Epoch::Seconds)
}

fn definitions(given: BTreeMap<String, Value>) -> Vec<LayerDefinition> {
    let definition = |(name, document): (String, Value)| LayerDefinition {
        name,
        document: document.to_string(),
    };
    given.into_iter().map(definition).collect()
}

struct World<'a> {
    subject: &'a dyn Subject,
    fs: &'a Arc<MemoryFs>,
    cache: Option<Box<dyn Cache + 'a>>,
    cache_file: Vec<u8>,
    host: Host,
    options: Options,
}

impl World<'_> {
    fn step(&mut self, op: &str, step: Map<String, Value>) -> Result<Option<Value>, String> {
        match op {
            "open" => {
                let Nothing {} = read(step)?;
                self.open().map(Some)
            }
            "lookup" => {
                let Named { name } = read(step)?;
                let cache = self.cache()?;
                let answer = cache.lookup(&name);
                let causes = cache.causes().map_err(text)?;
                explained(cache, &name, &answer)?;
                Ok(Some(match answer {
                    Ok(answer) => lookup_answer(&answer)?,
                    Err(error) => failure(&error, &causes),
                }))
            }
            "base-hash" => {
                let Named { name } = read(step)?;
                let cache = self.cache()?;
                Ok(Some(match cache.base_hash(&name) {
                    Ok(value) => json!({"outcome": "ok", "value": value}),
                    Err(error) => failure(&error, &cache.causes().map_err(text)?),
                }))
            }
            "put" => self.put(read(step)?).map(Some),
            "fs" => {
                let change: Change = read(step)?;
                for path in change.remove {
                    self.fs.remove_all(path.as_bytes());
                }
                write_tree(self.fs, change.write)?;
                if let Some(cache) = &mut self.cache {
                    cache.refresh().map_err(text)?;
                }
                Ok(None)
            }
            "define" => {
                let define: Define = read(step)?;
                self.options.definitions = definitions(define.definitions);
                if let Some(cache) = &mut self.cache {
                    cache.define(&self.options.definitions).map_err(text)?;
                }
                Ok(None)
            }
            "host" => {
                let SetHost { host } = read(step)?;
                self.host = host;
                Ok(None)
            }
            "config" => {
                let SetConfig { source_date_epoch } = read(step)?;
                self.options.epoch = epoch(source_date_epoch);
                Ok(None)
            }
            other => Err(format!("unknown op {other:?}")),
        }
    }

    fn cache(&mut self) -> Result<&mut (dyn Cache + '_), String> {
        match &mut self.cache {
            Some(cache) => Ok(cache.as_mut()),
            None => Err("the cache is not open".to_owned()),
        }
    }

    fn cache_text(&self) -> Value {
        self.fs
            .text(&self.cache_file)
            .map_or(Value::Null, Value::String)
    }

    fn open(&mut self) -> Result<Value, String> {
        self.cache = None;
        Ok(match self.subject.open(self.fs, self.options.clone()) {
            Ok(mut cache) => {
                let mut answer = opened(&cache.opened().map_err(text)?);
                let entries = cache.entries().map_err(text)?;
                answer.insert("entries".into(), json!(entries));
                answer.insert("cache_file".into(), self.cache_text());
                self.cache = Some(cache);
                Value::Object(answer)
            }
            Err(error) => {
                json!({"outcome": "error", "error": code(&error), "cache_file": self.cache_text()})
            }
        })
    }

    /// Puts, after asking for the plan, which must say what is then written.
    fn put(&mut self, put: Put) -> Result<Value, String> {
        let (host, manifests) = (self.host.facts(), put.manifests.to_string());
        let before = self.fs.paths();
        let cache_text = self.cache_text();
        let cache = self.cache()?;
        let plan = cache.plan(&put.name, &manifests, &host);
        let stored = cache.put(&put.name, &manifests, &host);
        let mut answer = match (&plan, &stored) {
            (Ok(_), Ok(_)) => json!({"outcome": "ok"}),
            (_, Err(error)) => failure(error, &cache.causes().map_err(text)?),
            (Err(error), Ok(_)) => {
                return Err(format!("planning fails, putting does not: {error}"));
            }
        };
        let after = self.cache_text();
        if stored.is_err() && (self.fs.paths() != before || after != cache_text) {
            return Err("a put that failed has changed a file".to_owned());
        }
        // A put that cannot be saved was planned all the same.
        if let (Ok(effects), Ok(_)) = (plan, &stored) {
            let path = paths::encode(&self.cache_file);
            let planned = effects.iter().find_map(|effect| match effect {
                layerwise::stacker::Effect::Create(writing)
                | layerwise::stacker::Effect::Replace(writing)
                    if writing.path == path =>
                {
                    Some(writing.text.as_str())
                }
                _ => None,
            });
            if planned != after.as_str() {
                return Err(format!("planned {planned:?}, wrote {after}"));
            }
        }
        if let Some(members) = answer.as_object_mut() {
            members.insert("cache_file".into(), after);
            if stored.is_ok() {
                let mode = self
                    .fs
                    .object(&self.cache_file)
                    .map(|object| format!("{:04o}", object.mode));
                members.insert("cache_file_mode".into(), json!(mode));
            }
        }
        Ok(answer)
    }
}

/// The words of an error that no expectation can be about.
fn text(error: Error) -> String {
    error.to_string()
}

/// An explanation must come to the decision of the lookup.
fn explained(
    cache: &mut dyn Cache,
    name: &str,
    answer: &Result<Answer, Error>,
) -> Result<(), String> {
    let explanation = cache.explain(name).map_err(text)?;
    let decided = match answer {
        Ok(answer) => answer
            .reason
            .as_ref()
            .map_or("hit", |reason| short(&reason.code))
            .to_owned(),
        Err(error) => code(error),
    };
    let told = |finding: &Finding| short(&finding.code) == decided;
    if told(&explanation.summary) && explanation.findings.iter().any(told) {
        return Ok(());
    }
    Err(format!(
        "the lookup of {name:?} says {decided}, the explanation {explanation:?}"
    ))
}

fn opened(opened: &Opened) -> Map<String, Value> {
    let state = match opened.state {
        State::Absent => "absent",
        State::Loaded => "loaded",
        State::VersionMismatch => "version-mismatch",
        State::Unreadable => "unreadable",
    };
    let pruned = opened.pruned.iter().map(|pruned| {
        let reason = short(&pruned.reason.code);
        let mut item = Map::from_iter([
            ("key".to_owned(), json!(pruned.key)),
            ("name".to_owned(), json!(pruned.name)),
            ("reason".to_owned(), json!(reason)),
        ]);
        if reason == "manifest-missing" {
            let types: Vec<_> = pruned
                .reason
                .differences
                .iter()
                .map(|one| one.path.clone())
                .collect();
            item.insert("layer_types".into(), json!(types));
        } else {
            item.insert("path".into(), plain(&pruned.reason, "path"));
        }
        Value::Object(item)
    });
    Map::from_iter([
        ("outcome".to_owned(), json!("ok")),
        ("state".to_owned(), json!(state)),
        ("pruned".to_owned(), pruned.collect()),
    ])
}

fn lookup_answer(answer: &Answer) -> Result<Value, String> {
    if answer.outcome == Outcome::Hit {
        let hash = answer.hash.ok_or("a hit without a hash")?;
        return Ok(json!({"outcome": "hit", "entry_hash": hash.to_string()}));
    }
    let reason = answer.reason.as_ref().ok_or("a miss without a reason")?;
    let mut members = Map::from_iter([
        ("outcome".to_owned(), json!("miss")),
        ("reason".to_owned(), json!(short(&reason.code))),
    ]);
    let evidence = |members: &[(&str, Value)], into: &mut Map<String, Value>| {
        into.extend(
            members
                .iter()
                .map(|(name, value)| ((*name).to_owned(), value.clone())),
        );
    };
    let (import, source) = (have(reason, "import"), have(reason, "overlay"));
    let disk = || plain(reason, "disk");
    match short(&reason.code) {
        "base-changed" => evidence(
            &[
                ("cached", have(reason, "base")),
                ("current", want(reason, "base")),
            ],
            &mut members,
        ),
        "import-new" => evidence(&[("path", import)], &mut members),
        "import-missing" | "import-type-changed" => {
            evidence(&[("path", import), ("disk_path", disk())], &mut members);
        }
        "import-file-changed" => evidence(
            &[
                ("path", import),
                ("disk_path", disk()),
                ("cached", have(reason, "hash")),
                ("current", want(reason, "hash")),
            ],
            &mut members,
        ),
        "import-dir-changed" => evidence(
            &[
                ("path", import),
                ("disk_path", disk()),
                ("changed", changed(&answer.changes)),
            ],
            &mut members,
        ),
        "overlay-new" => evidence(&[("source", source)], &mut members),
        "overlay-missing" => evidence(&[("source", source), ("disk_path", disk())], &mut members),
        "overlay-changed" => {
            let mut overlays: BTreeMap<u32, Vec<&layerwise::stacker::Change>> = BTreeMap::new();
            for change in &answer.changes {
                overlays.entry(change.index).or_default().push(change);
            }
            let overlay = |changes: Vec<&layerwise::stacker::Change>| {
                let source = changes.first().map(|change| change.root.clone());
                json!({"source": source, "changed": changed(changes)})
            };
            let overlays: Vec<_> = overlays.into_values().map(overlay).collect();
            evidence(&[("overlays", json!(overlays))], &mut members);
        }
        _ => {}
    }
    Ok(Value::Object(members))
}

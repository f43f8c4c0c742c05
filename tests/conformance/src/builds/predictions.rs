//! What a cache says before a build, against what happened.

use std::collections::BTreeMap;

use layerwise::buildkit::{self, Input, ReadOptions};
use layerwise::builds::{Outcome, Prediction, Store, predict};
use serde::Deserialize;
use serde_json::{Value, json};

use super::scenario;
use crate::Report;

#[derive(Deserialize)]
pub(super) struct File {
    pub predictions: Vec<Case>,
    caches: BTreeMap<String, Cache>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Case {
    scenario: String,
    cache: String,
    happened: BTreeMap<String, String>,
    predicted: BTreeMap<String, String>,
}

#[derive(Deserialize)]
#[serde(tag = "kind", deny_unknown_fields)]
enum Cache {
    /// A daemon's database: links from key to key, keys with results.
    #[serde(rename = "cache.db")]
    Database {
        links: Vec<(String, Link, String)>,
        results: Vec<String>,
    },
    /// An exported cache.
    #[serde(rename = "config")]
    Config { config: String },
    /// The records in an image.
    #[serde(rename = "inline")]
    Inline { config: String },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
struct Link {
    #[serde(default)]
    input: u32,
    #[serde(default)]
    output: i64,
    digest: String,
    #[serde(default)]
    selector: String,
}

pub(super) fn run(file: &File, builds: &scenario::File, case: &Case, report: &mut Report) {
    let predictions = match decide(file, builds, case) {
        Ok(predictions) => predictions,
        Err(error) => {
            return report.case(&case.scenario, |report| {
                report.fail("cache", "read", error);
            });
        }
    };
    let named = predictions.iter();
    let named: BTreeMap<&str, &Prediction> = named.map(|one| (one.vertex.as_str(), one)).collect();
    for (vertex, predicted) in &case.predicted {
        let have = named.get(vertex.as_str());
        let have = have.and_then(|one| one.outcome.as_ref()).map(word);
        let happened = case.happened.get(vertex).map(String::as_str);
        report.case(&format!("{} {vertex}", case.scenario), |report| {
            // More may be decided than the vector decides, as it happened then.
            let also = match happened {
                Some("cached") => "hit",
                Some("ran") => "miss",
                _ => "",
            };
            let right = have == Some(predicted) || predicted == "undecidable" && have == Some(also);
            if !right {
                report.fail("predicted", predicted, format!("{have:?}, it {happened:?}"));
            }
        });
    }
}

const fn word(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Hit => "hit",
        Outcome::Miss(_) => "miss",
        Outcome::Undecidable(_) => "undecidable",
    }
}

fn decide(file: &File, builds: &scenario::File, case: &Case) -> Result<Vec<Prediction>, String> {
    let scenario = builds.scenario(&case.scenario).ok_or("no such scenario")?;
    let pair = scenario::pair(builds, scenario)?;
    let cache = file.caches.get(&case.cache).ok_or("no such cache")?;
    Ok(predict(&pair.new.0, &pair.new.1, &[store(cache)?]))
}

fn store(cache: &Cache) -> Result<Store, String> {
    match cache {
        Cache::Database { links, results } => {
            let mut store = Store::default();
            for (from, link, to) in links {
                let operation = (link.digest.as_str(), link.output, link.input);
                store.add_link(from, operation, &link.selector, to);
            }
            for result in results {
                store.add_result(result);
            }
            Ok(store)
        }
        Cache::Config { config } => exported(config),
        Cache::Inline { config } => {
            let records: Value = serde_json::from_str(config).map_err(|error| error.to_string())?;
            // Its layers are those of the image, each on the one before.
            let layers = (-1..100).map(|parent| {
                let blob = format!("sha256:{:064x}", parent + 1);
                json!({"blob": blob, "parent": parent})
            });
            let layers: Vec<Value> = layers.collect();
            exported(&json!({"layers": layers, "records": records}).to_string())
        }
    }
}

fn exported(config: &str) -> Result<Store, String> {
    #[derive(Deserialize)]
    struct Layers {
        layers: Vec<Layer>,
    }
    #[derive(Deserialize)]
    struct Layer {
        blob: String,
    }
    let layers: Layers = serde_json::from_str(config).map_err(|error| error.to_string())?;
    let descriptors = layers.layers.iter().map(|layer| {
        json!({
            "mediaType": "application/vnd.oci.image.layer.v1.tar+gzip",
            "digest": layer.blob,
            "size": 1,
            "annotations": {"containerd.io/uncompressed": layer.blob},
        })
    });
    let descriptors: Vec<Value> = descriptors.collect();
    let descriptors = Value::from(descriptors).to_string();
    let input = Input::Config {
        text: config,
        descriptors: Some(&descriptors),
    };
    let cache =
        buildkit::read(input, &ReadOptions::default()).map_err(|error| error.to_string())?;
    let contents = cache.contents().map_err(|error| error.to_string())?;
    Ok(Store::of(&contents))
}

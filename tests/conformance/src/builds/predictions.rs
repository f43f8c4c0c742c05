//! What a cache says before a build, against what happened.

use std::collections::BTreeMap;

use layerwise::builds::testing::Question;
use serde::Deserialize;
use serde_json::{Value, json};

use super::scenario;
use super::subject::{Subject, ask};
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
    /// A daemon's database.
    #[serde(rename = "cache.db")]
    Database { links: Value, results: Value },
    /// An exported cache.
    #[serde(rename = "config")]
    Config { config: String },
    /// The records in an image.
    #[serde(rename = "inline")]
    Inline { config: String },
}

pub(super) fn run(
    file: &File,
    builds: &scenario::File,
    case: &Case,
    subject: &dyn Subject,
    report: &mut Report,
) {
    let name = format!("{} {}", case.scenario, case.cache);
    report.about(&name);
    let document = question(file, builds, case);
    let answer = document.and_then(|document| ask(subject, Question::Prediction, &document));
    let answer = match answer {
        Ok(answer) => answer,
        Err(error) => {
            return report.case(&name, |report| report.fail("cache", "read", error));
        }
    };
    for (vertex, predicted) in &case.predicted {
        let have = answer.get(vertex).and_then(Value::as_str);
        let happened = case.happened.get(vertex).map(String::as_str);
        report.case(&format!("{name} {vertex}"), |report| {
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

fn question(file: &File, builds: &scenario::File, case: &Case) -> Result<Value, String> {
    let scenario = builds.scenario(&case.scenario).ok_or("no such scenario")?;
    let cache = file.caches.get(&case.cache).ok_or("no such cache")?;
    Ok(json!({
        "build": scenario::second(builds, scenario)?,
        "images": builds.images(),
        "cache": document(cache)?,
    }))
}

fn document(cache: &Cache) -> Result<Value, String> {
    match cache {
        Cache::Database { links, results } => Ok(json!({"links": links, "results": results})),
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

/// A config, with descriptors for its layers.
fn exported(config: &str) -> Result<Value, String> {
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
    Ok(json!({"config": config, "descriptors": descriptors}))
}

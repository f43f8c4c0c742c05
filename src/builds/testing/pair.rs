//! Builds of vectors, and what is asked of them.

use serde::Deserialize;
use serde_json::Value;

use super::given::{LIMITS, definition, invalid};
use super::told;
use super::tree::{Files, of_files};
use crate::base64;
use crate::buildkit;
use crate::builds::cause::{Evidence, NoResult};
use crate::builds::graph::Known;
use crate::builds::model::Build;
use crate::builds::predict::predict;
use crate::builds::read::status;
use crate::builds::store::Store;
use crate::builds::why::why as explain;
use crate::error::Error;
use crate::oci::Platform;
use crate::prelude::*;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct WhyCase {
    old: Recorded,
    new: Recorded,
    images: BTreeMap<String, Image>,
    /// Whether the cache that was used never had what is not there.
    imported: bool,
    /// Inputs whose bytes are others, by the vertices of step and input.
    changed: Vec<(String, String)>,
}

/// What a build left behind, and the files of its contexts.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Recorded {
    engine: String,
    provenance: Vec<String>,
    /// The log of the record, base64; without one, that of the client counts.
    log: Option<String>,
    status: String,
    folders: BTreeMap<String, Files>,
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

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PredictionCase {
    build: Recorded,
    images: BTreeMap<String, Image>,
    cache: Cache,
}

#[derive(Deserialize)]
#[serde(untagged, deny_unknown_fields)]
enum Cache {
    /// A daemon's database: links from key to key, keys with results.
    Database {
        links: Vec<(String, Link, String)>,
        results: Vec<String>,
    },
    /// An exported cache, with what its manifest lists.
    Config { config: String, descriptors: Value },
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

pub(super) fn why(case: &WhyCase) -> Result<Value, Error> {
    let old = case.old.build(&case.images)?;
    let new = case.new.build(&case.images)?;
    let evidence = Evidence {
        no_result: if case.imported {
            NoResult::NotImported
        } else {
            NoResult::Lost
        },
        changed: case.changed.iter().cloned().collect(),
        ..Evidence::default()
    };
    let why = explain((&old.0, &old.1), (&new.0, &new.1), &evidence);
    Ok(told::why(&why))
}

pub(super) fn prediction(case: &PredictionCase) -> Result<Value, Error> {
    let (build, known) = case.build.build(&case.images)?;
    let store = case.cache.store()?;
    Ok(told::predictions(&predict(&build, &known, &[store])))
}

impl Recorded {
    fn build(&self, images: &BTreeMap<String, Image>) -> Result<(Build, Known), Error> {
        let mut build = Build {
            engine: Some(self.engine.clone()),
            ..Build::default()
        };
        for predicate in &self.provenance {
            build.definitions.push(definition(predicate)?);
        }
        let vertices = match &self.log {
            Some(log) => {
                let log = base64::decode(log).ok_or_else(|| invalid(&"log is not base64"))?;
                status::of_log(&log, &LIMITS)
            }
            None => status::of_progress(&self.status, &LIMITS),
        };
        build.vertices = vertices.map_err(|bad| invalid(&bad))?;
        let mut known = Known {
            chains: chains(images),
            ..Known::default()
        };
        for (name, files) in &self.folders {
            known.folders.insert(name.clone(), of_files(files)?);
        }
        Ok((build, known))
    }
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

impl Cache {
    fn store(&self) -> Result<Store, Error> {
        match self {
            Self::Database { links, results } => {
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
            Self::Config {
                config,
                descriptors,
            } => {
                let descriptors = descriptors.to_string();
                let input = buildkit::Input::Config {
                    text: config,
                    descriptors: Some(&descriptors),
                };
                let cache = buildkit::read(input, &buildkit::ReadOptions::default())?;
                Ok(Store::of(&cache.contents()?, &BTreeSet::new()))
            }
        }
    }
}

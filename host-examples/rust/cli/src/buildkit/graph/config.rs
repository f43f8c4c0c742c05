//! What a picture needs of a config, also of one that importers refuse.

use std::collections::BTreeMap;

use layerwise::buildkit::Report;
use layerwise::oci::Descriptor;
use layerwise_host::Error;
use serde::Deserialize;

use crate::buildkit::found::Found;
use crate::buildkit::{Opened, about};
use crate::failed::Failed;

/// A config, and the sizes of the layers that its manifest lists.
#[derive(Default)]
pub struct Config {
    pub layers: Vec<Layer>,
    pub records: Vec<Record>,
    pub sizes: BTreeMap<String, u64>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub struct Layer {
    pub blob: String,
    pub parent: i64,
    annotations: Option<Described>,
}

/// What a layer says of itself where no manifest lists it.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Described {
    size: u64,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub struct Record {
    pub digest: String,
    inputs: Option<Vec<Option<Vec<Link>>>>,
    layers: Option<Vec<Outcome>>,
    chains: Option<Vec<Chain>>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub struct Link {
    pub selector: String,
    pub link: i64,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Outcome {
    layer: i64,
    created_at: String,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Chain {
    layers: Vec<i64>,
    created_at: String,
}

/// The longest config that is drawn; importers read less.
const LONGEST: u64 = 64 << 20;

#[derive(Default, Deserialize)]
#[serde(default)]
struct Text {
    layers: Option<Vec<Layer>>,
    records: Option<Vec<Record>>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Manifest {
    config: Option<Entry>,
    layers: Option<Vec<Entry>>,
    manifests: Option<Vec<Entry>>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Entry {
    digest: String,
    size: u64,
}

impl Record {
    /// The number of inputs.
    pub fn inputs(&self) -> usize {
        self.inputs.as_ref().map_or(0, Vec::len)
    }

    /// The links with their inputs.
    pub fn links(&self) -> impl Iterator<Item = (usize, &Link)> {
        let inputs = self.inputs.iter().flatten().enumerate();
        inputs.flat_map(|(input, links)| links.iter().flatten().map(move |link| (input, link)))
    }

    /// The newest result as its text goes: when it was made, and its topmost layer
    /// or all of them.
    pub fn result(&self) -> Option<(&str, Top<'_>)> {
        let layers = self.layers.iter().flatten();
        let layers = layers.map(|one| (one.created_at.as_str(), Top::Layer(one.layer)));
        let chains = self.chains.iter().flatten();
        let chains = chains.map(|one| (one.created_at.as_str(), Top::Chain(&one.layers)));
        layers.chain(chains).max_by_key(|(created, _)| *created)
    }
}

/// How a result names its layers.
#[derive(Clone, Copy)]
pub enum Top<'a> {
    /// By the topmost.
    Layer(i64),
    /// By all of them.
    Chain(&'a [i64]),
}

/// Reads the config of a cache.
pub fn read(
    opened: &Opened,
    found: &Found,
    report: &Report,
    cache: &str,
) -> Result<Config, Failed> {
    let (repository, manifest) = match found {
        Found::Alone { config, .. } => {
            let mut config = parse(config, BTreeMap::new())?;
            let layers = config.layers.iter();
            config.sizes = layers
                .filter_map(|layer| Some((layer.blob.clone(), layer.annotations.as_ref()?.size)))
                .collect();
            return Ok(config);
        }
        Found::Stored { .. } if report.inline => {
            return parse(&opened.look(found, cache)?.encode()?, BTreeMap::new());
        }
        Found::Stored {
            repository,
            manifest,
        } => (repository, manifest),
    };
    let text = document(opened, repository, manifest, cache)?;
    let (_, digest) =
        layerwise::buildkit::detect(&text).map_err(|error| about(Error::Refused(error), cache))?;
    if digest.is_empty() {
        let message = format!(
            "cannot draw the cache {cache:?}: it has no cache config; `layerwise buildkit verify` says more"
        );
        return Err(Failed::new("corrupt", message).about(cache));
    }
    let manifest: Manifest = serde_json::from_str(&text).map_err(wrong)?;
    let listed = [manifest.layers, manifest.manifests];
    let listed: Vec<Entry> = listed
        .into_iter()
        .flatten()
        .flatten()
        .chain(manifest.config)
        .collect();
    let size = listed.iter().rev().find(|entry| entry.digest == digest);
    let wanted = Descriptor {
        size: size.map_or(0, |entry| entry.size),
        digest,
        ..Descriptor::default()
    };
    let text = document(opened, repository, &wanted, cache)?;
    let sizes = listed.into_iter().map(|entry| (entry.digest, entry.size));
    parse(&text, sizes.collect())
}

fn document(
    opened: &Opened,
    repository: &str,
    wanted: &Descriptor,
    cache: &str,
) -> Result<String, Failed> {
    let mut answers = opened
        .registry
        .read(repository, std::slice::from_ref(wanted), LONGEST);
    answers
        .pop()
        .unwrap_or(Ok(String::new()))
        .map_err(|failure| {
            let message = format!("cannot read the cache {cache:?}: {}", failure.message);
            Failed::new("host", message).about(cache)
        })
}

fn parse(text: &str, sizes: BTreeMap<String, u64>) -> Result<Config, Failed> {
    let text: Text = serde_json::from_str(text).map_err(wrong)?;
    Ok(Config {
        layers: text.layers.unwrap_or_default(),
        records: text.records.unwrap_or_default(),
        sizes,
    })
}

fn wrong(error: serde_json::Error) -> Failed {
    let message =
        format!("cannot draw the cache: {error}; `layerwise buildkit verify` says what is wrong");
    Failed::new("corrupt", message)
}

//! What a picture needs of a config, also of one that importers refuse.

use std::collections::BTreeMap;

use layerwise::oci::Descriptor;
use layerwise::semantics::Semantics;
use serde::Deserialize;
use serde_json::Value;

use crate::cli::buildkit::inspect::Checked;
use crate::cli::buildkit::{Found, Opened, about};
use crate::cli::failed::Failed;

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

/// Reads the config of a cache. Where importers do not even read it, its records are
/// judged all the same.
pub fn read(
    opened: &Opened,
    found: &Found,
    checked: &mut Checked,
    cache: &str,
) -> Result<Config, Failed> {
    let session = &opened.session;
    let limits = &opened.limits;
    if checked.inline {
        let semantics = Semantics::default();
        let cache = session
            .open(&found.repository, &found.manifest, &semantics, limits)
            .map_err(|error| about(error, cache))?;
        return parse(&cache.encode()?, BTreeMap::new());
    }
    let manifest = document(opened, found, &found.manifest, cache)?;
    let mut digest = checked.report.config.clone();
    if digest.is_empty() {
        // Importers do not even look into a manifest that is too large.
        digest = session
            .detect(&manifest)
            .map_err(|error| about(error, cache))?
            .1;
    }
    if digest.is_empty() {
        let message = format!(
            "cannot draw the cache {cache:?}: it has no cache config; `layerwise buildkit verify` says more"
        );
        return Err(Failed::new("corrupt", message).about(cache));
    }
    let listing = listing(&manifest).map_err(wrong)?;
    let manifest: Manifest = serde_json::from_str(&manifest).map_err(wrong)?;
    let listed = [manifest.layers, manifest.manifests];
    let listed: Vec<Entry> = listed
        .into_iter()
        .flatten()
        .flatten()
        .chain(manifest.config)
        .collect();
    let size = listed.iter().rev().find(|entry| entry.digest == digest);
    let wanted = Descriptor {
        digest: digest.clone(),
        size: size.map_or(0, |entry| entry.size),
        ..Descriptor::default()
    };
    let text = document(opened, found, &wanted, cache)?;
    if checked.report.verdicts.is_empty() {
        let judged = session.verify(&text, &listing, limits)?;
        checked.report.verdicts = judged.verdicts;
        checked.report.statistics = judged.statistics;
        checked.report.findings.extend(judged.findings);
    }
    let sizes = listed.into_iter().map(|entry| (entry.digest, entry.size));
    parse(&text, sizes.collect())
}

/// What a manifest lists, as it is written there.
fn listing(manifest: &str) -> Result<String, serde_json::Error> {
    #[derive(Default, Deserialize)]
    #[serde(default)]
    struct Lists {
        layers: Option<Vec<Value>>,
        manifests: Option<Vec<Value>>,
    }
    let Lists { layers, manifests } = serde_json::from_str(manifest)?;
    let all = layers.into_iter().chain(manifests).flatten();
    Ok(Value::from(all.collect::<Vec<_>>()).to_string())
}

fn document(
    opened: &Opened,
    found: &Found,
    wanted: &Descriptor,
    cache: &str,
) -> Result<String, Failed> {
    let mut answers =
        opened
            .registry
            .read(&found.repository, std::slice::from_ref(wanted), LONGEST);
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

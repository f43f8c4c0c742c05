//! A config as a graph, independent of the implementation: canonical hashes of
//! its records, and the chains of its layers.

use layerwise::oci::sha256;
use serde::Deserialize;

/// A config as an exporter writes it.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Config {
    pub layers: Vec<Layer>,
    pub records: Vec<Record>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Layer {
    blob: String,
    parent: i64,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Record {
    layers: Vec<Result>,
    pub digest: String,
    inputs: Vec<Option<Vec<Link>>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
struct Result {
    layer: i64,
    created_at: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Link {
    selector: String,
    link: usize,
}

impl Config {
    /// Reads a config strictly.
    pub fn read(text: &str) -> std::result::Result<Self, String> {
        serde_json::from_str(text).map_err(|error| error.to_string())
    }

    /// Whether an input is null, which no reader accepts.
    pub fn has_null_input(&self) -> bool {
        self.records
            .iter()
            .any(|record| record.inputs.iter().any(Option::is_none))
    }

    /// For each layer the digests from the lowest layer up to it, joined.
    pub fn chains(&self) -> Vec<String> {
        (0..self.layers.len())
            .map(|at| self.chain(at as i64))
            .collect()
    }

    fn chain(&self, top: i64) -> String {
        let mut blobs = Vec::new();
        let mut at = top;
        while let Some(layer) = usize::try_from(at).ok().and_then(|at| self.layers.get(at)) {
            blobs.push(layer.blob.as_str());
            at = layer.parent;
            if blobs.len() > self.layers.len() {
                break;
            }
        }
        blobs.reverse();
        blobs.join(",")
    }

    /// The canonical hash of each record, in the order of the config.
    pub fn canonical(&self) -> Vec<String> {
        let count = self.records.len();
        let mut hashes: Vec<Option<String>> = vec![None; count];
        let mut open = vec![false; count];
        let mut stack: Vec<usize> = Vec::new();
        for start in 0..count {
            stack.push(start);
            while let Some(at) = stack.last().copied() {
                if hashes.get(at).is_none_or(Option::is_some) {
                    stack.pop();
                    continue;
                }
                let first = !open.get(at).copied().unwrap_or(true);
                if first {
                    let waiting: Vec<usize> = self
                        .links(at)
                        .filter(|link| hashes.get(*link).is_some_and(Option::is_none))
                        .filter(|link| !open.get(*link).copied().unwrap_or(true))
                        .collect();
                    if let Some(slot) = open.get_mut(at) {
                        *slot = true;
                    }
                    stack.extend(waiting);
                    continue;
                }
                let hash = self.hash(at, &hashes);
                if let Some(slot) = hashes.get_mut(at) {
                    *slot = Some(hash);
                }
                stack.pop();
            }
        }
        hashes.into_iter().flatten().collect()
    }

    fn links(&self, at: usize) -> impl Iterator<Item = usize> {
        let record = self.records.get(at).into_iter();
        record
            .flat_map(|record| record.inputs.iter().flatten().flatten())
            .map(|link| link.link)
    }

    fn hash(&self, at: usize, hashes: &[Option<String>]) -> String {
        let Some(record) = self.records.get(at) else {
            return String::new();
        };
        let mut text = format!("R {}\n", record.digest);
        for (input, links) in record.inputs.iter().enumerate() {
            text.push_str(&format!("I {input}\n"));
            let mut lines: Vec<String> = links
                .iter()
                .flatten()
                .map(|link| {
                    let selector: String =
                        link.selector.bytes().map(|b| format!("{b:02x}")).collect();
                    let source = hashes.get(link.link).and_then(Option::as_deref);
                    format!("L {selector} {}\n", source.unwrap_or("CYCLE"))
                })
                .collect();
            lines.sort_unstable();
            text.extend(lines);
        }
        for result in &record.layers {
            let chain = self.chain(result.layer);
            text.push_str(&format!("C {} {chain}\n", result.created_at));
        }
        sha256(text.as_bytes()).hex().to_owned()
    }
}

//! A file of records: read, its layers measured, and written as the document the
//! component takes.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};

use layerwise::host::{Failure, FailureCode};
use layerwise_registry::measure;
use serde::{Deserialize, Serialize};

use super::layers::{NAME, Place, Places};
use crate::failed::Failed;
use crate::lend::Bars;

/// What `schema` has to be.
pub const SCHEMA: &str = "layerwise/buildkit-records/1";

/// A file of records.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    schema: String,
    records: Vec<Record>,
}

/// A cache key.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Record {
    digest: String,
    #[serde(default)]
    inputs: Vec<Vec<Link>>,
    #[serde(default)]
    results: Vec<Outcome>,
}

/// One alternative of an input.
#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Link {
    /// The position of an earlier record.
    #[serde(rename(deserialize = "record", serialize = "item"))]
    record: usize,
    #[serde(default)]
    selector: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Outcome {
    created: String,
    layers: Vec<Layer>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Layer {
    file: Option<PathBuf>,
    repository: Option<String>,
    media_type: Option<String>,
    digest: Option<String>,
    size: Option<u64>,
    #[serde(default)]
    annotations: BTreeMap<String, String>,
}

/// Records as the component takes them, and where their layers are.
pub struct Records {
    /// Digests in the order of the file.
    pub digests: Vec<String>,
    pub text: String,
    pub places: Places,
}

/// A record as the component takes it.
#[derive(Serialize)]
struct Entry<'a> {
    digest: &'a str,
    inputs: &'a [Vec<Link>],
    results: Vec<Made<'a>>,
}

#[derive(Serialize)]
struct Made<'a> {
    created: &'a str,
    layers: Vec<Blob>,
    source: BTreeMap<&'static str, &'static str>,
}

#[derive(Clone, Serialize)]
#[serde(rename_all = "camelCase")]
struct Blob {
    media_type: String,
    digest: String,
    size: u64,
    annotations: BTreeMap<String, String>,
}

/// Reads a file of records. Files of layers are found from its directory; layers
/// that name no place are in `source`; `locate` makes repositories of references.
pub fn read(
    path: &Path,
    source: &str,
    locate: impl Fn(&str) -> Result<String, Failed>,
    bars: &Bars,
) -> Result<Records, Failed> {
    let text = crate::io::text("the records", path)?;
    let document: Document = serde_json::from_str(&text)
        .map_err(|error| Failed::unreadable("the records", path, &error.to_string()))?;
    if document.schema != SCHEMA {
        let why = format!(
            "its schema is {:?}, and {SCHEMA:?} is known",
            document.schema
        );
        return Err(Failed::unreadable("the records", path, &why));
    }
    let mut reading = Reading {
        path,
        source,
        locate: &locate,
        bars,
        places: Places::new(),
        measured: BTreeMap::new(),
    };
    let mut entries = Vec::with_capacity(document.records.len());
    for (at, record) in document.records.iter().enumerate() {
        entries.push(reading.entry(at, record)?);
    }
    let text = serde_json::to_string(&entries)
        .map_err(|error| Failed::new("other", format!("cannot write records: {error}")))?;
    Ok(Records {
        digests: entries
            .iter()
            .map(|entry| entry.digest.to_owned())
            .collect(),
        text,
        places: reading.places,
    })
}

struct Reading<'a> {
    path: &'a Path,
    source: &'a str,
    locate: &'a dyn Fn(&str) -> Result<String, Failed>,
    bars: &'a Bars,
    places: Places,
    /// Files that were read, each once.
    measured: BTreeMap<PathBuf, Blob>,
}

impl Reading<'_> {
    fn entry<'r>(&mut self, at: usize, record: &'r Record) -> Result<Entry<'r>, Failed> {
        let links = record.inputs.iter().flatten();
        for link in links {
            if link.record >= at {
                let why = format!(
                    "records[{at}] links record {}; a link leads to an earlier record",
                    link.record
                );
                return Err(self.wrong(&why));
            }
        }
        let mut results = Vec::new();
        for (number, result) in record.results.iter().enumerate() {
            let mut layers = Vec::new();
            for (position, layer) in result.layers.iter().enumerate() {
                let name = format!("records[{at}].results[{number}].layers[{position}]");
                layers.push(self.layer(&name, &result.created, layer)?);
            }
            results.push(Made {
                created: &result.created,
                layers,
                source: BTreeMap::from([("provider", NAME)]),
            });
        }
        Ok(Entry {
            digest: &record.digest,
            inputs: &record.inputs,
            results,
        })
    }

    fn layer(&mut self, name: &str, created: &str, layer: &Layer) -> Result<Blob, Failed> {
        let (mut blob, place) = match (&layer.file, &layer.repository) {
            (Some(_), Some(_)) => {
                let why = format!("{name} names a file and a repository; one of them has it");
                return Err(self.wrong(&why));
            }
            (Some(file), None) => {
                let path = self.path.parent().unwrap_or(Path::new("")).join(file);
                let blob = self.file(name, &path, created)?;
                (blob, Place::File(path))
            }
            (None, repository) => {
                let (Some(digest), Some(size)) = (&layer.digest, layer.size) else {
                    let why = format!("{name} needs a digest and a size, or a file");
                    return Err(self.wrong(&why));
                };
                let blob = Blob {
                    media_type: layer.media_type.clone().unwrap_or_default(),
                    digest: digest.clone(),
                    size,
                    annotations: BTreeMap::new(),
                };
                let place = match repository {
                    Some(name) => (self.locate)(name)?,
                    None => self.source.to_owned(),
                };
                (blob, Place::Repository(place))
            }
        };
        for (what, said, found) in [
            ("digest", layer.digest.clone(), blob.digest.clone()),
            (
                "size",
                layer.size.map(|s| s.to_string()),
                blob.size.to_string(),
            ),
        ] {
            if let Some(said) = said.filter(|said| *said != found) {
                let why = format!("{name} says the {what} {said:?}, and its file has {found:?}");
                return Err(self.wrong(&why));
            }
        }
        if let Some(media_type) = &layer.media_type {
            blob.media_type.clone_from(media_type);
        }
        blob.annotations.extend(layer.annotations.clone());
        match place {
            // A file is at hand, so it is preferred.
            Place::File(_) => {
                self.places.insert(blob.digest.clone(), place);
            }
            Place::Repository(_) => {
                self.places.entry(blob.digest.clone()).or_insert(place);
            }
        }
        Ok(blob)
    }

    /// What the file of a layer is.
    fn file(&mut self, name: &str, path: &Path, created: &str) -> Result<Blob, Failed> {
        if let Some(known) = self.measured.get(path) {
            return Ok(known.clone());
        }
        let failed = |failure: Failure| {
            let message = format!("cannot read {name}: {}", failure.message);
            Failed::new("file", message).about(path.display())
        };
        let file = File::open(path).map_err(|error| Failed::file(name, path, &error))?;
        let total = file.metadata().map(|facts| facts.len()).unwrap_or_default();
        let heard = self.bars.clone();
        let label = path.display().to_string();
        let found = measure(file, &label, total, move |item, done, total| {
            heard.bytes(item, done, total);
        })
        .map_err(failed)?;
        if found.size == 0 {
            return Err(failed(Failure::new(
                FailureCode::Invalid,
                format!("{path:?} is empty, and no layer is"),
            )));
        }
        let blob = Blob {
            media_type: found.media_type.to_owned(),
            digest: found.digest,
            size: found.size,
            annotations: BTreeMap::from([
                ("buildkit/createdat".to_owned(), created.to_owned()),
                ("containerd.io/uncompressed".to_owned(), found.diff_id),
            ]),
        };
        self.measured.insert(path.to_owned(), blob.clone());
        Ok(blob)
    }

    fn wrong(&self, why: &str) -> Failed {
        Failed::unreadable("the records", self.path, why)
    }
}

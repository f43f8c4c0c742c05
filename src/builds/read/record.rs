//! The record of a build: what BuildKit's history knows of it as a whole.
//!
//! `history.db` has it as a protobuf message, a `.dockerbuild` file as JSON that Go
//! writes of the same message (Builds spec, section 1.2).

use serde::Deserialize;

use super::bad::Bad;
use super::status::{Nanoseconds, instant, timestamp};
use super::wire::Value;
use crate::oci::Descriptor;
use crate::prelude::*;

/// What the history knows of a build.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Record {
    /// Its name in the history.
    pub name: String,
    /// The frontend, such as `dockerfile.v0`; empty if it is not recorded.
    pub frontend: String,
    /// What the frontend was asked: `target`, `platform`, `build-arg:NAME`, `no-cache`.
    pub attributes: BTreeMap<String, String>,
    /// When it began.
    pub created: Option<Nanoseconds>,
    /// When it ended; `None` while it runs.
    pub completed: Option<Nanoseconds>,
    /// Why it failed; empty if it did not.
    pub error: String,
    /// Whether it did not fail, but somebody cancelled it.
    pub canceled: bool,
    /// How many steps there were, and how many of them came from the cache.
    pub steps: Steps,
    /// The log, see [`super::status`].
    pub log: Option<Descriptor>,
    /// Statements about its results, each with the platform of the result, empty for
    /// the only one.
    pub attestations: Vec<(String, Descriptor)>,
    /// The names of the images that were made, without tags, in order.
    pub images: Vec<String>,
    /// The directory or address of the build context, where the client noted it.
    pub context: String,
}

/// The code of an error that says that somebody cancelled the build.
const CANCELED: i64 = 1;

/// How many steps a record counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Steps {
    /// From the cache.
    pub cached: u32,
    /// Ended.
    pub completed: u32,
    /// All.
    pub total: u32,
}

/// A record as JSON. Members without a name of their own are named by Go.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Document {
    #[serde(rename = "Ref")]
    name: String,
    #[serde(rename = "Frontend")]
    frontend: String,
    #[serde(rename = "FrontendAttrs")]
    attributes: Option<BTreeMap<String, String>>,
    error: Option<Status>,
    #[serde(rename = "CreatedAt")]
    created: Option<Time>,
    #[serde(rename = "CompletedAt")]
    completed: Option<Time>,
    logs: Option<Blob>,
    #[serde(rename = "Exporters")]
    exporters: Option<Vec<Exporter>>,
    #[serde(rename = "Result")]
    result: Option<Outcome>,
    #[serde(rename = "Results")]
    results: Option<BTreeMap<String, Outcome>>,
    #[serde(rename = "numCachedSteps")]
    cached_steps: u32,
    #[serde(rename = "numCompletedSteps")]
    completed_steps: u32,
    #[serde(rename = "numTotalSteps")]
    total_steps: u32,
    #[serde(rename = "localState")]
    local: Option<Local>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Status {
    code: i64,
    message: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Time {
    seconds: i64,
    nanos: i64,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Blob {
    media_type: String,
    digest: String,
    size: u64,
    annotations: Option<BTreeMap<String, String>>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Outcome {
    #[serde(rename = "Attestations")]
    attestations: Option<Vec<Blob>>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Exporter {
    #[serde(rename = "Attrs")]
    attributes: Option<BTreeMap<String, String>>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Local {
    #[serde(rename = "LocalPath")]
    path: String,
}

impl Record {
    /// Reads the JSON of a `.dockerbuild` file.
    ///
    /// # Errors
    /// If it is not the JSON of a record.
    pub fn of_json(text: &str) -> Result<Self, Bad> {
        let read: Document = serde_json::from_str(text).map_err(|error| Bad::json(&error))?;
        let platforms = read.results.into_iter().flatten();
        let outcomes = read.result.map(|result| (String::new(), result));
        let mut attestations = Vec::new();
        for (platform, outcome) in outcomes.into_iter().chain(platforms) {
            let blobs = outcome.attestations.into_iter().flatten();
            attestations.extend(blobs.map(|blob| (platform.clone(), blob.into())));
        }
        let mut images = Vec::new();
        for exporter in read.exporters.into_iter().flatten() {
            let attributes = exporter.attributes.into_iter().flatten();
            images.extend(attributes.flat_map(|(name, value)| named(&name, &value)));
        }
        let error = read.error.unwrap_or_default();
        Ok(Self {
            name: read.name,
            frontend: read.frontend,
            attributes: read.attributes.unwrap_or_default(),
            created: read.created.map(Time::instant),
            completed: read.completed.map(Time::instant),
            canceled: error.code == CANCELED,
            error: error.message,
            steps: Steps {
                cached: read.cached_steps,
                completed: read.completed_steps,
                total: read.total_steps,
            },
            log: read.logs.map(Into::into),
            attestations,
            images: sorted(images),
            context: read.local.unwrap_or_default().path,
        })
    }

    /// Reads a value of the bucket `_records` of `history.db`.
    ///
    /// # Errors
    /// If it is not the message of a record.
    pub fn of_message(message: &[u8]) -> Result<Self, Bad> {
        let mut record = Self::default();
        for field in Value::Bytes(message).message()? {
            match field? {
                (1, value) => record.name = value.text()?,
                (2, value) => record.frontend = value.text()?,
                (3, value) => {
                    let (name, value) = pair(value)?;
                    record.attributes.insert(name, value.text()?);
                }
                (4, value) => record.images.extend(exporter(value)?),
                (5, value) => (record.canceled, record.error) = error(value)?,
                (6, value) => record.created = Some(timestamp(value)?),
                (7, value) => record.completed = Some(timestamp(value)?),
                (8, value) => record.log = Some(descriptor(value)?),
                (10, value) => record.outcome("", value)?,
                (11, value) => {
                    let (platform, value) = pair(value)?;
                    record.outcome(&platform, value)?;
                }
                (15, value) => record.steps.cached = count(value)?,
                (16, value) => record.steps.total = count(value)?,
                (17, value) => record.steps.completed = count(value)?,
                _ => {}
            }
        }
        record.images = sorted(record.images);
        Ok(record)
    }

    fn outcome(&mut self, platform: &str, value: Value<'_>) -> Result<(), Bad> {
        for field in value.message()? {
            if let (2, value) = field? {
                let attestation = descriptor(value)?;
                self.attestations.push((platform.to_owned(), attestation));
            }
        }
        Ok(())
    }
}

/// The images that an exporter makes.
fn exporter(value: Value<'_>) -> Result<Vec<String>, Bad> {
    let mut images = Vec::new();
    for field in value.message()? {
        if let (2, value) = field? {
            let (name, value) = pair(value)?;
            images.extend(named(&name, &value.text()?));
        }
    }
    Ok(images)
}

/// The images that an attribute names, without their tags.
fn named(attribute: &str, value: &str) -> Vec<String> {
    if attribute != "name" {
        return Vec::new();
    }
    let untagged = |name: &str| {
        let name = name.split('@').next().unwrap_or(name);
        let tag = name
            .rfind(':')
            .filter(|at| name.rfind('/').is_none_or(|slash| *at > slash));
        tag.and_then(|at| name.get(..at)).unwrap_or(name).to_owned()
    };
    value.split(',').map(untagged).collect()
}

fn sorted(mut images: Vec<String>) -> Vec<String> {
    sort(&mut images);
    images.dedup();
    images
}

/// An entry of a map: its key, and its value.
fn pair(value: Value<'_>) -> Result<(String, Value<'_>), Bad> {
    let mut key = String::new();
    let mut held = Value::Bytes(&[]);
    for field in value.message()? {
        match field? {
            (1, value) => key = value.text()?,
            (2, value) => held = value,
            _ => {}
        }
    }
    Ok((key, held))
}

/// A status of gRPC: whether it is that of a build which was cancelled, and the message.
fn error(value: Value<'_>) -> Result<(bool, String), Bad> {
    let mut canceled = false;
    let mut message = String::new();
    for field in value.message()? {
        match field? {
            (1, value) => canceled = value.number()?.cast_signed() == CANCELED,
            (2, value) => message = value.text()?,
            _ => {}
        }
    }
    Ok((canceled, message))
}

fn descriptor(value: Value<'_>) -> Result<Descriptor, Bad> {
    let mut found = Descriptor::default();
    for field in value.message()? {
        match field? {
            (1, value) => found.media_type = value.text()?,
            (2, value) => found.digest = value.text()?,
            (3, value) => found.size = value.number()?,
            (5, value) => {
                let (key, value) = pair(value)?;
                found.annotations.push((key, value.text()?));
            }
            _ => {}
        }
    }
    Ok(found)
}

fn count(value: Value<'_>) -> Result<u32, Bad> {
    Ok(u32::try_from(value.number()?).unwrap_or(u32::MAX))
}

impl Time {
    const fn instant(self) -> Nanoseconds {
        instant(self.seconds, self.nanos)
    }
}

impl From<Blob> for Descriptor {
    fn from(blob: Blob) -> Self {
        let annotations = blob.annotations.into_iter().flatten();
        Self {
            media_type: blob.media_type,
            digest: blob.digest,
            size: blob.size,
            annotations: annotations.collect(),
        }
    }
}

#[cfg(test)]
mod tests;

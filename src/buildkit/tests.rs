//! Laws of exporting and reading, on small graphs drawn at random and on large
//! ones made to hurt.

mod caches;
mod comparisons;
mod host;
mod hostile;
mod inspections;
mod laws;
mod orders;
mod plans;
mod reports;

use super::documents::{descriptor, manifest, media, size};
use super::explain::shape;
use super::*;
use crate::error::Error;
use crate::go_json::Timestamp;
use crate::oci;
use crate::semantics::Semantics;
use host::Memory;

/// Reads a config.
fn parse(
    text: &str,
    descriptors: &str,
    semantics: &Semantics,
    limits: &[(String, u64)],
) -> Result<Cache, Error> {
    read(config(text, descriptors), &reading(semantics, limits))
}

/// Reads the cache of a manifest.
fn open(
    memory: &Memory,
    repository: &str,
    descriptor: &oci::Descriptor,
    semantics: &Semantics,
    limits: &[(String, u64)],
) -> Result<Cache, Error> {
    let input = manifest_of(memory, repository, descriptor);
    read(input, &reading(semantics, limits))
}

/// Says what is wrong with a config.
fn verify(text: &str, descriptors: &str, limits: &[(String, u64)]) -> Result<Report, Error> {
    inspect(config(text, descriptors), false, limits)
}

/// A config; empty text for descriptors when no manifest goes with it.
fn config<'a>(text: &'a str, descriptors: &'a str) -> Input<'a> {
    let descriptors = Some(descriptors).filter(|text| !text.is_empty());
    Input::Config { text, descriptors }
}

fn manifest_of<'a>(
    memory: &'a Memory,
    repository: &'a str,
    descriptor: &'a oci::Descriptor,
) -> Input<'a> {
    Input::Manifest {
        registry: memory,
        observer: memory,
        repository,
        descriptor,
    }
}

fn reading(semantics: &Semantics, limits: &[(String, u64)]) -> ReadOptions {
    ReadOptions {
        semantics: semantics.clone(),
        any_size: false,
        limits: limits.to_vec(),
    }
}

/// A session with the defaults, or as asked for.
fn exporter(options: Options) -> Exporter<Memory, Memory> {
    let memory = Memory::default();
    Exporter::open(memory.clone(), memory, options).unwrap()
}

fn newest() -> Options {
    Options {
        source: Some(crate::host::Source::Repository("source".into())),
        ..Options::default()
    }
}

fn digest(text: &str) -> String {
    oci::sha256(text.as_bytes()).to_string()
}

fn layer(text: &str) -> oci::Descriptor {
    oci::Descriptor {
        media_type: "application/vnd.oci.image.layer.v1.tar+gzip".into(),
        digest: digest(text),
        size: 7,
        annotations: vec![("containerd.io/uncompressed".into(), digest("diff"))],
    }
}

/// A result made at a second.
fn outcome(second: i64, layers: &[&str]) -> Outcome {
    let time = Timestamp {
        seconds: 1_700_000_000 + second,
        ..Timestamp::default()
    };
    Outcome {
        created: time.to_text().unwrap(),
        layers: layers.iter().map(|text| layer(text)).collect(),
        source: None,
    }
}

fn link(record: u32, selector: &str) -> Alternative {
    Alternative {
        record: Some(record),
        selector: selector.into(),
        foreign: None,
    }
}

fn record(name: &str, inputs: Vec<Vec<Alternative>>, results: Vec<Outcome>) -> Record {
    Record {
        digest: digest(name),
        inputs,
        results,
    }
}

fn codes(findings: &[crate::explain::Finding]) -> Vec<&str> {
    let own = findings.iter().map(|finding| &*finding.code);
    own.map(|code| code.strip_prefix("buildkit/").unwrap())
        .collect()
}

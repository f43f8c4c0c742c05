//! Which blobs belong to a build: of a `.dockerbuild` file, of a record of
//! `history.db`, of an image with attestations (Builds spec, section 1.1).
//!
//! A host opens what a build is kept in, asks with each manifest what is wanted next,
//! and hands it in; it need not know what anything means.

use serde::Deserialize;

use super::bad::Bad;
use super::record::Record;
use crate::oci::Descriptor;
use crate::prelude::*;

const RECORD: &str = "application/vnd.buildkit.historyrecord.v0";
const LOG: &str = "application/vnd.buildkit.status.v0";
const STATEMENT: &str = "application/vnd.in-toto+json";
const PREDICATE_TYPE: &str = "in-toto.io/predicate-type";
const PROVENANCE: &str = "https://slsa.dev/provenance/";
const REFERENCE_TYPE: &str = "vnd.docker.reference.type";
const ATTESTATIONS: &str = "attestation-manifest";

/// What a blob is to a build.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// A manifest or index that leads to more.
    Manifest,
    /// The record, as JSON.
    Record,
    /// The log, as bytes.
    Log,
    /// A provenance statement or predicate.
    Provenance,
    /// The config of an image without provenance, which may say what built it.
    Config,
}

/// A blob that belongs to a build.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// What it is.
    pub role: Role,
    /// Where it is.
    pub descriptor: Descriptor,
    /// Which of the builds it belongs to: an index of records leads to several.
    pub build: u32,
}

/// A manifest or an index.
#[derive(Deserialize)]
struct Manifest {
    config: Option<Blob>,
    layers: Option<Vec<Blob>>,
    manifests: Option<Vec<Blob>>,
}

#[derive(Clone, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Blob {
    media_type: String,
    digest: String,
    size: u64,
    annotations: Option<BTreeMap<String, String>>,
}

/// The blobs that a manifest or an index leads to.
///
/// # Errors
/// If it is neither.
pub fn of_manifest(text: &str) -> Result<Vec<Part>, Bad> {
    let manifest: Manifest = serde_json::from_str(text).map_err(|error| Bad::json(&error))?;
    match manifest {
        Manifest {
            manifests: Some(manifests),
            ..
        } => Ok(of_index(manifests)),
        Manifest {
            config: Some(config),
            layers,
            ..
        } => Ok(of_image(config, layers.unwrap_or_default())),
        _ => Err(Bad::Form("it is neither a manifest nor an index")),
    }
}

/// The blobs that a record leads to.
pub fn of_record(record: &Record) -> Vec<Part> {
    let log = record.log.iter().map(|log| (Role::Log, log));
    let attestations = record.attestations.iter().map(|(_, found)| found);
    let provenance = attestations.filter(|found| {
        let mut annotations = found.annotations.iter();
        annotations.any(|(name, value)| is_provenance(name, value))
    });
    log.chain(provenance.map(|found| (Role::Provenance, found)))
        .map(|(role, descriptor)| Part {
            role,
            descriptor: descriptor.clone(),
            build: 0,
        })
        .collect()
}

/// Attestations of an image are of one build; without any each manifest is one.
fn of_index(manifests: Vec<Blob>) -> Vec<Part> {
    let attests = |blob: &Blob| {
        let kind = blob
            .annotations
            .as_ref()
            .and_then(|all| all.get(REFERENCE_TYPE));
        kind.is_some_and(|kind| kind == ATTESTATIONS)
    };
    let attested = manifests.iter().any(attests);
    let chosen = manifests
        .into_iter()
        .filter(|blob| !attested || attests(blob));
    (0_u32..)
        .zip(chosen)
        .map(|(place, blob)| blob.part(Role::Manifest, if attested { 0 } else { place }))
        .collect()
}

fn of_image(config: Blob, layers: Vec<Blob>) -> Vec<Part> {
    let is_record = config.media_type == RECORD;
    let mut parts = Vec::new();
    for layer in layers {
        let mut annotations = layer.annotations.iter().flatten();
        match layer.media_type.as_str() {
            LOG if is_record => parts.push(layer.part(Role::Log, 0)),
            STATEMENT if annotations.any(|(name, value)| is_provenance(name, value)) => {
                parts.push(layer.part(Role::Provenance, 0));
            }
            _ => {}
        }
    }
    if is_record {
        parts.insert(0, config.part(Role::Record, 0));
    } else if parts.is_empty() {
        parts.push(config.part(Role::Config, 0));
    }
    parts
}

fn is_provenance(name: &str, value: &str) -> bool {
    name == PREDICATE_TYPE && value.starts_with(PROVENANCE)
}

impl Blob {
    fn part(self, role: Role, build: u32) -> Part {
        Part {
            role,
            descriptor: Descriptor {
                media_type: self.media_type,
                digest: self.digest,
                size: self.size,
                annotations: self.annotations.into_iter().flatten().collect(),
            },
            build,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Vec<(Role, u32, String)> {
        let parts = of_manifest(text).unwrap();
        let short = parts.into_iter();
        short
            .map(|part| (part.role, part.build, part.descriptor.digest))
            .collect()
    }

    fn part(role: Role, build: u32, digest: &str) -> (Role, u32, String) {
        (role, build, digest.to_owned())
    }

    #[test]
    fn a_file_of_records_leads_to_each() {
        let index = r#"{"manifests": [{"digest": "a"}, {"digest": "b"}]}"#;
        let manifests = [part(Role::Manifest, 0, "a"), part(Role::Manifest, 1, "b")];
        assert_eq!(found(index), manifests);
        let manifest = r#"{
            "config": {"mediaType": "application/vnd.buildkit.historyrecord.v0", "digest": "c"},
            "layers": [
                {"mediaType": "application/vnd.buildkit.status.v0", "digest": "l"},
                {"mediaType": "application/vnd.in-toto+json", "digest": "p",
                 "annotations": {"in-toto.io/predicate-type": "https://slsa.dev/provenance/v1"}},
                {"mediaType": "application/vnd.in-toto+json", "digest": "s",
                 "annotations": {"in-toto.io/predicate-type": "https://spdx.dev/Document"}},
                {"mediaType": "application/json", "digest": "r"}
            ]}"#;
        let parts = [
            part(Role::Record, 0, "c"),
            part(Role::Log, 0, "l"),
            part(Role::Provenance, 0, "p"),
        ];
        assert_eq!(found(manifest), parts);
    }

    #[test]
    fn the_attestations_of_an_image_are_one_build() {
        let index = r#"{"manifests": [
            {"digest": "amd64"}, {"digest": "arm64"},
            {"digest": "a", "annotations": {"vnd.docker.reference.type": "attestation-manifest"}},
            {"digest": "b", "annotations": {"vnd.docker.reference.type": "attestation-manifest"}}
        ]}"#;
        let manifests = [part(Role::Manifest, 0, "a"), part(Role::Manifest, 0, "b")];
        assert_eq!(found(index), manifests);
        let attestation = r#"{"config": {"digest": "c"}, "layers": [
            {"mediaType": "application/vnd.in-toto+json", "digest": "p",
             "annotations": {"in-toto.io/predicate-type": "https://slsa.dev/provenance/v0.2"}}]}"#;
        assert_eq!(found(attestation), [part(Role::Provenance, 0, "p")]);
    }

    #[test]
    fn an_image_without_provenance_has_its_config() {
        let image = r#"{"config": {"digest": "c"}, "layers": [{"digest": "l"}]}"#;
        assert_eq!(found(image), [part(Role::Config, 0, "c")]);
        for text in ["{}", "[]", "", r#"{"config": 1}"#] {
            assert!(of_manifest(text).is_err(), "{text}");
        }
    }
}

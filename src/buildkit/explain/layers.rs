//! What a repository has of the layers a manifest lists: whether they are there,
//! and, when they are read, whether their bytes are what the manifest says.

use serde::Serialize;

use crate::buildkit::documents::descriptor::{Descriptor, UNCOMPRESSED_KEY};
use crate::buildkit::findings::Findings;
use crate::buildkit::reason::{Finding, Reason};
use crate::explain::Difference;
use crate::host::{Failure, FailureCode, Presence, Registry, Results, Retrieval};
use crate::oci::{self, Digest};
use crate::prelude::*;

/// What was asked about layers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Evidence {
    /// Nothing: nobody could be asked.
    #[default]
    None,
    /// Whether they are there; their bytes were not read.
    Presence,
    /// They were read, and have the digests they are listed by.
    Bytes,
}

/// What is known about the layers of a cache.
#[derive(Clone, Debug, Default)]
pub(crate) struct Layers {
    /// Digests of those that are not there.
    pub absent: BTreeSet<String>,
    /// Digests of those that are there and could not be read, or have other bytes.
    pub damaged: BTreeSet<String>,
    pub evidence: Evidence,
}

impl Layers {
    /// Asks for every layer that is listed, in one call. What is not a digest
    /// cannot be there.
    pub fn ask(
        registry: &dyn Registry,
        repository: &str,
        listed: &[Descriptor],
        findings: &mut Findings,
    ) -> Self {
        let digests: BTreeSet<&str> = listed.iter().map(|layer| layer.digest.as_str()).collect();
        let mut layers = Self::default();
        let mut asked = Vec::with_capacity(digests.len());
        for digest in digests {
            if digest.parse::<Digest>().is_ok() {
                asked.push(digest.to_owned());
            } else {
                layers.absent.insert(digest.to_owned());
            }
        }
        if asked.is_empty() {
            return layers;
        }
        match registry.has(repository, &asked) {
            Ok(answers) => {
                layers.evidence = Evidence::Presence;
                // A host that answers too little does not vouch for the rest.
                let silent = core::iter::repeat(Presence::Absent);
                for (digest, answer) in asked.into_iter().zip(answers.into_iter().chain(silent)) {
                    match answer {
                        Presence::Present => {}
                        Presence::Absent => {
                            layers.absent.insert(digest);
                        }
                        Presence::Unknown => layers.evidence = Evidence::None,
                    }
                }
            }
            Err(failure) if failure.code == FailureCode::Unsupported => {}
            Err(failure) => findings.push(
                Finding::new(Reason::SourceUnknown, repository)
                    .with([Difference::fact("failure", failure)]),
            ),
        }
        layers
    }

    /// Reads every layer that is there, in one call.
    pub fn read(
        &mut self,
        registry: &dyn Registry,
        repository: &str,
        listed: &[Descriptor],
        findings: &mut Findings,
    ) {
        let mut seen = BTreeSet::new();
        let wanted: Vec<&Descriptor> = listed
            .iter()
            .filter(|layer| !self.absent.contains(&layer.digest))
            .filter(|layer| seen.insert(layer.digest.as_str()))
            .collect();
        let asked: Vec<Retrieval> = wanted
            .iter()
            .map(|layer| Retrieval {
                descriptor: oci::Descriptor {
                    media_type: layer.media_type.clone(),
                    digest: layer.digest.clone(),
                    size: u64::try_from(layer.size).unwrap_or_default(),
                    annotations: Vec::new(),
                },
                into: None,
                diff_id: None,
            })
            .collect();
        let mut retrieved = Results::new(registry.retrieve(repository, &asked));
        self.evidence = Evidence::Bytes;
        for layer in wanted {
            let found = match retrieved.take() {
                Ok(read) => of_bytes(layer, &read.diff_id),
                // It went away since it was asked for.
                Err(failure) if failure.code == FailureCode::NotFound => {
                    self.absent.insert(layer.digest.clone());
                    None
                }
                Err(failure) => Some(of_failure(layer, &failure)),
            };
            if let Some(finding) = found {
                findings.push(finding);
                self.damaged.insert(layer.digest.clone());
            }
        }
    }
}

/// Whether the uncompressed bytes are those a layer is said to have.
fn of_bytes(layer: &Descriptor, diff_id: &str) -> Option<Finding> {
    let said = layer.annotations.get(UNCOMPRESSED_KEY)?;
    (said != diff_id).then(|| {
        let (have, want) = (diff_id.to_owned(), said.clone());
        Finding::new(Reason::UncompressedMismatch, &layer.digest).with([Difference::new(
            UNCOMPRESSED_KEY,
            have,
            want,
        )])
    })
}

fn of_failure(layer: &Descriptor, failure: &Failure) -> Finding {
    let code = match failure.code {
        FailureCode::Corrupt => Reason::DigestMismatch,
        FailureCode::Truncated => Reason::SizeMismatch,
        _ => Reason::Unreadable,
    };
    let failure = Difference::fact("failure", failure);
    Finding::new(code, &layer.digest).with([failure])
}

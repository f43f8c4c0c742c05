//! Reading the steps of an image.

use std::collections::BTreeMap;

use layerwise::docker::Reason;
use layerwise::error::Error::NotFound;
use layerwise::explain::Finding;
use layerwise::host::{Image, ImageStore, Provenance};
use layerwise::oci::Platform;
use layerwise::semantics::Semantics;
use layerwise_host::Error;
use layerwise_host::docker::Predicates;
use serde::Serialize;

use super::base::{Base, base_by_history, built_here, given_base};
use super::document::{command, document};
use super::parents::{Chain, parents};

/// Where the steps of an image begin.
#[derive(Clone, Debug)]
pub enum Start {
    /// At the oldest recorded parent; from scratch when the image has none, or
    /// when that parent was built here and is the result of one step.
    Recorded,
    /// From scratch.
    Scratch,
    /// At this image.
    Base(Image),
}

/// The steps of an image.
#[derive(Clone, Debug, Serialize)]
pub struct Recorded {
    /// The image's id.
    pub image: String,
    /// What the image is for.
    pub platform: Platform,
    /// What its steps stand on; none means scratch.
    pub base: Option<Base>,
    /// Its steps after the base, in order.
    pub steps: Vec<RecordedStep>,
    /// Recorded parents that could not be read or followed.
    pub findings: Vec<Finding>,
}

/// One step that made an image.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RecordedStep {
    /// Its place in the image's history.
    pub index: usize,
    /// The command, as the history entry tells it.
    pub command: String,
    /// The image the step made, when the store still has it.
    pub image: Option<String>,
    /// The container config to ask with.
    pub asked: String,
    /// Why that is not exactly what a builder asks; `None` if it is.
    pub approximate: Option<Finding>,
    /// What to ask with instead when the step before was executed.
    #[serde(skip)]
    pub executed: Option<String>,
    /// No step of the image follows.
    #[serde(skip)]
    pub last: bool,
}

/// Reads the steps of an image and its recorded parents. Reads each document
/// once. A parent whose document cannot be read is a finding, and its own parent
/// is followed.
///
/// # Errors
/// `invalid` when the document of `image` or of the base cannot be read, or
/// when the image does not continue the base. For [`Start::Recorded`] also when
/// the oldest recorded parent cannot be read, or is gone and no image is its base by
/// history, by the code of the cause: nobody knows then where the steps begin.
pub fn read(
    predicates: &mut Predicates,
    store: &dyn ImageStore,
    image: &Image,
    start: &Start,
    semantics: &Semantics,
) -> Result<Recorded, Error> {
    let own = document(predicates, image, semantics)?;
    let Chain {
        parents,
        mut findings,
        unknown,
    } = parents(predicates, store, &image.id, semantics)?;
    let base = match (start, unknown) {
        (Start::Scratch, _) => None,
        (Start::Base(base), _) => Some(given_base(predicates, image, base, semantics)?),
        // A prune takes parents away, from one of the stores.
        (Start::Recorded, Some(error)) => {
            let base = match &error {
                NotFound(_) => base_by_history(predicates, store, image, &own, semantics)?,
                _ => None,
            };
            let Some(base) = base else {
                return Err(error.into());
            };
            findings.push(Finding::new(Reason::BaseByHistory, &base.image));
            Some(base)
        }
        (Start::Recorded, None) if parents.is_empty() => match built_here(store, &image.id) {
            true => None,
            false => {
                let base = base_by_history(predicates, store, image, &own, semantics)?;
                findings.push(match &base {
                    Some(base) => Finding::new(Reason::BaseByHistory, &base.image),
                    None => Finding::new(Reason::NoRecordedParent, &image.id),
                });
                base
            }
        },
        (Start::Recorded, None) => parents
            .last()
            .filter(|(parent, document)| {
                let one_step = document.history.len() == 1;
                !(one_step && parent.built == Provenance::BuiltHere) && own.continues(document)
            })
            .map(|(parent, document)| Base {
                image: parent.id.clone(),
                entries: document.history.len(),
            }),
    };
    let mut by_length = BTreeMap::new();
    for (parent, document) in parents.iter().filter(|(_, d)| own.continues(d)) {
        by_length.entry(document.history.len()).or_insert(parent);
    }
    let first = base.as_ref().map_or(0, |base| base.entries);
    let made: Vec<Option<&Image>> = (first..own.history.len())
        .map(|index| match index + 1 == own.history.len() {
            true => Some(image),
            false => by_length.get(&(index + 1)).copied(),
        })
        .collect();
    let documents: Vec<Option<String>> = made
        .iter()
        .map(|image| image.and_then(|image| image.document.clone()))
        .collect();
    let text = image.document.as_deref().unwrap_or_default();
    let first_entry = u32::try_from(first).unwrap_or(u32::MAX);
    let recording = predicates.recorded_steps(text, first_entry, &documents, semantics)?;
    findings.extend(recording.findings.into_iter().map(|finding| Finding {
        subject: match &*finding.subject {
            "image" => image.id.clone(),
            _ => finding.subject,
        },
        ..finding
    }));
    let entries = own.history.iter().enumerate().skip(first);
    let steps = entries.zip(made).zip(recording.steps);
    let steps = steps
        .map(|(((index, entry), made), step)| RecordedStep {
            index,
            command: command(entry),
            image: made.map(|image| image.id.clone()),
            asked: step.config,
            approximate: step.approximate,
            executed: step.executed,
            last: index + 1 == own.history.len(),
        })
        .collect();
    Ok(Recorded {
        image: image.id.clone(),
        platform: own.platform(),
        base,
        steps,
        findings,
    })
}

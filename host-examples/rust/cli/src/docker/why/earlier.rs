//! What an earlier build made of the steps after a miss: the children of the image that
//! came nearest, and theirs.

use std::cmp::Reverse;
use std::collections::BTreeSet;

use layerwise::docker::Reason;
use layerwise::explain::{Difference, Explanation, Finding};
use layerwise::host::{Facts, Image};
use layerwise_host::docker::Predicates;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::docker::opened::Opened;
use crate::failed::Failed;
use crate::io::LONGEST;

/// So many children of one image are looked at.
const MOST: usize = 1_000;
const DOCUMENT: Facts = Facts {
    document: true,
    parent: false,
    built: false,
};
const PARENT: Facts = Facts {
    document: false,
    parent: true,
    built: false,
};

/// The images of an earlier build.
pub struct Earlier<'a> {
    opened: &'a Opened<'a>,
    predicates: Predicates,
    /// The image of the step before; `None` if no earlier build is known.
    at: Option<String>,
    /// The images of the build that steps are to be compared with.
    last: BTreeSet<String>,
    /// What was told of steps before: a config has what earlier steps set.
    told: Vec<Difference>,
}

/// What an earlier build made of a step.
pub enum Found {
    /// The same, but for what steps before it set: it would not miss by itself.
    Same,
    /// Something else: the image and what differs.
    Changed(String, Finding),
    /// No earlier build is known.
    Nothing,
}

/// The members of a document that say how an image was made.
#[derive(Deserialize)]
struct Made<'a> {
    #[serde(borrow)]
    container_config: Option<&'a RawValue>,
    #[serde(default)]
    created: String,
}

impl<'a> Earlier<'a> {
    /// With an image of the build that steps are to be compared with.
    pub fn new(opened: &'a Opened<'a>, last: Option<&str>) -> Result<Self, Failed> {
        let limits = opened.args.limits.of_session();
        Ok(Self {
            last: lineage(opened, last)?,
            opened,
            predicates: opened.engine.docker_predicates(limits)?,
            at: None,
            told: Vec::new(),
        })
    }

    /// A stage begins.
    pub fn begin(&mut self, image: Option<String>) {
        self.at = image;
        self.told.clear();
    }

    /// The image of the last step, if it is known.
    pub fn image(&self) -> Option<String> {
        self.at.clone()
    }

    /// A step hit.
    pub fn hit(&mut self, image: &str) {
        self.at = Some(image.to_owned());
    }

    /// Puts the image of the last build in place of the one that came nearest, if it was
    /// a candidate.
    pub fn prefer(&self, why: &mut Explanation) {
        let mut candidates = why.findings.iter();
        let last = candidates.find(|finding| self.last.contains(&finding.subject));
        if let Some(last) = last {
            why.nearest = Some(last.clone());
        }
    }

    /// A step missed, and this is the image that came nearest, with what differs.
    pub fn missed(&mut self, nearest: Option<&Finding>) {
        self.at = nearest.map(|nearest| nearest.subject.clone());
        let differences = nearest.map(|nearest| nearest.differences.iter().cloned());
        self.told.extend(differences.into_iter().flatten());
    }

    /// From here on nobody knows what an earlier build did.
    pub fn lose(&mut self) {
        self.at = None;
    }

    /// What it made of the next step.
    pub fn next(&mut self, config: &str) -> Result<Found, Failed> {
        let Some(at) = self.at.take() else {
            return Ok(Found::Nothing);
        };
        let store = &self.opened.store;
        let mut children = store.children(Some(&at)).unwrap_or_default();
        children.truncate(MOST);
        if let Some(last) = children.iter().find(|id| self.last.contains(*id)) {
            children = vec![last.clone()];
        }
        let mut best: Option<(usize, Reverse<String>, String, Finding)> = None;
        for answer in store.get(&children, DOCUMENT, LONGEST) {
            let Ok(Image { id, document, .. }) = answer else {
                continue;
            };
            let text = document.unwrap_or_default();
            let Ok(made) = serde_json::from_str::<Made<'_>>(&text) else {
                continue;
            };
            let have = made.container_config.map(RawValue::get);
            let semantics = &self.opened.semantics;
            let found = self
                .predicates
                .compare_configs(have, Some(config), semantics)?;
            if found.equal {
                self.at = Some(id);
                return Ok(Found::Same);
            }
            let mut differences = found.differences;
            differences.retain(|difference| !self.told.contains(difference));
            let size = differences.len();
            let finding = Finding::new(Reason::ConfigMismatch, &id).with(differences);
            let key = (size, Reverse(made.created), id, finding);
            if best
                .as_ref()
                .is_none_or(|best| (key.0, &key.1) < (best.0, &best.1))
            {
                best = Some(key);
            }
        }
        let Some((.., id, finding)) = best else {
            return Ok(Found::Nothing);
        };
        self.at = Some(id.clone());
        if finding.differences.is_empty() {
            return Ok(Found::Same);
        }
        self.told.extend(finding.differences.iter().cloned());
        Ok(Found::Changed(id, finding))
    }
}

/// An image and what it was built on.
fn lineage(opened: &Opened<'_>, last: Option<&str>) -> Result<BTreeSet<String>, Failed> {
    let mut all = BTreeSet::new();
    let Some(name) = last else { return Ok(all) };
    let mut at = opened
        .image("the image of the last build", name)?
        .map(|image| image.id);
    while let Some(id) = at.filter(|id| all.insert(id.clone())) {
        let found = opened.store.get(&[id], PARENT, LONGEST).pop();
        at = found.and_then(|found| found.ok()?.parent);
    }
    Ok(all)
}

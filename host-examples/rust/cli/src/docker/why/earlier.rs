//! What an earlier build made of the steps after a miss: the children of the image that
//! came nearest, and theirs.

use layerwise::docker::Reason;
use layerwise::explain::Finding;
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

/// The images of an earlier build.
pub struct Earlier<'a> {
    opened: &'a Opened<'a>,
    predicates: Predicates,
    /// The image of the step before; `None` if no earlier build is known.
    at: Option<String>,
}

/// What an earlier build made of a step.
pub enum Found {
    /// The same: it would not miss by itself.
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
    pub fn new(opened: &'a Opened<'a>) -> Result<Self, Failed> {
        let limits = opened.args.limits.of_session();
        Ok(Self {
            opened,
            predicates: opened.engine.docker_predicates(limits)?,
            at: None,
        })
    }

    /// A stage begins.
    pub fn begin(&mut self, image: Option<String>) {
        self.at = image;
    }

    /// A step hit.
    pub fn hit(&mut self, image: &str) {
        self.at = Some(image.to_owned());
    }

    /// A step missed, and this is the image that came nearest.
    pub fn missed(&mut self, nearest: Option<String>) {
        self.at = nearest;
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
        let mut best: Option<(usize, std::cmp::Reverse<String>, String, Finding)> = None;
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
            let size = found.differences.len();
            let finding = Finding::new(Reason::ConfigMismatch, &id).with(found.differences);
            let key = (size, std::cmp::Reverse(made.created), id, finding);
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
        Ok(Found::Changed(id, finding))
    }
}

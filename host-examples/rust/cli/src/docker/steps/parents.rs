//! The recorded parents of an image.

use std::collections::BTreeSet;

use layerwise::docker::Reason;
use layerwise::error::Problem;
use layerwise::explain::{Difference, Finding};
use layerwise::host::{Failure, FailureCode, Image, ImageStore};
use layerwise::semantics::Semantics;
use layerwise_host::Error;
use layerwise_host::docker::Predicates;

use super::base::FIND_BASE;
use super::document::{DOCUMENT, Document, LINK, document, one};

/// What the parent links of an image lead to.
#[derive(Default)]
pub struct Chain {
    /// The parents whose documents can be read, nearest first.
    pub parents: Vec<(Image, Document)>,
    pub findings: Vec<Finding>,
    /// Why the oldest parent is not among them.
    pub unknown: Option<layerwise::error::Error>,
}

/// Follows the recorded parents. A link is a fact of its own, which is there also
/// when the document beside it cannot be read.
pub fn parents(
    predicates: &mut Predicates,
    store: &dyn ImageStore,
    image: &str,
    semantics: &Semantics,
) -> Result<Chain, Error> {
    let mut chain = Chain::default();
    let mut seen = BTreeSet::from([image.to_owned()]);
    let mut at = image.to_owned();
    loop {
        let parent = match one(store, &at, LINK) {
            Ok(linked) => linked.parent,
            Err(failure) => {
                // Of an image that is gone, the document was said to be.
                if !chain.findings.iter().any(|said| said.subject == at) {
                    chain.unread(Reason::LinkUnreadable, &at, &failure);
                }
                return Ok(chain);
            }
        };
        at = match parent {
            None => return Ok(chain),
            Some(id) if seen.insert(id.clone()) => id,
            Some(id) => {
                let circle = Finding::new(Reason::AncestryCycle, id);
                chain.findings.push(circle);
                return Ok(chain);
            }
        };
        let read = one(store, &at, DOCUMENT).map(|image| {
            let document = document(predicates, &image, semantics);
            document.map(|document| (image, document))
        });
        match read {
            Ok(Ok(parent)) => {
                chain.parents.push(parent);
                // Whatever could not be read before is not the oldest.
                chain.unknown = None;
            }
            Ok(Err(Error::Refused(error))) => {
                let words = error.problem().map(|problem| problem.message.clone());
                let words = words.unwrap_or_else(|| error.to_string());
                let failure = Failure::new(FailureCode::Corrupt, words);
                chain.unread(Reason::ParentUnreadable, &at, &failure);
            }
            Ok(Err(stopped)) => return Err(stopped),
            Err(failure) => chain.unread(Reason::ParentUnreadable, &at, &failure),
        }
    }
}

impl Chain {
    fn unread(&mut self, reason: Reason, id: &str, failure: &Failure) {
        let cause = Difference::fact("cause", &failure.message);
        self.findings.push(Finding::new(reason, id).with([cause]));
        let problem = Problem::new(reason, FIND_BASE, id, &failure.message);
        self.unknown = Some(problem.from_failure(failure));
    }
}

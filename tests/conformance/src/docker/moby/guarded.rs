//! Where the guarded reading answers otherwise although the vectors, which know
//! upstream only, name no `safe` answer.
//!
//! One law for all of these: it refuses a candidate that upstream's answer hangs
//! on, says so, and then answers what the compatible rules answer where that
//! candidate is not and children are listed by id. Both halves are checked: the
//! first against the verdicts of the vector, the second against the library's
//! own compatible reading, which the same vectors hold to upstream.

use std::collections::BTreeSet;
use std::sync::Arc;

use layerwise::docker::{Answer, CacheFrom, Options, Outcome, Step};
use layerwise::error::Error;
use layerwise::explain::{Difference, Explanation, Finding};
use layerwise::host::{Facts, Failure, Image, ImageStore};
use layerwise::semantics::Semantics;
use layerwise_stores::Memory;

use super::super::{Native, Subject as _};
use super::format::{Case as Vector, Expect, Verdict};
use super::store::sorted;

/// What a refusal is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Candidate {
    Child,
    Source,
    /// Nothing is refused: of equally new children the one with the smallest id
    /// answers, whatever the order in which they are listed.
    Order,
}

/// Each reason to answer otherwise, what it refuses, and the verdict that
/// upstream gave on the same candidate (Docker spec, section 8).
const REASONS: [(&str, Candidate, &str); 6] = [
    // H13; upstream's restore fails.
    ("docker/time-not-encodable", Candidate::Source, "restore"),
    // H3, where upstream fails later.
    ("docker/layer-index-disagrees", Candidate::Source, "restore"),
    // H19.
    ("docker/empty-layer-digest", Candidate::Source, "restore"),
    // H10; labels that only look equal are compared exactly.
    ("docker/config-mismatch", Candidate::Child, "selected"),
    // H6; what was not built here cannot answer, and stops nothing.
    ("docker/unreadable-skipped", Candidate::Child, "unreadable"),
    // H5.
    ("docker/tie", Candidate::Order, "not_newest"),
];

/// A step before it was looked up.
pub struct Before<'a> {
    pub vector: &'a Vector<'a>,
    /// The sources in use, as the vector tells them.
    pub sources: &'a [String],
    pub images: &'a [Image],
    pub step: &'a Step,
}

/// The answer where some candidates are not.
pub struct Without {
    pub planned: Result<Answer, Error>,
    pub answered: Result<Answer, Error>,
    pub sources: Vec<String>,
}

/// What may be refused at a step.
pub struct Refusals {
    children: BTreeSet<String>,
    sources: BTreeSet<String>,
    borne_out: bool,
}

impl Refusals {
    /// Those that an answer and its explanation name.
    pub fn of(
        expect: &Expect,
        order_dependent: bool,
        answered: &Result<Answer, Error>,
        explained: &Result<Explanation, Error>,
    ) -> Self {
        let mut all = Self {
            children: BTreeSet::new(),
            sources: BTreeSet::new(),
            borne_out: false,
        };
        let notes = answered.iter().flat_map(|answer| &answer.notes);
        let verdicts = explained.iter().flat_map(|why| &why.findings);
        for finding in notes.chain(verdicts) {
            let known = |(code, ..): &&(&str, Candidate, &str)| *code == finding.code;
            let Some((_, candidate, upstream)) = REASONS.iter().find(known) else {
                continue;
            };
            let possible = match candidate {
                Candidate::Child => is_overlooked(finding),
                Candidate::Order => order_dependent,
                Candidate::Source => true,
            };
            if !possible {
                continue;
            }
            let said = |v: &Verdict| v.id == finding.subject && v.verdict == *upstream;
            all.borne_out |= expect.explain.as_ref().is_none_or(|want| {
                let listed = match candidate {
                    Candidate::Child | Candidate::Order => &want.local,
                    Candidate::Source => &want.sources,
                };
                listed.iter().flatten().any(said)
            });
            match candidate {
                Candidate::Child => all.children.insert(finding.subject.clone()),
                Candidate::Source => all.sources.insert(finding.subject.clone()),
                Candidate::Order => false,
            };
        }
        all
    }

    /// Whether upstream's answer hangs on one of them. A vector without verdicts
    /// cannot tell; what is answered instead still can be wrong.
    pub const fn are_borne_out(&self) -> bool {
        self.borne_out
    }

    /// What is answered without them.
    pub fn without(self, before: &Before<'_>) -> Result<Without, Error> {
        let left = before.sources.iter();
        let mut names: Vec<String> = left
            .filter(|id| !self.sources.contains(*id))
            .cloned()
            .collect();
        if !before.vector.cache_from.is_empty() {
            // A cache without sources is another one than a local cache.
            names.push("no-such-image".to_owned());
        }
        let trusted = |reference| CacheFrom {
            reference,
            trusted: true,
        };
        let options = Options {
            semantics: Semantics::compatible(None),
            cache_from: names.into_iter().map(trusted).collect(),
            ..Options::default()
        };
        let store = Fewer {
            images: sorted(before.images, &before.vector.store.faults),
            children: self.children,
        };
        let mut session = Native.open(Arc::new(store), options)?;
        let planned = session.plan(before.step);
        let answered = session.lookup(before.step);
        // A source that is refused at one step is left for the next, unless
        // another one was restored from.
        let restored = matches!(&answered, Ok(a) if a.outcome == Outcome::HitRestored);
        let sources = if restored {
            session.sources()?
        } else {
            before.sources.to_vec()
        };
        Ok(Without {
            planned,
            answered,
            sources,
        })
    }
}

/// Whether what speaks against a child is overlooked by upstream: a label counts
/// as empty where it is missing.
fn is_overlooked(finding: &Finding) -> bool {
    let overlooked = |difference: &Difference| {
        let values = (difference.have.as_deref(), difference.want.as_deref());
        difference.path.starts_with("Labels[")
            && matches!(values, (None, Some(_)) | (Some(""), None))
    };
    finding.code != "docker/config-mismatch" || finding.differences.iter().all(overlooked)
}

/// A store in which some images are nobody's children.
struct Fewer {
    images: Memory,
    children: BTreeSet<String>,
}

impl ImageStore for Fewer {
    fn get(&self, ids: &[String], want: Facts, limit: u64) -> Vec<Result<Image, Failure>> {
        self.images.get(ids, want, limit)
    }

    fn resolve(&self, references: &[String], limit: u64) -> Vec<Result<Image, Failure>> {
        self.images.resolve(references, limit)
    }

    fn children(&self, parent: Option<&str>) -> Result<Vec<String>, Failure> {
        let mut children = self.images.children(parent)?;
        children.retain(|id| !self.children.contains(id));
        Ok(children)
    }

    fn set_parent(&self, target: &str, parent: &str) -> Result<(), Failure> {
        self.images.set_parent(target, parent)
    }

    fn create(
        &self,
        parent: Option<&str>,
        document: &str,
        layer: Option<&str>,
    ) -> Result<String, Failure> {
        self.images.create(parent, document, layer)
    }
}

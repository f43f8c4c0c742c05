//! What a verification finds out about a layer.

use super::miss::Miss;
use super::reason::{Fault, Reason};
use crate::error::{Error, Problem};
use crate::explain::{Difference, Finding};
use crate::mtree::Tree;
use crate::prelude::*;

/// What is known of a layer.
#[derive(Clone, Debug)]
pub(crate) enum Verdict {
    Hit,
    Miss(Rc<Miss>),
    Failed(Rc<Fault>),
}

/// What a put has read from disk, by path.
#[derive(Clone, Debug, Default)]
pub(crate) struct Facts {
    pub trees: BTreeMap<String, Rc<Tree>>,
    pub hashes: BTreeMap<String, String>,
}

/// What a layer is built on.
#[derive(Clone, Debug)]
pub(crate) struct Base {
    /// The base hash, as it is recorded.
    pub hash: String,
    /// The identity of a built base (threat T6).
    pub identity: Option<String>,
}

/// The error about a layer that is built on one that misses.
pub(super) fn base_not_cached(layer: &str, base: &str, miss: &Miss) -> Fault {
    let message = format!(
        "built on {base:?}, which is not cached: {}",
        miss.code().as_str()
    );
    let problem = Problem::new(Reason::BaseNotCached, String::new(), layer, message);
    let evidence = [
        Difference::fact("base", base),
        Difference::fact("miss", miss.code().as_str()),
    ];
    Fault {
        error: Error::NotFound(problem),
        causes: Box::new([
            miss.finding(base, false),
            Finding::new(Reason::BaseNotCached, layer)
                .with(evidence)
                .cascade(),
        ]),
    }
}

//! The keys of a cache: links between them, and which have results (Builds spec,
//! section 3.6).

use super::key::digest;
use crate::buildkit::Contents;
use crate::prelude::*;

/// The keys of a cache. Those without inputs are named by their digest, others as the
/// cache names them.
#[derive(Clone, Debug, Default)]
pub struct Store {
    /// By the digest of operation and output, and the input.
    links: BTreeMap<(String, u32), Vec<Link>>,
    results: BTreeSet<String>,
}

#[derive(Clone, Debug)]
pub(super) struct Link {
    pub from: String,
    pub selector: String,
    pub to: String,
}

impl Store {
    /// Adds a link of a daemon's `cache.db`: its digest is the operation's alone.
    pub fn add_link(
        &mut self,
        from: &str,
        (operation, output, input): (&str, i64, u32),
        selector: &str,
        to: &str,
    ) {
        self.link(from, output_key(operation, output), input, selector, to);
    }

    /// Adds a result.
    pub fn add_result(&mut self, key: &str) {
        self.results.insert(key.to_owned());
    }

    /// The keys of an exported cache.
    pub fn of(contents: &Contents) -> Self {
        let mut store = Self::default();
        for link in &contents.links {
            let (from, to) = (&link.from, &link.to);
            store.link(from, link.digest.clone(), link.input, &link.selector, to);
        }
        for offer in &contents.offers {
            store.add_result(&offer.record);
        }
        store
    }

    fn link(&mut self, from: &str, digest: String, input: u32, selector: &str, to: &str) {
        self.links.entry((digest, input)).or_default().push(Link {
            from: from.to_owned(),
            selector: selector.to_owned(),
            to: to.to_owned(),
        });
    }

    /// The links of an input of an operation.
    pub(super) fn links(&self, operation: &str, output: i64, input: u32) -> &[Link] {
        let links = self.links.get(&(output_key(operation, output), input));
        links.map_or(&[], Vec::as_slice)
    }

    pub(super) fn has_result(&self, key: &str) -> bool {
        self.results.contains(key)
    }
}

/// The digest of an operation and one of its outputs: the name of a key without
/// inputs. The output of content keys is -1.
pub(super) fn output_key(operation: &str, output: i64) -> String {
    digest(format!("{operation}@{output}").as_bytes())
}

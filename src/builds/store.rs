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
    /// Keys whose results are not whole, with the layers that are gone.
    lost: BTreeMap<String, Vec<String>>,
    /// Whether it is what a daemon keeps of its own builds: every step had a result there.
    of_daemon: bool,
}

#[derive(Clone, Debug)]
pub(super) struct Link {
    pub from: String,
    pub selector: String,
    pub to: String,
}

impl Store {
    /// What a daemon keeps of its own builds, with nothing in it yet.
    pub(super) fn of_daemon() -> Self {
        Self {
            of_daemon: true,
            ..Self::default()
        }
    }

    /// Whether a key without a result had one: it was pruned, or evicted.
    pub(super) const fn had_results(&self) -> bool {
        self.of_daemon
    }

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

    /// The keys of an exported cache, of which layers are gone.
    pub fn of(contents: &Contents, gone: &BTreeSet<String>) -> Self {
        let mut store = Self::default();
        for link in &contents.links {
            let (from, to) = (&link.from, &link.to);
            store.link(from, link.digest.clone(), link.input, &link.selector, to);
        }
        for offer in &contents.offers {
            let mut lost = offer.blobs.iter().filter(|blob| gone.contains(*blob));
            match lost.next() {
                None => store.add_result(&offer.record),
                Some(first) => {
                    let layers = core::iter::once(first).chain(lost).cloned();
                    let known = store.lost.entry(offer.record.clone());
                    known.or_insert_with(|| layers.collect());
                }
            }
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

    /// Whether there is any step with this definition.
    pub(super) fn knows(&self, operation: &str) -> bool {
        let digest = output_key(operation, 0);
        let all = (digest.clone(), 0)..=(digest, u32::MAX);
        self.links.range(all).next().is_some()
    }

    /// The layers that a result of a key lacks; none if it has a whole one, or none.
    pub(super) fn lost(&self, key: &str) -> &[String] {
        match self.has_result(key) {
            true => &[],
            false => self.lost.get(key).map_or(&[], Vec::as_slice),
        }
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

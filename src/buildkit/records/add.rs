//! Adding a record by the new rules: what merges with what (BuildKit spec,
//! section 2).

use super::entry::{CacheResult, Given, Key, Link, Note, Origin, RANDOM};
use super::fewest::fewest;
use super::graph::Graph;
use super::index_vec::{NONE, number};
use super::interner::Text;
use crate::buildkit::reason::{Reason, invalid};
use crate::error::Error;
use crate::prelude::*;

impl Graph {
    /// Adds a record; `None` for one that is never kept.
    ///
    /// # Errors
    /// `invalid` for an input without links and for a link that does not start
    /// in this session, `limit-exceeded`; nothing is changed then.
    pub fn add(
        &mut self,
        digest: Text,
        inputs: &[Vec<Given>],
        results: &[CacheResult],
    ) -> Result<Option<u32>, Error> {
        if self.texts.get(digest).starts_with(RANDOM) {
            return Ok(None);
        }
        self.check(1, inputs.iter().map(Vec::len).sum())?;
        if inputs.is_empty() {
            return Ok(Some(match self.root(digest) {
                Some(root) => {
                    self.add_results(root, results);
                    root
                }
                None => self.make(digest, 0, results),
            }));
        }
        let links = self.check_links(digest, inputs)?;
        let arity = number(inputs.len());
        let matches = self.matches(digest, &links);
        let record = match *matches.as_slice() {
            [] => {
                let record = self.make(digest, arity, results);
                for link in links {
                    self.attach(record, link);
                }
                return Ok(Some(record));
            }
            [record] => record,
            _ => self.merge(&matches)?,
        };
        let mut wanted = links;
        for link in &mut wanted {
            // A source may be one of the records that were just merged.
            link.source = self.resolve(link.source).unwrap_or(NONE);
        }
        wanted.retain(|link| !self.has(record, *link));
        let sources = wanted.iter().map(|link| link.source);
        let below = self.descendants(record, sources)?;
        for link in wanted {
            if link.source == record || below.contains(&link.source) {
                self.note(Note::Loop {
                    record,
                    source: link.source,
                });
            } else {
                self.attach(record, link);
            }
        }
        self.add_results(record, results);
        Ok(Some(record))
    }

    /// Step 3: every input has a link, every link starts in this session.
    fn check_links(&self, digest: Text, inputs: &[Vec<Given>]) -> Result<Vec<Link>, Error> {
        let mut links = Vec::with_capacity(inputs.len());
        for (input, given) in inputs.iter().enumerate() {
            if given.is_empty() {
                return Err(self.refuse(Reason::EmptyDependency, digest, |digest| {
                    format!("empty dependency for {digest}")
                }));
            }
            for Given { source, selector } in given {
                let source = match source {
                    Origin::Record(handle) => self.resolve(*handle),
                    Origin::Nothing => None,
                    Origin::Foreign(source) => {
                        return Err(self.refuse(Reason::ForeignDependency, digest, |_| {
                            format!("dependency {source} is not part of the same cache chain")
                        }));
                    }
                };
                let Some(source) = source else {
                    return Err(self.refuse(Reason::NilDependency, digest, |digest| {
                        format!("invalid dependency type <nil> for {digest}")
                    }));
                };
                links.push(Link {
                    input: number(input),
                    source,
                    selector: *selector,
                });
            }
        }
        Ok(links)
    }

    fn refuse(&self, code: Reason, digest: Text, message: impl Fn(&str) -> String) -> Error {
        let digest = self.texts.get(digest);
        invalid(code, "add", digest, message(digest))
    }

    /// Step 4: the records that share a link with the call on every input given,
    /// oldest first.
    ///
    /// Only the candidates of the input that has the fewest are looked at: the
    /// inputs are walked side by side until one of them ends.
    pub fn matches(&self, digest: Text, links: &[Link]) -> Vec<u32> {
        if !self.occurs(digest) {
            return Vec::new();
        }
        let groups: Vec<&[Link]> = links.chunk_by(|a, b| a.input == b.input).collect();
        let mut walks: Vec<_> = groups
            .iter()
            .map(|group| group.iter().flat_map(|link| self.candidates(digest, *link)))
            .collect();
        let mut found = fewest(&mut walks);
        sort(&mut found);
        found.dedup();
        for group in groups {
            self.keep(&mut found, digest, group);
        }
        found
    }

    /// Keeps the records that have a link of a group: each link of each record is
    /// looked up, or everything that the links lead to, whichever is less.
    fn keep(&self, found: &mut Vec<u32>, digest: Text, group: &[Link]) {
        let most = found.len().saturating_mul(group.len());
        let mut walk = group.iter().flat_map(|link| self.candidates(digest, *link));
        let reached: BTreeSet<u32> = walk.by_ref().take(most).collect();
        if walk.next().is_none() {
            found.retain(|record| reached.contains(record));
        } else {
            found.retain(|record| group.iter().any(|link| self.has(*record, *link)));
        }
    }

    /// Step 7: makes one record out of several and returns it.
    ///
    /// It is the oldest that does not stand below another one (BuildKit spec,
    /// section 8).
    fn merge(&mut self, matches: &[u32]) -> Result<u32, Error> {
        let bound = matches
            .iter()
            .map(|record| self.entry(*record).level)
            .max()
            .unwrap_or_default();
        let below = self.below(matches, bound)?;
        let main = matches
            .iter()
            .copied()
            .find(|record| !below.contains(record))
            .or_else(|| matches.first().copied())
            .unwrap_or(NONE);
        // The links that records lose, taken out of each at once: a record may
        // stand on all that are merged.
        let mut lost: BTreeMap<u32, Vec<(Link, Link)>> = BTreeMap::new();
        for other in matches.iter().copied().filter(|record| *record != main) {
            let children: Vec<_> = self.children(other).collect();
            for (link, child) in children {
                let moved = self.move_child(child, link, main);
                lost.entry(child).or_default().push((link, moved));
            }
            if !self.compatible {
                let links = lost.remove(&other).unwrap_or_default();
                self.unlink(other, &links);
                self.dissolve(other, main, matches, &below);
            }
            let results = self.entry(other).results.clone();
            self.add_results(main, &results);
            self.note(Note::Merged {
                from: other,
                into: main,
            });
        }
        for (child, links) in lost {
            if self.compatible {
                self.redirect(child, &links);
            } else {
                self.unlink(child, &links);
            }
        }
        Ok(main)
    }

    /// Lets a child of a record that is merged away stand on `main` instead, and
    /// returns its new link. The old one is still among its links.
    fn move_child(&mut self, child: u32, link: Link, main: u32) -> Link {
        let moved = Link {
            source: main,
            ..link
        };
        if self.compatible {
            self.adopt(child, moved);
        } else {
            self.forget(child, link);
            self.attach(child, moved);
        }
        moved
    }

    /// Takes the old ones of moved links away.
    fn unlink(&mut self, record: u32, moved: &[(Link, Link)]) {
        let old: BTreeSet<Link> = moved.iter().map(|(link, _)| *link).collect();
        let links = &mut self.entry_mut(record).links;
        links.retain(|link| !old.contains(link));
    }

    /// Puts moved links in the place of the old ones, each once: the first that
    /// was moved keeps its place.
    fn redirect(&mut self, record: u32, moved: &[(Link, Link)]) {
        let links = core::mem::take(&mut self.entry_mut(record).links);
        let mut present: BTreeSet<Link> = links.iter().copied().collect();
        let mut becomes: BTreeMap<Link, Option<Link>> = BTreeMap::new();
        for (link, moved) in moved {
            if present.remove(link) {
                let new = present.insert(*moved);
                becomes.insert(*link, new.then_some(*moved));
            }
        }
        self.entry_mut(record).links = links
            .into_iter()
            .filter_map(|link| becomes.get(&link).copied().unwrap_or(Some(link)))
            .collect();
    }

    /// Guarded merging: nothing of the record stays, and its links go to `main`
    /// unless they would close a loop.
    ///
    /// INVARIANT: the graph stays acyclic. A loop through `main` would need a
    /// source that stands below one of the merged records, and those are left out.
    fn dissolve(&mut self, other: u32, main: u32, matches: &[u32], below: &BTreeSet<u32>) {
        let same_arity = self.entry(other).arity == self.entry(main).arity;
        let links = core::mem::take(&mut self.entry_mut(other).links);
        for link in &links {
            self.forget(other, *link);
        }
        self.entry_mut(other).alias = main;
        for link in links {
            // Matches are sorted.
            let merged = matches.binary_search(&link.source).is_ok();
            let loops = merged || below.contains(&link.source);
            if loops {
                self.note(Note::Loop {
                    record: main,
                    source: link.source,
                });
            } else if same_arity {
                self.attach(main, link);
            }
        }
    }

    /// Adds results to a record that was there before: one of the same instant
    /// and length as a known one is thrown away, whatever its digests are.
    pub fn add_results(&mut self, record: u32, results: &[CacheResult]) {
        for result in results {
            if let Some(known) = self.known(record, result) {
                if self.path(known) != self.path(result.node) {
                    let time = result.time;
                    self.note(Note::Result { record, time });
                }
            } else {
                self.entry_mut(record).results.push(*result);
            }
        }
    }

    /// The chain of the result that makes this one a duplicate.
    fn known(&mut self, record: u32, result: &CacheResult) -> Option<u32> {
        /// Up to here a walk is cheaper than a set.
        const FEW: usize = 16;
        let results = &self.entry(record).results;
        if results.len() <= FEW {
            return results
                .iter()
                .find(|known| self.key(known) == self.key(result))
                .map(|known| known.node);
        }
        let mut keys = self.crowded.remove(&record).unwrap_or_default();
        let results = &self.entry(record).results;
        if keys.is_empty() {
            keys = results
                .iter()
                .map(|known| (self.key(known), known.node))
                .collect();
        }
        let known = keys.get(&self.key(result)).copied();
        if known.is_none() {
            keys.insert(self.key(result), result.node);
        }
        self.crowded.insert(record, keys);
        known
    }

    /// What is equal for two results of which one is thrown away: instant and
    /// length, with strict results instant and digests. Those of other caches
    /// throw nothing away.
    fn key(&self, result: &CacheResult) -> Key {
        let (seconds, nanoseconds) = result.time.instant();
        let node = self.blobs.node(result.node);
        let chain = if self.policy.strict_results {
            node.path
        } else {
            node.length
        };
        (result.rank, seconds, nanoseconds, chain)
    }

    fn path(&self, node: u32) -> u32 {
        self.blobs.node(node).path
    }
}

//! What changed between two caches: where builds part, and what only follows from
//! that.

use sha2::{Digest as _, Sha256};

use super::pairing::{self, Ground, Groups, Side, Steps};
use crate::buildkit::export::pick::time;
use crate::buildkit::read::cache::Cache;
use crate::buildkit::reason::{Finding, Reason};
use crate::buildkit::records::entry::{CacheResult, Link, newest};
use crate::buildkit::records::graph::Graph;
use crate::buildkit::records::index_vec::{IndexVec, NONE, number, place, some};
use crate::error::Error;
use crate::explain::{Difference, Explanation};
use crate::prelude::*;

/// Compares two caches by the structure of their records, whatever their order
/// and indexes are. The findings name first where builds part, in the order of a
/// build, then what follows, marked as a cascade.
///
/// What changes no build is counted only: a key that lost its result, one of
/// several ways to a record that both caches have, a key without a result that
/// leads nowhere. An export of imported records leaves such things out or brings
/// them in.
///
/// # Errors
/// `unsupported` by the rules of 2020.
pub fn compare(old: &Cache, new: &Cache) -> Result<Explanation, Error> {
    let (before, after) = pairing::sides(old.graph("compare")?, new.graph("compare")?);
    let (old_groups, new_groups) = pairing::groups(&before, &after);
    let old_steps = Steps::new(&before, &old_groups);
    let new_steps = Steps::new(&after, &new_groups);
    let pairs = pairing::steps(&before, &after, &old_steps, &new_steps);
    // A build made what is new and has a result. What is gone may only not have
    // been asked for, unless it was the last of its build or ran again elsewhere.
    let new_matters = matters(&after, |record| result(&after, record).is_some());
    let leads = leads_on(&before);
    let old_matters = matters(&before, |record| {
        let mut again = new_steps.alike(&before, record).iter();
        let made = result(&before, record).is_some();
        (made && !leads.at(record)) || again.any(|at| new_matters.at(*at))
    });
    let mut report = Report {
        old_matters,
        new_matters,
        replaced: pairs.values().copied().collect(),
        before,
        after,
        old_groups,
        new_groups,
        old_steps,
        new_steps,
        pairs,
        causes: Vec::new(),
        cascades: Vec::new(),
        passed: 0,
    };
    report.results();
    report.added();
    report.removed();
    Ok(report.explain())
}

/// Everything that is known while findings are made.
struct Report<'a> {
    before: Side<'a>,
    after: Side<'a>,
    old_groups: Groups,
    new_groups: Groups,
    old_steps: Steps,
    new_steps: Steps,
    /// New steps and the old ones in whose place they are.
    pairs: BTreeMap<u32, u32>,
    replaced: BTreeSet<u32>,
    old_matters: IndexVec<bool>,
    new_matters: IndexVec<bool>,
    causes: Vec<Finding>,
    cascades: Vec<Finding>,
    /// Records that only one cache has and that change no build.
    passed: u64,
}

/// Which records of one side change a build when the other side lacks them: those
/// of a kind, and what they stand on unless both caches have something in its
/// place.
fn matters(side: &Side<'_>, kind: impl Fn(u32) -> bool) -> IndexVec<bool> {
    let mut matters = IndexVec::filled(side.web.len(), false);
    for record in side.order.iter().rev().copied() {
        if !side.only(record) {
            continue;
        }
        let needed = side
            .users(record)
            .iter()
            .any(|(user, input)| matters.at(*user) && side.ground(*user, *input).is_none());
        matters.set(record, needed || kind(record));
    }
    matters
}

/// Whether a record stands on one that only its cache has and that changes a build.
fn stands_on(side: &Side<'_>, matters: &IndexVec<bool>, record: u32) -> bool {
    let mut links = side.web.links(record).iter();
    links.any(|link| side.only(link.source) && matters.at(link.source))
}

/// For each record whether something that both caches have stands on it, directly
/// or not.
fn leads_on(side: &Side<'_>) -> IndexVec<bool> {
    let mut leads = IndexVec::filled(side.web.len(), false);
    for record in side.order.iter().rev().copied() {
        let mut users = side.users(record).iter();
        let led = users.any(|(user, _)| !side.only(*user) || leads.at(*user));
        leads.set(record, led);
    }
    leads
}

impl Report<'_> {
    /// Records of both caches whose results differ. What stands on one has its
    /// layers too.
    fn results(&mut self) {
        let (before, after) = (&self.before, &self.after);
        let (old, new) = (chains(before.graph), chains(after.graph));
        let mut differs = IndexVec::filled(after.web.len(), false);
        for record in after.order.iter().copied() {
            let Some(other) = some(after.same.at(record)) else {
                continue;
            };
            let mut sources = after.web.links(record).iter();
            let follows = sources.any(|link| differs.at(link.source));
            let (Some(have), Some(want)) = (result(before, other), result(after, record)) else {
                differs.set(record, follows);
                continue;
            };
            if old.get(place(have.node)) == new.get(place(want.node)) {
                continue;
            }
            differs.set(record, true);
            let sides = [describe(before, &have), describe(after, &want)];
            let [have, want] = sides;
            let difference = Difference::new("result", have, want);
            let finding = Finding::new(Reason::ResultChanged, after.digest(record));
            let finding = finding.with([difference]);
            if follows {
                self.cascades.push(finding.cascade());
            } else {
                self.causes.push(finding);
            }
        }
    }

    /// Records that only the new cache has.
    fn added(&mut self) {
        let grounded: BTreeSet<u32> = records(&self.new_steps);
        let old_grounded: BTreeSet<u32> = records(&self.old_steps);
        let mut told = BTreeSet::new();
        for record in self.after.order.clone() {
            let after = &self.after;
            if !after.only(record) {
                continue;
            }
            if after.is_root(record) {
                let group = self.new_groups.of.at(record);
                if told.insert(group) {
                    self.new_source(group, record);
                }
                continue;
            }
            if let Some(other) = self.pairs.get(&record).copied() {
                if !self.new_matters.at(record) && !self.old_matters.at(other) {
                    self.passed += 2;
                    continue;
                }
                self.causes
                    .push(changed(&self.before, other, after, record));
                continue;
            }
            let finding = Finding::new(Reason::RecordAdded, after.digest(record));
            let finding = finding.with(facts(after, record));
            if !self.new_matters.at(record) {
                if stands_on(after, &self.new_matters, record) {
                    self.cascades.push(finding.cascade());
                } else {
                    self.passed += 1;
                }
                continue;
            }
            // The same step on something that the old cache lost: that is the cause.
            let alike = self.old_steps.alike(after, record);
            let moved = !alike.is_empty() && !alike.iter().any(|at| old_grounded.contains(at));
            if grounded.contains(&record) && !moved {
                self.causes.push(finding);
            } else {
                self.cascades.push(finding.cascade());
            }
        }
    }

    /// A source that only the new cache has.
    fn new_source(&mut self, group: u32, first: u32) {
        let (after, groups) = (&self.after, &self.new_groups);
        let members = groups.members.get(place(group));
        let members = members.map_or(&[][..], Vec::as_slice);
        if !members.iter().any(|member| self.new_matters.at(*member)) {
            self.passed += members.len() as u64;
            return;
        }
        let paired = some(groups.pair.at(group)).and_then(|pair| {
            let old = self.old_groups.members.get(place(pair));
            old.and_then(|members| members.first().copied())
        });
        if let Some(old) = paired.or(some(groups.instead.at(group))) {
            let digests = [self.before.digest(old), after.digest(first)];
            let [have, want] = digests.map(ToOwned::to_owned);
            let finding = Finding::new(Reason::RecordChanged, want.clone());
            let finding = finding
                .with([Difference::new("digest", have, want)])
                .with(used(after, members));
            if groups.output.at(group) {
                self.cascades.push(finding.cascade());
            } else {
                self.causes.push(finding);
            }
            return;
        }
        let finding = Finding::new(Reason::RecordAdded, after.digest(first));
        let finding = finding.with(used(after, members));
        if groups.output.at(group) || !alone(after, groups, members) {
            self.cascades.push(finding.cascade());
        } else {
            self.causes.push(finding);
        }
    }

    /// Records that only the old cache has.
    fn removed(&mut self) {
        let grounded: BTreeSet<u32> = records(&self.old_steps);
        let new_grounded: BTreeSet<u32> = records(&self.new_steps);
        let mut told = BTreeSet::new();
        for record in self.before.order.clone() {
            let before = &self.before;
            if !before.only(record) || self.replaced.contains(&record) {
                continue;
            }
            let finding = Finding::new(Reason::RecordRemoved, before.digest(record));
            if before.is_root(record) {
                let groups = &self.old_groups;
                let group = groups.of.at(record);
                let members = groups.members.get(place(group));
                let members = members.map_or(&[][..], Vec::as_slice);
                if !told.insert(group) || groups.pair.at(group) != NONE {
                    continue;
                }
                if !members.iter().any(|member| self.old_matters.at(*member)) {
                    self.passed += members.len() as u64;
                    continue;
                }
                let finding = finding.with(used(before, members));
                if groups.output.at(group) || !alone(before, groups, members) {
                    self.cascades.push(finding.cascade());
                } else {
                    self.causes.push(finding);
                }
                continue;
            }
            let finding = finding.with(facts(before, record));
            if !self.old_matters.at(record) {
                if stands_on(before, &self.old_matters, record) {
                    self.cascades.push(finding.cascade());
                } else {
                    self.passed += 1;
                }
                continue;
            }
            let alike = self.new_steps.alike(before, record);
            let moved = !alike.is_empty() && !alike.iter().any(|at| new_grounded.contains(at));
            if grounded.contains(&record) && !moved {
                self.causes.push(finding);
            } else {
                self.cascades.push(finding.cascade());
            }
        }
    }

    fn explain(mut self) -> Explanation {
        // Nothing follows from nothing.
        if self.causes.is_empty() && !self.cascades.is_empty() {
            let mut first = self.cascades.remove(0);
            first.cascade = false;
            self.causes.push(first);
        }
        let counts = [
            Difference::new(
                "records",
                self.before.order.len().to_string(),
                self.after.order.len().to_string(),
            ),
            Difference::fact("root causes", self.causes.len()),
            Difference::fact("cascades", self.cascades.len()),
            Difference::fact("in one cache only, without effect", self.passed),
        ];
        let code = if self.causes.is_empty() {
            Reason::Same
        } else {
            Reason::Different
        };
        let considered = (self.before.order.len() + self.after.order.len()) as u64;
        let nearest = self.causes.first().cloned();
        let mut findings = self.causes;
        findings.append(&mut self.cascades);
        Explanation {
            summary: Finding::new(code, "caches").with(counts),
            findings,
            nearest,
            considered,
        }
        .text()
    }
}

fn records(steps: &Steps) -> BTreeSet<u32> {
    steps.grounded.iter().map(|(record, _)| *record).collect()
}

/// Whether something that stands on a source stands on nothing that both caches
/// have, so that the source is where it differs. Otherwise the source came with the
/// step.
fn alone(side: &Side<'_>, groups: &Groups, members: &[u32]) -> bool {
    let mut users = members
        .iter()
        .flat_map(|member| side.users(*member))
        .peekable();
    if users.peek().is_none() {
        return true;
    }
    users.any(|(user, _)| {
        let grounds = pairing::grounds(side, groups, *user);
        grounds.iter().all(|ground| *ground == Ground::Own)
    })
}

/// What a source is used as.
fn used(side: &Side<'_>, members: &[u32]) -> Vec<Difference> {
    let users = members.iter().flat_map(|member| side.users(*member));
    let mut seen = BTreeSet::new();
    let distinct = users.filter(|user| seen.insert(**user)).take(10);
    distinct
        .map(|(user, input)| {
            let digest = side.digest(*user);
            Difference::fact("used as", format!("input {input} of {digest}"))
        })
        .collect()
}

/// What a step stands on.
fn facts(side: &Side<'_>, record: u32) -> Vec<Difference> {
    let links = side.web.links(record).iter().take(10);
    links
        .map(|link| {
            let path = format!("inputs[{}]", link.input);
            Difference::fact(path, side.digest(link.source))
        })
        .collect()
}

/// How a step differs from the one in whose place it is.
fn changed(old: &Side<'_>, before: u32, new: &Side<'_>, after: u32) -> Finding {
    let mut differences = Vec::new();
    let (have, want) = (old.digest(before), new.digest(after));
    let renamed = have != want;
    if renamed {
        differences.push(Difference::new("digest", have.to_owned(), want.to_owned()));
    }
    let selector = |side: &Side<'_>, link: &Link| side.graph.texts.get(link.selector).to_owned();
    let (left, right) = (old.web.links(before), new.web.links(after));
    for (a, b) in left.iter().zip(right).take(10) {
        let (have, want) = (selector(old, a), selector(new, b));
        if have != want {
            let path = format!("inputs[{}].selector", a.input);
            differences.push(Difference::new(path, have, want));
        }
        let (have, want) = (old.digest(a.source), new.digest(b.source));
        if have != want && !renamed {
            let path = format!("inputs[{}]", a.input);
            differences.push(Difference::new(path, have.to_owned(), want.to_owned()));
        }
    }
    Finding::new(Reason::RecordChanged, new.digest(after)).with(differences)
}

/// The newest result, unless it has no layers.
fn result(side: &Side<'_>, record: u32) -> Option<CacheResult> {
    let results = &side.graph.entry(record).results;
    let result = *newest(results)?;
    (result.node != NONE).then_some(result)
}

/// A result for people: length, topmost layers, time.
fn describe(side: &Side<'_>, result: &CacheResult) -> String {
    let (blobs, texts) = (&side.graph.blobs, &side.graph.texts);
    let mut text = format!("{} layers", blobs.node(result.node).length);
    let mut at = result.node;
    for _ in 0..3 {
        if at == NONE {
            break;
        }
        text.push(' ');
        text.push_str(texts.get(blobs.digest(at)));
        at = blobs.node(at).parent;
    }
    text.push_str(" at ");
    text.push_str(&time(result));
    text
}

/// The hash of a chain of layers.
type Hash = [u8; 32];

/// For each chain a hash of its digests.
fn chains(graph: &Graph) -> Vec<Hash> {
    let mut hashes: Vec<Hash> = Vec::with_capacity(graph.blobs.nodes());
    for at in 0..number(graph.blobs.nodes()) {
        let below = hashes.get(place(graph.blobs.node(at).parent));
        let mut hasher = Sha256::new();
        hasher.update(b"layerwise/buildkit/chain/1");
        hasher.update(below.copied().unwrap_or_default());
        hasher.update(graph.texts.get(graph.blobs.digest(at)).as_bytes());
        hashes.push(hasher.finalize().into());
    }
    hashes
}

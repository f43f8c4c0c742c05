//! For each record of a config whether a lookup can reach it and what it has to
//! offer then (BuildKit spec, section 10).

use serde::Serialize;

use super::chains::{Chains, Summary};
use super::layering::{Layering, Results};
use crate::buildkit::documents::config::{RawLink, RawRecord};
use crate::buildkit::reason::Reason;
use crate::buildkit::records::entry::RANDOM;
use crate::buildkit::records::index_vec::number;
use crate::prelude::*;

/// What a record is good for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Standing {
    /// Every input can be reached and a complete result is there.
    Hit,
    /// It can be reached, and a result that it names has a layer that is not
    /// there.
    Broken,
    /// It can be reached and has no result.
    Key,
    /// No lookup reaches it.
    Dead,
}

/// What is known about one record of a config.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Verdict {
    /// Its index in the config.
    pub record: u32,
    /// The name that lookups start from; empty for a record that importers do not
    /// keep, and for all when they refuse the cache.
    pub name: String,
    /// Its digest.
    pub digest: String,
    /// What it is good for.
    pub standing: Standing,
    /// The first input that no source reaches, for a dead record with inputs.
    pub input: Option<u32>,
    /// Its links, input after input.
    pub links: Vec<VerdictLink>,
    /// The newest result that it names, whether importers take it or not.
    pub newest: Option<Summary>,
}

/// A link of a record of a config.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct VerdictLink {
    /// Which input it is of.
    pub input: u32,
    /// The index of the record it starts at, as it is written.
    pub record: i64,
    /// Which part of the source's output.
    pub selector: String,
}

/// The records of a config: what stands on what, and what can be reached.
pub(crate) struct Reach<'a> {
    pub records: &'a [RawRecord<false>],
    /// For each record whether it can be reached.
    pub reached: Vec<bool>,
    /// For each record the inputs that are reached.
    inputs: Vec<BTreeSet<usize>>,
    /// For each record whether it is the source of another.
    pub used: Vec<bool>,
}

impl<'a> Reach<'a> {
    /// Finds out from the roots down; each link is looked at once.
    pub fn new(records: &'a [RawRecord<false>]) -> Self {
        let mut children: Vec<Vec<(usize, usize)>> = vec![Vec::new(); records.len()];
        let mut used = vec![false; records.len()];
        for (at, record) in records.iter().enumerate() {
            for (input, link) in links(record) {
                let source = usize::try_from(link.link).ok();
                if let Some(children) = source.and_then(|source| children.get_mut(source)) {
                    children.push((at, input));
                }
                if let Some(used) = source.and_then(|source| used.get_mut(source)) {
                    *used = true;
                }
            }
        }
        let mut reached = vec![false; records.len()];
        let mut inputs = vec![BTreeSet::new(); records.len()];
        let mut open = Vec::new();
        for (at, record) in records.iter().enumerate() {
            if record.inputs.is_empty() && !record.digest.starts_with(RANDOM) {
                set(&mut reached, at);
                open.push(at);
            }
        }
        while let Some(source) = open.pop() {
            for (child, input) in children.get(source).into_iter().flatten() {
                let (Some(record), Some(done)) = (records.get(*child), inputs.get_mut(*child))
                else {
                    continue;
                };
                let complete = done.insert(*input) && done.len() == record.inputs.len();
                if complete && !record.digest.starts_with(RANDOM) {
                    set(&mut reached, *child);
                    open.push(*child);
                }
            }
        }
        Self {
            records,
            reached,
            inputs,
            used,
        }
    }

    /// The verdict on each record.
    pub fn verdicts(&self, layers: &Layering<'_>, chains: &Chains<'_>) -> Vec<Verdict> {
        let mut verdicts = Vec::with_capacity(self.records.len());
        for (at, record) in self.records.iter().enumerate() {
            let reached = self.reached.get(at).copied().unwrap_or(false);
            let standing = match (reached, layers.results(record)) {
                (false, _) => Standing::Dead,
                (true, Results::Whole) => Standing::Hit,
                (true, Results::Broken) => Standing::Broken,
                (true, Results::None) => Standing::Key,
            };
            let done = self.inputs.get(at);
            let missing = |input: &usize| done.is_none_or(|done| !done.contains(input));
            let input = (0..record.inputs.len()).find(missing);
            verdicts.push(Verdict {
                record: number(at),
                name: String::new(),
                digest: record.digest.clone(),
                standing,
                input: input.map(number),
                links: links(record)
                    .map(|(input, link)| VerdictLink {
                        input: number(input),
                        record: link.link,
                        selector: link.selector.clone(),
                    })
                    .collect(),
                newest: chains.newest(record),
            });
        }
        verdicts
    }
}

/// The links of a record with their inputs.
pub(crate) fn links(record: &RawRecord<false>) -> impl Iterator<Item = (usize, &RawLink)> {
    let inputs = record.inputs.iter().enumerate();
    inputs.flat_map(|(input, links)| links.iter().flatten().map(move |link| (input, link)))
}

impl Standing {
    /// Its name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Hit => "hit",
            Self::Broken => "broken",
            Self::Key => "key",
            Self::Dead => "dead",
        }
    }

    /// Its code.
    pub const fn reason(self) -> Reason {
        match self {
            Self::Hit => Reason::Hittable,
            Self::Broken => Reason::Undeliverable,
            Self::Key => Reason::KeyOnly,
            Self::Dead => Reason::UnreachableRecord,
        }
    }
}

fn set(flags: &mut [bool], at: usize) {
    if let Some(flag) = flags.get_mut(at) {
        *flag = true;
    }
}

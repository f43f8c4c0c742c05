//! For each record of a config whether a lookup can reach it and what it has to
//! offer then (spec section 10).

use serde::Serialize;

use super::add::RANDOM;
use super::config::{Config, RawLayer, RawLink, RawRecord};
use super::reason::Reason;
use crate::prelude::*;

/// What a record is good for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Standing {
    /// Every input can be reached and a complete result is there.
    Hit,
    /// It can be reached and has no usable result.
    Key,
    /// No lookup reaches it.
    Dead,
}

/// What is known about one record of a config.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Verdict {
    /// Its index in the config.
    pub record: u32,
    /// Its digest.
    pub digest: String,
    /// What it is good for.
    pub standing: Standing,
    /// The first input that no source reaches, for a dead record with inputs.
    pub input: Option<u32>,
}

/// The records of a config: what stands on what, and what can be reached.
pub(super) struct Reach<'a> {
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

    /// The verdict on each record. `whole` says of each layer whether it and
    /// everything below is there.
    pub fn verdicts(&self, whole: &[bool]) -> Vec<Verdict> {
        let mut verdicts = Vec::with_capacity(self.records.len());
        for (at, record) in self.records.iter().enumerate() {
            let reached = self.reached.get(at).copied().unwrap_or(false);
            let standing = match (reached, usable(record, whole)) {
                (false, _) => Standing::Dead,
                (true, true) => Standing::Hit,
                (true, false) => Standing::Key,
            };
            let done = self.inputs.get(at);
            let missing = |input: &usize| done.is_none_or(|done| !done.contains(input));
            let input = (0..record.inputs.len()).find(missing);
            verdicts.push(Verdict {
                record: super::dense::number(at),
                digest: record.digest.clone(),
                standing,
                input: input.map(super::dense::number),
            });
        }
        verdicts
    }
}

/// The links of a record with their inputs.
pub(super) fn links(record: &RawRecord<false>) -> impl Iterator<Item = (usize, &RawLink)> {
    let inputs = record.inputs.iter().enumerate();
    inputs.flat_map(|(input, links)| links.iter().flatten().map(move |link| (input, link)))
}

/// Whether a record has a result whose layers are all there.
pub(super) fn usable(record: &RawRecord<false>, whole: &[bool]) -> bool {
    let is_whole = |layer: &i64| {
        let layer = usize::try_from(*layer).ok();
        layer.is_some_and(|layer| whole.get(layer).copied().unwrap_or(false))
    };
    let by_top = record.layers.iter().any(|result| is_whole(&result.layer));
    let by_all = record
        .chains
        .iter()
        .any(|chain| !chain.layers.is_empty() && chain.layers.iter().all(is_whole));
    by_top || by_all
}

/// For each layer whether it and everything below is there; `there` says it of
/// the layer alone. A layer in a loop is not whole.
pub(super) fn whole(config: &Config<false>, there: impl Fn(&RawLayer<false>) -> bool) -> Vec<bool> {
    let layers = &config.layers;
    let mut known: Vec<Option<bool>> = vec![None; layers.len()];
    for start in 0..layers.len() {
        let mut path = Vec::new();
        let mut at = Some(start);
        let answer = loop {
            let Some(index) = at else { break true };
            let (Some(layer), Some(slot)) = (layers.get(index), known.get_mut(index)) else {
                break false;
            };
            if let Some(answer) = *slot {
                break answer;
            }
            // A walk that comes back here is in a loop.
            *slot = Some(false);
            path.push(index);
            if !there(layer) {
                break false;
            }
            at = match layer.parent {
                -1 => None,
                parent => Some(usize::try_from(parent).unwrap_or(usize::MAX)),
            };
        };
        for index in path {
            if let Some(slot) = known.get_mut(index) {
                *slot = Some(answer);
            }
        }
    }
    known
        .into_iter()
        .map(|answer| answer == Some(true))
        .collect()
}

impl Standing {
    /// Its code.
    pub const fn reason(self) -> Reason {
        match self {
            Self::Hit => Reason::Hittable,
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

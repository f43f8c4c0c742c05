//! What is drawn: records as boxes, in rows, each below what it stands on.

use std::collections::{BTreeMap, BTreeSet};

use layerwise::buildkit::{Report, Severity, Standing, Verdict};
use serde::Serialize;

use crate::order::{Item, items, keep, put, rows, runs, sources_first};

/// What is asked for.
#[derive(Clone, Copy)]
pub struct Wanted {
    /// Boxes at most.
    pub boxes: usize,
    /// Runs become one box.
    pub collapse: bool,
}

impl Default for Wanted {
    /// A thousand boxes at most, runs as one box.
    fn default() -> Self {
        Self {
            boxes: 1000,
            collapse: true,
        }
    }
}

/// A graph to be drawn.
pub struct Model {
    /// Boxes with their sources before them, unless links form a loop.
    pub boxes: Vec<Box>,
    /// Number of rows.
    pub rows: usize,
    /// Records of the config.
    pub records: usize,
    /// Records that are in no box.
    pub left_out: usize,
}

/// One record, or a run of them.
#[derive(Clone, Debug, Serialize)]
pub struct Box {
    /// Positions in the config, first to last of a run.
    pub records: Vec<usize>,
    /// The digest of the last.
    pub digest: String,
    /// What it is good for.
    pub standing: Standing,
    /// The step that it is of, in the words of a build; `None` if that is not known.
    pub name: Option<String>,
    /// What became of that step.
    pub fate: Option<Fate>,
    /// The names of all of its records, of a run.
    #[serde(skip)]
    pub names: Vec<String>,
    /// Its row, from 0 down.
    pub row: usize,
    /// When the result was made, as its text goes.
    pub created: Option<String>,
    /// Layers of the result's chain.
    pub layers: u32,
    /// Bytes of the chain.
    pub bytes: u64,
    /// Digest of the topmost layer.
    #[serde(skip)]
    pub top: Option<String>,
    /// Codes of findings about it.
    pub findings: Vec<String>,
    #[serde(skip)]
    /// The worst of these findings.
    pub worst: Option<Severity>,
    /// What it stands on.
    pub sources: Vec<Source>,
    /// Users that are not drawn.
    pub more: usize,
    /// Sources that are not drawn.
    #[serde(skip)]
    pub hidden: usize,
    /// Number of inputs.
    #[serde(skip)]
    pub inputs: u32,
}

/// What became of a step in a build, the worst last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fate {
    /// It came from a cache.
    Cached,
    /// It ran.
    Ran,
    /// It ran, and for a cause of its own.
    Cause,
}

/// A step in the words of a build.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named {
    /// Such as `Dockerfile:7 RUN make`.
    pub name: String,
    /// What became of it.
    pub fate: Option<Fate>,
}

impl Fate {
    /// As pictures have it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Cached => "cached",
            Self::Ran => "ran",
            Self::Cause => "cause",
        }
    }
}

/// What a box stands on.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Source {
    /// Its position among the boxes.
    #[serde(rename = "box")]
    pub at: usize,
    /// Which input the link is of.
    pub input: u32,
    /// Which part of the source is used; empty for all of it.
    pub selector: String,
}

impl Model {
    /// What to draw of a cache.
    pub fn new(report: &Report, wanted: Wanted) -> Self {
        let items = items(report);
        let order = sources_first(&items);
        let rows = rows(&items, &order);
        let runs = if wanted.collapse {
            runs(report, &items, &order)
        } else {
            order.iter().map(|record| vec![*record]).collect()
        };
        let kept = keep(runs, &rows, &items, wanted.boxes);
        let mut home = vec![None; items.len()];
        for (at, run) in kept.iter().enumerate() {
            for record in run {
                put(&mut home, *record, Some(at));
            }
        }
        let mut boxes: Vec<Box> = kept
            .iter()
            .map(|run| make(report, &items, &home, run))
            .collect();
        let rows = settle(&mut boxes);
        let shown: usize = boxes.iter().map(|one| one.records.len()).sum();
        Self {
            rows,
            records: items.len(),
            left_out: items.len() - shown,
            boxes,
        }
    }

    /// Names boxes by what the digests of their records are in a build.
    pub fn name(&mut self, report: &Report, find: impl Fn(&str) -> Option<Named>) {
        for one in &mut self.boxes {
            let records = one.records.iter();
            let records = records.filter_map(|record| report.verdicts.get(*record));
            let found: Vec<Named> = records.filter_map(|record| find(&record.digest)).collect();
            one.fate = found.iter().filter_map(|named| named.fate).max();
            // A run is called by what it ends with, or by the cause that is in it.
            let cause = found.iter().find(|named| named.fate == Some(Fate::Cause));
            let named = cause.or(found.last());
            one.name = named.map(|named| named.name.clone());
            one.names = found.into_iter().map(|named| named.name).collect();
            one.names.dedup();
        }
    }
}

fn make(report: &Report, items: &[Item], home: &[Option<usize>], run: &[usize]) -> Box {
    let (first, last) = (
        run.first().copied().unwrap_or_default(),
        run.last().copied().unwrap_or_default(),
    );
    let box_of = |record: usize| home.get(record).copied().flatten();
    let verdict = report.verdicts.get(last);
    let result = verdict.and_then(|verdict| verdict.newest.as_ref());
    let top = result.map(|result| result.top.clone());
    let mut sources = BTreeSet::new();
    let mut hidden = 0;
    let links = report.verdicts.get(first).map(|verdict| &verdict.links);
    for link in links.into_iter().flatten() {
        match usize::try_from(link.record).ok().and_then(box_of) {
            Some(at) => {
                sources.insert(Source {
                    at,
                    input: link.input,
                    selector: link.selector.clone(),
                });
            }
            None => hidden += 1,
        }
    }
    let item = items.get(last);
    let users = item.map_or(&[][..], |item| &item.users);
    let numbers = run.iter().filter_map(|at| items.get(*at));
    let findings = numbers
        .flat_map(|item| &item.findings)
        .filter_map(|number| report.findings.get(*number));
    Box {
        records: run.to_vec(),
        digest: verdict.map_or(String::new(), |verdict| verdict.digest.clone()),
        standing: verdict.map_or(Standing::Dead, |verdict| verdict.standing),
        name: None,
        fate: None,
        names: Vec::new(),
        row: 0,
        created: result.map(|result| result.created.clone()),
        layers: result.map_or(0, |result| result.layers),
        bytes: result.map_or(0, |result| result.bytes),
        top: top.filter(|top| !top.is_empty()),
        findings: findings.map(|finding| finding.code.to_string()).collect(),
        worst: item.and_then(|item| item.worst),
        sources: sources.into_iter().collect(),
        more: users.iter().filter(|user| box_of(**user).is_none()).count(),
        hidden,
        inputs: report.verdicts.get(first).map_or(0, inputs),
    }
}

/// How many inputs a record has, as far as its links and what it lacks tell.
fn inputs(verdict: &Verdict) -> u32 {
    let linked = verdict.links.iter().map(|link| link.input);
    let last = linked.chain(verdict.input).max();
    last.map_or(0, |last| last.saturating_add(1))
}

/// Gives boxes their rows; returns how many rows there are. What stands on
/// nothing is put right above its first user.
fn settle(boxes: &mut [Box]) -> usize {
    let mut users: BTreeMap<usize, usize> = BTreeMap::new();
    for at in 0..boxes.len() {
        let above = boxes.get(at).map_or(&[][..], |one| &one.sources);
        // A source that comes later closes a loop.
        let above = above.iter().filter(|source| source.at < at);
        let rows = above
            .filter_map(|source| boxes.get(source.at))
            .map(|one| one.row);
        let row = rows.max().map_or(0, |row| row + 1);
        if let Some(one) = boxes.get_mut(at) {
            one.row = row;
        }
    }
    for (at, one) in boxes.iter().enumerate() {
        for source in one.sources.iter().filter(|source| source.at < at) {
            let first = users.entry(source.at).or_insert(one.row);
            *first = (*first).min(one.row);
        }
    }
    for (at, one) in boxes.iter_mut().enumerate() {
        if let (true, Some(row)) = (one.sources.is_empty(), users.get(&at)) {
            one.row = row.saturating_sub(1);
        }
    }
    boxes
        .iter()
        .map(|one| one.row + 1)
        .max()
        .unwrap_or_default()
}

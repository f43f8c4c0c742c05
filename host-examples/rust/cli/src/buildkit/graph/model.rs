//! What is drawn: records as boxes, in rows, each below what it stands on.
//!
//! Every part of the work is linear in records and links: a cache of ten thousand
//! records is drawn as fast as it is read. Long runs become one box, and of what
//! is still too much the first rows are kept, with what has findings.

use std::collections::{BTreeMap, BTreeSet};

use layerwise::buildkit::{Report, Severity, Standing, severity};
use layerwise::explain::Finding;
use serde::Serialize;

use super::config::{Config, Layer, Record, Top};

/// What is asked for.
#[derive(Clone, Copy)]
pub struct Wanted {
    /// Boxes at most.
    pub boxes: usize,
    /// Runs become one box.
    pub collapse: bool,
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
    pub standing: Standing,
    pub row: usize,
    /// When the result was made, as its text goes.
    pub created: Option<String>,
    /// Layers of the result's chain.
    pub layers: usize,
    /// Bytes of the chain.
    pub bytes: u64,
    /// Digest of the topmost layer.
    #[serde(skip)]
    pub top: Option<String>,
    /// Codes of findings about it.
    pub findings: Vec<String>,
    #[serde(skip)]
    pub worst: Option<Severity>,
    pub sources: Vec<Source>,
    /// Users that are not drawn.
    pub more: usize,
    /// Sources that are not drawn.
    #[serde(skip)]
    pub hidden: usize,
    /// Number of inputs.
    #[serde(skip)]
    pub inputs: usize,
}

/// What a box stands on.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Source {
    /// Its position among the boxes.
    #[serde(rename = "box")]
    pub at: usize,
    pub input: usize,
    pub selector: String,
}

/// One record while boxes are made.
struct Item {
    /// Distinct records it stands on.
    sources: Vec<usize>,
    users: Vec<usize>,
    worst: Option<Severity>,
    findings: Vec<usize>,
}

impl Model {
    /// What to draw of a config.
    pub fn new(config: &Config, report: &Report, wanted: Wanted) -> Self {
        let items = items(config, &report.findings);
        let order = sources_first(&items);
        let rows = rows(&items, &order);
        let runs = if wanted.collapse {
            runs(config, report, &items, &order)
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
        let chains = Chains::new(config);
        let mut boxes: Vec<Box> = kept
            .iter()
            .map(|run| make(config, report, &items, &chains, &home, run))
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
}

fn items(config: &Config, findings: &[Finding]) -> Vec<Item> {
    let mut items: Vec<Item> = config
        .records
        .iter()
        .map(|record| {
            let links = record.links();
            let known = links.filter_map(|(_, link)| usize::try_from(link.link).ok());
            let sources: BTreeSet<usize> = known
                .filter(|source| *source < config.records.len())
                .collect();
            Item {
                sources: sources.into_iter().collect(),
                users: Vec::new(),
                worst: None,
                findings: Vec::new(),
            }
        })
        .collect();
    for at in 0..items.len() {
        let sources = items.get(at).map(|item| item.sources.clone());
        for source in sources.unwrap_or_default() {
            if let Some(item) = items.get_mut(source) {
                item.users.push(at);
            }
        }
    }
    for (number, finding) in findings.iter().enumerate() {
        let Some(item) = record_of(&finding.subject).and_then(|at| items.get_mut(at)) else {
            continue;
        };
        let grade = severity(&finding.code);
        // A record without a result has a box that says so.
        if grade > Some(Severity::Information) {
            item.worst = item.worst.max(grade);
            item.findings.push(number);
        }
    }
    items
}

/// The record that a finding is about: `records[7]…`.
pub fn record_of(subject: &str) -> Option<usize> {
    let (number, _) = subject.strip_prefix("records[")?.split_once(']')?;
    number.parse().ok()
}

/// Depth first, each record after its sources; loops end somewhere.
fn sources_first(items: &[Item]) -> Vec<usize> {
    let mut state = vec![0_u8; items.len()];
    let mut order = Vec::with_capacity(items.len());
    for start in 0..items.len() {
        let mut stack = Vec::new();
        if state.get(start) == Some(&0) {
            stack.push((start, 0));
            put(&mut state, start, 1);
        }
        while let Some((at, next)) = stack.last_mut() {
            let at = *at;
            match items.get(at).and_then(|item| item.sources.get(*next)) {
                None => {
                    order.push(at);
                    stack.pop();
                }
                Some(source) => {
                    *next += 1;
                    if state.get(*source) == Some(&0) {
                        put(&mut state, *source, 1);
                        stack.push((*source, 0));
                    }
                }
            }
        }
    }
    order
}

/// How many records are above each on the longest way.
fn rows(items: &[Item], order: &[usize]) -> Vec<usize> {
    let mut rows = vec![0; items.len()];
    for at in order {
        let sources = items.get(*at).map_or(&[][..], |item| &item.sources);
        let above = sources.iter().filter_map(|source| rows.get(*source));
        let row = above.max().map_or(0, |row| row + 1);
        put(&mut rows, *at, row);
    }
    rows
}

/// Shorter runs are drawn record by record.
const RUN: usize = 3;

/// Records in runs, in order; a run has no branch, result or finding.
fn runs(config: &Config, report: &Report, items: &[Item], order: &[usize]) -> Vec<Vec<usize>> {
    let plain = |at: usize| {
        let item = items.get(at)?;
        let record = config.records.get(at)?;
        let single = item.sources.len() == 1 && item.users.len() == 1;
        let quiet = item.worst.is_none() && record.result().is_none();
        (single && quiet).then_some(standing(report, at))
    };
    let mut placed = vec![false; items.len()];
    let mut runs = Vec::new();
    for start in order {
        if placed.get(*start) == Some(&true) {
            continue;
        }
        put(&mut placed, *start, true);
        let mut run = vec![*start];
        if let Some(kind) = plain(*start) {
            let mut at = *start;
            while let Some([next]) = items.get(at).map(|item| item.users.as_slice())
                && plain(*next) == Some(kind)
                && placed.get(*next) == Some(&false)
            {
                put(&mut placed, *next, true);
                run.push(*next);
                at = *next;
            }
        }
        if run.len() < RUN {
            runs.extend(run.into_iter().map(|record| vec![record]));
        } else {
            runs.push(run);
        }
    }
    runs
}

/// The runs that are drawn: a quarter of the room is for what has findings, the
/// rest for the first rows.
fn keep(mut runs: Vec<Vec<usize>>, rows: &[usize], items: &[Item], most: usize) -> Vec<Vec<usize>> {
    if runs.len() <= most {
        return runs;
    }
    let first = |run: &[usize]| run.first().copied().unwrap_or_default();
    let row = |run: &[usize]| rows.get(first(run)).copied().unwrap_or_default();
    let worst = |run: &[usize]| {
        let item = items.get(first(run));
        item.and_then(|item| item.worst)
    };
    let mut order: Vec<usize> = (0..runs.len()).collect();
    let run = |at: &usize| runs.get(*at).map_or(&[][..], Vec::as_slice);
    order.sort_by_key(|at| (std::cmp::Reverse(worst(run(at))), row(run(at))));
    let marked = order
        .iter()
        .take(most / 4)
        .filter(|at| worst(run(at)).is_some())
        .copied();
    let mut chosen: BTreeSet<usize> = marked.collect();
    // Of one row first what stands for most records.
    order.sort_by_key(|at| (row(run(at)), std::cmp::Reverse(run(at).len())));
    for at in order {
        if chosen.len() == most {
            break;
        }
        chosen.insert(at);
    }
    let mut at = 0;
    runs.retain(|_| {
        at += 1;
        chosen.contains(&(at - 1))
    });
    runs
}

fn make(
    config: &Config,
    report: &Report,
    items: &[Item],
    chains: &Chains,
    home: &[Option<usize>],
    run: &[usize],
) -> Box {
    let (first, last) = (
        run.first().copied().unwrap_or_default(),
        run.last().copied().unwrap_or_default(),
    );
    let box_of = |record: usize| home.get(record).copied().flatten();
    let record = config.records.get(last);
    let result = record.and_then(|record| record.result());
    let chain = result.map(|(_, top)| chains.of(config, top));
    let (layers, bytes, top) = chain.unwrap_or_default();
    let mut sources = BTreeSet::new();
    let mut hidden = 0;
    for (input, link) in config.records.get(first).iter().flat_map(|r| r.links()) {
        let at = usize::try_from(link.link).ok().and_then(box_of);
        match at {
            Some(at) => {
                sources.insert(Source {
                    at,
                    input,
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
        digest: record
            .map(|record| record.digest.clone())
            .unwrap_or_default(),
        standing: standing(report, last),
        row: 0,
        created: result.map(|(created, _)| created.to_owned()),
        layers,
        bytes,
        top,
        findings: findings.map(|finding| finding.code.to_string()).collect(),
        worst: item.and_then(|item| item.worst),
        sources: sources.into_iter().collect(),
        more: users.iter().filter(|user| box_of(**user).is_none()).count(),
        hidden,
        inputs: config.records.get(first).map_or(0, Record::inputs),
    }
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

fn standing(report: &Report, record: usize) -> Standing {
    let verdict = report.verdicts.get(record);
    verdict.map_or(Standing::Dead, |verdict| verdict.standing)
}

/// For each layer entry how many are in its chain, and their bytes.
struct Chains(Vec<(usize, u64)>);

impl Chains {
    fn new(config: &Config) -> Self {
        let size = |layer: &Layer| config.sizes.get(&layer.blob).copied().unwrap_or_default();
        let mut known: Vec<Option<(usize, u64)>> = vec![None; config.layers.len()];
        for start in 0..config.layers.len() {
            let mut path = Vec::new();
            let mut at = Some(start);
            let mut below = (0, 0);
            while let Some(index) = at
                && let Some(layer) = config.layers.get(index)
            {
                if let Some(Some(answer)) = known.get(index) {
                    below = *answer;
                    break;
                }
                // A walk that comes back here is in a loop.
                put(&mut known, index, Some((0, 0)));
                path.push((index, size(layer)));
                at = usize::try_from(layer.parent).ok();
            }
            for (index, size) in path.into_iter().rev() {
                below = (below.0 + 1, below.1.saturating_add(size));
                put(&mut known, index, Some(below));
            }
        }
        Self(known.into_iter().map(Option::unwrap_or_default).collect())
    }

    /// Layers, bytes and topmost layer of a result.
    fn of(&self, config: &Config, top: Top<'_>) -> (usize, u64, Option<String>) {
        let entry = |at: i64| config.layers.get(usize::try_from(at).ok()?);
        let blob = |at: i64| entry(at).map(|layer| layer.blob.clone());
        match top {
            Top::Layer(at) => {
                let known = usize::try_from(at).ok().and_then(|at| self.0.get(at));
                let (layers, bytes) = known.copied().unwrap_or_default();
                (layers, bytes, blob(at))
            }
            Top::Chain(all) => {
                let sizes = all
                    .iter()
                    .filter_map(|at| config.sizes.get(&entry(*at)?.blob));
                let bytes = sizes.fold(0, |sum: u64, size| sum.saturating_add(*size));
                (all.len(), bytes, all.last().and_then(|at| blob(*at)))
            }
        }
    }
}

fn put<T>(list: &mut [T], at: usize, value: T) {
    if let Some(slot) = list.get_mut(at) {
        *slot = value;
    }
}

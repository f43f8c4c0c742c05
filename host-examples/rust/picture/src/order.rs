//! Which records are drawn, in which order and in which rows.
//!
//! Every part of the work is linear in records and links: a cache of ten thousand
//! records is drawn as fast as it is read. Long runs become one box, and of what
//! is still too much the first rows are kept, with what has findings.

use std::collections::BTreeSet;

use layerwise::buildkit::{Report, Severity, severity};

/// One record while boxes are made.
pub struct Item {
    /// Distinct records it stands on.
    pub sources: Vec<usize>,
    pub users: Vec<usize>,
    pub worst: Option<Severity>,
    pub findings: Vec<usize>,
}

/// The records of a report with what they stand on and what was found about them.
pub fn items(report: &Report) -> Vec<Item> {
    let count = report.verdicts.len();
    let mut items: Vec<Item> = report
        .verdicts
        .iter()
        .map(|verdict| {
            let links = verdict.links.iter();
            let known = links.filter_map(|link| usize::try_from(link.record).ok());
            let sources: BTreeSet<usize> = known.filter(|source| *source < count).collect();
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
    for (number, finding) in report.findings.iter().enumerate() {
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
pub fn sources_first(items: &[Item]) -> Vec<usize> {
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
pub fn rows(items: &[Item], order: &[usize]) -> Vec<usize> {
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
pub fn runs(report: &Report, items: &[Item], order: &[usize]) -> Vec<Vec<usize>> {
    let plain = |at: usize| {
        let item = items.get(at)?;
        let verdict = report.verdicts.get(at)?;
        let single = item.sources.len() == 1 && item.users.len() == 1;
        let quiet = item.worst.is_none() && verdict.newest.is_none();
        (single && quiet).then_some(verdict.standing)
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
pub fn keep(
    mut runs: Vec<Vec<usize>>,
    rows: &[usize],
    items: &[Item],
    most: usize,
) -> Vec<Vec<usize>> {
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

/// Sets what a list has at a position.
pub fn put<T>(list: &mut [T], at: usize, value: T) {
    if let Some(slot) = list.get_mut(at) {
        *slot = value;
    }
}

//! What all formats say alike.

use std::collections::BTreeMap;

use layerwise::explain::{Difference, Finding};

use super::model::{Cost, FileChange, Report, Step};
use crate::page::Page;
use crate::reply::Style;

/// Causes that are told each with its seconds.
const COSTLIEST: usize = 10;

/// What a cause says in one line: what its code means, and what it is about.
pub fn sentence(style: Style, finding: &Finding) -> String {
    let meaning = style.catalogue.and_then(|all| all.find(&finding.code));
    let meaning = meaning.map_or(&*finding.code, |rule| &rule.meaning);
    match finding.subject.as_str() {
        "" => meaning.to_owned(),
        subject => format!("{meaning} ({subject})"),
    }
}

/// Where a step stands: `line 2`, `lines 2 to 3`, or of one that stands at several places
/// `lines 1, 9`; `None` if no line is known.
pub fn lines(step: &Step) -> Option<String> {
    let first = step.lines?;
    let range = |[first, last]: [u32; 2]| match first == last {
        true => first.to_string(),
        false => format!("{first} to {last}"),
    };
    let all = std::iter::once(first).chain(step.more_lines.iter().copied());
    let all: Vec<String> = all.map(range).collect();
    Some(match (first, step.more_lines.as_slice()) {
        ([first, last], []) if first == last => format!("line {first}"),
        _ => format!("lines {}", all.join(", ")),
    })
}

/// The lines that a step begins at, for a table.
pub fn begins(step: &Step) -> String {
    let all = step.lines.iter().chain(&step.more_lines);
    let all: Vec<String> = all.map(|[first, _]| first.to_string()).collect();
    all.join(", ")
}

/// The causes that cost something, if there are several: `2.3 s` and what it was.
pub fn costs(report: &Report) -> Vec<[String; 2]> {
    if report.causes.len() < 2 {
        return Vec::new();
    }
    let costly = report.causes.iter().filter(|cost| cost.seconds > 0.0);
    let costly: Vec<&Cost> = costly.collect();
    let mut rows: Vec<[String; 2]> = costly
        .iter()
        .take(COSTLIEST)
        .map(|cost| {
            let first = cost.steps.first().and_then(|at| report.steps.get(*at));
            let place = first.map(|step| {
                let named = [&step.name, &step.text]
                    .into_iter()
                    .find(|one| !one.is_empty());
                let place = lines(step).or(named.cloned()).unwrap_or_default();
                format!(" at {place}")
            });
            let count = cost.steps.len() + cost.follow.len();
            let more = match count.saturating_sub(1) {
                0 => String::new(),
                1 => ", with 1 more step".to_owned(),
                more => format!(", with {more} more steps"),
            };
            let what = format!("{}{}{more}", cost.code, place.unwrap_or_default());
            [seconds(cost.seconds), what]
        })
        .collect();
    if let Some(rest) = costly.get(COSTLIEST..).filter(|rest| !rest.is_empty()) {
        let time: f64 = rest.iter().map(|cost| cost.seconds).sum();
        rows.push([seconds(time), format!("{} more causes", rest.len())]);
    }
    rows
}

/// What causes cost, by the first step of each.
pub struct Costs<'a>(BTreeMap<usize, Vec<&'a Cost>>);

impl<'a> Costs<'a> {
    pub fn of(report: &'a Report) -> Self {
        let mut costs: BTreeMap<usize, Vec<&Cost>> = BTreeMap::new();
        for cost in report.causes.iter().filter(|cost| cost.seconds > 0.0) {
            if let Some(first) = cost.steps.first() {
                costs.entry(*first).or_default().push(cost);
            }
        }
        Self(costs)
    }

    /// The seconds of the cause that a finding is, if this is the first step that has it.
    pub fn seconds(&self, step: usize, finding: &Finding) -> Option<f64> {
        let mut costs = self.0.get(&step)?.iter();
        let cost = costs.find(|cost| cost.code == *finding.code)?;
        Some(cost.seconds)
    }
}

/// A time in seconds.
pub fn seconds(seconds: f64) -> String {
    format!("{seconds:.1} s")
}

/// What to do about a cause: what is known of this one, else of its code.
pub fn advice<'a>(style: Style<'a>, finding: &'a Finding) -> Option<&'a str> {
    let known = || {
        let rule = style.catalogue?.find(&finding.code)?;
        Some(rule.advice.as_str()).filter(|advice| !advice.starts_with("nothing to do"))
    };
    finding
        .hint
        .as_deref()
        .or_else(known)
        .filter(|advice| !advice.is_empty())
}

/// The places in which a file differs, in words: `content, mode 0644 -> 0755`.
pub fn properties(file: &FileChange) -> String {
    let word = |difference: &Difference| {
        let (have, want) = (difference.have.as_deref(), difference.want.as_deref());
        match (&*difference.path, have, want) {
            // Nobody compares checksums by eye.
            ("content", ..) => "content".to_owned(),
            (path, have, want) => format!(
                "{path} {} -> {}",
                have.unwrap_or("absent"),
                want.unwrap_or("absent")
            ),
        }
    };
    let words: Vec<String> = file.differences.iter().map(word).collect();
    words.join(", ")
}

/// Puts changed files on a page, one a line.
pub fn files<'a>(page: &mut Page, indent: usize, files: impl IntoIterator<Item = &'a FileChange>) {
    let rows: Vec<[String; 3]> = files
        .into_iter()
        .map(|file| {
            [
                file.change.word().to_owned(),
                file.path.clone(),
                properties(file),
            ]
        })
        .collect();
    page.rows(indent, &rows);
}

//! Steps of builds as a report has them.

use clap::Args;
use layerwise::builds::Reason;
use layerwise::builds::answer::Step;
use layerwise::builds::redact::Values;
use layerwise::explain::{Difference, Finding};

use crate::report::{self, Change, FileChange, Level};

/// Which values are printed.
#[derive(Args)]
pub struct ValueArgs {
    /// Print no values of variables and options at all, only that they differ.
    #[arg(long, conflicts_with = "show_secrets")]
    pub redact: bool,
    /// Print also values whose names say that they are secret, such as *_TOKEN and *_PASSWORD, and
    /// credentials in addresses.
    #[arg(long)]
    pub show_secrets: bool,
}

/// A step in words.
pub struct Shown<'a>(pub &'a Step);

impl ValueArgs {
    /// As the component takes it.
    pub const fn values(&self) -> Values {
        match (self.redact, self.show_secrets) {
            (true, _) => Values::None,
            (false, true) => Values::All,
            (false, false) => Values::NotSecret,
        }
    }
}

impl<'a> Shown<'a> {
    /// A step of a report.
    pub fn step(&self, state: &str, level: Level, findings: &[Finding]) -> report::Step {
        let Self(step) = self;
        let (name, text) = split(&step.name);
        let mut facts = Vec::new();
        if !step.platform.is_empty() {
            facts.push(["platform".to_owned(), step.platform.clone()]);
        }
        if let Some(spent) = step.spent {
            facts.push(["took".to_owned(), format!("{:.1} s", seconds(spent))]);
        }
        if let Some(digest) = &step.cache_map {
            facts.push(["cache digest".to_owned(), digest.clone()]);
        }
        let mut lines = ranges(step);
        let more_lines = lines.split_off(lines.len().min(1));
        report::Step {
            name: name.to_owned(),
            lines: lines.first().copied(),
            more_lines,
            text: text.to_owned(),
            state: state.to_owned(),
            level,
            result: None,
            facts,
            causes: findings.iter().map(without_files).collect(),
            files: findings.iter().flat_map(files).collect(),
        }
    }

    /// What it does, such as `RUN make`.
    pub fn text(&self) -> &'a str {
        let Self(step) = self;
        split(&step.name).1
    }

    /// Whether a person means this step: by a line, or by a part of its name.
    pub fn is_meant(&self, by: &str) -> bool {
        let Self(step) = self;
        match by.parse::<u32>() {
            Ok(line) => {
                let mut lines = step.lines.iter();
                lines.any(|lines| lines.first <= line && line <= lines.last)
            }
            Err(_) => step.name.contains(by),
        }
    }
}

/// The lines that a step stands at, those without a line between them as one range.
fn ranges(step: &Step) -> Vec<[u32; 2]> {
    let lines = step.lines.iter();
    let mut lines: Vec<[u32; 2]> = lines.map(|one| [one.first, one.last]).collect();
    lines.sort_unstable();
    let mut ranges: Vec<[u32; 2]> = Vec::with_capacity(lines.len());
    for [first, last] in lines {
        match ranges.last_mut() {
            Some([_, end]) if first <= end.saturating_add(1) => *end = last.max(*end),
            _ => ranges.push([first, last]),
        }
    }
    ranges
}

/// Nanoseconds as seconds.
pub fn seconds(nanoseconds: i64) -> f64 {
    std::time::Duration::from_nanos(u64::try_from(nanoseconds).unwrap_or(0)).as_secs_f64()
}

/// `[build 2/3] RUN make` as `build 2/3` and `RUN make`.
fn split(name: &str) -> (&str, &str) {
    let inside = name.strip_prefix('[');
    inside
        .and_then(|inside| inside.split_once("] "))
        .unwrap_or(("", name))
}

/// Whether evidence of a finding is a file.
fn is_file(finding: &Finding, difference: &Difference) -> bool {
    let of_files = finding.code == Reason::ContentChanged || finding.code == Reason::Unseen;
    of_files && difference.path != "source"
}

fn without_files(finding: &Finding) -> Finding {
    let mut finding = finding.clone();
    let of = finding.clone();
    finding.differences.retain(|one| !is_file(&of, one));
    // The step is named above it.
    finding.subject.clear();
    finding
}

fn files(finding: &Finding) -> Vec<FileChange> {
    let files = finding.differences.iter();
    let files = files.filter(|one| is_file(finding, one));
    files
        .map(|file| {
            let word = file.have.as_deref().unwrap_or_default();
            let change = match word {
                "added" | "no longer ignored" => Change::Added,
                "removed" | "now ignored" => Change::Removed,
                _ => Change::Changed,
            };
            let property = |name: &str| Difference::new(name, None, None);
            FileChange {
                path: file.path.clone(),
                change,
                differences: match (change, word) {
                    (Change::Changed, word) => word.split('+').map(property).collect(),
                    _ => Vec::new(),
                },
            }
        })
        .collect()
}

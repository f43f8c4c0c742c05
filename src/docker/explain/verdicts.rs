//! The verdicts of an explanation, as they come in.

use super::parent::Parent;
use super::rank::Rank;
use crate::docker::reason::{Finding, Reason};
use crate::explain::Difference;
use crate::prelude::*;

/// What was found out so far.
#[derive(Debug)]
pub struct Verdicts<'a> {
    pub findings: Vec<Finding>,
    /// About how many bytes the findings are, and how many they may be.
    pub bytes: u64,
    pub most: u64,
    /// What the first finding is about that was too much. It was not kept, nor any
    /// after it.
    pub left_out: Option<String>,
    /// The local match, before the ancestor test.
    pub winner: Option<String>,
    /// How many sources were judged.
    pub sources: usize,
    /// The history and layers of the parent, once they were needed.
    pub parent: Option<Parent>,
    /// The images of the last build.
    last: &'a BTreeSet<String>,
    /// The rejected candidate that came nearest to a hit. Whether it is none of the last
    /// build counts before its rank.
    pub nearest: Option<(bool, Rank, Finding)>,
    /// What made an image that may have been built by an engine without marks.
    pub unmarked: Option<String>,
    pub considered: u64,
}

impl<'a> Verdicts<'a> {
    /// Nothing yet; the findings may be `most` bytes.
    pub const fn new(most: u64, last: &'a BTreeSet<String>) -> Self {
        Self {
            findings: Vec::new(),
            bytes: 0,
            most,
            left_out: None,
            winner: None,
            sources: 0,
            parent: None,
            last,
            nearest: None,
            unmarked: None,
            considered: 0,
        }
    }

    /// Adds a verdict on a candidate.
    pub fn add(&mut self, finding: Finding) {
        self.considered += 1;
        self.note(finding);
    }

    /// Adds what is no verdict on a candidate.
    pub fn note(&mut self, finding: Finding) {
        let bytes = u64::try_from(bytes(&finding)).unwrap_or(u64::MAX);
        self.bytes = self.bytes.saturating_add(bytes);
        if self.bytes <= self.most {
            self.findings.push(finding);
        } else if self.left_out.is_none() {
            self.left_out = Some(finding.subject);
        }
    }

    /// Adds a rejection; `all` is everything that speaks against the candidate.
    pub fn reject(&mut self, finding: Finding, rank: Rank, all: Vec<Difference>) {
        self.propose(&finding, rank, all);
        self.add(finding);
    }

    /// The same of a rejection whose evidence is all that speaks against it.
    pub fn reject_whole(&mut self, finding: Finding, rank: Rank) {
        let all = finding.differences.clone();
        self.reject(finding, rank, all);
    }

    /// Keeps a finding as the nearest, if none before is as near.
    pub fn propose(&mut self, finding: &Finding, rank: Rank, all: Vec<Difference>) {
        let other = !self.last.contains(&finding.subject);
        let nearer = |(others, least, _): &(bool, Rank, Finding)| (other, &rank) < (*others, least);
        if self.nearest.as_ref().is_none_or(nearer) {
            let mut nearest = finding.clone();
            nearest.differences = all;
            self.nearest = Some((other, rank, nearest));
        }
    }

    /// The local match is what would be used, if a source descended from it.
    pub fn discard_winner(&mut self) {
        let selected = |finding: &&mut Finding| finding.code == Reason::Selected;
        let mut discarded = Vec::new();
        for finding in self.findings.iter_mut().filter(selected) {
            finding.code = Reason::DiscardedNotAncestor;
            discarded.push(finding.clone());
        }
        for finding in discarded {
            let all = finding.differences.clone();
            self.propose(&finding, Rank::cause(), all);
        }
    }
}

/// About how many bytes a finding is: the same on every machine.
fn bytes(finding: &Finding) -> usize {
    /// What a finding and a difference cost beside their texts.
    const FINDING: usize = 128;
    const DIFFERENCE: usize = 72;
    let texts = |difference: &Difference| {
        let sides = [&difference.have, &difference.want];
        let sides = sides.into_iter().flatten().map(String::len);
        DIFFERENCE + difference.path.len() + sides.sum::<usize>()
    };
    let evidence: usize = finding.differences.iter().map(texts).sum();
    FINDING + finding.subject.len() + evidence
}

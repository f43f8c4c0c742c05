//! What a solver asks of a cache, and why it got no answer (BuildKit spec,
//! section 7.4).

use super::shape::ROOT_SELECTOR;
use crate::buildkit::read::cache::Cache;
use crate::buildkit::reason::{Finding, Reason};
use crate::buildkit::records::entry::{Link, RANDOM};
use crate::buildkit::records::graph::Graph;
use crate::buildkit::records::interner::Text;
use crate::error::Error;
use crate::explain::{Difference, Explanation};
use crate::oci::sha256;
use crate::prelude::*;

/// A lookup: the records that stand on a record.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Query {
    /// The name of the record to start from; none asks for a record without
    /// inputs.
    pub record: Option<String>,
    /// Cache digest of the vertex.
    pub digest: String,
    /// Which output of it; -1 for a content key.
    pub output: i32,
    /// Which input of the wanted record the link is of.
    pub input: u32,
    /// Which part of the source's output.
    pub selector: String,
}

impl Query {
    /// The digest of the record that is wanted (BuildKit spec, section 1).
    fn wanted(&self) -> String {
        if self.digest.starts_with(RANDOM) {
            self.digest.clone()
        } else {
            sha256(format!("{}@{}", self.digest, self.output).as_bytes()).to_string()
        }
    }
}

/// Links that are looked at for the nearest one.
const NEAR: usize = 1_000;

impl Cache {
    /// The names of the records a lookup finds, sorted.
    ///
    /// # Errors
    /// `unsupported` by the rules of 2020.
    pub fn lookup(&self, query: &Query) -> Result<Vec<String>, Error> {
        let graph = self.graph("lookup")?;
        let mut names: Vec<_> = self
            .found(graph, query)
            .into_iter()
            .map(|record| self.names.text(graph, record))
            .collect();
        sort(&mut names);
        Ok(names)
    }

    fn found(&self, graph: &Graph, query: &Query) -> Vec<u32> {
        let Some(digest) = graph.texts.find(&query.wanted()) else {
            return Vec::new();
        };
        let Some(from) = &query.record else {
            return graph.root(digest).into_iter().collect();
        };
        match (
            self.names.find(graph, from),
            graph.texts.find(&query.selector),
        ) {
            (Some(from), Some(selector)) => graph.targets(from, query.input, selector, digest),
            _ => Vec::new(),
        }
    }

    /// Looks up and says why nothing was found: the links that come nearest, and
    /// where else the wanted digest is.
    ///
    /// # Errors
    /// `unsupported` by the rules of 2020.
    pub fn explain(&self, query: &Query) -> Result<Explanation, Error> {
        let graph = self.graph("explain")?;
        let wanted = query.wanted();
        let found = self.found(graph, query);
        if !found.is_empty() {
            let names = found.iter().map(|record| self.names.text(graph, *record));
            let facts: Vec<_> = names.map(|name| Difference::fact("record", name)).collect();
            return Ok(Explanation {
                summary: Finding::new(Reason::Hit, wanted).with(facts),
                findings: Vec::new(),
                nearest: None,
                considered: found.len() as u64,
            }
            .text());
        }
        let digest = graph.texts.find(&wanted);
        let mut findings = Vec::new();
        let mut considered = 0;
        if let Some(from) = &query.record {
            match self.names.find(graph, from) {
                None => findings.push(Finding::new(Reason::UnknownRecord, from)),
                Some(from) => {
                    let near = self.near(graph, from, query, digest);
                    considered = near.len() as u64;
                    findings.extend(near.into_iter().take(10));
                }
            }
        }
        let nearest = findings
            .first()
            .filter(|finding| finding.code == Reason::LinkDiffers)
            .cloned();
        let cause = match digest.and_then(|digest| elsewhere(graph, digest)) {
            None => match graph.texts.find(&query.digest) {
                Some(own) if graph.occurs(own) => {
                    Finding::new(Reason::DigestOfRecord, &query.digest)
                }
                _ => Finding::new(Reason::DigestUnknown, &wanted),
            },
            Some(record) => {
                let name = self.names.text(graph, record);
                Finding::new(Reason::DigestElsewhere, &wanted)
                    .with([Difference::fact("record", name)])
            }
        };
        findings.insert(0, cause);
        Ok(Explanation {
            summary: Finding::new(Reason::Miss, wanted),
            findings,
            nearest,
            considered,
        }
        .text())
    }

    /// The links from a record with what keeps each from being the wanted one,
    /// fewest differences first.
    fn near(&self, graph: &Graph, from: u32, query: &Query, digest: Option<Text>) -> Vec<Finding> {
        let mut near: Vec<_> = graph
            .children(from)
            .take(NEAR)
            .map(|(link, record)| {
                let differences = differences(graph, &link, record, query, digest);
                (differences.len(), record, differences)
            })
            .collect();
        sort_by_key(&mut near, |(count, record, _)| (*count, *record));
        near.into_iter()
            .map(|(_, record, differences)| {
                let old = differences.iter().any(|difference| {
                    difference.path == "selector"
                        && difference.want.as_deref() == Some(ROOT_SELECTOR)
                        && difference.have.as_deref() == Some("")
                });
                let name = self.names.text(graph, record);
                let finding = Finding::new(Reason::LinkDiffers, name).with(differences);
                if old {
                    finding.hint(
                        "a builder of before 0.16 wrote this link: it gave the root of a RUN no selector",
                    )
                } else {
                    finding
                }
            })
            .collect()
    }
}

fn differences(
    graph: &Graph,
    link: &Link,
    record: u32,
    query: &Query,
    digest: Option<Text>,
) -> Vec<Difference> {
    let mut differences = Vec::new();
    let entry = graph.entry(record);
    if Some(entry.digest) != digest {
        let have = graph.texts.get(entry.digest).to_owned();
        differences.push(Difference::new("digest", have, query.wanted()));
    }
    if link.input != query.input {
        let (have, want) = (link.input.to_string(), query.input.to_string());
        differences.push(Difference::new("input", have, want));
    }
    let selector = graph.texts.get(link.selector);
    if selector != query.selector {
        let (have, want) = (selector.to_owned(), query.selector.clone());
        differences.push(Difference::new("selector", have, want));
    }
    differences
}

/// A record with this digest, wherever it stands.
fn elsewhere(graph: &Graph, digest: Text) -> Option<u32> {
    graph
        .live()
        .find(|record| graph.entry(*record).digest == digest)
}

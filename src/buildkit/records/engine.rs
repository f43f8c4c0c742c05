//! The records of a session by one of the two sets of rules.

use super::blobs::Blobs;
use super::entry::{CacheResult, Given, Link, Origin};
use super::graph::Graph;
use super::index_vec::number;
use super::interner::{Interner, Text};
use super::rules_2020::Rules2020;
use crate::buildkit::reason::{Reason, invalid};
use crate::error::{Error, Problem};
use crate::prelude::*;

/// Records by one set of rules.
#[allow(
    clippy::large_enum_variant,
    reason = "a session has one, whose size depends on the maps of the target"
)]
#[derive(Clone, Debug)]
pub(crate) enum Engine {
    Graph(Graph),
    Rules2020(Rules2020),
}

impl Engine {
    /// Interner and chains, to read.
    pub fn store(&self) -> (&Interner, &Blobs) {
        match self {
            Self::Graph(graph) => (&graph.texts, &graph.blobs),
            Self::Rules2020(rules) => (&rules.texts, &rules.blobs),
        }
    }

    /// Interner, to add to.
    pub fn texts_mut(&mut self) -> &mut Interner {
        match self {
            Self::Graph(graph) => &mut graph.texts,
            Self::Rules2020(rules) => &mut rules.texts,
        }
    }

    /// The records by the rules of 2020.
    ///
    /// # Errors
    /// `unsupported` by the newest ones.
    pub fn rules_2020(&mut self, operation: &str) -> Result<&mut Rules2020, Error> {
        match self {
            Self::Rules2020(rules) => Ok(rules),
            Self::Graph(_) => Err(unsupported(operation)),
        }
    }

    /// Adds a record with its links and results.
    ///
    /// # Errors
    /// As [`Graph::add`]; by the rules of 2020 only for a link that does not start
    /// in this session.
    pub fn add(
        &mut self,
        digest: Text,
        inputs: &[Vec<Given>],
        results: &[CacheResult],
    ) -> Result<Option<u32>, Error> {
        let rules = match self {
            Self::Graph(graph) => return graph.add(digest, inputs, results),
            Self::Rules2020(rules) => rules,
        };
        let mut links = Vec::new();
        for (input, given) in inputs.iter().enumerate() {
            for Given { source, selector } in given {
                let source = match source {
                    Origin::Record(handle) if rules.digest(*handle).is_some() => *handle,
                    _ => {
                        let digest = rules.texts.get(digest);
                        let message = format!("invalid dependency type <nil> for {digest}");
                        return Err(invalid(Reason::NilDependency, "add", digest, message));
                    }
                };
                links.push(Link {
                    input: number(input),
                    source,
                    selector: *selector,
                });
            }
        }
        let record = rules.add(digest)?;
        for link in links {
            rules.link(record, link)?;
        }
        for result in results {
            rules.result(record, *result)?;
        }
        Ok(Some(record))
    }
}

/// The error for a call that only other rules have.
pub(crate) fn unsupported(operation: &str) -> Error {
    Error::Unsupported(Problem::new(
        Reason::OtherRules,
        operation,
        "session",
        "the rules of this session do not have it",
    ))
}

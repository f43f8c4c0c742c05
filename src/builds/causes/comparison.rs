//! A comparison under way: what is known of each step so far.

use crate::builds::cause::{Cause, Evidence, NoResult, Verdict};
use crate::builds::graph::{Graph, Key, Known, Node, State};
use crate::builds::index::Index;
use crate::builds::no_cache::asked;
use crate::builds::partner::Partners;
use crate::prelude::*;

pub struct Comparison<'a, 'b> {
    pub old: &'a Graph<'b>,
    pub new: &'a Graph<'b>,
    pub index: Index<'a, 'b>,
    pub partners: Partners,
    pub raw: (&'a Known, &'a Known),
    pub evidence: &'a Evidence,
    /// Where the caches that were imported say that a result is, step by step.
    pub absences: Vec<Option<NoResult>>,
    /// The steps of the old build that those of the new one are.
    pub identities: Vec<Option<usize>>,
    /// Steps whose key the old build did not have.
    pub is_new: Vec<bool>,
    pub verdicts: Vec<Verdict>,
    /// Steps that another one hit on, by the whole of them.
    pub hit_on: BTreeSet<usize>,
    pub roots_left: usize,
}

impl Comparison<'_, '_> {
    pub fn add(&mut self, at: usize) {
        let Some(node) = self.new.nodes.get(at) else {
            return;
        };
        let mut verdict = Verdict::of(node.state);
        let found = self.index.find(node, &self.identities);
        let partner = found.or_else(|| self.partners.of(at));
        let mut identity = found;
        let mut is_new = false;
        let has_inputs = !node.inputs.is_empty();
        if node.is_local() {
            // Known by its content only.
        } else if let Some(old) = self.proven(at, node, found) {
            identity = self.index.identity(old);
            self.add_same_layers(node, Some(old), &mut verdict);
        } else if found.is_some() {
            self.add_same_layers(node, partner, &mut verdict);
            if has_inputs && matches!(node.state, State::Ran | State::Failed) {
                self.explain(at, node, partner, true, &mut verdict);
            } else if node.state == State::Unknown && asked(node) {
                verdict.causes.push(Cause::NoCache);
            }
        } else if node.state == State::Cached && has_inputs {
            identity = self.partners.with_map(at);
            self.explain_hit(node, identity, &mut verdict);
        } else {
            is_new = true;
            if !has_inputs || matches!(node.state, State::Ran | State::Failed | State::Unknown) {
                self.explain(at, node, partner, false, &mut verdict);
            }
            if has_inputs && node.state == State::Unknown && verdict.may_be_the_same() {
                // Nothing tells that it ran, or that its files changed: what stands on it is
                // compared as if it were the same.
                identity = partner.and_then(|partner| self.index.identity(partner));
                is_new = identity.is_none();
            }
        }
        if node.state == State::Cached && has_inputs && !verdict.unseen {
            verdict.equal_bytes = verdict.stopped.is_empty()
                && !self.partners.has_exact(at)
                && self.partners.with_map(at).is_some();
        }
        self.add_roots(&mut verdict);
        self.identities.push(identity);
        self.is_new.push(is_new);
        self.verdicts.push(verdict);
    }

    /// A step that ran, or one without inputs whose key is new.
    fn explain(
        &self,
        at: usize,
        node: &Node<'_>,
        partner: Option<usize>,
        found: bool,
        verdict: &mut Verdict,
    ) {
        if matches!(node.key, Key::Source { .. }) {
            verdict.causes.push(self.source_cause(at, node));
            return;
        }
        if matches!(node.state, State::Ran | State::Unknown) && asked(node) {
            // It may have others, too, and would then run all the same.
            verdict.causes.push(Cause::NoCache);
        }
        let partner = partner.and_then(|partner| self.old.nodes.get(partner));
        if !found && !self.partners.has_exact(at) {
            self.explain_definition(node, partner, verdict);
        }
        let mut seen = BTreeSet::new();
        for (input, (source, _)) in node.inputs.iter().enumerate() {
            let is_first = seen.insert(*source);
            self.explain_input(node, partner, input, (*source, is_first), verdict);
        }
        if verdict.causes.is_empty() && verdict.follows.is_empty() && !node.inputs.is_empty() {
            self.explain_nothing(at, node, partner, verdict);
        } else if verdict.causes.is_empty() && !verdict.follows.is_empty() {
            self.add_unknown_files(node, partner, verdict);
        }
    }
}

//! What an input of a step has to do with it.

use super::comparison::Comparison;
use crate::builds::cause::{Bytes, Cause, Follow, Verdict};
use crate::builds::graph::{Node, State};
use crate::prelude::*;

impl Comparison<'_, '_> {
    pub fn explain_input(
        &self,
        node: &Node<'_>,
        partner: Option<&Node<'_>>,
        input: usize,
        (source, is_first): (usize, bool),
        verdict: &mut Verdict,
    ) {
        let Some(source_node) = self.new.nodes.get(source) else {
            return;
        };
        let of_partner = partner.and_then(|partner| partner.inputs.get(input));
        if source_node.is_local() {
            let new = node.contents.get(input).cloned().flatten();
            let old = partner.and_then(|partner| partner.contents.get(input).cloned().flatten());
            if let (Some(new), Some(partner), Some(old)) = (new, partner, old)
                && new != old
            {
                verdict.causes.push(Cause::Content {
                    input,
                    source: source_node.identifier().to_owned(),
                    paths: self.paths(partner, input, source_node, &old),
                    whole: true,
                    old: Some(old),
                    new: Some(new),
                });
            }
            return;
        }
        if self.is_new.get(source).copied().unwrap_or(false) {
            let pair = (node.digest().to_owned(), source_node.digest().to_owned());
            let bytes = if !node.has_content_key(input) {
                Bytes::NoKey
            } else if self.evidence.changed.contains(&pair) {
                Bytes::Changed
            } else {
                Bytes::NotKnown
            };
            if is_first {
                verdict.follows.push(Follow {
                    step: source,
                    bytes,
                });
            }
            return;
        }
        let identity = self.identities.get(source).copied().flatten();
        if let (Some(identity), Some((old_source, _))) = (identity, of_partner)
            && self.index.identity(*old_source) != Some(identity)
        {
            let old = self.old.nodes.get(*old_source);
            verdict.causes.push(Cause::ParentChanged {
                input,
                old: old.map_or("", Node::name).to_owned(),
                new: source_node.name().to_owned(),
            });
        }
    }

    /// Nothing that is known changed: an input was asked to run again, files changed
    /// that are not known, or a result is gone.
    pub fn explain_nothing(
        &self,
        at: usize,
        node: &Node<'_>,
        partner: Option<&Node<'_>>,
        verdict: &mut Verdict,
    ) {
        let ran_again = |input: usize| {
            let verdict = self.verdicts.get(input);
            verdict.is_some_and(|verdict| verdict.causes.contains(&Cause::NoCache))
        };
        for (input, (source, _)) in node.inputs.iter().enumerate() {
            if ran_again(*source) && !node.has_content_key(input) {
                verdict.again = true;
                verdict.follows.push(Follow {
                    step: *source,
                    bytes: Bytes::NoKey,
                });
            }
        }
        if verdict.again {
            return;
        }
        if let Some(cause) = self.unknown_files(node, partner) {
            verdict.causes.push(cause);
        } else if node.state != State::Unknown {
            let known = self.absences.get(at).cloned().flatten();
            let known = known.unwrap_or_else(|| self.evidence.no_result.clone());
            verdict.causes.push(Cause::NoResult(known));
        }
    }
}

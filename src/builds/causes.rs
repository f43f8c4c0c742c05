//! Why each step of a build did what it did, against an earlier build (Builds spec,
//! section 6).

use super::cause::{Bytes, Cause, Evidence, Follow, SameLayers, Verdict};
use super::changes::{Change, changes};
use super::difference::fields;
use super::graph::{Graph, Key, Known, Node, State};
use super::index::Index;
use super::lines;
use super::names::asked;
use super::partner::Partners;
use super::source::{Scheme, scheme};
use super::tree::Tree;
use crate::prelude::*;

/// Of no step more roots are told, nor of all steps together: a chain of steps that all
/// changed would have a root for each pair of them.
const MOST_ROOTS: usize = 1_000;
const ALL_ROOTS: usize = 1_000_000;

/// Says of every step of `new` what became of it against `old`, in the order of the
/// graph.
pub(super) fn verdicts(
    old: &Graph<'_>,
    new: &Graph<'_>,
    raw: (&Known, &Known),
    evidence: &Evidence,
) -> Vec<Verdict> {
    let index = Index::new(old);
    let mapped = match (dockerfile(old), dockerfile(new)) {
        (Some(old), Some(new)) => lines::map(old, new),
        _ => BTreeMap::new(),
    };
    let mut comparison = Comparison {
        old,
        new,
        partners: Partners::new(old, new, &mapped),
        index,
        raw,
        evidence,
        identities: Vec::with_capacity(new.nodes.len()),
        is_new: Vec::with_capacity(new.nodes.len()),
        verdicts: Vec::with_capacity(new.nodes.len()),
        roots_left: ALL_ROOTS,
    };
    for at in 0..new.nodes.len() {
        comparison.add(at);
    }
    comparison.verdicts
}

fn dockerfile<'a>(graph: &Graph<'a>) -> Option<&'a str> {
    let mut definitions = graph.build.definitions.iter();
    definitions.find_map(|definition| Some(definition.dockerfile.as_ref()?.text.as_str()))
}

struct Comparison<'a, 'b> {
    old: &'a Graph<'b>,
    new: &'a Graph<'b>,
    index: Index<'a, 'b>,
    partners: Partners,
    raw: (&'a Known, &'a Known),
    evidence: &'a Evidence,
    /// The steps of the old build that those of the new one are.
    identities: Vec<Option<usize>>,
    /// Steps whose key the old build did not have.
    is_new: Vec<bool>,
    verdicts: Vec<Verdict>,
    roots_left: usize,
}

impl Comparison<'_, '_> {
    fn add(&mut self, at: usize) {
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
        } else if found.is_some() {
            self.add_same_layers(node, partner, &mut verdict);
            if has_inputs && matches!(node.state, State::Ran | State::Failed) {
                self.explain(at, node, partner, true, &mut verdict);
            }
        } else if node.state == State::Cached && has_inputs {
            identity = self.partners.with_map(at);
            self.explain_hit(node, identity, &mut verdict);
        } else {
            is_new = true;
            if !has_inputs || matches!(node.state, State::Ran | State::Failed) {
                self.explain(at, node, partner, false, &mut verdict);
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

    /// A step that was cached without its key having been known: it hit by bytes.
    fn explain_hit(&self, node: &Node<'_>, partner: Option<usize>, verdict: &mut Verdict) {
        let inputs = node.inputs.iter().map(|(input, _)| *input);
        let is_new = |input: &usize| self.is_new.get(*input).copied().unwrap_or(false);
        let is_step = |input: &usize| {
            self.new
                .nodes
                .get(*input)
                .is_some_and(|node| !node.identifier().is_empty())
        };
        verdict.stopped = inputs
            .clone()
            .filter(|input| is_new(input) && !is_step(input))
            .collect();
        verdict.stopped.dedup();
        let partner = partner.and_then(|partner| self.old.nodes.get(partner));
        if let Some(partner) = partner
            && !inputs.clone().any(|input| is_new(&input))
        {
            let pairs = partner.contents.iter().zip(&node.contents);
            verdict.unseen = pairs.into_iter().any(|pair| match pair {
                (Some(old), Some(new)) => old != new,
                _ => false,
            });
        }
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
        if node.state == State::Ran && asked(node) {
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
            self.explain_nothing(node, verdict);
        }
    }

    fn explain_definition(
        &self,
        node: &Node<'_>,
        partner: Option<&Node<'_>>,
        verdict: &mut Verdict,
    ) {
        let Some(partner) = partner else {
            verdict.causes.push(Cause::NewStep);
            return;
        };
        let fields = fields(&partner.step.op, &node.step.op);
        if !fields.is_empty() {
            verdict.causes.push(Cause::Definition {
                fields,
                old_vertex: partner.digest().to_owned(),
            });
        } else if self.old.build.engine != self.new.build.engine {
            verdict.causes.push(Cause::EngineVersion);
        }
    }

    fn explain_input(
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
                    old: Some(old),
                    new,
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

    /// All keys are known: an input was asked to run again, or a result is gone.
    fn explain_nothing(&self, node: &Node<'_>, verdict: &mut Verdict) {
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
        if !verdict.again {
            verdict
                .causes
                .push(Cause::NoResult(self.evidence.no_result));
        }
    }

    fn paths(
        &self,
        partner: &Node<'_>,
        input: usize,
        source: &Node<'_>,
        old_key: &str,
    ) -> Vec<Change> {
        let Key::Op(map) = &partner.key else {
            return Vec::new();
        };
        let old_source = partner
            .inputs
            .get(input)
            .and_then(|(at, _)| self.old.nodes.get(*at));
        let selections = map.inputs.get(input).and_then(|key| key.content.as_ref());
        let (Some(old), Some(new), Some(selections)) = (
            old_source.and_then(|node| node.files.as_ref()),
            source.files.as_ref(),
            selections,
        ) else {
            return Vec::new();
        };
        let (old_known, new_known) = self.raw;
        let old_raw = old_source.and_then(|node| folder(old_known, node));
        let new_raw = folder(new_known, source);
        changes((old, old_raw), (new.tree(), new_raw), selections, old_key)
    }

    fn source_cause(&self, at: usize, node: &Node<'_>) -> Cause {
        let new = node.identifier().to_owned();
        let same = self.partners.same_source(at);
        let same = same.and_then(|old| self.old.nodes.get(old));
        if let (Some(old), Some((scheme, _))) = (same, scheme(&new)) {
            return Cause::SourceChanged {
                scheme,
                old: resolved(old),
                new: resolved(node),
            };
        }
        let other = self.partners.of(at).and_then(|old| self.old.nodes.get(old));
        match other {
            Some(old) => Cause::SourceOther {
                old: old.identifier().to_owned(),
                new,
            },
            None => Cause::SourceNew { new },
        }
    }

    fn add_same_layers(&self, node: &Node<'_>, found: Option<usize>, verdict: &mut Verdict) {
        let found = found.and_then(|found| self.old.nodes.get(found));
        let is_image = matches!(
            scheme(node.identifier()),
            Some((Scheme::Image | Scheme::Layout, _))
        );
        if let (true, Some(old)) = (is_image, found) {
            let (old, new) = (resolved(old), resolved(node));
            if old != new {
                verdict.same_layers = Some(SameLayers { old, new });
            }
        }
    }

    /// The roots of what a step follows.
    fn add_roots(&mut self, verdict: &mut Verdict) {
        let certain = |follow: &Follow| follow.bytes != Bytes::NotKnown;
        let is_only = verdict.causes.is_empty() && verdict.follows.len() == 1;
        for follow in &verdict.follows {
            let Some(above) = self.verdicts.get(follow.step) else {
                continue;
            };
            let own = (!above.causes.is_empty()).then_some(follow.step);
            let most = MOST_ROOTS.min(self.roots_left).max(1);
            let add = |to: &mut BTreeSet<usize>, from: &BTreeSet<usize>| {
                for root in own.iter().chain(from) {
                    if to.len() < most {
                        to.insert(*root);
                    }
                }
            };
            add(&mut verdict.roots_may, &above.roots_may);
            if is_only || certain(follow) {
                add(&mut verdict.roots_must, &above.roots_must);
            }
        }
        let roots = verdict.roots_may.len() + verdict.roots_must.len();
        self.roots_left = self.roots_left.saturating_sub(roots);
    }
}

/// All files of the folder that a local source is of.
fn folder<'a>(known: &'a Known, node: &Node<'_>) -> Option<&'a Tree> {
    let (_, name) = scheme(node.identifier())?;
    known.folders.get(name)
}

/// What a source was resolved to.
fn resolved(node: &Node<'_>) -> String {
    match &node.key {
        Key::Source { resolved, .. } => resolved.clone().unwrap_or_default(),
        _ => String::new(),
    }
}

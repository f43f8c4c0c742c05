//! Sources that were resolved to something else, or are others.

use super::comparison::Comparison;
use crate::builds::cause::{Cause, SameLayers, Verdict};
use crate::builds::graph::{Key, Node};
use crate::builds::source::{Scheme, scheme};
use crate::prelude::*;

impl Comparison<'_, '_> {
    pub fn source_cause(&self, at: usize, node: &Node<'_>) -> Cause {
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

    /// The image that an image with another digest is known to have the layers of: a step
    /// was a hit on it, and a hit needs the same layers. `found` is the one with its key.
    pub fn proven(&self, at: usize, node: &Node<'_>, found: Option<usize>) -> Option<usize> {
        let scheme = scheme(node.identifier())?.0;
        let is_image = matches!(scheme, Scheme::Image | Scheme::Layout);
        let same = self.partners.same_source(at)?;
        let is_proven = is_image && found.is_none() && self.hit_on.contains(&at);
        is_proven.then_some(same)
    }

    pub fn add_same_layers(&self, node: &Node<'_>, found: Option<usize>, verdict: &mut Verdict) {
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
}

/// What a source was resolved to.
fn resolved(node: &Node<'_>) -> String {
    match &node.key {
        Key::Source { resolved, .. } => resolved.clone().unwrap_or_default(),
        _ => String::new(),
    }
}

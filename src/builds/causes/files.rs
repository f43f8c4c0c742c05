//! Which files of a local source are others (Builds spec, section 6.4).

use super::comparison::Comparison;
use crate::builds::changes::{Change, changes};
use crate::builds::graph::{Key, Known, Node};
use crate::builds::source::scheme;
use crate::builds::tree::Tree;
use crate::prelude::*;

impl Comparison<'_, '_> {
    pub fn paths(
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
}

/// All files of the folder that a local source is of.
fn folder<'a>(known: &'a Known, node: &Node<'_>) -> Option<&'a Tree> {
    let (_, name) = scheme(node.identifier())?;
    known.folders.get(name)
}

//! The steps with a cause of their own that a step comes from.

use super::comparison::Comparison;
use crate::builds::cause::{Bytes, Follow, Verdict};
use crate::prelude::*;

/// Of no step more roots are told, nor of all steps together: a chain of steps that all
/// changed would have a root for each pair of them.
const MOST_ROOTS: usize = 64;
pub const ALL_ROOTS: usize = 1_000_000;

impl Comparison<'_, '_> {
    /// The roots of what a step follows.
    pub fn add_roots(&mut self, verdict: &mut Verdict) {
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

//! Steps that no step has the definition of.

use super::comparison::Comparison;
use crate::builds::cause::{Cause, Verdict};
use crate::builds::difference::fields;
use crate::builds::graph::Node;
use crate::prelude::*;

impl Comparison<'_, '_> {
    pub fn explain_definition(
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
}

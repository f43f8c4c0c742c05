//! Taking over the definitions of a stackerfile (stacker spec, section 3).

use super::definition::Definition;
use super::options::{LayerDefinition, Reading, Semantics};
use super::reason::{Fault, Reason};
use super::state::Session;
use crate::host::{Filesystem, Observer};
use crate::limits::Limit;
use crate::prelude::*;

impl<F: Filesystem, O: Observer> Session<F, O> {
    /// Replaces all definitions, or none.
    pub(super) fn define_all(&mut self, definitions: &[LayerDefinition]) -> Result<(), Fault> {
        let count = u64::try_from(definitions.len()).unwrap_or(u64::MAX);
        self.limits
            .check(Limit::Layers, count, "define", "definitions")?;
        let unknown = Semantics {
            reading: self.reading,
            version: None,
        }
        .unknown_members();
        let mut parsed = BTreeMap::new();
        for LayerDefinition { name, document } in definitions {
            let size = u64::try_from(document.len()).unwrap_or(u64::MAX);
            self.limits
                .check(Limit::DocumentBytes, size, "define", name)?;
            let schema = self.version.schema();
            let definition = Definition::read(name, document, schema, self.depth(), unknown)?;
            if self.reading == Reading::Guarded {
                definition.check_names(name)?;
            }
            if parsed.insert(name.clone(), Rc::new(definition)).is_some() {
                return Err(Fault::new(
                    Reason::BadDefinition,
                    name,
                    "the name is defined twice",
                ));
            }
        }
        self.base_tags.clear();
        for definition in parsed.values() {
            if let Some(tag) = definition.from.image_tag() {
                let urls = self.base_tags.entry(tag).or_default();
                urls.insert(definition.from.url.clone());
            }
        }
        self.definitions = parsed;
        self.refresh();
        Ok(())
    }
}

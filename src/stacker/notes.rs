//! What the caller should know about a hit.

use super::definition::Definition;
use super::options::Reading;
use super::reason::Reason;
use super::state::Session;
use crate::explain::{Difference, Finding};
use crate::host::{Filesystem, Observer};
use crate::prelude::*;

impl<F: Filesystem, O: Observer> Session<F, O> {
    /// What to know about a hit.
    pub(super) fn notes(&self, name: &str) -> Vec<Finding> {
        let Some(definition) = self.definitions.get(name) else {
            return Vec::new();
        };
        let mut notes = Vec::new();
        let entry = self.entries.get(name).map(|entry| entry.digest());
        let entry = entry.unwrap_or_default();
        let unchecked = definition.imports.iter().filter(|import| {
            let recorded = self.build.is_some() && self.reading == Reading::Guarded;
            let compared = recorded && self.guard.import(name, entry, &import.path).is_some();
            import.unchecked && !import.is_pinned() && !compared
        });
        let unchecked: Vec<_> = unchecked
            .map(|import| Difference::fact("import", &import.path))
            .collect();
        if !unchecked.is_empty() {
            notes.push(Finding::new(Reason::ImportUnchecked, name).with(unchecked));
        }
        if definition.has_binds {
            notes.push(Finding::new(Reason::BindsRebuild, name));
        }
        if let (Some(Reason::TypeMissing), Some(build)) = (self.rebuilds(name), &self.build) {
            let wanted = Difference::fact("type", build.types.join(" "));
            notes.push(Finding::new(Reason::TypeMissing, name).with([wanted]));
        }
        let copies = self.stands_on_copies(name);
        if !copies.is_empty() {
            let copies = copies
                .into_iter()
                .map(|source| Difference::fact("source", source));
            notes.push(Finding::new(Reason::StandsOnCopy, name).with(copies));
        }
        if let Some(base) = definition.built_on()
            && self.reading == Reading::Guarded
            && self.guard.base(name, entry).is_none()
        {
            let base = Difference::fact("base", base);
            notes.push(Finding::new(Reason::BaseUnguarded, name).with([base]));
        }
        notes.extend(self.shared_tag(name, definition));
        notes
    }

    /// The other addresses whose images are kept under the tag of this layer's
    /// base.
    fn shared_tag(&self, name: &str, definition: &Definition) -> Option<Finding> {
        let tag = definition.from.image_tag()?;
        let urls = self.base_tags.get(&tag)?;
        let others: Vec<_> = urls
            .iter()
            .filter(|url| **url != definition.from.url)
            .map(|url| Difference::fact("base", url))
            .collect();
        if others.is_empty() {
            return None;
        }
        let tag = Difference::fact("tag", tag);
        Some(
            Finding::new(Reason::BaseTagShared, name)
                .with([tag])
                .with(others),
        )
    }
}

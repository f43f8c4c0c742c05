//! What the codes of findings mean, as the component that is run has it.

use std::cell::OnceCell;

use layerwise_host::Rule;

use crate::args::Global;
use crate::failed::Failed;
use crate::io;

/// The catalogue of the component. It is asked for when it is first needed, and that is
/// not recorded: it belongs to no decision.
pub struct Catalogue<'a> {
    global: &'a Global,
    rules: OnceCell<Vec<Rule>>,
}

impl<'a> Catalogue<'a> {
    /// That of the component that the options say.
    pub const fn new(global: &'a Global) -> Self {
        Self {
            global,
            rules: OnceCell::new(),
        }
    }

    /// Every rule.
    pub fn all(&self) -> Result<&[Rule], Failed> {
        if let Some(rules) = self.rules.get() {
            return Ok(rules);
        }
        let rules = io::engine(self.global)?.unrecorded().rules()?;
        Ok(self.rules.get_or_init(|| rules))
    }

    /// What a code means; `None` if the component does not know it. A decision is shown
    /// also if the component does not say what its codes mean.
    pub fn find(&self, code: &str) -> Option<&Rule> {
        let all = self.all().unwrap_or_default();
        all.iter().find(|rule| rule.code == code)
    }
}

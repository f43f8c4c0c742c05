//! The catalogue of codes, as the component gives it.

use crate::bindings::layerwise::cache::types as wit;

/// What a code means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// The stable code.
    pub code: String,
    /// The section of the specification it comes from.
    pub section: String,
    /// What it says.
    pub meaning: String,
    /// One line that shows it.
    pub example: String,
    /// What to do about it.
    pub advice: String,
}

impl From<wit::Rule> for Rule {
    fn from(rule: wit::Rule) -> Self {
        Self {
            code: rule.code,
            section: rule.section,
            meaning: rule.meaning,
            example: rule.example,
            advice: rule.advice,
        }
    }
}

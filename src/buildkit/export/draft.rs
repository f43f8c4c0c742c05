//! What an export would write, before it becomes a plan or is pushed.

use super::document::Document;
use super::layout::Layout;
use crate::buildkit::options::Form;
use crate::buildkit::reason::Finding;
use crate::error::Error;
use crate::prelude::*;

/// Everything a push needs.
pub(crate) struct Draft {
    pub form: Option<Form>,
    pub layout: Layout,
    /// The config, or the time that cannot be written.
    pub config: Result<Document, Error>,
    pub manifest: Document,
    pub findings: Vec<Finding>,
}

impl Draft {
    /// Nothing is to be written.
    pub fn empty(&self) -> bool {
        self.layout.layers.is_empty() && self.form != Some(Form::List2020)
    }
}

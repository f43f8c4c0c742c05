//! The implementation that is asked what vectors ask, such as the native library.

use layerwise::builds::testing::{Question, answer};
use layerwise::error::Error;
use serde_json::Value;

/// An implementation of what vectors ask.
pub trait Subject {
    /// Answers a question with all it needs, as JSON.
    ///
    /// # Errors
    /// What the implementation refuses.
    fn answer(&self, question: Question, document: &str) -> Result<String, Error>;
}

/// The native library, without a component in between.
#[derive(Clone, Copy, Debug, Default)]
pub struct Native;

impl Subject for Native {
    fn answer(&self, question: Question, document: &str) -> Result<String, Error> {
        answer(question, document)
    }
}

/// Asks in JSON.
pub(super) fn ask(
    subject: &dyn Subject,
    question: Question,
    document: &Value,
) -> Result<Value, String> {
    let answer = subject.answer(question, &document.to_string());
    let answer = answer.map_err(|error| error.to_string())?;
    serde_json::from_str(&answer).map_err(|error| error.to_string())
}

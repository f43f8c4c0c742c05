//! One decision of the demonstration.

use serde::Serialize;
use serde_json::{Map, Value};

use crate::failed::Failed;
use crate::page::Page;

/// One decision.
#[derive(Serialize)]
pub struct Scene {
    pub system: &'static str,
    pub title: &'static str,
    /// The command line that asks the same of real things.
    pub command: &'static str,
    /// What was asked and answered, as documents have it.
    #[serde(flatten)]
    pub members: Map<String, Value>,
    /// The same as text.
    #[serde(skip)]
    pub show: Box<dyn Fn(&mut Page)>,
}

/// The members of a scene, from what its command would print.
pub fn object(document: &impl Serialize) -> Result<Map<String, Value>, Failed> {
    match serde_json::to_value(document) {
        Ok(Value::Object(members)) => Ok(members),
        Ok(other) => Err(Failed::new("other", format!("not an object: {other}"))),
        Err(error) => Err(Failed::new("other", format!("cannot write json: {error}"))),
    }
}

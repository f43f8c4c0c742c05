//! What `buildpacks restore`, `plan` and `explain` print.

use std::path::Path;

use layerwise::buildpacks::{DataDecision, GroupElement, RestorePlan};
use layerwise::explain::{Explanation, Finding};
use layerwise::semantics::Semantics;
use serde::Serialize;

/// What is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verb {
    Restore,
    Plan,
    Explain,
}

/// The answer.
#[derive(Serialize)]
pub struct Document<'a> {
    pub schema: &'static str,
    pub command: Verb,
    pub semantics: Semantics,
    pub platform_api: &'a str,
    pub layers: &'a Path,
    pub directory: &'a str,
    pub group: Vec<GroupElement>,
    pub app: Option<App>,
    pub cache: Option<Cache>,
    pub plan: Option<RestorePlan>,
    pub data: Option<Vec<DataDecision>>,
    pub explanation: Option<Explanation>,
}

/// Where the application's metadata comes from.
#[derive(Serialize)]
pub struct App {
    pub from: &'static str,
    pub name: String,
    pub found: bool,
}

/// Where the cache's metadata comes from.
#[derive(Serialize)]
pub struct Cache {
    pub from: &'static str,
    pub name: String,
    pub digest: Option<String>,
    pub finding: Finding,
}

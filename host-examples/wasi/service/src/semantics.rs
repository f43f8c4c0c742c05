//! Which reading a request asks for.

use layerwise::semantics::Semantics;
use schemars::JsonSchema;
use serde::Deserialize;

/// As the documents of the command line have it; guarded unless it says otherwise.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "semantics-request")]
pub struct Asked {
    #[serde(default)]
    reading: Reading,
    #[serde(default)]
    version: Option<String>,
}

#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(rename = "reading")]
enum Reading {
    #[default]
    Guarded,
    Compatible,
}

impl From<Asked> for Semantics {
    fn from(asked: Asked) -> Self {
        let semantics = match asked.reading {
            Reading::Guarded => Self::guarded(),
            Reading::Compatible => Self::compatible(None),
        };
        Self {
            version: asked.version,
            ..semantics
        }
    }
}

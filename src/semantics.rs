//! Which reading of the rules a session follows.

use serde::Serialize;

use crate::prelude::*;

/// How to treat what upstream does wrong.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reading {
    /// Refuses what the upstream system should have refused.
    #[default]
    Guarded,
    /// Does what the named upstream version does, byte for byte.
    Compatible,
}

/// A reading and the upstream version whose rules it starts from.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Semantics {
    /// The reading.
    pub reading: Reading,
    /// An upstream version each system lists; none means its newest one.
    pub version: Option<String>,
}

impl Semantics {
    /// The guarded reading of the newest version.
    pub const fn guarded() -> Self {
        Self {
            reading: Reading::Guarded,
            version: None,
        }
    }

    /// The compatible reading of a version, or of the newest one.
    pub fn compatible(version: Option<&str>) -> Self {
        Self {
            reading: Reading::Compatible,
            version: version.map(ToOwned::to_owned),
        }
    }

    /// Whether this is the guarded reading.
    pub fn is_guarded(&self) -> bool {
        self.reading == Reading::Guarded
    }
}

//! The rules that changed between versions of the engine, as data (Docker spec,
//! section 12, and the format page of the real engine's vectors).

use super::reason::Reason;
use crate::error::{Error, Problem};
use crate::go_json::Escapes;
use crate::prelude::*;
use crate::semantics::{Reading, Semantics};

/// Which fields of a container config are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compared {
    /// All but `Hostname`, `Domainname`, `Image` and `MacAddress`.
    All,
    /// Ten fields, and never with `OpenStdin`: before CVE-2024-24557 was fixed.
    Early,
}

/// In which order the members of a restored image document are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// As the fields are declared.
    Declared,
    /// Sorted by name.
    Sorted,
}

/// What a reader of documents does in some versions only.
pub mod marks {
    /// `Cmd`, `Entrypoint` and `Shell` may be a bare string, one element.
    pub const BARE_WORDS: u8 = 1;
    /// Port keys are normalised and ranges refused; otherwise any text.
    pub const CANONICAL_PORTS: u8 = 2;
    /// `MacAddress` is a field; never compared.
    pub const MAC_ADDRESS: u8 = 4;
}

/// The rules of one version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rules {
    /// Order of members in a restored document.
    pub order: Order,
    /// What a restored document says in `docker_version`, if anything.
    pub docker_version: Option<String>,
    /// How U+0008 and U+000C are written.
    pub escapes: Escapes,
    /// How documents are read: [`marks`].
    pub reading: u8,
    /// `OnBuild` is written even when it is empty.
    pub write_on_build: bool,
    /// An absent time is 0001-01-01T00:00:00Z, in documents and comparisons.
    pub zero_time: bool,
    /// History entries are written with `author` before `created_by`.
    pub author_first: bool,
    /// What config equality looks at.
    pub compared: Compared,
    /// Only images that were built here, and for the build's platform, answer
    /// locally.
    pub checked: bool,
    /// arm64 variants v8 to v9.7 are a ladder; otherwise the given variant and
    /// the arm variants.
    pub arm64_ladder: bool,
    /// An image's os.features must be among the builder's.
    pub os_features: bool,
    /// The platform of a stage's base image goes before that of the build.
    pub base_platform: bool,
    /// Windows versions are compared on every host, not on Windows only.
    pub windows_everywhere: bool,
}

impl Rules {
    /// The rules of a version, the newest when none is named. The guarded
    /// reading makes the checks that the version should have made (threat T1).
    ///
    /// # Errors
    /// `unsupported` for a version without rules here.
    pub fn of(semantics: &Semantics) -> Result<Self, Error> {
        let rules = match semantics.version.as_deref() {
            None | Some("29.9") => Self::newest(),
            Some("29") => Self::v29(),
            Some("26.0") => Self::v26_0(),
            Some("20.10") => Self::v20_10(),
            Some(other) => {
                return Err(Error::Unsupported(Problem::new(
                    Reason::UnknownVersion,
                    "open",
                    other,
                    "no rules for this version of docker; known are 29.9, 29, 26.0 and 20.10",
                )));
            }
        };
        Ok(match semantics.reading {
            Reading::Compatible => rules,
            Reading::Guarded => Self {
                compared: Compared::All,
                checked: true,
                ..rules
            },
        })
    }

    pub fn newest() -> Self {
        Self {
            order: Order::Declared,
            docker_version: None,
            escapes: Escapes::Short,
            reading: marks::CANONICAL_PORTS,
            write_on_build: false,
            zero_time: false,
            author_first: false,
            compared: Compared::All,
            checked: true,
            arm64_ladder: true,
            os_features: true,
            base_platform: true,
            windows_everywhere: true,
        }
    }

    /// Before moby PR 53503.
    fn v29() -> Self {
        Self {
            base_platform: false,
            ..Self::newest()
        }
    }

    /// The first version whose cache is independent of the store.
    fn v26_0() -> Self {
        Self {
            docker_version: Some("26.0.0".to_owned()),
            escapes: Escapes::Long,
            reading: marks::BARE_WORDS | marks::MAC_ADDRESS,
            write_on_build: true,
            arm64_ladder: false,
            os_features: false,
            windows_everywhere: false,
            ..Self::v29()
        }
    }

    fn v20_10() -> Self {
        Self {
            order: Order::Sorted,
            docker_version: Some("20.10.24".to_owned()),
            zero_time: true,
            author_first: true,
            compared: Compared::Early,
            checked: false,
            ..Self::v26_0()
        }
    }
}

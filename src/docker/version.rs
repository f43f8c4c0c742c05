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

/// What is said of a version without rules.
pub const UNKNOWN: &str = "no rules for this version of docker; known are 29.9, 29, 26.0 and 20.10";

/// The versions that rules are named by, oldest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Named {
    V20Dot10,
    V26,
    V29,
    V29Dot9,
}

/// A version of an engine, as far as rules depend on it (Docker spec, section 12).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Version {
    /// The newest rules that are not newer.
    pub rules: Named,
    /// It compares all of a config, and looks at platforms and where images were built:
    /// CVE-2024-24557 is fixed.
    checks: bool,
    /// Its own words, if it names one release.
    exact: Option<String>,
}

impl Version {
    /// Reads `29.9`, `28`, `v27.5.1` or `20.10.24+dfsg1`: one to three numbers, and what
    /// a distribution adds; `None` before 20.10 and for anything else. One that names no
    /// release is the last of its line, but for the names of the rules themselves.
    pub fn read(text: &str) -> Option<Self> {
        let plain = text.strip_prefix('v').unwrap_or(text);
        let numbers = plain.split(['+', '-', '~']).next().unwrap_or_default();
        let mut parts = numbers.split('.').map(|part| {
            let digits = !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
            part.parse::<u32>().ok().filter(|_| digits)
        });
        let major = parts.next()??;
        let mut rest = [None; 2];
        for place in &mut rest {
            *place = parts.next().map(|part| part.ok_or(())).transpose().ok()?;
        }
        if parts.next().is_some() {
            return None;
        }
        let [minor, patch] = rest;
        let rules = match (major, minor.unwrap_or(0)) {
            (29, 9..) | (30.., _) => Named::V29Dot9,
            (29, _) => Named::V29,
            (26..=28, _) => Named::V26,
            (21..=25, _) | (20, 10..) => Named::V20Dot10,
            _ => return None,
        };
        let last = u32::MAX;
        let checks = match (major, minor.unwrap_or(last), patch.unwrap_or(last)) {
            (23..=25, 1.., _) | (26.., ..) => true,
            (23, 0, patch) => patch >= 10,
            (24, 0, patch) => patch >= 9,
            (25, 0, patch) => patch >= 2,
            _ => false,
        };
        Some(Self {
            rules,
            checks,
            exact: patch.map(|_| plain.to_owned()),
        })
    }
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
        let version = match semantics.version.as_deref() {
            None => None,
            Some(text) => Some(Version::read(text).ok_or_else(|| {
                Error::Unsupported(Problem::new(Reason::UnknownVersion, "open", text, UNKNOWN))
            })?),
        };
        let mut rules = match version.as_ref().map_or(Named::V29Dot9, |known| known.rules) {
            Named::V29Dot9 => Self::newest(),
            Named::V29 => Self::v29(),
            Named::V26 => Self::v26_0(),
            Named::V20Dot10 => Self::v20_10(),
        };
        if let Some(version) = version {
            if version.checks {
                rules.compared = Compared::All;
                rules.checked = true;
            }
            if let Some(own) = version.exact.filter(|_| rules.docker_version.is_some()) {
                rules.docker_version = Some(own);
            }
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(version: &str) -> Rules {
        Rules::of(&Semantics::compatible(Some(version))).unwrap()
    }

    #[test]
    fn a_version_has_the_rules_before_it() {
        for (version, named) in [
            ("29.9", Named::V29Dot9),
            ("29.9.3", Named::V29Dot9),
            ("29.10.0", Named::V29Dot9),
            ("30", Named::V29Dot9),
            ("29", Named::V29),
            ("29.0", Named::V29),
            ("29.8.1", Named::V29),
            ("28", Named::V26),
            ("28.3", Named::V26),
            ("v27.5.1-rc.1", Named::V26),
            ("26.0", Named::V26),
            ("25.0.1", Named::V20Dot10),
            ("23", Named::V20Dot10),
            ("20.10", Named::V20Dot10),
            ("20.10.24+dfsg1", Named::V20Dot10),
        ] {
            let read = Version::read(version);
            assert_eq!(read.map(|read| read.rules), Some(named), "{version}");
        }
        for text in [
            "",
            "v",
            "latest",
            "7",
            "17.03",
            "19.03.15",
            "20",
            "20.9",
            "29.",
            "29.9.3.1",
            "29.x",
            "29. 9",
            "+29",
            "-1",
            "29,9",
            "99999999999",
        ] {
            assert_eq!(Version::read(text), None, "{text}");
        }
    }

    #[test]
    fn the_names_of_rules_mean_what_they_meant() {
        assert_eq!(rules("29.9"), Rules::newest());
        assert_eq!(rules("29"), Rules::v29());
        assert_eq!(rules("26.0"), Rules::v26_0());
        assert_eq!(rules("20.10"), Rules::v20_10());
    }

    #[test]
    fn a_release_knows_when_it_was_fixed_and_what_it_is_called() {
        for (version, checked) in [
            ("20.10.24", false),
            ("23.0.9", false),
            ("23.0.10", true),
            ("24.0.8", false),
            ("24.0.9", true),
            ("25.0.1", false),
            ("25.0.2", true),
            ("25", true),
        ] {
            let rules = rules(version);
            let early = rules.compared == Compared::Early;
            assert_eq!((rules.checked, !early), (checked, checked), "{version}");
        }
        assert_eq!(rules("20.10.7").docker_version.as_deref(), Some("20.10.7"));
        assert_eq!(rules("29.9.3").docker_version, None);
    }
}

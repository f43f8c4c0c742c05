//! The rules that changed between versions of the lifecycle, as data, and the
//! versions of its APIs (Buildpacks spec, sections 0, 1, 6 and 9).

use core::fmt;
use core::str::FromStr;

use super::reason::Reason;
use crate::error::{Error, Problem};
use crate::prelude::*;
use crate::semantics::Semantics;

/// How floats are written in TOML (Buildpacks spec, section 5.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Floats {
    /// An exponent below 1e-4 and from 1e6 on.
    Exponent,
    /// Never an exponent.
    Plain,
}

/// When the flags of a layer are written into its metadata file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FlagLines {
    /// For buildpacks with an API below 0.6.
    ByApi,
    /// Never.
    Never,
}

/// The rules of one reading of one version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rules {
    /// What upstream should have refused is refused (deviations D1 to D12).
    pub guarded: bool,
    /// A layer with the launch and cache flags that only the cache knows is
    /// restored from Platform API 0.14 on.
    pub launch_fallback: bool,
    /// When flags are written.
    pub flag_lines: FlagLines,
    /// How floats are written.
    pub floats: Floats,
    /// A list may mix tables and other values.
    pub mixed_lists: bool,
    /// A cache image with a missing blob is not believed.
    pub corrupt_check: bool,
    /// A layer that is not there is told apart from one that cannot be read.
    pub read_class: bool,
    /// An image without layers gets an empty one.
    pub empty_layer: bool,
    /// Whether the old image is deleted is the caller's choice.
    pub deletion_switch: bool,
    /// A reused layer goes into the new image twice.
    pub reused_twice: bool,
}

impl Rules {
    /// The rules of a reading. Versions: none or `0.21` for the newest known
    /// rules, `0.13` for those of v0.12 and v0.13.
    ///
    /// # Errors
    /// `unsupported` for any other version.
    pub fn of(semantics: &Semantics) -> Result<Self, Error> {
        let guarded = semantics.is_guarded();
        let newest = match semantics.version.as_deref() {
            None | Some("0.21") => true,
            Some("0.13") => false,
            Some(other) => {
                return Err(Error::Unsupported(Problem::new(
                    Reason::UnknownVersion,
                    "open",
                    other,
                    "no rules for this version of the lifecycle; known are 0.21 and 0.13",
                )));
            }
        };
        Ok(Self {
            guarded,
            launch_fallback: newest,
            flag_lines: if newest && !guarded {
                FlagLines::Never
            } else {
                FlagLines::ByApi
            },
            floats: if newest {
                Floats::Exponent
            } else {
                Floats::Plain
            },
            mixed_lists: newest,
            corrupt_check: newest || guarded,
            read_class: newest || guarded,
            empty_layer: newest || guarded,
            deletion_switch: newest || guarded,
            reused_twice: newest && !guarded,
        })
    }
}

/// A version of the Platform API or of the Buildpack API. Versions compare by
/// number: 0.10 is above 0.9.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ApiVersion {
    /// Before the dot.
    pub major: u64,
    /// After it.
    pub minor: u64,
}

impl ApiVersion {
    /// `major.minor`
    pub const fn new(major: u64, minor: u64) -> Self {
        Self { major, minor }
    }
}

/// From this Platform API on the lifecycle keeps the old image of a cache.
const KEEPS_ORIGINAL: ApiVersion = ApiVersion::new(0, 13);

/// Whether the lifecycle deletes the old image of a cache after a commit.
///
/// # Errors
/// As of [`platform_api`].
pub fn deletes_original(platform: &str, operation: &'static str) -> Result<bool, Error> {
    Ok(platform_api(platform, operation)? < KEEPS_ORIGINAL)
}

/// The Platform APIs that there are.
const PLATFORM_APIS: (ApiVersion, ApiVersion) = (ApiVersion::new(0, 1), ApiVersion::new(0, 15));

/// A version of the Platform API that exists.
///
/// # Errors
/// `invalid` for other texts, `unsupported` for other versions: what they would
/// decide is not known.
pub fn platform_api(text: &str, operation: &'static str) -> Result<ApiVersion, Error> {
    let problem = |words: String| Problem::new(Reason::InvalidPlatformApi, operation, text, words);
    let version: ApiVersion = text
        .parse()
        .map_err(|_| Error::Invalid(problem("not a version of the platform api".to_owned())))?;
    let (first, newest) = PLATFORM_APIS;
    if version < first || version > newest {
        let words = format!("there is no such platform api: known are {first} to {newest}");
        return Err(Error::Unsupported(problem(words)));
    }
    Ok(version)
}

/// Text that is not an API version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidApi;

impl FromStr for ApiVersion {
    type Err = InvalidApi;

    /// An optional `v`, digits, an optional dot, optional digits.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text.strip_prefix('v').unwrap_or(text);
        let (major, minor) = text.split_once('.').unwrap_or((text, ""));
        let number = |digits: &str| {
            digits
                .bytes()
                .all(|b| b.is_ascii_digit())
                .then(|| digits.parse().ok())
                .flatten()
                .ok_or(InvalidApi)
        };
        Ok(Self {
            major: number(major)?,
            minor: if minor.is_empty() { 0 } else { number(minor)? },
        })
    }
}

impl fmt::Display for ApiVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn api_versions_read_as_upstream_reads_them() {
        for (text, want) in [
            ("1", Some((1, 0))),
            ("1.", Some((1, 0))),
            ("v0.10", Some((0, 10))),
            ("00.6", Some((0, 6))),
            ("06", Some((6, 0))),
            ("18446744073709551615.1", Some((u64::MAX, 1))),
            ("18446744073709551616", None),
            ("0.18446744073709551616", None),
            ("", None),
            ("v", None),
            (".5", None),
            ("0.1.2", None),
            ("-1", None),
            ("+1", None),
            ("0.+1", None),
            ("vv1", None),
            ("0.6 ", None),
            ("0.6\n", None),
            ("\u{661}.1", None),
        ] {
            let want = want.map(|(major, minor)| ApiVersion::new(major, minor));
            assert_eq!(text.parse().ok(), want, "{text:?}");
        }
        assert_eq!(ApiVersion::new(0, 10).to_string(), "0.10");
        assert!(ApiVersion::new(0, 10) > ApiVersion::new(0, 9));
    }

    #[test]
    fn platform_apis_that_do_not_exist_are_refused() {
        for text in ["0.1", "0.7", "v0.14", "0.15"] {
            assert!(platform_api(text, "open").is_ok(), "{text:?}");
        }
        for text in ["0", "0.0", "0.16", "0.99", "1.0", "14"] {
            let error = platform_api(text, "open").unwrap_err();
            assert!(matches!(error, Error::Unsupported(_)), "{text:?}");
        }
        assert_eq!(deletes_original("0.12", "commit"), Ok(true));
        assert_eq!(deletes_original("0.13", "commit"), Ok(false));
        let error = platform_api("x", "open").unwrap_err();
        assert!(matches!(error, Error::Invalid(_)));
    }

    #[test]
    fn versions_differ_where_upstream_did() {
        let of = |semantics: Semantics| Rules::of(&semantics).unwrap();
        let guarded = of(Semantics::guarded());
        assert_eq!(guarded.flag_lines, FlagLines::ByApi);
        let newest = of(Semantics::compatible(None));
        assert!(newest.launch_fallback && newest.flag_lines == FlagLines::Never);
        let seed = of(Semantics::compatible(Some("0.13")));
        assert!(!seed.launch_fallback && !seed.empty_layer && seed.floats == Floats::Plain);
        assert!(Rules::of(&Semantics::compatible(Some("0.1"))).is_err());
    }
}

//! How a session is opened: the reading, the form of the manifest, choices.

use super::documents::media;
use super::reason::{Reason, invalid};
use crate::error::{Error, Problem};
use crate::host::Source;
use crate::limits::{Limit, Limits};
use crate::prelude::*;
use crate::semantics::Semantics;

/// The newest rules by name: importing keeps every link.
const NEWEST: &str = "0.33";
/// The rules since 0.25, whose importers may lose links.
const LOSING: &str = "0.32";
/// The rules of 2020-10-22, between 0.7 and 0.8.
const OF_2020: &str = "0.8-dev";

/// The limits of a session, see `wit/buildkit.wit`.
pub(crate) type SessionLimits = Limits<5>;

/// The defaults of the limits.
pub(crate) const LIMITS: SessionLimits = Limits::new([
    (Limit::Records, 250_000),
    (Limit::Links, 1_000_000),
    (Limit::Layers, 1_000_000),
    (Limit::Steps, 50_000_000),
    (Limit::DocumentBytes, 64 << 20),
]);

/// The form of a manifest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// Docker's list, as written in 2020.
    List2020,
    /// Docker's list.
    List,
    /// OCI's index.
    Index,
    /// OCI's image manifest.
    Image,
}

impl Form {
    /// Its media type.
    pub const fn media_type(self) -> &'static str {
        match self {
            Self::List2020 | Self::List => media::DOCKER_LIST,
            Self::Index => media::OCI_INDEX,
            Self::Image => media::OCI_MANIFEST,
        }
    }
}

/// Choices of the opener; none are set by default.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Policy {
    /// Export the newest result that is whole, where upstream exports none when
    /// the newest is not.
    pub fall_back: bool,
    /// Keep results of one instant and length apart when their digests differ.
    pub strict_results: bool,
    /// Refuse, before anything is written, what readers would refuse: a config or
    /// manifest above 1 MiB, or a time that has no text.
    pub check_first: bool,
}

/// How to open an exporter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// The reading, and the version of the rules.
    pub semantics: Semantics,
    /// OCI media types; otherwise Docker's.
    pub oci: bool,
    /// An image manifest; otherwise a list of layers. Needs `oci`.
    pub image: bool,
    /// Choices.
    pub policy: Policy,
    /// Where layers are, unless a result says otherwise.
    pub source: Option<Source>,
    /// SessionLimits by name.
    pub limits: Vec<(String, u64)>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            semantics: Semantics::default(),
            oci: true,
            image: true,
            policy: Policy::default(),
            source: None,
            limits: Vec::new(),
        }
    }
}

impl Options {
    /// The form of the manifest; `None` where the options do not go together.
    pub(crate) fn form(&self, era: Era) -> Option<Form> {
        match (era, self.oci, self.image) {
            (Era::Rules2020, ..) => Some(Form::List2020),
            (Era::Newest, false, false) => Some(Form::List),
            (Era::Newest, true, false) => Some(Form::Index),
            (Era::Newest, true, true) => Some(Form::Image),
            (Era::Newest, false, true) => None,
        }
    }
}

/// Which rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Era {
    Rules2020,
    Newest,
}

/// The rules a version stands for.
///
/// # Errors
/// `unsupported` for a version that is not listed.
pub(crate) fn era(semantics: &Semantics, operation: &str) -> Result<Era, Error> {
    match semantics.version.as_deref() {
        None | Some(NEWEST | LOSING) => Ok(Era::Newest),
        Some(OF_2020) => Ok(Era::Rules2020),
        Some(other) => Err(Error::Unsupported(Problem::new(
            Reason::UnknownVersion,
            operation,
            other,
            format!("no such version; known are {NEWEST}, {LOSING} and {OF_2020}"),
        ))),
    }
}

/// Whether importers of a version may lose links. In which order they store
/// records changes from run to run, so that no reading can repeat it: every link
/// is kept, and what may be lost is reported.
pub(crate) fn loses_links(semantics: &Semantics) -> bool {
    semantics.version.as_deref() == Some(LOSING)
}

/// The form a user asks for with the attributes `oci-mediatypes` and
/// `image-manifest`: whether media types are OCI's, and whether an image
/// manifest is written (BuildKit spec, section 6.6). Other attributes are
/// passed over.
///
/// # Errors
/// `invalid` for a value that is not a bool.
pub fn attributes(given: &[(String, String)]) -> Result<(bool, bool), Error> {
    let mut oci = None;
    let mut image = None;
    for (name, value) in given {
        match name.as_str() {
            "oci-mediatypes" => oci = Some(bool(name, value)?),
            "image-manifest" => image = Some(bool(name, value)?),
            _ => {}
        }
    }
    let oci = oci.unwrap_or(true);
    Ok((oci, image.unwrap_or(oci)))
}

fn bool(name: &str, value: &str) -> Result<bool, Error> {
    match value {
        "1" | "t" | "T" | "TRUE" | "true" | "True" => Ok(true),
        "0" | "f" | "F" | "FALSE" | "false" | "False" => Ok(false),
        _ => Err(invalid(
            Reason::BadAttribute,
            "attributes",
            name,
            format!("failed to parse {name}: {value:?} is not a bool"),
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn absent_attributes() {
        let form = |given: &[(&str, &str)]| {
            let given: Vec<_> = given
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect();
            attributes(&given)
        };
        assert_eq!(form(&[]), Ok((true, true)));
        assert_eq!(
            form(&[("ref", "x"), ("oci-mediatypes", "f")]),
            Ok((false, false))
        );
        assert_eq!(form(&[("oci-mediatypes", "T")]), Ok((true, true)));
        assert_eq!(form(&[("image-manifest", "0")]), Ok((true, false)));
        assert_eq!(
            form(&[("image-manifest", "1"), ("oci-mediatypes", "false")]),
            Ok((false, true))
        );
        assert!(form(&[("oci-mediatypes", "yes")]).is_err());
    }
}

//! Layer types as keys of a manifest map (stacker spec, section 3.1).

use super::reason::{Fault, Reason};
use crate::error::Error;
use crate::prelude::*;

/// A layer type: the kind of its archive, and whether it carries verity data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LayerType {
    /// Such as `tar` or `squashfs`.
    pub name: String,
    /// Whether it carries verity data.
    pub verity: bool,
    /// The text it is written as, such as `tar+false`.
    pub text: String,
}

impl LayerType {
    /// The layer type that a build is asked for with `TYPE`: stacker adds verity data
    /// to every type but `tar`; `TYPE+BOOL` is taken as it is.
    ///
    /// # Errors
    /// `bad-layer-type`.
    pub fn wanted(text: &str) -> Result<Self, Error> {
        wanted(text).map_err(|fault| fault.at("parse-layer-type"))
    }
}

/// Reads a layer type: `TYPE`, or `TYPE+BOOL` with any of Go's texts for a bool.
///
/// # Errors
/// `bad-layer-type`.
pub(crate) fn parse(text: &str) -> Result<LayerType, Fault> {
    let bad = || Fault::new(Reason::BadLayerType, text, "expected TYPE or TYPE+BOOL");
    let (name, verity) = match text.split_once('+') {
        None => (text, false),
        Some((name, "0" | "f" | "F" | "false" | "FALSE" | "False")) => (name, false),
        Some((name, "1" | "t" | "T" | "true" | "TRUE" | "True")) => (name, true),
        Some(_) => return Err(bad()),
    };
    Ok(LayerType {
        name: name.to_owned(),
        verity,
        text: format!("{name}+{verity}"),
    })
}

/// See [`LayerType::wanted`].
///
/// # Errors
/// `bad-layer-type`.
pub(crate) fn wanted(text: &str) -> Result<LayerType, Fault> {
    if text.contains('+') || text == "tar" {
        return parse(text);
    }
    parse(&format!("{text}+true"))
}

/// The text a layer type is written as; `None` if it is not one.
pub(crate) fn normalise(text: &str) -> Option<String> {
    parse(text).ok().map(|layer_type| layer_type.text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts() {
        for (text, want) in [
            ("tar+false", Some("tar+false")),
            ("tar", Some("tar+false")),
            ("squashfs+T", Some("squashfs+true")),
            ("", Some("+false")),
            ("+1", Some("+true")),
            ("a+", None),
            ("a+yes", None),
            ("a+true+b", None),
            ("a+tRUE", None),
        ] {
            assert_eq!(normalise(text).as_deref(), want, "{text}");
        }
    }
}

//! Layer types as keys of a manifest map (stacker spec, section 3.1).

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

/// Reads a layer type: `TYPE`, or `TYPE+BOOL` with any of Go's texts for a
/// bool. None for anything else.
pub(crate) fn parse(text: &str) -> Option<LayerType> {
    let mut parts = text.split('+');
    let name = parts.next().unwrap_or_default().to_owned();
    let verity = match parts.next() {
        None | Some("0" | "f" | "F" | "false" | "FALSE" | "False") => false,
        Some("1" | "t" | "T" | "true" | "TRUE" | "True") => true,
        Some(_) => return None,
    };
    if parts.next().is_some() {
        return None;
    }
    let text = format!("{name}+{verity}");
    Some(LayerType { name, verity, text })
}

/// The layer type that a build means by `TYPE`: stacker adds verity data to
/// every type but `tar` unless it is told not to, so a plain name stands for
/// that. `TYPE+BOOL` is taken as it is.
pub(crate) fn wanted(text: &str) -> Option<LayerType> {
    if text.contains('+') || text == "tar" {
        return parse(text);
    }
    parse(&format!("{text}+true"))
}

/// The text a layer type is written as.
pub(crate) fn normalise(text: &str) -> Option<String> {
    parse(text).map(|layer_type| layer_type.text)
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

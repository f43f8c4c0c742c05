//! Names that become parts of paths: layer names and buildpack ids (Buildpacks
//! spec, sections 5.1 and 8, threat T11). They come from image labels, that is,
//! from whoever can write to a tag.

use super::reason::Reason;
use crate::error::{Error, Problem};
use crate::prelude::*;

/// The longest name of a file, in bytes.
const NAME_MAX: usize = 255;

/// Directories of the layers directory that belong to the lifecycle.
const RESERVED_IDS: [&str; 4] = ["app", "config", "generated", "sbom"];

/// Why a layer name is not looked at further, with the rule it violates.
pub fn refused_layer_name(name: &str) -> Option<(Reason, &'static str)> {
    let rule = if name.len().saturating_add(".toml".len()) > NAME_MAX {
        "length"
    } else {
        component_fault(name).or_else(|| name.contains('/').then_some("separator"))?
    };
    Some((Reason::UnsafeLayerName, rule))
}

/// Whether the metadata file of a layer would be a file of the buildpack itself:
/// `store.toml`, and in the guarded reading also `launch.toml` and `build.toml`.
pub fn reserved_layer_name(name: &str, guarded: bool) -> bool {
    name == "store" || (guarded && matches!(name, "launch" | "build"))
}

/// A buildpack id as the name of its directory: every `/` becomes `_`.
///
/// # Errors
/// `buildpacks/invalid-buildpack-id`.
pub fn escape_id(id: &str) -> Result<String, Error> {
    let rule = if id.len() > NAME_MAX {
        Some("length")
    } else if RESERVED_IDS.contains(&id) {
        Some("reserved")
    } else {
        component_fault(id)
    };
    match rule {
        None => Ok(id.replace('/', "_")),
        Some(rule) => Err(Error::Invalid(Problem::new(
            Reason::InvalidBuildpackId,
            "check group",
            id,
            format!("a buildpack id cannot name a directory: {rule}"),
        ))),
    }
}

/// A path below another, as the file system interface encodes it: `%` in a name
/// is written `%25`.
pub fn join(directory: &str, name: &str) -> String {
    let name = name.replace('%', "%25");
    if directory.is_empty() {
        name
    } else if directory.ends_with('/') {
        format!("{directory}{name}")
    } else {
        format!("{directory}/{name}")
    }
}

/// What keeps a text from being one path component, but for `/`.
fn component_fault(name: &str) -> Option<&'static str> {
    match name {
        "" => Some("empty"),
        "." | ".." => Some("dot"),
        _ if name.contains('\\') => Some("separator"),
        _ if name.bytes().any(|b| b < 0x20 || b == 0x7f) => Some("control"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layer_names_are_single_components() {
        for (name, want) in [
            ("", Some("empty")),
            (".", Some("dot")),
            ("..", Some("dot")),
            ("a/b", Some("separator")),
            ("/", Some("separator")),
            ("../evil", Some("separator")),
            ("a\\b", Some("separator")),
            ("a\0b", Some("control")),
            ("a\u{7f}", Some("control")),
            ("a\u{1f}", Some("control")),
            ("a b", None),
            ("...", None),
            ("store", None),
            ("launch", None),
            ("\u{e9}", None),
        ] {
            let rule = refused_layer_name(name).map(|(_, rule)| rule);
            assert_eq!(rule, want, "{name:?}");
        }
        assert!(refused_layer_name(&"x".repeat(250)).is_none());
        assert!(refused_layer_name(&"x".repeat(251)).is_some());
    }

    #[test]
    fn names_of_the_buildpacks_own_files_are_reserved() {
        for (name, compatible, guarded) in [
            ("store", true, true),
            ("launch", false, true),
            ("build", false, true),
            ("Store", false, false),
            ("launcher", false, false),
        ] {
            assert_eq!(reserved_layer_name(name, false), compatible, "{name}");
            assert_eq!(reserved_layer_name(name, true), guarded, "{name}");
        }
    }

    #[test]
    fn ids_are_escaped_or_refused() {
        assert_eq!(escape_id("../x").unwrap(), ".._x");
        assert_eq!(escape_id("a//B").unwrap(), "a__B");
        assert_eq!(escape_id(&"/".repeat(255)).unwrap(), "_".repeat(255));
        for id in [
            "",
            ".",
            "..",
            "a\\b",
            "a\nb",
            "app",
            "config",
            "generated",
            "sbom",
        ] {
            assert!(escape_id(id).is_err(), "{id:?}");
        }
        assert!(escape_id(&"x".repeat(256)).is_err());
    }

    #[test]
    fn percent_signs_survive_paths() {
        assert_eq!(join("layers", "50%"), "layers/50%25");
        assert_eq!(join("/", "a"), "/a");
        assert_eq!(join("", "a"), "a");
    }
}

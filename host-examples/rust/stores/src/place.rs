//! What a reference names: a place, and something in it.

use std::fmt;
use std::path::{Path, PathBuf};

use crate::{Reference, layout};
use layerwise::host::{Failure, FailureCode};
use layerwise::oci::Digest;

const LAYOUT: &str = "oci:";
const VOLUME: &str = "volume:";
const DOCKER: &str = "docker://";
/// What a reference without a tag or digest stands for.
pub const LATEST: &str = "latest";

/// Where content is. Prints as the repository of the contract.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// A repository of a registry.
    Remote {
        /// `host` or `host:port`.
        host: String,
        /// The name inside it.
        path: String,
    },
    /// An image layout directory.
    Layout(PathBuf),
    /// A volume cache of the Buildpacks lifecycle.
    Volume(PathBuf),
}

/// What is named in a place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// A manifest by its digest.
    Digest(Digest),
    /// A tag.
    Tag(String),
    /// Nothing was given: `latest`, and in a layout that has one entry only,
    /// that one.
    Default,
}

impl Place {
    /// Reads what its `Display` wrote.
    ///
    /// # Errors
    /// `invalid` for anything else.
    pub fn parse(repository: &str) -> Result<Self, Failure> {
        match parse(repository)? {
            (place, Target::Default) if place.to_string() == repository => Ok(place),
            _ => Err(Failure::new(
                FailureCode::Invalid,
                format!("{repository:?} is not a repository"),
            )),
        }
    }
}

impl Target {
    /// The tag that is written.
    pub fn tag(&self) -> Option<&str> {
        match self {
            Self::Digest(_) => None,
            Self::Tag(tag) => Some(tag),
            Self::Default => Some(LATEST),
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Remote { host, path } => write!(f, "{host}/{path}"),
            Self::Layout(path) => write!(f, "{LAYOUT}{}", path.display()),
            Self::Volume(path) => write!(f, "{VOLUME}{}", path.display()),
        }
    }
}

/// Reads a reference.
///
/// # Errors
/// `invalid` with what is wrong about it.
pub fn parse(text: &str) -> Result<(Place, Target), Failure> {
    if let Some(rest) = text.strip_prefix(VOLUME) {
        return in_volume(text, rest);
    }
    match text.strip_prefix(LAYOUT) {
        Some(rest) => in_layout(text, rest),
        None => in_registry(text),
    }
}

/// All of it is a path: there is one thing in a volume cache, without a name.
fn in_volume(text: &str, rest: &str) -> Result<(Place, Target), Failure> {
    if rest.is_empty() || rest.contains('\0') {
        let message = format!("{text:?} is not a reference to a volume cache: it has no path");
        return Err(Failure::new(FailureCode::Invalid, message));
    }
    Ok((Place::Volume(Path::new(rest).to_owned()), Target::Default))
}

/// `PATH`, `PATH:NAME` or `PATH@DIGEST`. A path has no colon, and a name can
/// have some, as skopeo and umoci read it.
fn in_layout(text: &str, rest: &str) -> Result<(Place, Target), Failure> {
    let invalid = |why: &str| {
        let message = format!("{text:?} is not a reference into a layout: {why}");
        Err(Failure::new(FailureCode::Invalid, message))
    };
    let (rest, digest) = match rest.rsplit_once('@') {
        Some((before, after)) => match after.parse() {
            Ok(digest) => (before, Some(digest)),
            Err(_) => (rest, None),
        },
        None => (rest, None),
    };
    let (path, name) = match rest.split_once(':') {
        Some((path, name)) => (path, Some(name)),
        None => (rest, None),
    };
    if path.is_empty() {
        return invalid("it has no path");
    }
    if path.contains('\0') {
        return invalid("a path has no zero byte");
    }
    if name.is_some_and(|name| !layout::is_name(name)) {
        return invalid("a name consists of letters and digits, joined by \"-._:@+/\"");
    }
    let target = match (digest, name) {
        (Some(digest), _) => Target::Digest(digest),
        (None, Some(name)) => Target::Tag(name.to_owned()),
        (None, None) => Target::Default,
    };
    Ok((Place::Layout(Path::new(path).to_owned()), target))
}

fn in_registry(text: &str) -> Result<(Place, Target), Failure> {
    let invalid = |why: String| Failure::new(FailureCode::Invalid, why);
    let name = text.strip_prefix(DOCKER).unwrap_or(text);
    let named = match name.parse() {
        Ok(Reference::Named(named)) => named,
        Ok(Reference::Id(_)) => {
            let message = format!("{text:?} is an image id: a reference names a repository");
            return Err(invalid(message));
        }
        Err(error) => return Err(invalid(format!("{text:?} is not a reference: {error}"))),
    };
    let target = match (named.digest(), named.tag()) {
        (Some(digest), _) => Target::Digest(digest.clone()),
        (None, Some(tag)) => Target::Tag(tag.to_owned()),
        (None, None) => Target::Default,
    };
    let place = Place::Remote {
        host: named.domain().to_owned(),
        path: named.path().to_owned(),
    };
    Ok((place, target))
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIGEST: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    #[test]
    fn references_have_a_place_and_a_target() {
        for (text, place, target) in [
            ("busybox", "docker.io/library/busybox", "latest"),
            ("docker://ghcr.io/a/b:1", "ghcr.io/a/b", "1"),
            ("localhost:5000/a", "localhost:5000/a", "latest"),
            ("[::1]:5000/a:t", "[::1]:5000/a", "t"),
            (
                &format!("127.0.0.1:5000/a/b:t@{DIGEST}"),
                "127.0.0.1:5000/a/b",
                DIGEST,
            ),
            ("oci:dir", "oci:dir", "latest"),
            ("oci:/a b/dir:1.0", "oci:/a b/dir", "1.0"),
            ("oci:dir:host:5000/a:1", "oci:dir", "host:5000/a:1"),
            (&format!("oci:dir@{DIGEST}"), "oci:dir", DIGEST),
            (&format!("oci:dir:name@{DIGEST}"), "oci:dir", DIGEST),
            ("volume:/a b:c@d", "volume:/a b:c@d", "latest"),
        ] {
            let (found, what) = parse(text).unwrap();
            assert_eq!(found.to_string(), place, "{text}");
            let said = match &what {
                Target::Digest(digest) => digest.as_str(),
                other => other.tag().unwrap(),
            };
            assert_eq!(said, target, "{text}");
            assert_eq!(Place::parse(place).unwrap(), found, "{text}");
        }
    }

    #[test]
    fn other_texts_are_refused_and_quoted() {
        for text in [
            "",
            ":",
            "UPPER",
            "a//b",
            "docker://",
            "docker://a b",
            "oci:",
            "oci::tag",
            "oci:a:",
            "oci:a:b c",
            "oci:a\0b",
            "oci:a:../x",
            "volume:",
            "volume:a\0b",
            DIGEST,
            "http://host/a",
            "a:b:c",
            "a@sha256:1",
            "host/../a",
            "\u{1b}[2m",
        ] {
            let failure = parse(text).unwrap_err();
            assert_eq!(failure.code, FailureCode::Invalid, "{text:?}");
            assert!(
                failure.message.starts_with(&format!("{text:?}")),
                "{failure}"
            );
        }
        for text in ["busybox", "oci:a:b", "docker://ghcr.io/a", "ghcr.io/a:1"] {
            assert!(Place::parse(text).is_err(), "{text:?} is no repository");
        }
    }
}

//! Which tag of the base-image layout a base stands for, and what a tag may
//! look like (stacker spec, section 7).

use crate::paths;
use crate::prelude::*;

/// Where a layer comes from, as its definition says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Source {
    pub kind: String,
    pub url: String,
    pub tag: String,
}

/// Why a source has no tag.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NoTag {
    /// An oci url without a colon.
    Missing,
    /// A type that is not looked up by a tag.
    Unsupported,
}

/// The layer whose file an address means, `stacker://LAYER/PATH`.
#[must_use]
pub fn layer_of(address: &str) -> Option<&str> {
    let rest = address.strip_prefix("stacker://")?;
    rest.split('/').next()
}

impl Source {
    /// The tag it stands for.
    pub fn lookup_tag(&self) -> Result<String, NoTag> {
        match self.kind.as_str() {
            "built" => Ok(self.tag.clone()),
            "oci" => self
                .url
                .split_once(':')
                .map(|(_, tag)| tag.to_owned())
                .ok_or(NoTag::Missing),
            "docker" => Ok(docker_tag(&self.url)),
            _ => Err(NoTag::Unsupported),
        }
    }
}

impl Source {
    /// The tag under which its image is kept in the layout of base images.
    pub fn image_tag(&self) -> Option<String> {
        match self.kind.as_str() {
            "oci" | "docker" => self.lookup_tag().ok(),
            _ => None,
        }
    }
}

/// Registry, directories and version do not take part.
fn docker_tag(url: &str) -> String {
    let (host, path) = match url.split_once("://") {
        Some((_, rest)) => rest.split_at(rest.find('/').unwrap_or(rest.len())),
        None => ("", url),
    };
    let before_colon = |text: &str| text.split(':').next().unwrap_or_default().to_owned();
    if path.is_empty() {
        before_colon(host)
    } else {
        paths::last_element(&before_colon(path)).to_owned()
    }
}

/// Whether a text is a reference name of the OCI layout: components joined by
/// slashes, each of letters and digits with single separators or `--` between.
pub(crate) fn is_valid(name: &str) -> bool {
    name.split('/').all(is_component)
}

fn is_component(text: &str) -> bool {
    let mut rest = text;
    loop {
        let word = rest.bytes().take_while(u8::is_ascii_alphanumeric).count();
        if word == 0 {
            return false;
        }
        rest = rest.get(word..).unwrap_or_default();
        if rest.is_empty() {
            return true;
        }
        let separator = rest
            .strip_prefix("--")
            .or_else(|| rest.strip_prefix(['-', '.', '_', ':', '@', '+']));
        match separator {
            Some(after) => rest = after,
            None => return false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tag(kind: &str, url: &str) -> Result<String, NoTag> {
        Source {
            kind: kind.into(),
            url: url.into(),
            tag: "t".into(),
        }
        .lookup_tag()
    }

    #[test]
    fn tags() {
        for (url, want) in [
            ("docker://centos:latest", "centos"),
            ("docker://r:5000/a/b/c:1.2", "c"),
            ("centos", "centos"),
            ("a/b:1", "b"),
            ("docker://host", "host"),
            ("docker://host:5000", "host"),
            ("docker://host/", "/"),
            ("docker:///x", "x"),
            ("", ""),
            ("docker://", ""),
            ("docker://h/a@sha256:00", "a@sha256"),
            (":x", "."),
        ] {
            assert_eq!(tag("docker", url), Ok(want.into()), "{url}");
        }
        assert_eq!(tag("oci", "dir:tag:x"), Ok("tag:x".into()));
        assert_eq!(tag("oci", "dir"), Err(NoTag::Missing));
        assert_eq!(tag("built", ""), Ok("t".into()));
        assert_eq!(tag("tar", "x"), Err(NoTag::Unsupported));
    }

    #[test]
    fn grammar() {
        for name in ["a", "A0", "a-b", "a--b", "a.b_c:d@e+f", "a/b/c", "1.0"] {
            assert!(is_valid(name), "{name}");
        }
        for name in [
            "", "/", "a/", "/a", "a//b", "-a", "a-", "a---b", "a..b", "a b", "a\n", "\u{e9}",
            "a-/b", "a__b",
        ] {
            assert!(!is_valid(name), "{name:?}");
        }
    }
}

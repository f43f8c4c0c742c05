//! Image names as Docker reads them: short names completed, and back.
//!
//! The rules are those of `github.com/distribution/reference`: a text is an id
//! (a digest, or 64 hex digits), or a name `[domain/]path[:tag][@digest]`. A
//! first component without a dot, a colon or an upper-case letter, other than
//! `localhost`, belongs to the path; the domain is then `docker.io`, and a path
//! of one component gets `library/` in front. The *familiar* form leaves both
//! out again; it is what `repositories.json` of the engine holds.

use std::fmt;
use std::str::FromStr;

use layerwise::oci::Digest;

const DEFAULT_DOMAIN: &str = "docker.io";
const LEGACY_DOMAIN: &str = "index.docker.io";
const OFFICIAL: &str = "library/";
/// The most bytes of a path.
const LONGEST_PATH: usize = 255;
const LONGEST_TAG: usize = 128;

/// What somebody calls an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reference {
    /// Its id.
    Id(Digest),
    /// A name.
    Named(Named),
}

/// A name, completed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named {
    domain: String,
    path: String,
    tag: Option<String>,
    digest: Option<Digest>,
}

/// Text that is neither an id nor a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReferenceError {
    text: String,
    reason: &'static str,
}

impl Named {
    /// The domain of the registry, such as `docker.io`.
    pub fn domain(&self) -> &str {
        &self.domain
    }

    /// The repository inside it, such as `library/busybox`.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The tag, where one was given.
    pub fn tag(&self) -> Option<&str> {
        self.tag.as_deref()
    }

    /// The digest, where one was given.
    pub const fn digest(&self) -> Option<&Digest> {
        self.digest.as_ref()
    }

    /// The repository in its familiar form, such as `busybox` for
    /// `docker.io/library/busybox`.
    pub fn familiar_repository(&self) -> String {
        if self.domain != DEFAULT_DOMAIN {
            return format!("{}/{}", self.domain, self.path);
        }
        match self.path.strip_prefix(OFFICIAL) {
            Some(name) if !name.contains('/') => name.to_owned(),
            _ => self.path.clone(),
        }
    }

    /// The familiar form with its digest, which goes before a tag, or its tag,
    /// or `latest`.
    pub fn familiar(&self) -> String {
        self.suffixed(self.familiar_repository())
    }

    /// The full form, such as `docker.io/library/busybox:latest`.
    pub fn full(&self) -> String {
        self.suffixed(format!("{}/{}", self.domain, self.path))
    }

    fn suffixed(&self, repository: String) -> String {
        match (&self.digest, &self.tag) {
            (Some(digest), _) => format!("{repository}@{digest}"),
            (None, Some(tag)) => format!("{repository}:{tag}"),
            (None, None) => format!("{repository}:latest"),
        }
    }
}

impl FromStr for Reference {
    type Err = ReferenceError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let Ok(id) = text.parse().or_else(|_| format!("sha256:{text}").parse()) {
            return Ok(Self::Id(id));
        }
        named(text)
            .map(Self::Named)
            .map_err(|reason| ReferenceError {
                text: text.to_owned(),
                reason,
            })
    }
}

impl fmt::Display for ReferenceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:?} is not an image name or id: {}",
            self.text, self.reason
        )
    }
}

impl std::error::Error for ReferenceError {}

fn named(text: &str) -> Result<Named, &'static str> {
    let (domain, rest) = split_domain(text);
    let (rest, digest) = match rest.split_once('@') {
        Some((rest, digest)) => (rest, Some(digest)),
        None => (rest, None),
    };
    let (path, tag) = match rest.split_once(':') {
        Some((path, tag)) => (path, Some(tag)),
        None => (rest, None),
    };
    let path = if domain == DEFAULT_DOMAIN && !path.contains('/') {
        format!("{OFFICIAL}{path}")
    } else {
        path.to_owned()
    };
    if path.chars().any(char::is_uppercase) {
        return Err("a repository is lower case");
    }
    if !is_domain(domain) {
        return Err("the part before the first slash is not a domain");
    }
    if !path.split('/').all(is_path_component) {
        return Err("a repository consists of letters, digits and single separators");
    }
    if path.len() > LONGEST_PATH {
        return Err("a repository has at most 255 characters");
    }
    if !tag.is_none_or(is_tag) {
        return Err("a tag consists of at most 128 letters, digits, \"_\", \".\" and \"-\"");
    }
    let digest = digest
        .map(str::parse)
        .transpose()
        .map_err(|_| "the part after \"@\" is not a digest")?;
    Ok(Named {
        domain: domain.to_owned(),
        path,
        tag: tag.map(str::to_owned),
        digest,
    })
}

fn split_domain(text: &str) -> (&str, &str) {
    match text.split_once('/') {
        Some((LEGACY_DOMAIN, rest)) => (DEFAULT_DOMAIN, rest),
        Some((first, rest))
            if first == "localhost"
                || first.contains(['.', ':'])
                || first.chars().any(char::is_uppercase) =>
        {
            (first, rest)
        }
        _ => (DEFAULT_DOMAIN, text),
    }
}

/// `host`, `host:port`, `[v6]` or `[v6]:port`.
fn is_domain(text: &str) -> bool {
    let (host, port) = match text.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((address, "")) => (Err(address), None),
        Some((address, rest)) => match rest.strip_prefix(':') {
            Some(port) => (Err(address), Some(port)),
            None => return false,
        },
        None => match text.split_once(':') {
            Some((host, port)) => (Ok(host), Some(port)),
            None => (Ok(text), None),
        },
    };
    let host_ok = match host {
        Ok(name) => name.split('.').all(is_host_label),
        Err(address) => {
            !address.is_empty() && address.bytes().all(|b| b.is_ascii_hexdigit() || b == b':')
        }
    };
    let port_ok = port.is_none_or(|p| !p.is_empty() && p.bytes().all(|b| b.is_ascii_digit()));
    host_ok && port_ok
}

fn is_host_label(label: &str) -> bool {
    !label.is_empty()
        && !label.starts_with('-')
        && !label.ends_with('-')
        && label
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b == b'-')
}

/// Runs of letters and digits, between them one of `_`, `.`, `__` or any
/// number of `-`.
fn is_path_component(component: &str) -> bool {
    let word = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    let edges =
        component.bytes().next().is_some_and(word) && component.bytes().last().is_some_and(word);
    edges
        && component
            .split(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit())
            .all(|separator| {
                matches!(separator, "" | "_" | "." | "__") || separator.bytes().all(|b| b == b'-')
            })
}

fn is_tag(tag: &str) -> bool {
    let word = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
    tag.len() <= LONGEST_TAG
        && tag.bytes().next().is_some_and(word)
        && tag.bytes().all(|b| word(b) || b == b'.' || b == b'-')
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;

    /// What `github.com/distribution/reference` v0.6.0 made of a text.
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Reading {
        text: String,
        id: Option<String>,
        repository: Option<String>,
        familiar: Option<String>,
        full: Option<String>,
    }

    #[test]
    fn reads_what_docker_reads() {
        let readings: Vec<Reading> =
            serde_json::from_str(include_str!("../tests/data/references.json")).unwrap();
        assert!(readings.len() > 70);
        for want in readings {
            let (mut id, mut repository, mut familiar, mut full) = (None, None, None, None);
            match want.text.parse() {
                Ok(Reference::Id(digest)) => id = Some(digest.to_string()),
                Ok(Reference::Named(named)) => {
                    repository = Some(named.familiar_repository());
                    familiar = Some(named.familiar());
                    full = Some(named.full());
                }
                Err(_) => {}
            }
            assert_eq!(id, want.id, "{:?}", want.text);
            assert_eq!(repository, want.repository, "{:?}", want.text);
            assert_eq!(familiar, want.familiar, "{:?}", want.text);
            assert_eq!(full, want.full, "{:?}", want.text);
        }
    }

    #[test]
    fn refusals_quote_the_text() {
        let error = "a\u{1b}[2m".parse::<Reference>().unwrap_err();
        assert_eq!(
            error.to_string(),
            "\"a\\u{1b}[2m\" is not an image name or id: a repository consists of letters, \
             digits and single separators"
        );
    }
}

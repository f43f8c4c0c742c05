//! The keys of sources (Builds spec, section 3.5).

use serde_json::Value;

use super::exec::platform_members;
use super::key::{digest, text};
use super::model::Op;
use super::unknown::Unknown;
use crate::go_json::{Escapes, Writer};
use crate::oci::Platform;
use crate::paths;
use crate::prelude::*;

/// What a source is resolved to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Resolved {
    /// The digest of the image, of its index if it has one; of an HTTP file, of its
    /// bytes.
    pub digest: Option<String>,
    /// The chain id of the image's layers.
    pub chain: Option<String>,
    /// The commit.
    pub commit: Option<String>,
    /// The full reference of the commit, such as `refs/heads/main`.
    pub reference: Option<String>,
}

/// The kinds of sources.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// An image of a registry.
    Image,
    /// An image of a layout.
    Layout,
    /// A repository.
    Git,
    /// A file of the web.
    Http,
    /// A folder of the client: known by its content only.
    Local,
}

/// The kind of a source, and its address without it.
pub fn scheme(identifier: &str) -> Option<(Scheme, &str)> {
    let (name, rest) = identifier.split_once("://")?;
    let scheme = match name {
        "docker-image" => Scheme::Image,
        "oci-layout" => Scheme::Layout,
        "git" => Scheme::Git,
        // The whole of it is the address.
        "http" | "https" => return Some((Scheme::Http, identifier)),
        "local" => Scheme::Local,
        _ => return None,
    };
    Some((scheme, rest))
}

/// The cache-map digests of a source, any of which serves; none of a local one.
///
/// # Errors
/// Why they are not known.
pub fn source_keys(op: &Op, platform: &Platform, to: &Resolved) -> Result<Vec<String>, Unknown> {
    let identifier = text(&op.message, "identifier");
    let unresolved = || Unknown::Unresolved(identifier.to_owned());
    let (scheme, address) =
        scheme(identifier).ok_or_else(|| Unknown::Scheme(identifier.to_owned()))?;
    let attributes = op.message.get("attrs").unwrap_or(&Value::Null);
    let keys = match scheme {
        Scheme::Local => return Ok(Vec::new()),
        Scheme::Image | Scheme::Layout => {
            let pinned = address.split_once('@').map(|(_, digest)| digest);
            let platform = op.platform.as_ref().unwrap_or(platform);
            let image = pinned.or(to.digest.as_deref()).ok_or_else(unresolved)?;
            let mut keys = vec![image_key(image, platform)];
            keys.extend(to.chain.clone());
            keys
        }
        Scheme::Git => {
            let commit = to.commit.as_deref().ok_or_else(unresolved)?;
            git_keys(address, attributes, commit, to.reference.as_deref())?
        }
        Scheme::Http => vec![http_key(identifier, attributes, to)?],
    };
    let keys = keys.into_iter();
    let keys = keys.map(|key| digest(format!("buildkit.source.v0:{key}").as_bytes()));
    Ok(keys.collect())
}

fn image_key(image: &str, platform: &Platform) -> String {
    let mut writer = Writer::new(Escapes::Short);
    writer.object(|w| {
        w.member("Digest").string(image);
        platform_members(w, platform);
    });
    digest(writer.finish().as_bytes())
}

fn git_keys(
    address: &str,
    attributes: &Value,
    commit: &str,
    reference: Option<&str>,
) -> Result<Vec<String>, Unknown> {
    let fragment = address.split_once('#').map_or("", |(_, fragment)| fragment);
    let (name, folder) = fragment.split_once(':').unwrap_or((fragment, ""));
    let is_set = |name: &str| text(attributes, name) == "true";
    let starts = if !is_set("git.keepgitdir") {
        vec![commit.to_owned()]
    } else {
        let references = match reference {
            Some(reference) => vec![reference.to_owned()],
            None if name.is_empty() => {
                return Err(Unknown::Unresolved(format!("git://{address}")));
            }
            None if is_commit(name) || name.starts_with("refs/") => vec![name.to_owned()],
            // The record does not say which of the two it is.
            None => vec![format!("refs/heads/{name}"), format!("refs/tags/{name}")],
        };
        let keys = references.into_iter();
        keys.map(|reference| format!("{commit}.git#{reference}"))
            .collect()
    };
    let mut end = String::new();
    let folder = folder.trim_matches('/');
    if !folder.is_empty() && folder != "." {
        end.push(':');
        end.push_str(folder);
    }
    if is_set("git.skipsubmodules") {
        end.push_str("(skip-submodules)");
    }
    let time = text(attributes, "git.mtime");
    if !time.is_empty() && time != "checkout" {
        end.push_str(&format!("(mtime={time})"));
    }
    if is_set("git.checkoutbundle") {
        end.push_str("(bundle)");
    }
    let keys = starts.into_iter().map(|start| format!("{start}{end}"));
    Ok(keys.collect())
}

fn is_commit(name: &str) -> bool {
    matches!(name.len(), 40 | 64) && name.bytes().all(|b| b.is_ascii_hexdigit())
}

fn http_key(identifier: &str, attributes: &Value, to: &Resolved) -> Result<String, Unknown> {
    let pinned = text(attributes, "http.checksum");
    if pinned.is_empty() {
        // The server was asked, and its time of the file is in the key.
        return Err(Unknown::ServerTime(identifier.to_owned()));
    }
    let checksum = to.digest.as_deref().unwrap_or(pinned);
    let path = identifier.split_once("://").map_or("", |(_, rest)| rest);
    let path = path.split(['?', '#']).next().unwrap_or_default();
    let path = path.split_once('/').map_or("", |(_, path)| path);
    let named = text(attributes, "http.filename");
    let filename = match (named, paths::last_element(path)) {
        ("", "" | "." | "/") => "download",
        ("", last) => last,
        (named, _) => named,
    };
    let number = |name: &str| parse_number(text(attributes, name));
    let mut headers = Vec::new();
    if let Value::Object(members) = attributes {
        for (name, value) in members {
            if let (Some(name), Value::String(value)) = (name.strip_prefix("http.header."), value) {
                headers.push((name, value));
            }
        }
    }
    sort(&mut headers);
    let secret = text(attributes, "http.authheadersecret");
    let mut writer = Writer::new(Escapes::Short);
    writer.object(|w| {
        w.member("Filename").string(filename);
        w.member("Perm").integer(number("http.perm"));
        w.member("UID").integer(number("http.uid"));
        w.member("GID").integer(number("http.gid"));
        w.member("Checksum").string(checksum);
        if !secret.is_empty() {
            w.member("AuthHeaderSecret").string(secret);
        }
        if !headers.is_empty() {
            w.member("Header").list(&headers, |w, (name, value)| {
                w.object(|w| {
                    w.member("Name").string(name);
                    w.member("Value").string(value);
                });
            });
        }
    });
    Ok(digest(writer.finish().as_bytes()))
}

/// An integer as Go's `ParseInt` with base 0 reads it; 0 if it is none.
fn parse_number(text: &str) -> i64 {
    let (radix, digits) = match text.as_bytes() {
        [b'0', b'x' | b'X', ..] => (16, text.get(2..)),
        [b'0', b'o' | b'O', ..] => (8, text.get(2..)),
        [b'0', _, ..] => (8, text.get(1..)),
        _ => (10, Some(text)),
    };
    digits
        .and_then(|digits| i64::from_str_radix(digits, radix).ok())
        .unwrap_or_default()
}

//! Everything that a manifest leads to.
//!
//! Readers differ in what they take for a member of a manifest: Go's, for one, look
//! at no capitals. So whatever has a digest is needed, wherever it stands. That can
//! keep a blob too many, and never loses one.

use std::collections::BTreeSet;

use layerwise::host::{Failure, FailureCode, Registry};
use layerwise::oci::{Descriptor, Digest};
use serde_json::Value;

use super::facts::Need;

/// No manifest is larger.
const LONGEST: u64 = 32 << 20;
/// Documents that are read for one manifest.
const MOST: usize = 10_000;
/// Members that hold no manifests.
const CONTENT: [&str; 3] = ["blobs", "config", "layers"];

/// What is known after reading.
#[derive(Debug, Default)]
pub struct Closure {
    /// Each once, in the order of the documents.
    pub needs: Vec<Need>,
    /// Whether that is all.
    pub whole: bool,
    /// The configs of images.
    pub configs: Vec<String>,
    /// What is kept as blobs, manifests being asked for by reading them.
    pub blobs: Vec<String>,
    /// How many manifests are not there, without that which one only tells about.
    pub missing: u64,
    /// Why the manifest itself could not be read.
    pub unread: Option<Failure>,
}

/// Something with a digest, found in a document.
struct Found {
    descriptor: Descriptor,
    /// The member of the document that it is in.
    member: String,
}

/// Reads a manifest and what it leads to.
pub fn of(registry: &dyn Registry, repository: &str, manifest: &Descriptor) -> Closure {
    let mut closure = Closure {
        whole: true,
        ..Closure::default()
    };
    let mut seen = BTreeSet::from([manifest.digest.clone()]);
    let mut open = vec![(manifest.clone(), true)];
    let mut read = 0_usize;
    while let Some((wanted, part)) = open.pop() {
        read = read.saturating_add(1);
        if read > MOST {
            closure.whole = false;
            break;
        }
        let document = match self::read(registry, repository, &wanted) {
            Ok(document) => document,
            Err(failure) => {
                // What is not there leads nowhere.
                closure.whole &= failure.code == FailureCode::NotFound;
                if read == 1 {
                    closure.unread = Some(failure);
                } else if part && failure.code == FailureCode::NotFound {
                    closure.missing = closure.missing.saturating_add(1);
                }
                continue;
            }
        };
        for Found { descriptor, member } in found(&document) {
            if member == "config" {
                closure.configs.push(descriptor.digest.clone());
            }
            if !seen.insert(descriptor.digest.clone()) {
                continue;
            }
            closure.needs.push(Need {
                digest: descriptor.digest.clone(),
                size: descriptor.size,
            });
            if CONTENT.contains(&&*member) || !leads_on(&descriptor.media_type) {
                closure.blobs.push(descriptor.digest);
            } else {
                open.push((descriptor, member != "subject"));
            }
        }
    }
    closure
}

fn read(registry: &dyn Registry, repository: &str, wanted: &Descriptor) -> Result<Value, Failure> {
    let mut answers = registry.read(repository, std::slice::from_ref(wanted), LONGEST);
    let nothing = || Failure::new(FailureCode::Other, "the registry returned nothing");
    let text = answers.pop().unwrap_or_else(|| Err(nothing()))?;
    serde_json::from_str(&text).map_err(|error| {
        let message = format!("{} is not a manifest: {error}", wanted.digest);
        Failure::new(FailureCode::Corrupt, message)
    })
}

/// Everything in a document that has a digest.
fn found(document: &Value) -> Vec<Found> {
    let mut all = Vec::new();
    let mut open: Vec<(&str, &Value)> = vec![("", document)];
    while let Some((member, value)) = open.pop() {
        match value {
            Value::Array(values) => open.extend(values.iter().rev().map(|value| (member, value))),
            Value::Object(members) => {
                let digest = text(members, "digest").parse::<Digest>();
                all.extend(digest.ok().map(|digest| Found {
                    descriptor: Descriptor {
                        media_type: text(members, "mediatype").to_owned(),
                        digest: digest.to_string(),
                        size: number(members, "size"),
                        annotations: Vec::new(),
                    },
                    member: member.to_ascii_lowercase(),
                }));
                for (name, value) in members.iter().rev() {
                    let member = if member.is_empty() {
                        name.as_str()
                    } else {
                        member
                    };
                    open.push((member, value));
                }
            }
            _ => {}
        }
    }
    all
}

fn text<'a>(members: &'a serde_json::Map<String, Value>, name: &str) -> &'a str {
    member(members, name)
        .and_then(Value::as_str)
        .unwrap_or_default()
}

fn number(members: &serde_json::Map<String, Value>, name: &str) -> u64 {
    member(members, name)
        .and_then(Value::as_u64)
        .unwrap_or_default()
}

fn member<'a>(members: &'a serde_json::Map<String, Value>, name: &str) -> Option<&'a Value> {
    let mut all = members.iter();
    all.find(|(key, _)| key.eq_ignore_ascii_case(name))
        .map(|(_, value)| value)
}

/// Whether something in an index is a document that leads to more; the layers of a
/// cache of BuildKit are in one, too.
fn leads_on(media_type: &str) -> bool {
    let media_type = media_type.to_ascii_lowercase();
    media_type.is_empty() || media_type.contains(".manifest.") || media_type.contains(".index.")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn whatever_has_a_digest_is_needed() {
        let digest = |digit: &str| format!("sha256:{}", digit.repeat(64));
        let document = json!({
            "Config": {"Digest": digest("1"), "size": 3},
            "layers": [{"digest": digest("2")}, {"digest": "sha256:short"}],
            "future": {"deep": [{"DIGEST": digest("3"), "mediaType": "a.manifest.b"}]},
            "annotations": {"digest": digest("4")},
        });
        let found = found(&document);
        let digests: BTreeSet<String> = found
            .iter()
            .map(|one| one.descriptor.digest.clone())
            .collect();
        assert_eq!(
            digests,
            ["1", "2", "3", "4"].map(digest).into_iter().collect()
        );
        let config = found.iter().find(|one| one.member == "config").unwrap();
        assert_eq!(config.descriptor.size, 3);
        assert!(leads_on("a.manifest.b") && !leads_on("application/vnd.oci.image.layer.v1.tar"));
    }
}

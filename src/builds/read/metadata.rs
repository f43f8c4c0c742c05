//! What the names in a file of `--metadata-file` tell: the targets that `bake` built
//! (Builds spec, section 1.3).

use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::prelude::*;

/// What the members of a build begin with.
const PROVENANCE: &str = "buildx.build.provenance";
const IMAGE: &str = "image.name";

/// The names in a metadata file.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Metadata {
    /// The targets that `bake` built, sorted; empty for a file of one build.
    pub targets: Vec<String>,
    /// The image that was made.
    pub image: Option<String>,
}

/// A member of a file.
#[derive(Deserialize)]
#[serde(untagged)]
enum Member {
    Text(String),
    Members(BTreeMap<String, IgnoredAny>),
    Other(IgnoredAny),
}

/// Whether a member is the provenance of a build.
pub(super) fn is_of_build(name: &str) -> bool {
    name.starts_with(PROVENANCE)
}

impl Metadata {
    /// Reads a document; one that is none has no names.
    pub fn of(text: &str) -> Self {
        let members = serde_json::from_str::<BTreeMap<String, Member>>(text);
        let mut members = members.unwrap_or_default();
        let image = match members.remove(IMAGE) {
            Some(Member::Text(image)) => Some(image),
            _ => None,
        };
        if members.keys().any(|name| is_of_build(name)) {
            let targets = Vec::new();
            return Self { targets, image };
        }
        let is_target = |member: &Member| match member {
            Member::Members(inner) => inner.keys().any(|name| is_of_build(name)),
            Member::Text(_) | Member::Other(_) => false,
        };
        let targets = members.into_iter().filter(|(_, inner)| is_target(inner));
        Self {
            targets: targets.map(|(name, _)| name).collect(),
            image: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_of_bake() {
        let of = Metadata::of;
        let bake = r#"{"web": {"buildx.build.provenance": {}, "image.name": "w"},
            "api": {"buildx.build.provenance/linux/arm64": {}}, "buildx.build.warnings": [1]}"#;
        assert_eq!(of(bake).targets, ["api", "web"]);
        let one = of(r#"{"buildx.build.provenance": {"web": {}}, "image.name": "host/app"}"#);
        assert_eq!(one.targets, [""; 0]);
        assert_eq!(one.image.as_deref(), Some("host/app"));
        for other in ["", "1", "{}", r#"{"predicate": {"a": 1}}"#] {
            assert_eq!(of(other), Metadata::default(), "{other}");
        }
    }
}

//! One document out of two: a config, and the container config it was made with.

use std::fmt;

use layerwise::oci::Platform;
use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

/// The member that holds the container config.
const MEMBER: &str = "container_config";

/// What a document or an index says about a platform.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct PlatformOf {
    os: Option<String>,
    architecture: Option<String>,
    variant: Option<String>,
}

impl From<PlatformOf> for Platform {
    fn from(platform: PlatformOf) -> Self {
        Self {
            os: platform.os.unwrap_or_default(),
            architecture: platform.architecture.unwrap_or_default(),
            variant: platform.variant.unwrap_or_default(),
            ..Self::default()
        }
    }
}

/// The platform of a config document.
pub fn platform(text: &str) -> Platform {
    let platform: PlatformOf = serde_json::from_str(text).unwrap_or_default();
    platform.into()
}

/// A config document with a container config in place of its own; `None` if it is not a
/// JSON object. A container config that is not JSON counts as none.
pub fn join(config: &str, container_config: Option<&str>) -> Option<String> {
    let Members(mut members) = serde_json::from_str(config).ok()?;
    // Names differ from others by more than the case of letters.
    members.retain(|(name, _)| !name.eq_ignore_ascii_case(MEMBER));
    let container_config = container_config.and_then(|text| {
        let value: &RawValue = serde_json::from_str(text).ok()?;
        Some((MEMBER.to_owned(), value))
    });
    members.extend(container_config);
    let mut text = String::with_capacity(config.len());
    for (name, value) in members {
        text.push(if text.is_empty() { '{' } else { ',' });
        text.push_str(&serde_json::to_string(&name).ok()?);
        text.push(':');
        text.push_str(value.get());
    }
    if text.is_empty() {
        text.push('{');
    }
    text.push('}');
    Some(text)
}

/// The members of an object as they are, in their order.
struct Members<'a>(Vec<(String, &'a RawValue)>);

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Collect;

        impl<'de> Visitor<'de> for Collect {
            type Value = Members<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }

        deserializer.deserialize_map(Collect)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_container_config_takes_the_place_of_the_documents_own() {
        let config = r#" {"os":"linux", "Container_Config" : {"Cmd":["x"]},"a\"b":[1, 2]}"#;
        assert_eq!(
            join(config, Some(r#"{"Cmd": ["y"]}"#)).unwrap(),
            r#"{"os":"linux","a\"b":[1, 2],"container_config":{"Cmd": ["y"]}}"#
        );
        for none in [None, Some("no json")] {
            assert_eq!(
                join(config, none).unwrap(),
                r#"{"os":"linux","a\"b":[1, 2]}"#
            );
        }
        assert_eq!(join("{}", None).unwrap(), "{}");
        assert_eq!(join("[]", None), None);
        assert_eq!(join("{", None), None);
    }
}

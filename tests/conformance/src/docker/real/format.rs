//! The file as types; unknown members are refused.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::de::{Error as _, IgnoredAny};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct File<'a> {
    #[serde(rename = "format")]
    pub _format: String,
    pub engine: Engine,
    pub platform: Target,
    /// Read one by one, so that one of an unknown form fails alone.
    #[serde(borrow)]
    pub scenarios: Vec<&'a RawValue>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Engine {
    #[serde(rename = "name")]
    pub _name: String,
    pub version: String,
    #[serde(rename = "commit")]
    pub _commit: String,
    #[serde(rename = "go")]
    pub _go: String,
    #[serde(rename = "builder")]
    pub _builder: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Target {
    pub os: String,
    pub architecture: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scenario<'a> {
    pub name: String,
    #[serde(rename = "kind")]
    pub _kind: String,
    #[serde(rename = "driver")]
    pub _driver: String,
    #[serde(borrow)]
    pub images: BTreeMap<&'a str, Cow<'a, str>>,
    #[serde(borrow)]
    pub daemons: Vec<Daemon<'a>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Daemon<'a> {
    pub name: String,
    #[serde(borrow)]
    pub ops: Vec<Op<'a>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Op<'a> {
    #[serde(rename = "op")]
    pub _op: String,
    #[serde(rename = "cmd")]
    pub _cmd: IgnoredAny,
    #[serde(rename = "dockerfile", default)]
    pub _dockerfile: IgnoredAny,
    #[serde(default)]
    pub cache_from: Vec<String>,
    #[serde(default)]
    pub no_cache: bool,
    #[serde(rename = "build_args", default)]
    pub _build_args: IgnoredAny,
    #[serde(rename = "labels", default)]
    pub _labels: IgnoredAny,
    #[serde(rename = "target", default)]
    pub _target: IgnoredAny,
    #[serde(borrow, default)]
    pub events: Vec<Event<'a>>,
    pub changes: Vec<Change>,
    #[serde(rename = "result", default)]
    pub _result: IgnoredAny,
    #[serde(rename = "exit", default)]
    pub _exit: IgnoredAny,
    #[serde(rename = "error", default)]
    pub _error: IgnoredAny,
}

/// Something that happened during a build.
pub enum Event<'a> {
    /// A FROM, with the sources that were found.
    Stage { sources: Option<Vec<String>> },
    /// A change outside of any search.
    Change { add: String, origin: String },
    /// A search.
    Probe(Box<Probe<'a>>),
}

// Not derived as an internally tagged enum: that would buffer the config and
// lose its exact text.
impl<'de: 'a, 'a> Deserialize<'de> for Event<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        struct Tag<'t> {
            t: &'t str,
        }
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Stage {
            #[serde(rename = "t")]
            _t: IgnoredAny,
            sources: Option<Vec<String>>,
        }
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Added {
            #[serde(rename = "t")]
            _t: IgnoredAny,
            add: String,
            origin: String,
        }
        let text = <&RawValue>::deserialize(deserializer)?.get();
        let tag: Tag<'_> = serde_json::from_str(text).map_err(D::Error::custom)?;
        match tag.t {
            "stage" => {
                serde_json::from_str(text).map(|Stage { sources, .. }| Self::Stage { sources })
            }
            "change" => serde_json::from_str(text)
                .map(|Added { add, origin, .. }| Self::Change { add, origin }),
            "probe" => serde_json::from_str(text).map(|probe| Self::Probe(Box::new(probe))),
            other => return Err(D::Error::custom(format!("unknown event {other:?}"))),
        }
        .map_err(D::Error::custom)
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Probe<'a> {
    #[serde(rename = "t")]
    pub _t: IgnoredAny,
    pub parent: String,
    #[serde(borrow)]
    pub config: &'a RawValue,
    pub consulted: bool,
    pub sources: Option<Vec<String>>,
    pub local: Option<String>,
    pub hit: Option<String>,
    pub via: Option<String>,
    #[serde(default)]
    pub during: Vec<Change>,
    #[serde(default)]
    pub after: Vec<Change>,
    #[serde(default)]
    pub error: bool,
    pub missing_chain: Option<String>,
    #[serde(default)]
    pub local_ties: Vec<String>,
    pub newer: Option<Newer>,
    pub newer_all_local: Option<Later>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Newer {
    pub hit: Option<String>,
    pub via: Option<String>,
    #[serde(rename = "why")]
    pub _why: IgnoredAny,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Later {
    pub hit: Option<String>,
    pub via: Option<String>,
}

/// A change of the image store.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(untagged)]
pub enum Change {
    #[serde(rename_all = "snake_case")]
    Add {
        add: String,
        origin: String,
    },
    Parent {
        parent: (String, Option<String>),
    },
    Remove {
        remove: String,
    },
    Ref {
        r#ref: (String, Option<String>),
    },
}

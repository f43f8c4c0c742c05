//! The file as types; unknown members are refused.

use std::borrow::Cow;
use std::collections::BTreeMap;

use layerwise::oci::Platform;
use serde::de::{Error as _, IgnoredAny};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct File<'a> {
    #[serde(rename = "format")]
    pub _format: IgnoredAny,
    pub engine: Engine,
    pub store: StoreKind,
    /// Read one by one, so that one of an unknown form fails alone.
    #[serde(borrow)]
    pub scenarios: Vec<&'a RawValue>,
}

/// The engine, of which the machine matters.
#[derive(Deserialize)]
pub struct Engine {
    pub host: Target,
}

#[derive(Clone, Copy, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum StoreKind {
    Graph,
    Containerd,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scenario<'a> {
    pub name: String,
    #[serde(rename = "kind")]
    pub _kind: IgnoredAny,
    #[serde(rename = "driver")]
    pub _driver: IgnoredAny,
    #[serde(borrow)]
    pub docs: BTreeMap<&'a str, Cow<'a, str>>,
    pub initial: Vec<Change>,
    #[serde(borrow)]
    pub ops: Vec<Op<'a>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Op<'a> {
    #[serde(rename = "op")]
    pub _op: IgnoredAny,
    #[serde(rename = "cmd")]
    pub _cmd: IgnoredAny,
    #[serde(rename = "dockerfile", default)]
    pub _dockerfile: IgnoredAny,
    pub changes: Vec<Change>,
    #[serde(borrow, default)]
    pub events: Vec<Event<'a>>,
    #[serde(rename = "exit")]
    pub _exit: IgnoredAny,
    #[serde(rename = "result", default)]
    pub _result: IgnoredAny,
    #[serde(rename = "using_cache", default)]
    pub _using_cache: IgnoredAny,
    #[serde(rename = "warnings", default)]
    pub _warnings: IgnoredAny,
    #[serde(rename = "error", default)]
    pub _error: IgnoredAny,
    #[serde(rename = "error_class", default)]
    pub _error_class: IgnoredAny,
}

/// Something that happened during a build.
pub enum Event<'a> {
    /// An ARG before the first FROM.
    Argument { changes: Vec<Change> },
    /// A FROM.
    Stage(Box<Stage>),
    /// A step.
    Probe(Box<Probe<'a>>),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Argument {
    #[serde(rename = "t")]
    _t: IgnoredAny,
    #[serde(rename = "n")]
    _n: IgnoredAny,
    #[serde(rename = "text")]
    _text: IgnoredAny,
    #[serde(default)]
    changes: Vec<Change>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stage {
    #[serde(rename = "t")]
    pub _t: IgnoredAny,
    #[serde(rename = "n")]
    pub _n: IgnoredAny,
    #[serde(rename = "line")]
    pub _line: IgnoredAny,
    #[serde(rename = "text")]
    pub _text: IgnoredAny,
    #[serde(rename = "base")]
    pub _base: IgnoredAny,
    #[serde(rename = "as", default)]
    pub _as: IgnoredAny,
    #[serde(rename = "platform", default)]
    pub _platform: IgnoredAny,
    /// That of `--platform`.
    pub build_platform: Option<Target>,
    /// Empty for scratch.
    pub image: String,
    pub image_platform: Option<Target>,
    #[serde(rename = "run_config", default)]
    pub _run_config: IgnoredAny,
    /// The sources that were found.
    pub sources: Option<Vec<String>>,
    #[serde(default)]
    pub cache_from: Vec<String>,
    #[serde(rename = "skipped", default)]
    pub _skipped: IgnoredAny,
    #[serde(rename = "cache", default)]
    pub _cache: IgnoredAny,
    #[serde(default)]
    pub changes: Vec<Change>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Probe<'a> {
    #[serde(rename = "t")]
    pub _t: IgnoredAny,
    #[serde(rename = "n")]
    pub _n: IgnoredAny,
    #[serde(rename = "line")]
    pub _line: IgnoredAny,
    #[serde(rename = "text")]
    pub _text: IgnoredAny,
    #[serde(rename = "trigger", default)]
    pub _trigger: IgnoredAny,
    pub parent: String,
    #[serde(borrow)]
    pub config: &'a RawValue,
    pub platform: Target,
    /// The engine searched.
    pub consulted: bool,
    #[serde(rename = "no_cache", default)]
    pub _no_cache: IgnoredAny,
    pub children: Option<Vec<String>>,
    #[serde(default)]
    pub local: Option<String>,
    pub sources: Option<Vec<String>>,
    pub sources_after: Option<Vec<String>>,
    #[serde(default)]
    pub hit: Option<String>,
    pub via: Option<String>,
    pub source: Option<String>,
    #[serde(rename = "error", default)]
    pub _error: IgnoredAny,
    /// The search failed, which ended the build.
    pub error_class: Option<String>,
    /// The engine crashed in the search.
    #[serde(default)]
    pub panic: bool,
    #[serde(rename = "copy", default)]
    pub _copy: IgnoredAny,
    #[serde(default)]
    pub during: Vec<Change>,
    #[serde(default)]
    pub after: Vec<Change>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Target {
    pub os: String,
    pub architecture: String,
    #[serde(default)]
    pub variant: String,
    #[serde(rename = "os.version", default)]
    pub os_version: String,
    #[serde(rename = "os.features", default)]
    pub os_features: Vec<String>,
}

/// A change of the image store.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(untagged, deny_unknown_fields)]
pub enum Change {
    Add { add: String },
    Remove { remove: String },
    Parent { parent: (String, Option<String>) },
    Built { built: (String, bool) },
    Ref { r#ref: (String, Option<String>) },
    Record { record: Record },
    Unrecord { unrecord: String },
    Blob { blob: Blob },
    Unblob { unblob: String },
}

/// An image record of the containerd image store.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct Record {
    pub name: String,
    pub target: Leads,
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
}

/// The descriptor that a record leads to.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Leads {
    pub media_type: String,
    pub digest: String,
    pub size: u64,
    #[serde(default)]
    pub annotations: BTreeMap<String, String>,
}

/// Content of the containerd image store.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct Blob {
    pub digest: String,
    pub size: u64,
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
}

impl From<&Target> for Platform {
    fn from(target: &Target) -> Self {
        Self {
            os: target.os.clone(),
            architecture: target.architecture.clone(),
            variant: target.variant.clone(),
            os_version: target.os_version.clone(),
            os_features: target.os_features.clone(),
        }
    }
}

// Not derived as an internally tagged enum: that would buffer the config and lose its
// exact text.
impl<'de: 'a, 'a> Deserialize<'de> for Event<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        struct Tag<'t> {
            t: &'t str,
        }
        let text = <&RawValue>::deserialize(deserializer)?.get();
        let tag: Tag<'_> = serde_json::from_str(text).map_err(D::Error::custom)?;
        match tag.t {
            "arg" => serde_json::from_str(text)
                .map(|Argument { changes, .. }| Self::Argument { changes }),
            "stage" => serde_json::from_str(text).map(|stage| Self::Stage(Box::new(stage))),
            "probe" => serde_json::from_str(text).map(|probe| Self::Probe(Box::new(probe))),
            other => return Err(D::Error::custom(format!("unknown event {other:?}"))),
        }
        .map_err(D::Error::custom)
    }
}

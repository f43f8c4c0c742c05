//! The members of a file of Dockerfiles.

use std::collections::BTreeMap;

use serde::de::{Error as _, IgnoredAny};
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use serde_json::value::RawValue;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct File {
    pub format: String,
    pub engine: Engine,
    pub docs: BTreeMap<String, String>,
    pub base_tree: BaseTree,
    pub cases: Vec<Case>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(
    dead_code,
    reason = "members that nothing depends on are checked to be there"
)]
pub struct Engine {
    name: String,
    version: String,
    module: String,
    builder: String,
    api: String,
    pub host: Platform,
}

#[derive(Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Platform {
    #[serde(default)]
    pub os: String,
    #[serde(default)]
    pub architecture: String,
    #[serde(default)]
    pub variant: String,
    #[serde(default, rename = "os.version")]
    pub os_version: String,
    #[serde(default, rename = "os.features")]
    pub os_features: Vec<String>,
}

impl std::convert::From<&Platform> for layerwise::oci::Platform {
    fn from(platform: &Platform) -> Self {
        Self {
            os: platform.os.clone(),
            architecture: platform.architecture.clone(),
            variant: platform.variant.clone(),
            os_version: platform.os_version.clone(),
            os_features: platform.os_features.clone(),
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BaseTree {
    #[serde(rename = "diff_id")]
    _diff_id: String,
    pub entries: Vec<Entry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(
    dead_code,
    reason = "members that nothing depends on are checked to be there"
)]
pub struct Case {
    pub name: String,
    kind: String,
    pub dockerfile: String,
    pub context: Vec<Entry>,
    pub file: Option<String>,
    #[serde(default)]
    pub stdin: bool,
    #[serde(default)]
    pub api: bool,
    pub cli: Option<String>,
    #[serde(default)]
    pub build_args: Vec<String>,
    #[serde(default)]
    pub labels: Vec<String>,
    pub target: Option<String>,
    pub platform: Option<String>,
    #[serde(default)]
    pub other_flags: Vec<String>,
    #[serde(default)]
    pub env: BTreeMap<String, String>,
    /// What the addresses served.
    #[serde(default)]
    pub urls: BTreeMap<String, Value>,
    #[serde(default)]
    pub context_made_by_client: bool,
    pub images: BTreeMap<String, String>,
    pub steps: Vec<Step>,
    pub error: Option<String>,
    pub error_class: Option<String>,
    pub error_phase: Option<String>,
    pub error_step: Option<Announced>,
    warnings: Option<Value>,
    /// How the build fails in containerd's store, which differs.
    pub error_containerd: Option<String>,
    /// The build goes through in containerd's store.
    pub ok_containerd: Option<bool>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    pub path: String,
    #[serde(default)]
    pub mode: String,
    #[serde(default)]
    pub uid: u32,
    #[serde(default)]
    pub gid: u32,
    #[serde(rename = "type")]
    pub kind: String,
    pub text: Option<String>,
    pub base64: Option<String>,
    pub target: Option<String>,
    pub hardlink: Option<String>,
    #[serde(rename = "uname")]
    _uname: Option<String>,
    #[serde(rename = "mtime")]
    _mtime: Option<Value>,
    #[serde(rename = "size")]
    _size: Option<u64>,
    #[serde(rename = "sha256")]
    _sha256: Option<String>,
}

/// The last step that was announced before an error.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Announced {
    pub n: u32,
    pub line: u32,
    pub text: String,
}

/// What the engine did next.
pub enum Step {
    Argument(Argument),
    Stage(Box<From>),
    Probe(Box<Probe>),
}

impl<'de> Deserialize<'de> for Step {
    /// The members say what it is; the text of a config is kept as it is.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        struct Kind {
            arg: Option<IgnoredAny>,
            from: Option<IgnoredAny>,
        }
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Before {
            arg: Argument,
        }
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Begin {
            #[serde(rename = "stage")]
            _stage: u32,
            from: From,
        }
        let raw = Box::<RawValue>::deserialize(deserializer)?;
        let read = || -> Result<Self, serde_json::Error> {
            let kind: Kind = serde_json::from_str(raw.get())?;
            Ok(match kind {
                Kind { arg: Some(_), .. } => {
                    Self::Argument(serde_json::from_str::<Before>(raw.get())?.arg)
                }
                Kind { from: Some(_), .. } => {
                    Self::Stage(Box::new(serde_json::from_str::<Begin>(raw.get())?.from))
                }
                _ => Self::Probe(serde_json::from_str(raw.get())?),
            })
        };
        read().map_err(D::Error::custom)
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Argument {
    pub n: u32,
    pub text: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct From {
    pub stage: u32,
    pub n: u32,
    pub line: u32,
    pub text: String,
    pub base: String,
    #[serde(rename = "as")]
    pub name: Option<String>,
    pub platform: Option<Platform>,
    #[serde(default)]
    pub image: Option<String>,
    pub from_stage: Option<u32>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Probe {
    pub stage: u32,
    pub n: u32,
    pub line: u32,
    pub text: String,
    pub trigger: Option<String>,
    pub config: Box<RawValue>,
    pub created_by: String,
    pub platform: Platform,
    pub seen: String,
    pub copy: Option<Copy>,
    #[serde(default)]
    pub copy_from: bool,
    #[serde(default)]
    pub random: bool,
    /// What differs in containerd's store.
    pub config_containerd: Option<Box<RawValue>>,
    pub platform_containerd: Option<Platform>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Copy {
    pub sources: Vec<(String, String)>,
    pub sum: String,
}

//! The file as types; unknown members are refused. Cases and entries are read
//! one by one, so that one of an unknown form fails alone.

use std::borrow::Cow;
use std::collections::BTreeMap;

use layerwise::oci;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct File<'a> {
    #[serde(rename = "format")]
    pub _format: String,
    #[serde(rename = "upstream")]
    pub _upstream: IgnoredAny,
    #[serde(borrow)]
    pub cases: Vec<&'a RawValue>,
    #[serde(borrow)]
    pub pure: Pure<'a>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Case<'a> {
    pub name: String,
    #[serde(rename = "tags", default)]
    pub _tags: IgnoredAny,
    #[serde(rename = "note", default)]
    pub _note: IgnoredAny,
    #[serde(default)]
    pub order_dependent: bool,
    #[serde(borrow)]
    pub store: Store<'a>,
    pub cache_from: Vec<String>,
    pub open: Open,
    #[serde(borrow)]
    pub steps: Vec<Step<'a>>,
    #[serde(default)]
    pub expect: Vec<Expect>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Store<'a> {
    #[serde(borrow)]
    pub images: Vec<Image<'a>>,
    #[serde(default)]
    pub refs: BTreeMap<String, String>,
    #[serde(default)]
    pub faults: Faults,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Image<'a> {
    pub id: String,
    #[serde(borrow)]
    pub raw: Cow<'a, str>,
    #[serde(rename = "config", default)]
    pub _config: IgnoredAny,
    pub parent: String,
    pub built_locally: BuiltLocally,
}

#[derive(Deserialize)]
#[serde(untagged)]
pub enum BuiltLocally {
    Known(bool),
    Text(#[expect(dead_code, reason = "any text means unreadable")] String),
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
pub struct Faults {
    pub get: BTreeMap<String, String>,
    pub get_by_ref: BTreeMap<String, RefFault>,
    pub set_parent: BTreeMap<String, String>,
    pub get_parent: BTreeMap<String, String>,
    pub create: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RefFault {
    pub kind: String,
    pub msg: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Open {
    pub error: Option<String>,
    pub error_kind: Option<String>,
    #[serde(default)]
    pub sources: Option<Vec<String>>,
    #[serde(default)]
    pub skipped: Option<Vec<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Step<'a> {
    pub parent: String,
    #[serde(borrow)]
    pub config: Option<&'a RawValue>,
    pub platform: Platform,
}

#[derive(Deserialize, Clone, Default)]
#[serde(deny_unknown_fields, default)]
pub struct Platform {
    pub os: String,
    pub architecture: String,
    pub variant: String,
    pub os_version: String,
    pub os_features: Option<Vec<String>>,
}

impl From<&Platform> for oci::Platform {
    fn from(p: &Platform) -> Self {
        Self {
            os: p.os.clone(),
            architecture: p.architecture.clone(),
            variant: p.variant.clone(),
            os_version: p.os_version.clone(),
            os_features: p.os_features.clone().unwrap_or_default(),
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Expect {
    #[serde(default)]
    pub id: Option<String>,
    #[serde(default)]
    pub error: Option<String>,
    pub error_kind: Option<String>,
    #[serde(default)]
    pub effects: Option<Vec<Effect>>,
    pub sources_after: Option<Vec<String>>,
    pub explain: Option<Explain>,
    #[serde(default)]
    pub panic: bool,
    #[serde(rename = "fatal", default)]
    pub _fatal: IgnoredAny,
    #[serde(rename = "panic_message", default)]
    pub _panic_message: IgnoredAny,
    pub hazard: Option<String>,
    pub safe: Option<Safe>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Safe {
    pub id: String,
    pub error: Option<String>,
    pub effects: Vec<Effect>,
    pub reason: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "snake_case")]
pub enum Effect {
    SetParent {
        target: String,
        parent: String,
    },
    Create {
        parent: String,
        #[serde(rename = "image", default)]
        _image: IgnoredAny,
        raw: String,
        layer: String,
        id: String,
    },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Explain {
    pub local_id: String,
    pub local_used: bool,
    pub local: Option<Vec<Verdict>>,
    pub sources: Option<Vec<Verdict>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Verdict {
    pub id: String,
    pub verdict: String,
    pub fields: Option<Vec<String>>,
    pub index: Option<usize>,
    pub want: Option<String>,
    pub have: Option<String>,
}

/// Entries of one kind, not read yet.
pub type Entries<'a> = Vec<&'a RawValue>;

/// The predicates; a file with cases alone has none.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Pure<'a> {
    #[serde(borrow)]
    pub compare: Entries<'a>,
    #[serde(borrow)]
    pub compare_platform: Entries<'a>,
    pub compare_platform_matrix: Vec<Matrix>,
    #[serde(borrow)]
    pub normalize_platform: Entries<'a>,
    #[serde(borrow)]
    pub is_valid_parent: Entries<'a>,
    #[serde(borrow)]
    pub is_valid_config: Entries<'a>,
    #[serde(borrow)]
    pub layer_for_history_index: Entries<'a>,
    #[serde(borrow)]
    pub history_equal: Entries<'a>,
    #[serde(borrow)]
    pub time_json: Entries<'a>,
    #[serde(borrow)]
    pub config_json: Entries<'a>,
    #[serde(borrow)]
    pub image_json: Entries<'a>,
    #[serde(borrow)]
    pub newest: Entries<'a>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Compare<'a> {
    #[serde(default)]
    pub name: String,
    #[serde(borrow)]
    pub a: Option<&'a RawValue>,
    #[serde(borrow)]
    pub b: Option<&'a RawValue>,
    pub equal: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ComparePlatform {
    pub builder: Platform,
    pub image: Platform,
    #[serde(rename = "match")]
    pub matches: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Matrix {
    pub name: String,
    pub builders: Vec<Platform>,
    pub images: Vec<Platform>,
    pub rows: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Normalize {
    #[serde(rename = "in")]
    pub input: Platform,
    pub out: Platform,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ValidParent<'a> {
    #[serde(default)]
    pub name: String,
    #[serde(borrow)]
    pub image: &'a RawValue,
    #[serde(borrow)]
    pub parent: Option<&'a RawValue>,
    #[serde(default)]
    pub valid: bool,
    #[serde(default)]
    pub panic: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ValidConfig<'a> {
    #[serde(borrow)]
    pub config: Option<&'a RawValue>,
    #[serde(borrow)]
    pub history: &'a RawValue,
    #[serde(default)]
    pub valid: bool,
    #[serde(default)]
    pub panic: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LayerFor<'a> {
    #[serde(borrow)]
    pub image: &'a RawValue,
    pub index: i64,
    pub diff_id: Option<String>,
    #[serde(default)]
    pub panic: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HistoryEqual<'a> {
    #[serde(borrow)]
    pub a: &'a RawValue,
    #[serde(borrow)]
    pub b: &'a RawValue,
    pub equal: bool,
    pub fields: Option<Vec<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Time {
    #[serde(rename = "in")]
    pub input: String,
    #[serde(default)]
    pub error: bool,
    pub unix_sec: Option<i64>,
    pub nanos: Option<u32>,
    pub offset_sec: Option<i32>,
    pub zulu: Option<bool>,
    pub out: Option<String>,
    #[serde(default)]
    pub encode_error: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConfigJson {
    #[serde(default)]
    pub name: String,
    #[serde(rename = "in")]
    pub input: String,
    #[serde(default)]
    pub error: bool,
    pub out: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ImageJson {
    #[serde(default)]
    pub name: String,
    #[serde(rename = "in")]
    pub input: String,
    #[serde(default)]
    pub error: bool,
    pub out: Option<String>,
    pub out_sorted: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Newest {
    pub created: Vec<Option<String>>,
    pub winner: i64,
}

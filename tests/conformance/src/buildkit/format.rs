//! The format of the vector file, as types that refuse what they do not know.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// A vector file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct File {
    pub format: String,
    #[expect(dead_code, reason = "names the file for people")]
    pub set: String,
    #[expect(dead_code, reason = "names the generator for people")]
    pub upstream: BTreeMap<String, String>,
    #[serde(default)]
    pub cases: Vec<ExportCase>,
    #[serde(default)]
    pub unordered: Vec<ExportCase>,
    #[serde(default)]
    pub legacy: Vec<ExportCase>,
    #[serde(default)]
    pub legacy_unordered: Vec<ExportCase>,
    #[serde(default)]
    pub parse: Vec<ParseCase>,
    #[serde(default)]
    pub legacy_parse: Vec<ParseCase>,
    #[serde(default)]
    pub import: Vec<ImportCase>,
    #[serde(default)]
    pub hazards: Vec<Hazard>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ExportCase {
    pub name: String,
    #[expect(dead_code, reason = "for people")]
    pub note: Option<String>,
    pub options: Option<ExportOptions>,
    pub ops: Vec<Op>,
    pub blobs_available: Option<Available>,
    #[serde(default)]
    pub info_unimplemented: bool,
    #[serde(default)]
    pub target: Target,
    pub expect: Option<Expect>,
    pub expect_unordered: Option<ExpectUnordered>,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ExportOptions {
    pub oci: bool,
    pub image_manifest: bool,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
pub(super) enum Available {
    All(All),
    These(Vec<String>),
}

#[derive(Clone, Copy, Debug, Deserialize)]
pub(super) enum All {
    #[serde(rename = "all")]
    All,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Target {
    pub existing: Vec<String>,
    pub fail: Vec<Fail>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Fail {
    #[serde(rename = "where")]
    pub place: Place,
    pub digest: Option<String>,
    pub kind: Option<Kind>,
    pub error: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Place {
    Read,
    Write,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Kind {
    Layer,
    Config,
    Manifest,
}

#[derive(Debug, Deserialize)]
#[serde(tag = "op", rename_all = "snake_case", deny_unknown_fields)]
pub(super) enum Op {
    Add(AddOp),
    AddForeign(AddOp),
    Link {
        to: String,
        src: String,
        index: u32,
        selector: String,
    },
    Result {
        to: String,
        results: Vec<OpResult>,
    },
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AddOp {
    #[serde(rename = "as")]
    pub name: String,
    pub digest: String,
    #[serde(default)]
    pub deps: Vec<Vec<Dep>>,
    #[serde(default)]
    pub results: Vec<OpResult>,
    pub expect: Option<ExpectAdd>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Dep {
    pub src: String,
    pub selector: String,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct OpResult {
    pub created_at: String,
    pub descriptors: Vec<Descriptor>,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct Descriptor {
    #[serde(default)]
    pub media_type: String,
    pub digest: String,
    pub size: i64,
    #[serde(default)]
    pub annotations: BTreeMap<String, String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ExpectAdd {
    pub ok: bool,
    pub same_as: Option<String>,
    pub error: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Expect {
    #[serde(default)]
    pub empty: bool,
    pub error: Option<String>,
    pub config_json: Option<String>,
    pub manifest_json: Option<String>,
    pub manifest_descriptor: Option<String>,
    #[serde(default)]
    pub layer_writes: Vec<Write>,
    #[serde(default)]
    pub layer_writes_omitted: bool,
    #[serde(default)]
    pub layer_writes_vary: bool,
    #[serde(default)]
    pub writes: Vec<Write>,
    #[serde(default)]
    pub progress: Vec<String>,
    #[serde(default)]
    pub layer_progress: usize,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Write {
    pub digest: String,
    pub size: u64,
    pub media_type: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ExpectUnordered {
    pub kind: UnorderedKind,
    #[expect(dead_code, reason = "how often upstream ran")]
    pub runs: u64,
    #[expect(dead_code, reason = "how much upstream varied")]
    pub distinct_configs: u64,
    pub records_min: usize,
    pub records_max: usize,
    pub layers_min: usize,
    pub layers_max: usize,
    pub records_canonical: Option<Vec<String>>,
    pub layer_chains: Option<Vec<String>>,
    pub manifest_layers: Option<Vec<String>>,
    #[serde(default)]
    pub record_digests_always: Vec<String>,
    #[serde(default)]
    pub record_digests_sometimes: Vec<String>,
    #[serde(default)]
    pub variants: Vec<Variant>,
    #[serde(default)]
    #[expect(dead_code, reason = "a defect of upstream")]
    pub some_variants_fail_import: bool,
    #[serde(default)]
    #[expect(dead_code, reason = "a defect of upstream")]
    pub some_runs_export_nothing: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum UnorderedKind {
    Isomorphic,
    Structural,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Variant {
    #[expect(dead_code, reason = "how often upstream gave it")]
    pub seen: u64,
    #[expect(dead_code, reason = "one example of several orders")]
    pub config_json: String,
    pub records_canonical: Option<Vec<String>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ParseCase {
    pub name: String,
    #[expect(dead_code, reason = "for people")]
    pub note: Option<String>,
    pub config_json: String,
    pub descriptors: Vec<Descriptor>,
    pub expect: ExpectParse,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ExpectParse {
    pub error: Option<String>,
    pub error_class: Option<ErrorClass>,
    pub records: u32,
    pub roots: Vec<String>,
    pub links: Option<Vec<Link>>,
    pub results: Option<Vec<ResultOf>>,
    #[serde(default)]
    pub lookups: Vec<Lookup>,
    pub remarshal_config_json: Option<String>,
    #[serde(default)]
    pub remarshal_varies: bool,
    pub remarshal_error: Option<String>,
    pub records_canonical: Option<Vec<String>>,
    #[serde(default)]
    pub ids_vary: bool,
    #[serde(default)]
    #[expect(dead_code, reason = "a defect of upstream")]
    pub upstream_may_lose_links: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum ErrorClass {
    Json,
    LoopingRecord,
    InvalidRecordId,
    EmptyInput,
    LoopingLayer,
    InvalidLayerIndex,
    AddFailed,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Link {
    pub from: String,
    pub to: String,
    pub input: u32,
    pub selector: String,
    pub digest: String,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ResultOf {
    pub record: String,
    pub result_id: String,
    pub created_at: String,
    #[serde(default)]
    pub blobs: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Lookup {
    pub record: String,
    pub digest: String,
    pub output: i32,
    pub input: u32,
    pub selector: String,
    pub targets: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ImportCase {
    pub name: String,
    #[expect(dead_code, reason = "for people")]
    pub note: Option<String>,
    pub manifest_json: String,
    pub manifest_size: Option<u64>,
    pub blobs: Vec<BlobText>,
    pub expect: ExpectImport,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct BlobText {
    pub digest: String,
    pub text: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ExpectImport {
    pub manifest_type: Option<String>,
    pub detect_error: Option<String>,
    pub config_digest: Option<String>,
    pub resolve_ok: bool,
    pub resolve_error: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Hazard {
    pub name: String,
    pub api: Option<Api>,
    pub ops: Option<Vec<Op>>,
    pub config_json: Option<String>,
    pub generate: Option<Generate>,
    #[expect(dead_code, reason = "for people")]
    pub upstream: String,
    pub require: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Api {
    Legacy,
}

#[derive(Debug, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub(super) enum Generate {
    LayerChain {
        layers: usize,
        records: usize,
        blob: String,
    },
    RecordChain {
        records: usize,
    },
    Lattice {
        rows: usize,
    },
    ReaddChain {
        records: usize,
    },
}

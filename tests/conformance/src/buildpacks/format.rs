//! The format of the vector file; what it does not name is refused.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::value::RawValue;

/// A case of the restorer.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Restore {
    pub id: String,
    #[serde(rename = "family")]
    _family: String,
    pub name: String,
    #[serde(rename = "source")]
    _source: Source,
    pub verified_by: Vec<String>,
    #[serde(rename = "upstream_differs")]
    _upstream_differs: Option<String>,
    #[serde(rename = "note")]
    _note: Option<String>,
    pub platform_api: String,
    pub skip_layers: bool,
    pub sha_store: ShaStore,
    pub group: Vec<Element>,
    pub app_metadata: Option<Box<RawValue>>,
    pub app_label: Option<String>,
    pub cache_metadata: Option<Box<RawValue>>,
    pub cache_label: Option<String>,
    pub existing_files: BTreeMap<String, String>,
    pub expect: RestoreExpected,
}

/// Where a case comes from.
#[derive(Debug, Deserialize)]
pub enum Source {
    #[serde(rename = "upstream test")]
    Test,
    #[serde(rename = "decision table")]
    Table,
    #[serde(rename = "upstream run")]
    Run,
    #[serde(rename = "hazard")]
    Hazard,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ShaStore {
    Files,
    Map,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Element {
    pub id: String,
    pub version: String,
    pub api: String,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RestoreExpected {
    pub error: Option<String>,
    pub files: BTreeMap<String, Content>,
    pub sha_map: BTreeMap<String, BTreeMap<String, String>>,
    pub decisions: Vec<Decision>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
pub enum Content {
    Text(String),
    Toml(Box<RawValue>),
}

#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct Decision {
    pub buildpack: String,
    pub layer: String,
    pub source: String,
    pub restored: bool,
    pub reason: String,
}

/// A case of the cache image.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Image {
    pub id: String,
    #[serde(rename = "family")]
    _family: String,
    pub name: String,
    #[serde(rename = "source")]
    _source: Source,
    pub verified_by: Vec<String>,
    #[serde(rename = "upstream_differs")]
    _upstream_differs: Option<String>,
    #[serde(rename = "note")]
    _note: Option<String>,
    pub image_name: String,
    pub original: Option<Original>,
    pub deletion_enabled: bool,
    pub operations: Vec<Operation>,
    pub expect: Vec<Expected>,
    pub expect_final: Final,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Original {
    pub exists: bool,
    #[serde(default)]
    pub valid: bool,
    pub label: Option<String>,
    #[serde(default)]
    pub layers: Vec<String>,
    #[serde(default)]
    pub digest: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Operation {
    pub op: Op,
    pub metadata: Option<Box<RawValue>>,
    pub diff_id: Option<String>,
    pub saved_digest: Option<String>,
    pub compare_fault: Option<Side>,
    pub delete_fault: Option<String>,
    pub fault: Option<Fault>,
    pub fault_message: Option<String>,
}

#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub enum Op {
    Exists,
    Name,
    RetrieveMetadata,
    SetMetadata,
    AddLayer,
    ReuseLayer,
    RetrieveLayer,
    VerifyLayer,
    Commit,
}

#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum Side {
    Orig,
    New,
}

#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub enum Fault {
    LayerNotFound,
    UnexpectedEof,
    Other,
    SaveFailed,
}

/// The result of one operation; members that it does not have are absent.
#[derive(Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct Expected {
    pub exists: Option<bool>,
    pub name: Option<String>,
    pub metadata_json: Option<String>,
    pub reason: Option<String>,
    pub ok: Option<bool>,
    pub error: Option<String>,
    pub message: Option<String>,
}

#[derive(Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct Final {
    pub committed: bool,
    pub label: Option<String>,
    pub layers: Vec<String>,
    pub deleted_original: bool,
    pub logs: Vec<String>,
}

impl Image {
    /// Each operation has the members it needs and no others.
    pub fn check(&self) -> Result<(), String> {
        if self.operations.len() != self.expect.len() {
            return Err("not one result for each operation".to_owned());
        }
        for operation in &self.operations {
            let Operation {
                op,
                metadata,
                diff_id,
                saved_digest,
                compare_fault,
                delete_fault,
                fault,
                fault_message,
            } = operation;
            let layer = matches!(
                op,
                Op::AddLayer | Op::ReuseLayer | Op::RetrieveLayer | Op::VerifyLayer
            );
            let commit = *op == Op::Commit;
            let known_fault = match fault {
                None => fault_message.is_none(),
                Some(Fault::SaveFailed) => commit,
                Some(Fault::Other) => layer && *op != Op::VerifyLayer,
                Some(Fault::LayerNotFound | Fault::UnexpectedEof) => {
                    matches!(op, Op::ReuseLayer | Op::RetrieveLayer)
                }
            };
            let complete = metadata.is_some() == (*op == Op::SetMetadata)
                && diff_id.is_some() == layer
                && saved_digest.is_some() == commit
                && (commit || (compare_fault.is_none() && delete_fault.is_none()))
                && known_fault;
            if !complete {
                return Err(format!("{op:?} has other members than it should"));
            }
        }
        Ok(())
    }
}

//! Restoring layer data (Buildpacks spec, section 7): which layers are taken
//! from the cache and which are removed, after the metadata was restored.

use serde::Serialize;

use super::decode::{Document, Reading};
use super::image::{LayerAnswer, Outcome};
use super::label::{CACHE_LABEL, read_label};
use super::layer_file::TYPES;
use super::limits::LIMITS;
use super::metadata::Layer;
use super::names::{escape_id, join, refused_layer_name, reserved_layer_name};
use super::reason::Reason;
use super::restore::GroupElement;
use super::sbom::SBOM;
use super::version::{ApiVersion, Rules, platform_api};
use crate::error::{Error, Problem};
use crate::explain::{Difference, Finding};
use crate::prelude::*;
use crate::semantics::Semantics;

/// A layer that is there: a directory or a metadata file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Present {
    /// The buildpack's id, unescaped.
    pub buildpack: String,
    /// The layer's name.
    pub layer: String,
    /// The sha that was recorded when its metadata was restored; may be empty.
    pub sha: String,
    /// Whether its metadata file has the cache flag; matters below Buildpack API
    /// 0.6.
    pub cached: bool,
}

/// What to decide about.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DataRequest {
    /// The reading; versions are those of [`Rules::of`].
    pub semantics: Semantics,
    /// The layers directory as it is written in layers, such as `/layers`.
    pub directory: String,
    /// The Platform API.
    pub platform_api: String,
    /// The buildpacks, in order.
    pub group: Vec<GroupElement>,
    /// The layers that are there.
    pub present: Vec<Present>,
    /// The cache's label or canonical metadata.
    pub cache: Option<String>,
}

/// What happens to a layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    /// Its content is retrieved.
    Retrieve,
    /// Its directory, sha and metadata files are removed.
    Remove,
    /// Nothing.
    Keep,
}

/// What becomes of a layer whose content cannot be retrieved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum OnMiss {
    /// Its metadata stays and the build goes on.
    Keep,
    /// All of it is removed and the build goes on: metadata and content, both or
    /// neither.
    Remove,
    /// The restore fails.
    Fail,
}

/// The decision about one layer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DataDecision {
    /// The buildpack's id; empty for the SBOM layer.
    pub buildpack: String,
    /// The layer's name; empty for the SBOM layer.
    pub layer: String,
    /// What happens.
    pub action: Action,
    /// The diff id to retrieve; else empty.
    pub diff_id: String,
    /// The directory that everything retrieved must stay below, inside the root
    /// `/`; else empty.
    pub prefix: String,
    /// What to remove, as paths of the file system. While the action is
    /// [`Action::Retrieve`], what [`settle_data`] may say is to be removed.
    pub paths: Vec<String>,
    /// What becomes of it when its content cannot be retrieved.
    pub on_miss: OnMiss,
    /// The reason.
    pub finding: Finding,
}

/// Decides for each layer that is there, in the order of the group and then of
/// the names.
///
/// # Errors
/// `invalid` for a malformed group or Platform API, `unsupported` for an
/// unknown version.
pub fn plan_data(request: &DataRequest) -> Result<Vec<DataDecision>, Error> {
    let rules = Rules::of(&request.semantics)?;
    let platform_api = platform_api(&request.platform_api, "restore data")?;
    let reading = Reading {
        strict: rules.guarded,
        integers: false,
        limits: &LIMITS,
    };
    let (cache, _) = read_label(
        request.cache.as_deref(),
        Document::Cache,
        CACHE_LABEL,
        reading,
    );
    let first = cache.first_entries();
    let mut present: BTreeMap<&str, BTreeMap<&str, &Present>> = BTreeMap::new();
    for layer in &request.present {
        let layers = present.entry(layer.buildpack.as_str()).or_default();
        layers.insert(&layer.layer, layer);
    }
    let mut decisions = Vec::with_capacity(request.present.len());
    for element in &request.group {
        let escaped = escape_id(&element.id)?;
        let api: ApiVersion = element
            .api
            .parse()
            .map_err(|_| invalid(Reason::InvalidBuildpackApi, &element.id))?;
        let entry = first
            .get(element.id.as_str())
            .and_then(|at| cache.entries().get(*at));
        for (name, layer) in present.remove(element.id.as_str()).unwrap_or_default() {
            let cached = entry.and_then(|entry| entry.layers().get(name));
            let directory = join(&join(&request.directory, &escaped), name);
            decisions.push(decide(layer, api, cached, &directory, rules.guarded));
        }
    }
    if platform_api >= SBOM && !cache.sbom.is_empty() {
        decisions.push(DataDecision {
            buildpack: String::new(),
            layer: String::new(),
            action: Action::Retrieve,
            diff_id: cache.sbom.clone(),
            // Beside those of the application image, which stay.
            prefix: inside_root(&join(&join(&request.directory, "sbom"), "cache")),
            paths: Vec::new(),
            on_miss: if rules.guarded {
                OnMiss::Keep
            } else {
                OnMiss::Fail
            },
            finding: Finding::new(Reason::DataRestored, "sbom")
                .with([Difference::fact("sha", &cache.sbom)]),
        });
    }
    Ok(decisions)
}

/// The decision about one layer; `cached` is the cache's layer of its name.
fn decide(
    layer: &Present,
    api: ApiVersion,
    cached: Option<&Layer>,
    directory: &str,
    guarded: bool,
) -> DataDecision {
    let subject = format!("{}:{}", layer.buildpack, layer.layer);
    let on_miss = if guarded {
        OnMiss::Remove
    } else {
        OnMiss::Keep
    };
    let candidate = if api < TYPES {
        layer.cached
    } else {
        cached.is_some_and(|cached| cached.flags.cache)
    };
    let mut decision = DataDecision {
        buildpack: layer.buildpack.clone(),
        layer: layer.layer.clone(),
        action: Action::Keep,
        diff_id: String::new(),
        prefix: String::new(),
        paths: Vec::new(),
        on_miss,
        finding: Finding::new(Reason::DataNotCached, subject.as_str()),
    };
    if let Some((reason, rule)) = refused_layer_name(&layer.layer) {
        decision.finding = Finding::new(reason, subject).with([Difference::fact("rule", rule)]);
        return decision;
    }
    if reserved_layer_name(&layer.layer, guarded) {
        decision.finding = Finding::new(Reason::ReservedLayerName, subject);
        return decision;
    }
    if !candidate {
        return decision;
    }
    let all = vec![
        directory.to_owned(),
        format!("{directory}.sha"),
        format!("{directory}.toml"),
    ];
    match cached {
        Some(cached) if cached.sha == layer.sha => {
            if on_miss == OnMiss::Remove {
                decision.paths = all;
            }
            decision.action = Action::Retrieve;
            decision.diff_id.clone_from(&cached.sha);
            decision.prefix = inside_root(directory);
            decision.finding = Finding::new(Reason::DataRestored, subject)
                .with([Difference::fact("sha", &cached.sha)]);
            return decision;
        }
        Some(cached) => {
            let shas = Difference::new("sha", layer.sha.clone(), cached.sha.clone());
            decision.finding = Finding::new(Reason::DataRemovedWrongSha, subject).with([shas]);
        }
        None => decision.finding = Finding::new(Reason::DataRemovedNotInCache, subject),
    }
    decision.action = Action::Remove;
    decision.paths = all;
    decision
}

/// The decision after the layer was asked for: one that was not retrieved is kept
/// or removed, or fails the restore.
pub fn settle_data(mut decision: DataDecision, answer: &LayerAnswer) -> DataDecision {
    // Upstream's read error is one of opening a layer. A blob that ends early is
    // noticed later, when it is unpacked, and that fails.
    let ends_early = answer.finding.code == Reason::LayerTruncated;
    let reason = match (answer.outcome, decision.on_miss) {
        (Outcome::Done, _) => return decision,
        (Outcome::Failed, _) | (Outcome::Miss, OnMiss::Fail) => Reason::DataFailed,
        (Outcome::Miss, OnMiss::Keep) if ends_early => Reason::DataFailed,
        (Outcome::Miss, OnMiss::Keep | OnMiss::Remove) => Reason::DataSkippedReadError,
    };
    decision.action = match decision.on_miss {
        OnMiss::Remove => Action::Remove,
        OnMiss::Keep | OnMiss::Fail => Action::Keep,
    };
    if decision.action == Action::Remove && !decision.paths.is_empty() {
        // The directory is as it was before; only the metadata goes.
        decision.paths.remove(0);
    }
    decision.finding = Finding::new(reason, decision.finding.subject)
        .with([
            Difference::fact("cause", &answer.message),
            Difference::fact("reason", &answer.finding.code),
        ])
        .with(answer.finding.differences.clone());
    decision
}

/// A path without what makes it absolute.
fn inside_root(path: &str) -> String {
    path.trim_start_matches('/').to_owned()
}

fn invalid(reason: Reason, subject: &str) -> Error {
    Error::Invalid(Problem::new(
        reason,
        "restore data",
        subject,
        "not an api version",
    ))
}

#[cfg(test)]
mod tests;

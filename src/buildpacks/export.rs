//! Writing the cache (Buildpacks spec, section 7): which layers of a finished
//! build are reused or added, and the metadata that goes with them.

use serde::Serialize;

use super::decode::{Document, Reading};
use super::label::{CACHE_LABEL, read_label};
use super::limits::LIMITS;
use super::metadata::{Buildpack, Flags, Layer, Metadata};
use super::names::{escape_id, refused_layer_name, reserved_layer_name};
use super::reason::Reason;
use super::restore::GroupElement;
use super::sbom::SBOM;
use super::value::Value;
use super::version::{self, Rules};
use crate::error::{Error, Problem};
use crate::explain::{Difference, Finding};
use crate::go_json::Reader;
use crate::limits::Limit;
use crate::prelude::*;
use crate::semantics::Semantics;

/// A layer that the build left.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LocalLayer {
    /// The buildpack's id, unescaped.
    pub buildpack: String,
    /// The layer's name.
    pub layer: String,
    /// The diff id of its content; empty when there is none.
    pub diff_id: String,
    /// Its metadata as JSON; empty for none.
    pub data: String,
    /// Its build flag.
    pub build: bool,
    /// Its launch flag.
    pub launch: bool,
    /// Its cache flag.
    pub cache: bool,
    /// What came of it so far.
    pub tried: Tried,
}

/// The software bill of materials of all cached layers, a layer of its own.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SbomLayer {
    /// The diff id of its content; empty when that could not be read.
    pub diff_id: String,
    /// What came of it so far.
    pub tried: Tried,
}

/// What came of a layer so far.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Tried {
    /// Nothing was tried, or it worked.
    #[default]
    Nothing,
    /// The old cache's layer of this diff id is not there or not what it should
    /// be.
    Unverified,
    /// It could not be taken over from the old cache, for another reason.
    NotReused(String),
    /// It could not be read or stored.
    NotStored(String),
}

/// What to decide about.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ExportRequest {
    /// The reading; versions are those of [`Rules::of`].
    pub semantics: Semantics,
    /// The Platform API; empty for the newest.
    pub platform_api: String,
    /// The buildpacks, in order.
    pub group: Vec<GroupElement>,
    /// The layers of the build.
    pub layers: Vec<LocalLayer>,
    /// The SBOM layer, where the build left one.
    pub sbom: Option<SbomLayer>,
    /// The metadata of the old cache.
    pub previous: Option<String>,
}

/// What happens to a layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Treatment {
    /// The old cache's layer is taken over.
    Reuse,
    /// The layer is stored.
    Add,
    /// It is left out.
    LeaveOut,
}

/// The decision about one layer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ExportStep {
    /// The buildpack's id; empty for the SBOM layer.
    pub buildpack: String,
    /// The layer's name; empty for the SBOM layer.
    pub layer: String,
    /// What happens.
    pub treatment: Treatment,
    /// Its diff id.
    pub diff_id: String,
    /// The reason.
    pub finding: Finding,
}

/// How the cache is written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ExportPlan {
    /// One step a layer, in the order of the group and then of the names, the
    /// SBOM layer last. A layer that goes into the image twice, as the newest
    /// lifecycle does with reused ones, has a second step.
    pub steps: Vec<ExportStep>,
    /// The metadata of the layers that are not left out, for
    /// [`super::CacheImage::set_metadata`].
    pub document: String,
}

/// Decides about each layer. When something came of one, deciding again with it
/// changes that layer and nothing else.
///
/// # Errors
/// `invalid` for a malformed group, Platform API or metadata, `unsupported`
/// for an unknown version; in the compatible reading an SBOM layer that could not
/// be stored.
pub fn plan_export(request: &ExportRequest) -> Result<ExportPlan, Error> {
    let rules = Rules::of(&request.semantics)?;
    let sbom = match carries_sbom(&request.platform_api)? {
        true => request.sbom.as_ref(),
        false => None,
    };
    let reading = Reading {
        strict: rules.guarded,
        integers: false,
        limits: &LIMITS,
    };
    let previous = request.previous.as_deref();
    let (previous, _) = read_label(previous, Document::Cache, CACHE_LABEL, reading);
    let first = previous.first_entries();
    let mut local: BTreeMap<&str, BTreeMap<&str, &LocalLayer>> = BTreeMap::new();
    for layer in &request.layers {
        let layers = local.entry(layer.buildpack.as_str()).or_default();
        layers.insert(&layer.layer, layer);
    }
    let mut plan = ExportPlan::default();
    let mut entries = Vec::with_capacity(request.group.len());
    for element in &request.group {
        escape_id(&element.id)?;
        let old = first
            .get(element.id.as_str())
            .and_then(|at| previous.entries().get(*at));
        let mut kept = BTreeMap::new();
        for (name, layer) in local.get(element.id.as_str()).into_iter().flatten() {
            let old = old.and_then(|entry| entry.layers().get(*name));
            let step = step(layer, old, &rules);
            if step.treatment != Treatment::LeaveOut {
                kept.insert((*name).to_owned(), metadata_of(layer)?);
            }
            plan.push(step, &rules);
        }
        entries.push(Buildpack {
            key: element.id.clone(),
            version: element.version.clone(),
            layers: Some(kept),
            store: None,
        });
    }
    let mut sha = String::new();
    if let Some(sbom) = sbom {
        let (treatment, finding) = sbom_step(sbom, &previous.sbom, &rules)?;
        if treatment != Treatment::LeaveOut {
            sha.clone_from(&sbom.diff_id);
        }
        let step = ExportStep {
            buildpack: String::new(),
            layer: String::new(),
            treatment,
            diff_id: sbom.diff_id.clone(),
            finding,
        };
        plan.push(step, &rules);
    }
    let metadata = Metadata {
        sbom: sha,
        buildpacks: (!entries.is_empty()).then_some(entries),
    };
    plan.document = metadata.to_text();
    Ok(plan)
}

impl ExportPlan {
    /// Adds a step, and a second one where upstream stores the layer twice
    /// (deviation D3).
    fn push(&mut self, step: ExportStep, rules: &Rules) {
        let again = (rules.reused_twice && step.treatment == Treatment::Reuse).then(|| {
            let subject = step.finding.subject.clone();
            let sha = [Difference::fact("sha", &step.diff_id)];
            ExportStep {
                finding: Finding::new(Reason::CachedAgain, subject).with(sha),
                ..step.clone()
            }
        });
        self.steps.push(step);
        self.steps.extend(again);
    }
}

/// Whether a build with this Platform API keeps the SBOM layer.
fn carries_sbom(platform_api: &str) -> Result<bool, Error> {
    Ok(platform_api.is_empty() || version::platform_api(platform_api, "write cache")? >= SBOM)
}

fn sbom_step(sbom: &SbomLayer, old: &str, rules: &Rules) -> Result<(Treatment, Finding), Error> {
    let subject = "sbom";
    match sbom.tried.error(rules) {
        // Upstream writes no cache then; one layer is no reason for that.
        Some(cause) if !rules.guarded => {
            let words = format!("the sbom layer cannot be stored: {cause}");
            let problem = Problem::new(Reason::NotCachedError, "write cache", subject, words);
            Err(Error::Invalid(problem))
        }
        Some(cause) => Ok((Treatment::LeaveOut, not_stored(subject, cause))),
        None => Ok(reuse_or_add(subject, &sbom.diff_id, Some(old), &sbom.tried)),
    }
}

impl Tried {
    /// Why the layer is left out. What cannot be taken over is added instead, but
    /// upstream leaves it out too.
    fn error(&self, rules: &Rules) -> Option<&str> {
        match self {
            Self::NotStored(why) => Some(why),
            Self::NotReused(why) if !rules.guarded => Some(why),
            Self::NotReused(_) | Self::Nothing | Self::Unverified => None,
        }
    }
}

fn not_stored(subject: &str, cause: &str) -> Finding {
    Finding::new(Reason::NotCachedError, subject).with([Difference::fact("cause", cause)])
}

fn step(layer: &LocalLayer, old: Option<&Layer>, rules: &Rules) -> ExportStep {
    let subject = format!("{}:{}", layer.buildpack, layer.layer);
    let leave_out = |finding| (Treatment::LeaveOut, finding);
    let (treatment, finding) = if !layer.cache {
        leave_out(Finding::new(Reason::NotCachedFlag, subject))
    } else if let Some((reason, rule)) = refused_layer_name(&layer.layer) {
        leave_out(Finding::new(reason, subject).with([Difference::fact("rule", rule)]))
    } else if reserved_layer_name(&layer.layer, rules.guarded) {
        leave_out(Finding::new(Reason::ReservedLayerName, subject))
    } else if let Some(cause) = layer.tried.error(rules) {
        leave_out(not_stored(&subject, cause))
    } else if layer.diff_id.is_empty() {
        leave_out(Finding::new(Reason::NotCachedNoContents, subject))
    } else {
        let old = old.map(|old| old.sha.as_str());
        reuse_or_add(&subject, &layer.diff_id, old, &layer.tried)
    };
    ExportStep {
        buildpack: layer.buildpack.clone(),
        layer: layer.layer.clone(),
        treatment,
        diff_id: layer.diff_id.clone(),
        finding,
    }
}

fn reuse_or_add(
    subject: &str,
    diff_id: &str,
    old: Option<&str>,
    tried: &Tried,
) -> (Treatment, Finding) {
    let why = match old.filter(|old| !old.is_empty()) {
        Some(old) if old == diff_id => match tried {
            Tried::Nothing => {
                return (
                    Treatment::Reuse,
                    Finding::new(Reason::CachedReused, subject)
                        .with([Difference::fact("sha", diff_id)]),
                );
            }
            Tried::NotReused(why) => Difference::fact("why", why),
            Tried::Unverified | Tried::NotStored(_) => {
                Difference::fact("why", "verification failed")
            }
        },
        Some(old) => Difference::new("sha", old.to_owned(), diff_id.to_owned()),
        None => Difference::fact("why", "first time"),
    };
    (
        Treatment::Add,
        Finding::new(Reason::CachedAdded, subject).with([why]),
    )
}

fn metadata_of(layer: &LocalLayer) -> Result<Layer, Error> {
    let mut data = Value::default();
    if !layer.data.is_empty() {
        let depth = u32::try_from(LIMITS.get(Limit::Depth)).unwrap_or(u32::MAX);
        let mut reader = Reader::new(&layer.data, depth);
        let mut budget = LIMITS.get(Limit::Values);
        let read = Value::read(&mut reader, true, &mut budget);
        data = read.ok().filter(|_| reader.end().is_ok()).ok_or_else(|| {
            Error::Invalid(Problem::new(
                Reason::MetadataUnserializable,
                "write cache",
                format!("{}:{}", layer.buildpack, layer.layer),
                "the metadata of the layer is not a json value that a label can hold",
            ))
        })?;
    }
    Ok(Layer {
        sha: layer.diff_id.clone(),
        data,
        flags: Flags {
            build: layer.build,
            launch: layer.launch,
            cache: layer.cache,
        },
    })
}

#[cfg(test)]
mod tests;

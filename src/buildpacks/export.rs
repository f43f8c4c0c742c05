//! Writing the cache (section 7): which layers of a finished build are reused or
//! added, and the metadata that goes with them.

use serde::Serialize;

use super::decode::{Document, Reading};
use super::label::read_label;
use super::metadata::{Buildpack, Flags, Layer, Metadata};
use super::names::{escape_id, refused_layer_name, reserved_layer_name};
use super::reason::Reason;
use super::restore::GroupElement;
use super::value::Value;
use super::version::Rules;
use super::{CACHE_LABEL, LIMITS};
use crate::error::{Error, Problem};
use crate::explain::{Difference, Finding};
use crate::go_json::Reader;
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
    /// The old image's layer of this diff id did not pass verification.
    pub unverified: bool,
    /// Why it could not be stored; none when it was not tried yet or worked.
    pub error: Option<String>,
}

/// What to decide about.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ExportRequest {
    /// The reading; versions are those of [`Rules::of`].
    pub semantics: Semantics,
    /// The buildpacks, in order.
    pub group: Vec<GroupElement>,
    /// The layers of the build.
    pub layers: Vec<LocalLayer>,
    /// Diff id of the SBOM layer; empty for none.
    pub sbom: String,
    /// The metadata of the old image.
    pub previous: Option<String>,
}

/// What happens to a layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Treatment {
    /// The old image's layer is taken over.
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
    /// One step a layer, in the order of the group and then of the names; the
    /// SBOM layer last.
    pub steps: Vec<ExportStep>,
    /// The metadata of the layers that are not left out, for
    /// [`super::CacheImage::set_metadata`].
    pub document: String,
}

/// Decides about each layer. When one could not be stored, deciding again with
/// its error leaves it out and nothing else.
///
/// # Errors
/// `invalid` for a group or metadata that is none, `unsupported` for an unknown
/// version.
pub fn plan_export(request: &ExportRequest) -> Result<ExportPlan, Error> {
    let rules = Rules::of(&request.semantics)?;
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
            let step = step(layer, old);
            if step.treatment != Treatment::LeaveOut {
                kept.insert((*name).to_owned(), metadata_of(layer)?);
            }
            plan.steps.push(step);
        }
        entries.push(Buildpack {
            key: element.id.clone(),
            version: element.version.clone(),
            layers: Some(kept),
            store: None,
        });
    }
    if !request.sbom.is_empty() {
        let (treatment, finding) = reuse_or_add("sbom", &request.sbom, Some(&previous.sbom), false);
        plan.steps.push(ExportStep {
            buildpack: String::new(),
            layer: String::new(),
            treatment,
            diff_id: request.sbom.clone(),
            finding,
        });
    }
    let metadata = Metadata {
        sbom: request.sbom.clone(),
        buildpacks: (!entries.is_empty()).then_some(entries),
    };
    plan.document = metadata.to_text();
    Ok(plan)
}

fn step(layer: &LocalLayer, old: Option<&Layer>) -> ExportStep {
    let subject = format!("{}:{}", layer.buildpack, layer.layer);
    let leave_out = |finding| (Treatment::LeaveOut, finding);
    let (treatment, finding) = if let Some((reason, rule)) = refused_layer_name(&layer.layer) {
        leave_out(Finding::new(reason, subject).with([Difference::fact("rule", rule)]))
    } else if reserved_layer_name(&layer.layer) {
        leave_out(Finding::new(Reason::ReservedLayerName, subject))
    } else if !layer.cache {
        leave_out(Finding::new(Reason::NotCachedFlag, subject))
    } else if let Some(error) = &layer.error {
        let cause = [Difference::fact("cause", error)];
        leave_out(Finding::new(Reason::NotCachedError, subject).with(cause))
    } else if layer.diff_id.is_empty() {
        leave_out(Finding::new(Reason::NotCachedNoContents, subject))
    } else {
        let old = old.map(|old| old.sha.as_str());
        reuse_or_add(&subject, &layer.diff_id, old, layer.unverified)
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
    unverified: bool,
) -> (Treatment, Finding) {
    let why = match old.filter(|old| !old.is_empty()) {
        Some(old) if old == diff_id && !unverified => {
            return (
                Treatment::Reuse,
                Finding::new(Reason::CachedReused, subject)
                    .with([Difference::fact("sha", diff_id)]),
            );
        }
        Some(old) if old == diff_id => Difference::fact("why", "verification failed"),
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
        let depth = u32::try_from(LIMITS.get("depth")).unwrap_or(u32::MAX);
        let mut reader = Reader::new(&layer.data, depth);
        let mut budget = LIMITS.get("values");
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
mod tests {
    use super::*;

    fn layer(name: &str, diff_id: &str) -> LocalLayer {
        LocalLayer {
            buildpack: "b".to_owned(),
            layer: name.to_owned(),
            diff_id: diff_id.to_owned(),
            data: "{\"n\":9007199254740993}".to_owned(),
            cache: true,
            ..LocalLayer::default()
        }
    }

    #[test]
    fn layers_are_reused_added_or_left_out() {
        let previous = r#"{"buildpacks":[{"key":"b","layers":{"same":{"sha":"1"},
            "changed":{"sha":"1"},"bad":{"sha":"1"},"err":{"sha":"1"}}}]}"#;
        let request = ExportRequest {
            group: vec![GroupElement {
                id: "b".to_owned(),
                version: "2".to_owned(),
                api: "0.10".to_owned(),
            }],
            layers: vec![
                layer("same", "1"),
                layer("changed", "2"),
                layer("new", "3"),
                LocalLayer {
                    unverified: true,
                    ..layer("bad", "1")
                },
                LocalLayer {
                    error: Some("boom".to_owned()),
                    ..layer("err", "1")
                },
                layer("empty", ""),
                LocalLayer {
                    cache: false,
                    ..layer("off", "1")
                },
                layer("../x", "1"),
            ],
            sbom: "s".to_owned(),
            previous: Some(previous.to_owned()),
            ..ExportRequest::default()
        };
        let plan = plan_export(&request).unwrap();
        let steps: Vec<_> = plan
            .steps
            .iter()
            .map(|s| {
                (
                    s.layer.as_str(),
                    s.treatment,
                    s.finding.code.trim_start_matches("buildpacks/"),
                )
            })
            .collect();
        use Treatment::{Add, LeaveOut, Reuse};
        assert_eq!(
            steps,
            [
                ("../x", LeaveOut, "unsafe-layer-name"),
                ("bad", Add, "cached-added"),
                ("changed", Add, "cached-added"),
                ("empty", LeaveOut, "not-cached-no-contents"),
                ("err", LeaveOut, "not-cached-error"),
                ("new", Add, "cached-added"),
                ("off", LeaveOut, "not-cached-flag"),
                ("same", Reuse, "cached-reused"),
                ("", Add, "cached-added"),
            ]
        );
        let why: Vec<_> = ["bad", "changed", "new"]
            .into_iter()
            .filter_map(|name| plan.steps.iter().find(|s| s.layer == name))
            .flat_map(|step| step.finding.differences.iter())
            .map(|d| (d.have.as_deref().unwrap_or_default(), d.want.as_deref()))
            .collect();
        assert_eq!(
            why,
            [
                ("verification failed", None),
                ("1", Some("2")),
                ("first time", None)
            ]
        );
        assert!(plan.document.starts_with(
            r#"{"sbom":{"sha":"s"},"buildpacks":[{"key":"b","version":"2","layers":{"bad":{"sha":"1","data":{"n":9007199254740993},"build":false,"launch":false,"cache":true},"changed""#
        ));
        assert!(!plan.document.contains("err"));
    }

    #[test]
    fn bad_metadata_is_refused() {
        for data in ["{", "1e400", "{} x", "NaN"] {
            let request = ExportRequest {
                group: vec![GroupElement {
                    id: "b".to_owned(),
                    ..GroupElement::default()
                }],
                layers: vec![LocalLayer {
                    data: data.to_owned(),
                    ..layer("l", "1")
                }],
                ..ExportRequest::default()
            };
            assert!(plan_export(&request).is_err(), "{data}");
        }
    }
}

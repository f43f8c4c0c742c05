//! The plain functions, over the labels of the vectors.

use layerwise::buildpacks::{
    DataRequest, ExportRequest, GroupElement, LayerAnswer, LocalLayer, Outcome, Present, Reason,
    SbomLayer, Tried, plan_data, plan_export, settle_data,
};
use layerwise::error::Error;
use layerwise::explain::{Difference, Finding};
use layerwise::semantics::Semantics;
use layerwise_host::SessionLimits;
use layerwise_host::buildpacks::Plans;
use serde_json::Value;

use crate::{engine, vectors};

fn plans() -> Plans {
    engine()
        .buildpacks_plans(SessionLimits::default())
        .expect("instance")
}

/// What the component said, as the library says it.
fn said<T>(answer: Result<T, layerwise_host::Error>) -> Result<T, Error> {
    Ok(answer?)
}

/// A group, and a cache label that goes with it.
struct Cache {
    group: Vec<GroupElement>,
    label: String,
    /// Buildpack, layer and sha of each layer in it.
    layers: Vec<(String, String, String)>,
}

fn caches() -> Vec<Cache> {
    let file: Value = serde_json::from_str(&vectors("buildpacks.json.gz")).expect("json");
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let mut caches = Vec::new();
    for case in file["cases"].as_array().expect("cases") {
        let metadata = &case["cache_metadata"];
        let label = match case["cache_label"].as_str() {
            Some(label) => label.to_owned(),
            None if metadata.is_null() => continue,
            None => metadata.to_string(),
        };
        let elements = case["group"].as_array().into_iter().flatten();
        let parsed: Value = serde_json::from_str(&label).unwrap_or_default();
        let mut layers = Vec::new();
        for entry in parsed["buildpacks"].as_array().into_iter().flatten() {
            for (name, layer) in entry["layers"].as_object().into_iter().flatten() {
                layers.push((text(&entry["key"]), name.clone(), text(&layer["sha"])));
            }
        }
        caches.push(Cache {
            group: elements
                .map(|element| GroupElement {
                    id: text(&element["id"]),
                    version: text(&element["version"]),
                    api: text(&element["api"]),
                })
                .collect(),
            label,
            layers,
        });
    }
    assert!(caches.len() > 30, "{} labels", caches.len());
    caches
}

fn readings() -> [Semantics; 4] {
    [
        Semantics::guarded(),
        Semantics::compatible(None),
        Semantics::compatible(Some("0.13")),
        Semantics::compatible(Some("0.1")),
    ]
}

#[test]
fn plan_and_settle_data() {
    let mut plans = plans();
    let mut actions = [0; 3];
    for cache in caches() {
        for (semantics, platform_api) in readings().into_iter().zip(["0.7", "0.8", "0.14", "x"]) {
            let present = cache.layers.iter().enumerate();
            let request = DataRequest {
                semantics,
                directory: "/layers".to_owned(),
                platform_api: platform_api.to_owned(),
                group: cache.group.clone(),
                present: present
                    .map(|(index, (buildpack, layer, sha))| Present {
                        buildpack: buildpack.clone(),
                        layer: layer.clone(),
                        sha: if index % 3 == 2 { "other" } else { sha }.to_owned(),
                        cached: index % 2 == 0,
                    })
                    .collect(),
                cache: Some(cache.label.clone()),
            };
            let native = plan_data(&request);
            assert_eq!(said(plans.plan_data(&request)), native);
            for decision in native.into_iter().flatten() {
                actions[decision.action as usize] += 1;
                for outcome in [Outcome::Done, Outcome::Miss, Outcome::Failed] {
                    let evidence = Difference::new("blob", None, "é".to_owned());
                    let answer = LayerAnswer {
                        diff_id: decision.diff_id.clone(),
                        outcome,
                        message: "words".to_owned(),
                        finding: Finding {
                            hint: Some("a hint".to_owned()),
                            ..Finding::new("buildpacks/layer-not-found", "x").with([evidence])
                        },
                    };
                    let settled = settle_data(decision.clone(), &answer);
                    let component = plans.settle_data(decision.clone(), answer).expect("answer");
                    assert_eq!(component, settled);
                }
            }
        }
    }
    assert!(actions.iter().all(|count| *count > 3), "{actions:?}");
}

#[test]
fn plan_the_export() {
    let mut plans = plans();
    let mut treatments = [0; 3];
    for (index, cache) in caches().into_iter().enumerate() {
        for semantics in readings() {
            let layers = cache.layers.iter().enumerate();
            let request = ExportRequest {
                semantics,
                group: cache.group.clone(),
                layers: layers
                    .map(|(index, (buildpack, layer, sha))| LocalLayer {
                        buildpack: buildpack.clone(),
                        layer: layer.clone(),
                        diff_id: if index % 3 == 2 { "other" } else { sha }.to_owned(),
                        data: ["", "{\"n\":1.50}", "[9007199254740993]"][index % 3].to_owned(),
                        build: index % 2 == 0,
                        launch: index % 3 == 0,
                        cache: index % 4 != 3,
                        tried: tried(index),
                    })
                    .collect(),
                platform_api: ["", "0.7", "0.14", "x"][index % 4].to_owned(),
                sbom: (index % 3 > 0).then(|| SbomLayer {
                    diff_id: "sha256:sbom".to_owned(),
                    tried: tried(index / 2),
                }),
                previous: Some(cache.label.clone()),
            };
            let native = plan_export(&request);
            assert_eq!(said(plans.plan_export(&request)), native);
            for step in native.iter().flat_map(|plan| &plan.steps) {
                treatments[step.treatment as usize] += 1;
            }
            let mut broken = request;
            for layer in &mut broken.layers {
                layer.cache = true;
                layer.data = "{".to_owned();
            }
            assert_eq!(said(plans.plan_export(&broken)), plan_export(&broken));
        }
    }
    assert!(treatments.iter().all(|count| *count > 3), "{treatments:?}");
}

fn tried(index: usize) -> Tried {
    match index % 7 {
        4 => Tried::Unverified,
        5 => Tried::NotReused("gone".to_owned()),
        6 => Tried::NotStored("no room".to_owned()),
        _ => Tried::Nothing,
    }
}

#[test]
fn the_catalogue() {
    let component = plans().rules().expect("rules");
    let texts = |rule: &layerwise_host::Rule| {
        [
            rule.code.clone(),
            rule.section.clone(),
            rule.meaning.clone(),
            rule.example.clone(),
            rule.advice.clone(),
        ]
    };
    let component: Vec<_> = component.iter().map(texts).collect();
    let native: Vec<_> = Reason::RULES
        .iter()
        .map(|rule| {
            [
                rule.code,
                rule.section,
                rule.meaning,
                rule.example,
                rule.advice,
            ]
            .map(ToOwned::to_owned)
        })
        .collect();
    assert_eq!(component, native);
    assert!(native.len() > 60, "{} codes", native.len());
}

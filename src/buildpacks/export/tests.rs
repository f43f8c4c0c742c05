//! Which layers are reused, added or left out.

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
        "changed":{"sha":"1"},"bad":{"sha":"1"},"err":{"sha":"1"},"gone":{"sha":"1"}}}]}"#;
    let mut request = ExportRequest {
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
                tried: Tried::Unverified,
                ..layer("bad", "1")
            },
            LocalLayer {
                tried: Tried::NotStored("boom".to_owned()),
                ..layer("err", "1")
            },
            LocalLayer {
                tried: Tried::NotReused("gone".to_owned()),
                ..layer("gone", "1")
            },
            layer("launch", "1"),
            layer("empty", ""),
            LocalLayer {
                cache: false,
                ..layer("off", "1")
            },
            layer("../x", "1"),
        ],
        sbom: Some(sbom("s")),
        previous: Some(previous.to_owned()),
        ..ExportRequest::default()
    };
    let plan = plan_export(&request).unwrap();
    use Treatment::{Add, LeaveOut, Reuse};
    assert_eq!(
        steps(&plan),
        [
            ("../x", LeaveOut, "unsafe-layer-name"),
            ("bad", Add, "cached-added"),
            ("changed", Add, "cached-added"),
            ("empty", LeaveOut, "not-cached-no-contents"),
            ("err", LeaveOut, "not-cached-error"),
            ("gone", Add, "cached-added"),
            ("launch", LeaveOut, "reserved-layer-name"),
            ("new", Add, "cached-added"),
            ("off", LeaveOut, "not-cached-flag"),
            ("same", Reuse, "cached-reused"),
            ("", Add, "cached-added"),
        ]
    );
    let why: Vec<_> = ["bad", "changed", "gone", "new"]
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
            ("gone", None),
            ("first time", None)
        ]
    );
    assert!(plan.document.starts_with(
        r#"{"sbom":{"sha":"s"},"buildpacks":[{"key":"b","version":"2","layers":{"bad":{"sha":"1","data":{"n":9007199254740993},"build":false,"launch":false,"cache":true},"changed""#
    ));
    assert!(!plan.document.contains("err"));
    // What upstream does with the same.
    request.semantics = Semantics::compatible(None);
    let plan = plan_export(&request).unwrap();
    assert_eq!(
        steps(&plan),
        [
            ("../x", LeaveOut, "unsafe-layer-name"),
            ("bad", Add, "cached-added"),
            ("changed", Add, "cached-added"),
            ("empty", LeaveOut, "not-cached-no-contents"),
            ("err", LeaveOut, "not-cached-error"),
            ("gone", LeaveOut, "not-cached-error"),
            ("launch", Add, "cached-added"),
            ("new", Add, "cached-added"),
            ("off", LeaveOut, "not-cached-flag"),
            ("same", Reuse, "cached-reused"),
            ("same", Reuse, "cached-again"),
            ("", Add, "cached-added"),
        ]
    );
    request.semantics = Semantics::compatible(Some("0.13"));
    let plan = plan_export(&request).unwrap();
    let again = |(_, _, code): &(&str, Treatment, &str)| *code == "cached-again";
    assert!(!steps(&plan).iter().any(again));
}

#[test]
fn the_sbom_layer_is_kept_from_platform_api_0_8_on() {
    let of = |platform_api: &str, tried: Tried, semantics: Semantics| {
        plan_export(&ExportRequest {
            semantics,
            platform_api: platform_api.to_owned(),
            sbom: Some(SbomLayer { tried, ..sbom("s") }),
            previous: Some(r#"{"sbom":{"sha":"s"}}"#.to_owned()),
            ..ExportRequest::default()
        })
    };
    use Treatment::{Add, LeaveOut, Reuse};
    let guarded = Semantics::guarded;
    let kept = of("", Tried::Nothing, guarded()).unwrap();
    assert_eq!(steps(&kept), [("", Reuse, "cached-reused")]);
    assert_eq!(kept, of("0.8", Tried::Nothing, guarded()).unwrap());
    assert!(kept.document.starts_with(r#"{"sbom":{"sha":"s"}"#));
    let early = of("0.7", Tried::Nothing, guarded()).unwrap();
    assert_eq!(steps(&early), []);
    assert!(early.document.starts_with(r#"{"sbom":{"sha":""}"#));
    assert!(of("x", Tried::Nothing, guarded()).is_err());
    let damaged = of("", Tried::Unverified, guarded()).unwrap();
    assert_eq!(steps(&damaged), [("", Add, "cached-added")]);
    let lost = || Tried::NotStored("boom".to_owned());
    let without = of("", lost(), guarded()).unwrap();
    assert_eq!(steps(&without), [("", LeaveOut, "not-cached-error")]);
    assert!(without.document.starts_with(r#"{"sbom":{"sha":""}"#));
    // Upstream's export fails.
    let error = of("", lost(), Semantics::compatible(None)).unwrap_err();
    assert!(error.to_string().contains("boom"), "{error}");
}

fn sbom(diff_id: &str) -> SbomLayer {
    SbomLayer {
        diff_id: diff_id.to_owned(),
        tried: Tried::Nothing,
    }
}

fn steps(plan: &ExportPlan) -> Vec<(&str, Treatment, &str)> {
    let mut steps = Vec::new();
    for step in &plan.steps {
        let code = step.finding.code.trim_start_matches("buildpacks/");
        steps.push((step.layer.as_str(), step.treatment, code));
    }
    steps
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

//! Which layers are retrieved, removed or kept.

use super::*;
use crate::oci::sha256;

fn request(cache: &str, present: &[(&str, &str, bool)], api: &str) -> DataRequest {
    DataRequest {
        directory: "/layers".to_owned(),
        platform_api: "0.13".to_owned(),
        group: vec![GroupElement {
            id: "ex/bp".to_owned(),
            version: "1".to_owned(),
            api: api.to_owned(),
        }],
        present: present
            .iter()
            .map(|(layer, sha, cached)| Present {
                buildpack: "ex/bp".to_owned(),
                layer: (*layer).to_owned(),
                sha: (*sha).to_owned(),
                cached: *cached,
            })
            .collect(),
        cache: Some(cache.to_owned()),
        ..DataRequest::default()
    }
}

const CACHE: &str = r#"{"sbom":{"sha":"s"},"buildpacks":[{"key":"ex/bp","layers":{
    "same":{"sha":"1","cache":true},"other":{"sha":"2","cache":true},"off":{"sha":"3"}}}]}"#;

fn codes(decisions: &[DataDecision]) -> Vec<(&str, Action, &str)> {
    decisions
        .iter()
        .map(|d| {
            (
                d.layer.as_str(),
                d.action,
                d.finding.code.trim_start_matches("buildpacks/"),
            )
        })
        .collect()
}

#[test]
fn layers_are_retrieved_removed_or_kept() {
    let present = [
        ("same", "1", false),
        ("other", "1", false),
        ("off", "3", true),
        ("gone", "", true),
        ("../x", "1", true),
    ];
    let decisions = plan_data(&request(CACHE, &present, "0.10")).unwrap();
    assert_eq!(
        codes(&decisions),
        [
            ("../x", Action::Keep, "unsafe-layer-name"),
            ("gone", Action::Keep, "data-not-cached"),
            ("off", Action::Keep, "data-not-cached"),
            ("other", Action::Remove, "data-removed-wrong-sha"),
            ("same", Action::Retrieve, "data-restored"),
            ("", Action::Retrieve, "data-restored"),
        ]
    );
    assert_eq!(decisions[4].prefix, "layers/ex_bp/same");
    assert_eq!(decisions[4].diff_id, "1");
    assert_eq!(decisions[3].paths[1], "/layers/ex_bp/other.sha");
    assert_eq!(decisions[5].prefix, "layers/sbom/cache");
    let early = plan_data(&request(CACHE, &present, "0.5")).unwrap();
    assert_eq!(
        early[1].finding.code,
        "buildpacks/data-removed-not-in-cache"
    );
    assert_eq!(early[2].finding.code, "buildpacks/data-restored");
    assert_eq!(early[4].finding.code, "buildpacks/data-not-cached");
}

#[test]
fn versions_decide_at_their_borders() {
    let sbom = |platform: &str, cache: &str| {
        let mut request = request(cache, &[], "0.10");
        request.platform_api = platform.to_owned();
        plan_data(&request).unwrap().len()
    };
    assert_eq!((sbom("0.8", CACHE), sbom("0.7", CACHE)), (1, 0));
    assert_eq!(sbom("0.8", r#"{"buildpacks":[]}"#), 0);
    let kept = |api: &str| {
        let present = [("same", "1", false)];
        plan_data(&request(CACHE, &present, api)).unwrap()[0].action
    };
    assert_eq!((kept("0.6"), kept("0.5")), (Action::Retrieve, Action::Keep));
}

/// What becomes of the first layer after it was asked for: the code, the
/// action, and how much is removed.
fn settled(guarded: bool, sbom: bool, outcome: Outcome, why: Reason) -> (String, Action, usize) {
    let mut request = request(CACHE, &[("same", "1", false)], "0.10");
    if !guarded {
        request.semantics = Semantics::compatible(None);
    }
    let decisions = plan_data(&request).unwrap();
    let answer = LayerAnswer {
        diff_id: sha256(b"").to_string(),
        outcome,
        message: "failed to find".to_owned(),
        finding: Finding::new(why, "x"),
    };
    let settled = settle_data(decisions[usize::from(sbom)].clone(), &answer);
    let code = settled.finding.code.trim_start_matches("buildpacks/");
    let removed = match settled.action {
        Action::Remove => settled.paths.len(),
        _ => 0,
    };
    (code.to_owned(), settled.action, removed)
}

#[test]
fn guarded_restores_metadata_and_content_or_neither() {
    let removed = |code: &str| (code.to_owned(), Action::Remove, 2);
    for why in [
        Reason::LayerNotFound,
        Reason::LayerTruncated,
        Reason::LayerCorrupt,
    ] {
        let got = settled(true, false, Outcome::Miss, why);
        assert_eq!(got, removed("data-skipped-read-error"));
    }
    let got = settled(true, false, Outcome::Failed, Reason::LayerReadFailed);
    assert_eq!(got, removed("data-failed"));
    let got = settled(true, true, Outcome::Miss, Reason::LayerNotFound);
    assert_eq!(got, ("data-skipped-read-error".to_owned(), Action::Keep, 0));
    let got = settled(true, false, Outcome::Done, Reason::LayerHit);
    assert_eq!(got, ("data-restored".to_owned(), Action::Retrieve, 0));
}

#[test]
fn compatible_leaves_metadata_and_fails_as_upstream_does() {
    let kept = |code: &str| (code.to_owned(), Action::Keep, 0);
    for (sbom, outcome, why, code) in [
        (
            false,
            Outcome::Miss,
            Reason::LayerNotFound,
            "data-skipped-read-error",
        ),
        (
            false,
            Outcome::Miss,
            Reason::LayerCorrupt,
            "data-skipped-read-error",
        ),
        (false, Outcome::Miss, Reason::LayerTruncated, "data-failed"),
        (
            false,
            Outcome::Failed,
            Reason::LayerReadFailed,
            "data-failed",
        ),
        (true, Outcome::Miss, Reason::LayerNotFound, "data-failed"),
    ] {
        assert_eq!(settled(false, sbom, outcome, why), kept(code), "{why:?}");
    }
}

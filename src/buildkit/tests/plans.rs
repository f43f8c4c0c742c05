//! What a plan says of the layers it lists.

use super::*;
use crate::host::FailureCode;

const DOCKER_LAYER: &str = "application/vnd.docker.image.rootfs.diff.tar.gzip";
const OCI_LAYER: &str = "application/vnd.oci.image.layer.v1.tar+gzip";

/// One record for each list of layers.
fn planned(options: Options, results: &[&[oci::Descriptor]]) -> Plan {
    let mut exporter = exporter(options);
    for (at, layers) in results.iter().enumerate() {
        let result = Outcome {
            layers: layers.to_vec(),
            ..outcome(1, &[])
        };
        let next = record(&format!("r{at}"), vec![], vec![result]);
        exporter.add(&next).unwrap();
    }
    exporter.plan().unwrap()
}

fn says(plan: &Plan, code: &str) -> bool {
    codes(&plan.findings).contains(&code)
}

#[test]
fn layers_without_a_size_or_their_own_digest_are_said() {
    let sized = |size: u64| oci::Descriptor { size, ..layer("x") };
    for (size, zero) in [(0, true), (1, false)] {
        let plan = planned(newest(), &[&[sized(size)]]);
        assert_eq!(says(&plan, "size-zero"), zero, "{size}");
    }
    let annotated = |annotations: &[(&str, &str)]| {
        let own = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        oci::Descriptor {
            annotations: annotations.iter().map(own).collect(),
            ..layer("x")
        }
    };
    for (annotations, missing) in [
        (&[][..], true),
        (&[("a", "b")], true),
        (&[("containerd.io/uncompressed", "d")], false),
        (&[("a", "b"), ("containerd.io/uncompressed", "d")], false),
    ] {
        let plan = planned(newest(), &[&[annotated(annotations)]]);
        assert_eq!(
            says(&plan, "no-uncompressed-annotation"),
            missing,
            "{annotations:?}"
        );
    }
}

#[test]
fn layers_of_another_family_are_said() {
    let seed = Options {
        semantics: Semantics::compatible(Some("0.8-dev")),
        ..newest()
    };
    let form = |oci, image| Options {
        oci,
        image,
        ..newest()
    };
    for (options, media, unlike) in [
        (form(true, true), OCI_LAYER, false),
        (form(true, true), "x/y", true),
        (form(true, false), OCI_LAYER, false),
        (form(true, false), "x/y", true),
        (form(false, false), OCI_LAYER, false),
        (form(false, false), DOCKER_LAYER, false),
        (form(false, false), "x/y", true),
        (seed.clone(), OCI_LAYER, false),
        (seed.clone(), DOCKER_LAYER, false),
        (seed, "x/y", true),
    ] {
        let text = format!("{options:?} {media}");
        let layer = oci::Descriptor {
            media_type: media.into(),
            ..layer("x")
        };
        let mut exporter = exporter(options);
        let result = Outcome {
            layers: vec![layer],
            ..outcome(1, &[])
        };
        exporter.add(&record("a", vec![], vec![result])).unwrap();
        let plan = exporter.plan().unwrap();
        assert_eq!(says(&plan, "wrong-media-type"), unlike, "{text}");
    }
}

#[test]
fn one_digest_under_two_descriptors_is_said() {
    let other = oci::Descriptor {
        size: 8,
        ..layer("x")
    };
    let same = planned(newest(), &[&[layer("x")], &[layer("y"), layer("x")]]);
    assert!(!says(&same, "descriptor-conflict"));
    let differ = planned(newest(), &[&[layer("x")], &[layer("y"), other]]);
    assert!(says(&differ, "descriptor-conflict"));
}

#[test]
fn each_layer_is_spoken_of_once() {
    let bare = oci::Descriptor {
        annotations: vec![],
        ..layer("x")
    };
    let plan = planned(
        newest(),
        &[std::slice::from_ref(&bare), &[layer("y"), bare.clone()]],
    );
    let found = codes(&plan.findings);
    let missing = found
        .iter()
        .filter(|code| **code == "no-uncompressed-annotation");
    assert_eq!(missing.count(), 1, "{found:?}");
}

#[test]
fn a_source_that_cannot_tell_is_trusted_and_one_that_fails_is_not() {
    for (code, refused) in [
        (FailureCode::Unsupported, None),
        (FailureCode::Unavailable, Some("buildkit/source-unknown")),
    ] {
        let mut exporter = exporter(newest());
        exporter
            .add(&record("a", vec![], vec![outcome(1, &["x"])]))
            .unwrap();
        exporter
            .registry
            .failing
            .borrow_mut()
            .insert("has".into(), code);
        let error = exporter.plan().err();
        let said = error.as_ref().and_then(|error| error.problem());
        assert_eq!(said.map(|problem| problem.code.as_str()), refused);
    }
}

#[test]
fn a_result_that_is_set_aside_is_said_with_both_times() {
    let mut exporter = exporter(newest());
    let results = vec![outcome(1, &["old"]), outcome(2, &["old", "new"])];
    exporter.add(&record("a", vec![], results)).unwrap();
    exporter.registry.missing.borrow_mut().insert(digest("new"));
    let plan = exporter.plan().unwrap();
    let dropped = plan
        .findings
        .iter()
        .find(|f| f.code == "buildkit/result-dropped");
    let sides: Vec<_> = dropped
        .unwrap()
        .differences
        .iter()
        .map(|d| d.have.as_deref())
        .collect();
    let (new, old) = ("2023-11-14T22:13:22Z", "2023-11-14T22:13:21Z");
    assert_eq!(sides, [Some(new), Some(old)]);
}

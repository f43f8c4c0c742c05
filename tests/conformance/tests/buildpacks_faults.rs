//! Registries and file systems that fail, lie and lose things: what is there
//! afterwards is right, and nothing wrong is ever believed.

mod support;

use std::sync::Arc;

use layerwise::buildpacks::{
    Addition, AdditionSource, Effect, GroupElement, Outcome, RestoreOptions, RestoreRequest,
    Restorer, ShaStore, WantedLayer,
};
use layerwise::error::Error;
use layerwise::host::{Destination, Failure, FailureCode, Registry as _, Silent};
use layerwise_conformance::buildpacks::MemoryFiles;
use layerwise_conformance::memory_registry::{Call, MemoryRegistry, blob_of};
use support::cache_image::{
    NAME, addition, build, code, compatible, id, metadata, open, options, reason, retrieve, verdict,
};

#[test]
fn stopping_between_any_two_changes_leaves_a_whole_image() {
    let mut stopped = 0;
    for allowed in 0.. {
        let registry = Arc::new(MemoryRegistry::default());
        build(&registry, &["a", "b"]).expect("first build");
        registry.allow_changes(Some(allowed));
        let second = build(&registry, &["b", "c"]);
        registry.allow_changes(None);
        let image = open(&registry, options());
        let found = image.metadata();
        assert_eq!(
            found.finding.code, "buildpacks/hit",
            "after {allowed} changes"
        );
        let names: &[&str] = if found.document.contains(&id("c")) {
            &["b", "c"]
        } else {
            &["a", "b"]
        };
        for name in names {
            assert_eq!(
                code(&retrieve(&image, name)),
                "layer-hit",
                "{name} after {allowed}"
            );
        }
        build(&registry, &["b", "c"]).expect("the next build");
        let image = open(&registry, options());
        assert_eq!(code(&retrieve(&image, "c")), "layer-hit");
        if let Ok(commit) = second {
            // Everything but the deletion happened, or that too.
            if verdict(&commit) == "original-deleted" {
                break;
            }
            assert_eq!(verdict(&commit), "original-delete-failed");
        }
        stopped += 1;
    }
    assert_eq!(stopped, 5, "layer, config, manifest, tag, deletion");
}

#[test]
fn a_failed_call_of_any_kind_is_a_typed_answer() {
    for call in [
        Call::Locate,
        Call::Resolve,
        Call::Read,
        Call::Has,
        Call::Write,
        Call::Store,
        Call::Retrieve,
        Call::Tag,
        Call::Delete,
    ] {
        for failure in [
            FailureCode::NotFound,
            FailureCode::Unauthorized,
            FailureCode::Denied,
            FailureCode::Unavailable,
            FailureCode::Corrupt,
            FailureCode::Truncated,
            FailureCode::TooLarge,
            FailureCode::Full,
            FailureCode::Cancelled,
        ] {
            for skip in 0..3 {
                let registry = Arc::new(MemoryRegistry::default());
                build(&registry, &["a"]).expect("first build");
                registry.fail(call, skip, Failure::new(failure, "boom"));
                let _ = build(&registry, &["a", "b"]);
                registry.clear_faults();
                build(&registry, &["a", "b"]).expect("the next build");
                let image = open(&registry, options());
                assert_eq!(reason(&image), "hit", "{call:?} {failure:?}");
            }
        }
    }
}

#[test]
fn the_same_calls_give_the_same_bytes() {
    let digest = || {
        let registry = Arc::new(MemoryRegistry::default());
        build(&registry, &["b", "a"]).expect("build").digest
    };
    assert_eq!(digest(), digest());
}

#[test]
fn every_document_is_hashed_again() {
    let registry = Arc::new(MemoryRegistry::default());
    let commit = build(&registry, &["a"]).expect("build");
    let Some(Effect::WriteConfig(config)) = commit.effects.first() else {
        panic!("{:?}", commit.effects)
    };
    for digest in [&commit.digest, &config.descriptor.digest] {
        let lying = Arc::new(MemoryRegistry::default());
        build(&lying, &["a"]).expect("build");
        lying.damage(digest);
        let image = open(&lying, options());
        assert_eq!(reason(&image), "image-corrupt");
        assert!(image.exists());
        assert_eq!(code(&retrieve(&image, "a")), "layer-not-found");
        build(&lying, &["a"]).expect("a corrupt cache does not stop the build");
    }
}

#[test]
fn a_damaged_layer_is_a_miss_for_that_layer() {
    let registry = Arc::new(MemoryRegistry::default());
    build(&registry, &["a", "b"]).expect("build");
    registry.damage(&blob_of(&id("a")).digest);
    let image = open(&registry, options());
    assert_eq!(reason(&image), "hit");
    let answer = retrieve(&image, "a");
    assert_eq!(
        (answer.outcome, code(&answer)),
        (Outcome::Miss, "layer-corrupt")
    );
    assert_eq!(code(&retrieve(&image, "b")), "layer-hit");
    assert_eq!(registry.unpacked(), [(id("b"), "layers/b/b".to_owned())]);
    let verified = image.verify(&[id("a"), id("b"), id("x")]).expect("answers");
    let codes: Vec<_> = verified.iter().map(code).collect();
    assert_eq!(codes, ["layer-corrupt", "layer-verified", "layer-trusted"]);
    let mut options = compatible(None);
    options.policy.accept_unscoped = true;
    assert_eq!(code(&retrieve(&open(&registry, options), "a")), "layer-hit");
}

#[test]
fn a_host_that_does_not_check_is_checked() {
    let registry = Arc::new(MemoryRegistry::default());
    build(&registry, &["a"]).expect("build");
    registry.damage(&blob_of(&id("a")).digest);
    registry.be_careless();
    let image = open(&registry, options());
    let answer = retrieve(&image, "a");
    assert_eq!(
        (answer.outcome, code(&answer)),
        (Outcome::Miss, "layer-corrupt")
    );
    assert_eq!(
        code(&image.verify(&[id("a")]).expect("answers")[0]),
        "layer-corrupt"
    );
}

#[test]
fn each_lost_blob_is_a_miss() {
    for lost in ["a", "b"] {
        let registry = Arc::new(MemoryRegistry::default());
        build(&registry, &["a", "b"]).expect("build");
        registry.lose(&blob_of(&id(lost)).digest);
        let mut image = open(&registry, options());
        assert_eq!(reason(&image), "image-corrupt");
        for name in ["a", "b"] {
            let answer = retrieve(&image, name);
            let want = if name == lost {
                "layer-not-found"
            } else {
                "layer-hit"
            };
            assert_eq!(code(&answer), want);
        }
        let reused = image.reuse(&[id("a"), id("b")]).expect("answers");
        for (answer, name) in reused.iter().zip(["a", "b"]) {
            let want = if name == lost {
                "layer-not-found"
            } else {
                "layer-reused"
            };
            assert_eq!(code(answer), want);
        }
        image
            .add(&[addition(&registry, lost)])
            .expect("added again");
        image.commit().expect("commit");
        assert_eq!(
            code(&retrieve(&open(&registry, options()), lost)),
            "layer-hit"
        );
    }
}

#[test]
fn compatible_finds_a_lost_blob_when_it_commits() {
    let registry = Arc::new(MemoryRegistry::default());
    let mut first = open(&registry, compatible(None));
    first.add(&[addition(&registry, "a")]).expect("added");
    first.commit().expect("commit");
    registry.lose(&blob_of(&id("a")).digest);
    let mut image = open(&registry, compatible(None));
    assert_eq!(
        code(&image.reuse(&[id("a")]).expect("answers")[0]),
        "layer-reused"
    );
    let error = image
        .commit()
        .expect_err("the registry refuses the manifest");
    let problem = error.problem().expect("problem");
    assert_eq!(problem.code, "buildpacks/save-failed");
    assert_eq!(
        problem.message,
        format!("saving image '{NAME}': MANIFEST_BLOB_UNKNOWN")
    );
}

#[test]
fn a_layer_cannot_leave_its_prefix() {
    let registry = Arc::new(MemoryRegistry::default());
    build(&registry, &["a", "b"]).expect("build");
    registry.reach_outside(&blob_of(&id("a")).digest);
    let image = open(&registry, options());
    let answer = retrieve(&image, "a");
    assert_eq!(
        (answer.outcome, code(&answer)),
        (Outcome::Miss, "layer-outside-prefix")
    );
    assert_eq!(code(&retrieve(&image, "b")), "layer-hit");
    for prefix in [
        "",
        "/",
        "/etc",
        "..",
        "layers/../etc",
        "layers//x",
        "layers/.",
        "a\0b",
    ] {
        let wanted = WantedLayer {
            diff_id: id("b"),
            into: Some(Destination {
                root: "/".to_owned(),
                prefix: prefix.to_owned(),
            }),
        };
        assert!(image.retrieve(&[wanted]).is_err(), "{prefix:?}");
    }
}

#[test]
fn a_file_with_another_diff_id_is_refused() {
    for (options, outcome) in [
        (options(), Outcome::Failed),
        (compatible(None), Outcome::Done),
    ] {
        let registry = Arc::new(MemoryRegistry::default());
        let mut image = open(&registry, options);
        let mut addition = addition(&registry, "a");
        addition.diff_id = id("b");
        let answer = image.add(&[addition]).expect("answers").remove(0);
        assert_eq!(answer.outcome, outcome);
    }
    let registry = Arc::new(MemoryRegistry::default());
    let mut image = open(&registry, options());
    let missing = Addition {
        source: AdditionSource::File("x.tar".to_owned()),
        diff_id: String::new(),
    };
    let answers = image
        .add(&[missing, addition(&registry, "a")])
        .expect("answers");
    assert_eq!(answers[0].message, "open x.tar: no such file or directory");
    assert_eq!(answers[1].outcome, Outcome::Done);
}

#[test]
fn a_plan_changes_nothing_and_says_what_a_commit_does() {
    let registry = Arc::new(MemoryRegistry::default());
    build(&registry, &["a"]).expect("build");
    let mut image = open(&registry, options());
    image.add(&[addition(&registry, "b")]).expect("added");
    image.set_metadata(&metadata(&["b"])).expect("metadata");
    let calls = registry.calls().len();
    let planned = image.plan().expect("plan");
    assert_eq!(registry.calls().len(), calls);
    assert_eq!(planned, image.commit().expect("commit"));
    assert!(matches!(planned.effects.last(), Some(Effect::Delete(_))));
    let error = image.plan().expect_err("committed");
    assert!(matches!(error, Error::Committed(_)));
    let stored = registry.tag_of(NAME).expect("tag");
    assert_eq!(stored, planned.digest);
}

#[test]
fn stopping_a_restore_between_any_two_files_is_repaired_by_the_next() {
    let request = RestoreRequest {
        group: vec![GroupElement {
            id: "b".to_owned(),
            version: "1".to_owned(),
            api: "0.10".to_owned(),
        }],
        app: Some(
            r#"{"buildpacks":[{"key":"b","store":{"metadata":{"s":"t"}},"layers":{
                "l":{"sha":"1","launch":true},"m":{"sha":"2","launch":true,"data":{"k":"v"}}}}]}"#
                .to_owned(),
        ),
        ..RestoreRequest::default()
    };
    let options = RestoreOptions {
        directory: "layers".to_owned(),
        platform_api: "0.14".to_owned(),
        shas: ShaStore::Files,
        ..RestoreOptions::default()
    };
    let all = 5;
    for allowed in 0..all {
        let files = Arc::new(MemoryFiles::default());
        let mut session = Restorer::open(files.clone(), Silent, options.clone()).expect("opens");
        files.allow_writes(Some(allowed));
        let error = session.restore(&request).expect_err("no space");
        assert_eq!(
            error.problem().expect("problem").code,
            "buildpacks/write-failed"
        );
        assert_eq!(files.below("layers").len(), allowed);
        files.allow_writes(None);
        session.restore(&request).expect("the next run");
        assert_eq!(files.below("layers").len(), all);
    }
}

#[test]
fn the_registry_answers_as_registries_do() {
    let registry = MemoryRegistry::default();
    let tagged = registry.tag(NAME, &id("nothing"));
    assert_eq!(tagged.expect_err("unknown").code, FailureCode::NotFound);
    let found = registry.resolve(&[NAME.to_owned()]).remove(0);
    assert_eq!(found.expect_err("unknown").code, FailureCode::NotFound);
}

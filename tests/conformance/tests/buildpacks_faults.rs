//! Registries and file systems that fail, lie and lose things: what is there
//! afterwards is right, and nothing wrong is ever believed.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "the helpers of tests may panic"
)]

mod support;

use std::sync::Arc;

use layerwise::buildpacks::{
    Addition, AdditionSource, CACHE_LABEL, CacheImage, Commit, Effect, GroupElement, ImageOptions,
    LayerAnswer, Outcome, RestoreOptions, RestoreRequest, Restorer, ShaStore, WantedLayer,
};
use layerwise::error::Error;
use layerwise::host::{Destination, Failure, FailureCode, Registry as _, Shelf, Silent};
use layerwise_conformance::buildpacks::MemoryFiles;
use layerwise_conformance::memory_registry::{Call, MemoryRegistry, blob_of};
use support::cache_image::{NAME, addition, compatible, id, open, options};

type Image = CacheImage<Arc<MemoryRegistry>, Silent>;

const REPOSITORY: &str = "registry.example/team/app";

fn metadata(layers: &[&str]) -> String {
    let layers: Vec<_> = layers
        .iter()
        .map(|name| format!("\"{name}\":{{\"sha\":\"{}\",\"cache\":true}}", id(name)))
        .collect();
    format!(
        "{{\"buildpacks\":[{{\"key\":\"b\",\"layers\":{{{}}}}}]}}",
        layers.join(",")
    )
}

/// One build: takes over what is there and adds what is not.
fn build(registry: &Arc<MemoryRegistry>, layers: &[&str]) -> Result<Commit, Error> {
    let mut image = CacheImage::open(registry.clone(), Silent, options())?;
    for name in layers {
        let reused = image.reuse(&[id(name)])?;
        if reused[0].outcome != Outcome::Done {
            let added = image.add(&[addition(registry, name)])?;
            if added[0].outcome != Outcome::Done {
                return Err(Error::Other(added[0].message.clone()));
            }
        }
    }
    image.set_metadata(&metadata(layers))?;
    image.commit()
}

fn retrieve(image: &Image, name: &str) -> LayerAnswer {
    let wanted = WantedLayer {
        diff_id: id(name),
        into: Some(Destination {
            root: "/".to_owned(),
            prefix: format!("layers/b/{name}"),
        }),
    };
    image.retrieve(&[wanted]).expect("answers").remove(0)
}

fn code(answer: &LayerAnswer) -> &str {
    answer
        .finding
        .code
        .strip_prefix("buildpacks/")
        .expect("a code of this system")
}

fn reason(image: &Image) -> String {
    image.metadata().finding.code.replace("buildpacks/", "")
}

fn verdict(commit: &Commit) -> String {
    commit
        .notes
        .last()
        .expect("a verdict")
        .code
        .replace("buildpacks/", "")
}

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
fn another_scope_is_a_miss() {
    let registry = Arc::new(MemoryRegistry::default());
    build(&registry, &["a"]).expect("build");
    let other = ImageOptions {
        scope: "other/app".to_owned(),
        ..options()
    };
    let mut image = open(&registry, other.clone());
    assert_eq!(reason(&image), "scope");
    assert_eq!(code(&retrieve(&image, "a")), "layer-not-found");
    assert_eq!(
        image.reuse(&[id("a")]).expect("answers")[0].outcome,
        Outcome::Failed
    );
    assert_eq!(reason(&open(&registry, options())), "hit");
    let mut unscoped = open(&registry, other);
    unscoped.set_metadata(&metadata(&[])).expect("metadata");
    assert_eq!(
        verdict(&unscoped.commit().expect("commit")),
        "original-kept-scope"
    );
    let nobody = ImageOptions {
        scope: String::new(),
        ..options()
    };
    let refused = CacheImage::open(registry.clone(), Silent, nobody).expect_err("no scope");
    assert_eq!(
        refused.problem().expect("problem").code,
        "buildpacks/scope-required"
    );
}

#[test]
fn an_image_without_scope_is_used_only_when_asked_for() {
    let registry = Arc::new(MemoryRegistry::default());
    let mut upstream = open(&registry, compatible(None));
    upstream.add(&[addition(&registry, "a")]).expect("added");
    upstream.set_metadata(&metadata(&["a"])).expect("metadata");
    upstream.commit().expect("commit");
    assert_eq!(reason(&open(&registry, options())), "scope");
    let mut accepting = options();
    accepting.policy.accept_unscoped = true;
    assert_eq!(reason(&open(&registry, accepting)), "hit");
    assert_eq!(reason(&open(&registry, compatible(None))), "hit");
}

#[test]
fn scope_does_not_change_the_label() {
    let label = |options: ImageOptions| {
        let registry = Arc::new(MemoryRegistry::default());
        let mut image = open(&registry, options);
        image.set_metadata(&metadata(&["a"])).expect("metadata");
        let commit = image.commit().expect("commit");
        let Some(Effect::WriteConfig(config)) = commit.effects.get(1) else {
            panic!("{:?}", commit.effects)
        };
        (config.text.clone(), commit.digest)
    };
    let (guarded, guarded_digest) = label(options());
    let (upstream, upstream_digest) = label(compatible(None));
    assert_eq!(guarded, upstream);
    assert!(guarded.contains(CACHE_LABEL));
    assert_ne!(guarded_digest, upstream_digest);
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
fn what_a_name_stands_for() {
    let resolve = |code| {
        let registry = Arc::new(MemoryRegistry::default());
        registry.fail(
            Call::Resolve,
            0,
            Failure::new(code, "words of the registry"),
        );
        CacheImage::open(registry, Silent, options())
    };
    for code in [FailureCode::NotFound, FailureCode::Unauthorized] {
        let image = resolve(code).expect("an empty cache");
        let found = image.metadata();
        assert_eq!(found.finding.code, "buildpacks/image-not-found");
        let unauthorized = found
            .finding
            .differences
            .iter()
            .any(|d| d.path == "unauthorized");
        assert_eq!(unauthorized, code == FailureCode::Unauthorized);
    }
    for code in [
        FailureCode::Denied,
        FailureCode::Unavailable,
        FailureCode::Deadline,
    ] {
        let error = resolve(code).expect_err("an error");
        let problem = error.problem().expect("problem");
        assert_eq!(problem.code, "buildpacks/access-failed");
        assert_eq!(
            problem.message,
            format!("accessing cache image \"{NAME}\": words of the registry")
        );
    }
    let spaced = ImageOptions {
        reference: "not a name".to_owned(),
        ..options()
    };
    let error = CacheImage::open(Arc::new(MemoryRegistry::default()), Silent, spaced);
    assert_eq!(
        error
            .expect_err("no name")
            .problem()
            .expect("problem")
            .message,
        "accessing cache image \"not a name\": could not parse reference: not a name"
    );
}

#[test]
fn an_index_is_an_image_without_anything() {
    let registry = Arc::new(MemoryRegistry::default());
    let media_type = "application/vnd.oci.image.index.v1+json";
    let text = format!(r#"{{"schemaVersion":2,"mediaType":"{media_type}","manifests":[]}}"#);
    let index = registry.put_document(REPOSITORY, Shelf::Manifest, media_type, &text);
    registry.put_tag(NAME, &index.digest);
    let image = open(&registry, options());
    assert!(image.exists());
    assert_eq!(reason(&image), "label-missing");
    assert_eq!(code(&retrieve(&image, "a")), "layer-not-found");
}

#[test]
fn a_name_that_moved_keeps_what_it_stood_for() {
    let registry = Arc::new(MemoryRegistry::default());
    build(&registry, &["a"]).expect("build");
    let mut slow = open(&registry, options());
    let between = build(&registry, &["b"]).expect("another build");
    slow.add(&[addition(&registry, "c")]).expect("added");
    let commit = slow.commit().expect("commit");
    assert_eq!(verdict(&commit), "original-kept-moved");
    assert!(registry.manifest(&between.digest).is_some());
    // The first commit of two at the same time deletes nothing either.
    let registry = Arc::new(MemoryRegistry::default());
    let mut slow = open(&registry, options());
    build(&registry, &["b"]).expect("another build");
    assert_eq!(
        verdict(&slow.commit().expect("commit")),
        "original-kept-moved"
    );
}

#[test]
fn compatible_deletes_what_it_cannot_compare() {
    for (options, want) in [
        (options(), "original-kept-compare-failed"),
        (compatible(None), "original-deleted"),
    ] {
        let registry = Arc::new(MemoryRegistry::default());
        let mut first = open(&registry, options.clone());
        first.commit().expect("commit");
        let mut image = open(&registry, options);
        image.add(&[addition(&registry, "a")]).expect("added");
        registry.fail(
            Call::Resolve,
            1,
            Failure::new(FailureCode::Unavailable, "gone"),
        );
        assert_eq!(verdict(&image.commit().expect("commit")), want);
        assert!(registry.tag_of(NAME).is_some(), "the new image stays");
    }
}

#[test]
fn layers_are_kept_once_in_the_guarded_reading() {
    for (options, want) in [(options(), 2), (compatible(None), 7)] {
        let registry = Arc::new(MemoryRegistry::default());
        let mut first = open(&registry, options.clone());
        first.add(&[addition(&registry, "a")]).expect("added");
        first.commit().expect("commit");
        let mut image = open(&registry, options);
        let (a, b) = (addition(&registry, "a"), addition(&registry, "b"));
        image.reuse(&[id("a"), id("a")]).expect("reused");
        image.add(&[a.clone(), b, a.clone()]).expect("added");
        image.add(std::slice::from_ref(&a)).expect("added");
        // The diff id is only known when the layer is stored.
        let unknown = Addition {
            diff_id: String::new(),
            ..a
        };
        let answer = image.add(&[unknown]).expect("added").remove(0);
        assert_eq!(answer.outcome, Outcome::Done);
        assert_eq!(image.state().layers.len(), want);
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
fn the_first_version_has_its_own_rules() {
    let registry = Arc::new(MemoryRegistry::default());
    let mut old = compatible(Some("0.13"));
    old.policy.delete_original = false;
    let mut image = open(&registry, old.clone());
    assert!(image.commit().expect("commit").layers.is_empty());
    let mut image = open(&registry, old);
    image.add(&[addition(&registry, "a")]).expect("added");
    let answer = retrieve(&image, "b");
    assert_eq!(answer.outcome, Outcome::Failed);
    assert_eq!(
        verdict(&image.commit().expect("commit")),
        "original-deleted"
    );
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

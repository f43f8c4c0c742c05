//! Whose cache image a name stands for, and what a commit makes of it: scopes, names
//! that move, and what the readings keep.

mod support;

use std::sync::Arc;

use layerwise::buildpacks::{Addition, CACHE_LABEL, CacheImage, Effect, ImageOptions, Outcome};
use layerwise::host::{Failure, FailureCode, Shelf, Silent};
use layerwise_conformance::memory_registry::{Call, MemoryRegistry};
use support::cache_image::{
    NAME, REPOSITORY, addition, build, code, compatible, id, metadata, open, options, reason,
    retrieve, verdict,
};

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

//! Cache images over a registry that answers oddly, and what is asked of it.

#![expect(clippy::expect_used, reason = "the helpers of tests may panic")]

mod support;

use std::sync::{Arc, Mutex};

use layerwise::buildpacks::{CacheImage, Effect, ImageOptions, Outcome, WantedLayer};
use layerwise::error::Error;
use layerwise::host::{
    Destination, Failure, FailureCode, Level, Observer, Presence, Registry, Retrieval, Retrieved,
    Shelf, Silent, Source, Stored, Transfer,
};
use layerwise::oci::Descriptor;
use layerwise_conformance::memory_registry::{Call, MemoryRegistry};
use support::cache_image::{NAME, addition, compatible, id, open, options};

type Resolved = Result<Vec<Descriptor>, Failure>;
type Read = Result<String, Failure>;

/// A registry some of whose answers are changed on their way.
#[derive(Default)]
struct Odd {
    below: MemoryRegistry,
    /// Answers of `resolve`, in order; the registry's own after them.
    resolved: Mutex<Vec<Resolved>>,
    /// Answers of `read`, for digests.
    read: Mutex<Vec<(String, Read)>>,
    /// The layers that were stored.
    stored: Mutex<Vec<Transfer>>,
}

impl Registry for Odd {
    fn locate(&self, reference: &str) -> Result<String, Failure> {
        self.below.locate(reference)
    }

    fn resolve(&self, references: &[String]) -> Vec<Resolved> {
        let own = self.below.resolve(references);
        let mut planned = self.resolved.lock().expect("lock");
        if planned.is_empty() {
            own
        } else {
            vec![planned.remove(0)]
        }
    }

    fn read(&self, repository: &str, wanted: &[Descriptor], limit: u64) -> Vec<Read> {
        let planned = self.read.lock().expect("lock");
        let own = self.below.read(repository, wanted, limit);
        let answers = wanted.iter().zip(own).map(|(wanted, own)| {
            let answer = planned.iter().find(|(digest, _)| *digest == wanted.digest);
            answer.map_or(own, |(_, answer)| answer.clone())
        });
        answers.collect()
    }

    fn has(&self, repository: &str, digests: &[String]) -> Result<Vec<Presence>, Failure> {
        self.below.has(repository, digests)
    }

    fn write(
        &self,
        repository: &str,
        shelf: Shelf,
        media_type: &str,
        text: &str,
    ) -> Result<Descriptor, Failure> {
        self.below.write(repository, shelf, media_type, text)
    }

    fn store(&self, repository: &str, layers: &[Transfer]) -> Vec<Result<Stored, Failure>> {
        self.stored.lock().expect("lock").extend_from_slice(layers);
        self.below.store(repository, layers)
    }

    fn retrieve(&self, repository: &str, layers: &[Retrieval]) -> Vec<Result<Retrieved, Failure>> {
        self.below.retrieve(repository, layers)
    }

    fn tag(&self, reference: &str, digest: &str) -> Result<(), Failure> {
        self.below.tag(reference, digest)
    }

    fn delete(&self, repository: &str, digest: &str) -> Result<(), Failure> {
        self.below.delete(repository, digest)
    }
}

/// An image with one layer, committed; returns its digest.
fn build(registry: &Arc<Odd>, layer: &str, options: ImageOptions) -> String {
    let mut image = open(registry, options);
    image
        .add(&[addition(&registry.below, layer)])
        .expect("added");
    image.commit().expect("commit").digest
}

fn short(code: &str) -> &str {
    code.trim_start_matches("buildpacks/")
}

#[test]
fn a_plan_of_the_same_image_deletes_nothing() {
    let registry = Arc::new(Odd::default());
    let digest = build(&registry, "a", options());
    let mut image = open(&registry, options());
    image.reuse(&[id("a")]).expect("reused");
    let plan = image.plan().expect("plan");
    assert_eq!(plan.digest, digest);
    let verdict = plan.notes.last().expect("a verdict");
    assert_eq!(short(&verdict.code), "original-kept-same");
    let deletes = |effect: &Effect| matches!(effect, Effect::Delete(_));
    assert!(!plan.effects.iter().any(deletes));
    let commit = image.commit().expect("commit");
    assert!(!commit.effects.iter().any(deletes));
    assert!(registry.below.manifest(&digest).is_some());
}

#[test]
fn only_what_the_name_stood_for_all_along_is_deleted() {
    let other = Descriptor {
        digest: id("somebody else's"),
        ..Descriptor::default()
    };
    for (before, after, guarded, compatible_says) in [
        (None, None, "original-deleted", "original-deleted"),
        // Gone before the commit.
        (
            Some(Err(Failure::new(FailureCode::NotFound, "gone"))),
            None,
            "original-kept-absent",
            "original-kept-absent",
        ),
        // Taken by somebody else before, or after the commit.
        (
            Some(Ok(vec![other.clone()])),
            None,
            "original-kept-moved",
            "original-deleted",
        ),
        (
            None,
            Some(Ok(vec![other.clone()])),
            "original-kept-moved",
            "original-deleted",
        ),
    ] {
        for (options, want) in [(options(), guarded), (compatible(None), compatible_says)] {
            let registry = Arc::new(Odd::default());
            let old = build(&registry, "a", options.clone());
            let mut image = open(&registry, options);
            image.add(&[addition(&registry.below, "b")]).expect("added");
            let resolved = registry.below.resolve(&[NAME.to_owned()]).remove(0);
            let first = before.clone().unwrap_or(resolved);
            let mut planned = vec![first];
            planned.extend(after.clone());
            *registry.resolved.lock().expect("lock") = planned;
            let commit = image.commit().expect("commit");
            let verdict = commit.notes.last().expect("a verdict");
            assert_eq!(short(&verdict.code), want, "{before:?} {after:?}");
            let kept = registry.below.manifest(&old).is_some();
            assert_eq!(kept, want != "original-deleted");
        }
    }
}

#[test]
fn a_name_that_is_listed_twice_stands_for_nothing() {
    for (second, same) in [("a", true), ("b", false)] {
        let registry = Arc::new(Odd::default());
        build(&registry, "a", options());
        let one = registry
            .below
            .resolve(&[NAME.to_owned()])
            .remove(0)
            .expect("resolved");
        let other = Descriptor {
            digest: id(second),
            ..one[0].clone()
        };
        let list = if same {
            vec![one[0].clone(), one[0].clone()]
        } else {
            vec![other, one[0].clone()]
        };
        *registry.resolved.lock().expect("lock") = vec![Ok(list)];
        let image = open(&registry, options());
        let found = image.metadata().finding;
        let listed = found.differences.iter().any(|d| d.path == "manifests");
        assert_eq!(listed, !same, "{found:?}");
    }
}

#[test]
fn documents_that_cannot_be_read_are_a_broken_image_or_a_failure() {
    for (code, fails) in [
        (FailureCode::NotFound, false),
        (FailureCode::Corrupt, false),
        (FailureCode::Truncated, false),
        (FailureCode::TooLarge, false),
        (FailureCode::Unsupported, false),
        (FailureCode::Invalid, false),
        (FailureCode::Unavailable, true),
        (FailureCode::Denied, true),
    ] {
        let registry = Arc::new(Odd::default());
        let digest = build(&registry, "a", options());
        let failure = Failure::new(code, "words");
        *registry.read.lock().expect("lock") = vec![(digest, Err(failure))];
        match CacheImage::open(registry.clone(), Silent, options()) {
            Ok(image) => {
                assert!(!fails, "{code:?}");
                assert_ne!(image.metadata().finding.code, "buildpacks/hit");
            }
            Err(error) => {
                assert!(fails, "{code:?}");
                assert_eq!(
                    error.problem().expect("problem").code,
                    "buildpacks/access-failed"
                );
            }
        }
    }
}

#[test]
fn documents_are_read_up_to_the_limit() {
    let registry = Arc::new(Odd::default());
    let digest = build(&registry, "a", options());
    let manifest = registry.below.manifest(&digest).expect("manifest");
    // The host does not care for the limit.
    *registry.read.lock().expect("lock") = vec![(digest, Ok(manifest.clone()))];
    let longest = u64::try_from(manifest.len()).expect("length");
    for (limit, read) in [(longest - 1, false), (longest, true), (longest + 1, true)] {
        let options = ImageOptions {
            limits: vec![("document-bytes".to_owned(), limit)],
            ..options()
        };
        let found = open(&registry, options).metadata().finding;
        let refused = format!("{found:?}").contains("limit document-bytes");
        assert_eq!(refused, !read, "{limit}: {found:?}");
    }
}

#[test]
fn a_layer_is_stored_once_and_under_its_media_type() {
    let registry = Arc::new(Odd::default());
    let mut image = open(&registry, options());
    let a = addition(&registry.below, "a");
    let answers = image
        .add(&[a.clone(), a.clone(), addition(&registry.below, "b")])
        .expect("added");
    let codes: Vec<_> = answers
        .iter()
        .map(|answer| short(&answer.finding.code))
        .collect();
    assert_eq!(
        codes,
        ["layer-added", "layer-already-staged", "layer-added"]
    );
    let answers = image.add(&[a]).expect("added");
    assert_eq!(short(&answers[0].finding.code), "layer-already-staged");
    let stored = registry.stored.lock().expect("lock");
    assert_eq!(stored.len(), 2);
    for transfer in &*stored {
        assert_eq!(
            transfer.descriptor.media_type,
            "application/vnd.oci.image.layer.v1.tar+gzip"
        );
        assert!(matches!(transfer.source, Source::File(_)));
    }
}

#[test]
fn failures_of_layers_have_their_class() {
    let failing = |call: Call, code: FailureCode, options: ImageOptions| {
        let registry = Arc::new(Odd::default());
        build(&registry, "a", options.clone());
        let mut image = open(&registry, options);
        registry.below.fail(call, 0, Failure::new(code, "words"));
        let answers = match call {
            Call::Store => image.add(&[addition(&registry.below, "b")]),
            _ => image.retrieve(&[WantedLayer {
                diff_id: id("a"),
                into: Some(Destination {
                    root: "/".to_owned(),
                    prefix: "x".to_owned(),
                }),
            }]),
        };
        answers.map(|mut answers| {
            let answer = answers.remove(0);
            (answer.outcome, short(&answer.finding.code).to_owned())
        })
    };
    let said = |outcome, code: &str| Ok((outcome, code.to_owned()));
    let (store, retrieve) = (Call::Store, Call::Retrieve);
    let first = Some("0.13");
    for (call, code, guarded, newest, oldest) in [
        (
            store,
            FailureCode::Unavailable,
            said(Outcome::Failed, "add-failed"),
            said(Outcome::Failed, "add-failed"),
            said(Outcome::Failed, "add-failed"),
        ),
        (
            store,
            FailureCode::Conflict,
            said(Outcome::Failed, "layer-diff-mismatch"),
            said(Outcome::Failed, "layer-diff-mismatch"),
            said(Outcome::Failed, "layer-diff-mismatch"),
        ),
        (
            retrieve,
            FailureCode::NotFound,
            said(Outcome::Miss, "layer-not-found"),
            said(Outcome::Miss, "layer-not-found"),
            said(Outcome::Failed, "layer-not-found"),
        ),
        (
            retrieve,
            FailureCode::Corrupt,
            said(Outcome::Miss, "layer-corrupt"),
            said(Outcome::Failed, "layer-read-failed"),
            said(Outcome::Failed, "layer-read-failed"),
        ),
        (
            retrieve,
            FailureCode::Denied,
            said(Outcome::Miss, "layer-outside-prefix"),
            said(Outcome::Failed, "layer-read-failed"),
            said(Outcome::Failed, "layer-read-failed"),
        ),
    ] {
        assert_eq!(failing(call, code, options()), guarded, "{call:?} {code:?}");
        assert_eq!(
            failing(call, code, compatible(None)),
            newest,
            "{call:?} {code:?}"
        );
        assert_eq!(
            failing(call, code, compatible(first)),
            oldest,
            "{call:?} {code:?}"
        );
    }
    for call in [store, retrieve] {
        for code in [FailureCode::Cancelled, FailureCode::Deadline] {
            let error = failing(call, code, options()).expect_err("stopped");
            assert!(matches!(error, Error::Host(_)), "{error:?}");
        }
    }
}

#[test]
fn the_first_missing_layer_is_the_nearest() {
    let registry = Arc::new(Odd::default());
    let mut image = open(&registry, options());
    image.add(&[addition(&registry.below, "a")]).expect("added");
    let layer = |name: &str| format!(r#""{name}":{{"sha":"{}","cache":true}}"#, id(name));
    let label = format!(
        r#"{{"buildpacks":[{{"key":"b","layers":{{{},{},{}}}}}]}}"#,
        layer("a"),
        layer("gone"),
        layer("lost")
    );
    image.set_metadata(&label).expect("metadata");
    image.commit().expect("commit");
    let explained = open(&registry, options()).explain();
    assert_eq!(explained.considered, 3);
    let nearest = explained.nearest.expect("a missing layer");
    assert_eq!(
        (short(&nearest.code), &*nearest.subject),
        ("layer-not-found", "b:gone")
    );
    let counts: Vec<_> = explained
        .summary
        .differences
        .iter()
        .map(|d| (&*d.path, d.have.as_deref()))
        .collect();
    assert_eq!(counts, [("buildpacks", Some("1")), ("layers", Some("3"))]);
}

#[test]
fn what_was_just_saved_is_never_deleted() {
    let other = Descriptor {
        digest: id("somebody else's"),
        ..Descriptor::default()
    };
    for options in [options(), compatible(None)] {
        let registry = Arc::new(Odd::default());
        let old = build(&registry, "a", options.clone());
        let mut image = open(&registry, options);
        image.reuse(&[id("a")]).expect("reused");
        let before = registry.below.resolve(&[NAME.to_owned()]).remove(0);
        // The same image again, and the name is taken right after.
        *registry.resolved.lock().expect("lock") = vec![before, Ok(vec![other.clone()])];
        let commit = image.commit().expect("commit");
        assert_eq!(commit.digest, old);
        let verdict = commit.notes.last().expect("a verdict");
        assert_eq!(short(&verdict.code), "original-kept-same");
        assert!(registry.below.manifest(&old).is_some());
    }
}

#[test]
fn only_versions_with_classes_have_words_of_their_own() {
    for (options, words) in [(compatible(None), false), (compatible(Some("0.13")), true)] {
        let registry = Arc::new(Odd::default());
        build(&registry, "a", options.clone());
        let image = open(&registry, options);
        let failure = Failure::new(FailureCode::Unavailable, "words of the registry");
        registry.below.fail(Call::Retrieve, 0, failure);
        let wanted = WantedLayer {
            diff_id: id("a"),
            into: None,
        };
        let answer = image.retrieve(&[wanted]).expect("answers").remove(0);
        assert_eq!(
            answer.message == "words of the registry",
            words,
            "{}",
            answer.message
        );
    }
}

/// Keeps what it is told about.
#[derive(Debug, Default)]
struct Heard(Mutex<Vec<String>>);

impl Observer for Heard {
    fn log(&self, _: Level, _: &str, _: &[(&str, &str)]) {}

    fn progress(&self, operation: &str, item: &str, done: u64, total: u64) {
        let line = format!("{operation} {item} {done}/{total}");
        self.0.lock().expect("lock").push(line);
    }
}

#[test]
fn a_commit_names_what_it_writes() {
    let registry = Arc::new(Odd::default());
    let heard = Arc::new(Heard::default());
    let mut image = CacheImage::open(registry.clone(), heard.clone(), options()).expect("opens");
    image.add(&[addition(&registry.below, "a")]).expect("added");
    let commit = image.commit().expect("commit");
    let lines = heard.0.lock().expect("lock");
    let about = |digest: &str| lines.iter().any(|line| line.contains(digest));
    let mut written = 0;
    for effect in &commit.effects {
        let digest = match effect {
            Effect::WriteConfig(written) | Effect::WriteManifest(written) => {
                &written.descriptor.digest
            }
            Effect::SetTag(digest) => digest,
            _ => continue,
        };
        written += 1;
        assert!(about(digest), "{digest} in {lines:?}");
    }
    assert_eq!(written, 3);
}

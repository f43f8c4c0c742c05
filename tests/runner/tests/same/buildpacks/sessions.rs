//! What the vectors do not reach: destinations, explanations, every policy,
//! caps, and what is refused.

use std::collections::BTreeMap;
use std::sync::Arc;

use layerwise::buildpacks::{
    Addition, AdditionSource, GroupElement, ImageOptions, ImagePolicy, RestoreOptions,
    RestorePolicy, RestoreRequest, ShaStore, WantedLayer,
};
use layerwise::host::{Destination, Failure, FailureCode, Silent};
use layerwise::oci::sha256;
use layerwise::semantics::Semantics;
use layerwise_conformance::buildpacks::{ImageSession, LogBook, MemoryFiles, Subject};
use layerwise_conformance::memory_registry::{Call, MemoryRegistry, blob_of};

use super::both;

const NAME: &str = "registry.example/team/app:cache";

const CODES: [FailureCode; 14] = [
    FailureCode::NotFound,
    FailureCode::Unauthorized,
    FailureCode::Denied,
    FailureCode::Unavailable,
    FailureCode::Corrupt,
    FailureCode::Truncated,
    FailureCode::TooLarge,
    FailureCode::Conflict,
    FailureCode::Unsupported,
    FailureCode::Invalid,
    FailureCode::Full,
    FailureCode::Cancelled,
    FailureCode::Deadline,
    FailureCode::Other,
];

fn readings() -> [Semantics; 3] {
    [
        Semantics::guarded(),
        Semantics::compatible(None),
        Semantics::compatible(Some("0.13")),
    ]
}

fn options() -> ImageOptions {
    ImageOptions {
        reference: NAME.to_owned(),
        scope: "team/app".to_owned(),
        policy: ImagePolicy {
            delete_original: true,
            ..ImagePolicy::default()
        },
        ..ImageOptions::default()
    }
}

fn id(name: &str) -> String {
    sha256(name.as_bytes()).to_string()
}

fn addition(registry: &MemoryRegistry, name: &str, diff_id: String) -> Addition {
    registry.put_source(name, &id(name));
    Addition {
        source: AdditionSource::File(name.to_owned()),
        diff_id,
    }
}

fn metadata(layers: &[&str]) -> String {
    let layer = |name: &&str| {
        format!(
            r#""{name}":{{"sha":"{}","cache":true,"data":{{"n":9007199254740993}}}}"#,
            id(name)
        )
    };
    let layers: Vec<_> = layers.iter().map(layer).collect();
    format!(
        r#"{{"buildpacks":[{{"key":"ex/bp","version":"1","layers":{{{}}}}}]}}"#,
        layers.join(",")
    )
}

fn open(
    subject: &dyn Subject,
    registry: &Arc<MemoryRegistry>,
    options: ImageOptions,
) -> Option<Box<dyn ImageSession>> {
    let observer = Arc::new(LogBook::default());
    let registry = registry.clone();
    subject.open_image(registry, observer, options).ok()
}

/// One build after another, each in its own session; answers are in the
/// transcript.
fn builds(subject: &dyn Subject, options: &ImageOptions) {
    let registry = Arc::new(MemoryRegistry::default());
    for layers in [&[][..], &["a", "b"], &["b", "c"], &["b", "c"]] {
        let mut image = open(subject, &registry, options.clone()).expect("opens");
        let _ = (image.name(), image.exists(), image.explain());
        for name in layers {
            let _ = image.verify(&[id(name), "no digest".to_owned()]);
            let wanted = [
                (Some("layers/ex_bp/a"), id(name)),
                (Some("../outside"), id(name)),
                (None, id("never there")),
            ];
            for (prefix, diff_id) in wanted {
                let into = prefix.map(|prefix| Destination {
                    root: "/".to_owned(),
                    prefix: prefix.to_owned(),
                });
                let _ = image.retrieve(&[WantedLayer { diff_id, into }]);
            }
            let reused = image.reuse(&[id(name), id(name)]).expect("answers");
            if reused[0].message.is_empty() {
                continue;
            }
            let missing = Addition {
                source: AdditionSource::Provider("nothing".to_owned()),
                diff_id: String::new(),
            };
            let _ = image.add(&[
                addition(&registry, name, id(name)),
                addition(&registry, name, id("another")),
                missing,
            ]);
        }
        let _ = image.set_metadata(&metadata(layers));
        let _ = (image.plan(), image.state());
        let _ = (image.commit(), image.commit(), image.state());
        let _ = (image.metadata(), image.explain());
    }
    registry.lose(&blob_of(&id("c")).digest);
    registry.damage(&blob_of(&id("b")).digest);
    let mut image = open(subject, &registry, options.clone()).expect("opens");
    let _ = image.retrieve(&[WantedLayer {
        diff_id: id("b"),
        into: None,
    }]);
    let _ = (image.metadata(), image.explain());
}

#[test]
fn images_of_every_reading_and_policy() {
    let lines = both(|subject| {
        for semantics in readings() {
            for (os, scope, delete_original, keep_integers) in [
                ("", "team/app", true, false),
                ("windows", "é \u{0} \"x\"", false, true),
            ] {
                let policy = ImagePolicy {
                    delete_original,
                    accept_unscoped: false,
                    keep_integers,
                };
                let options = ImageOptions {
                    semantics: semantics.clone(),
                    scope: scope.to_owned(),
                    os: os.to_owned(),
                    policy,
                    ..options()
                };
                builds(subject, &options);
            }
        }
    });
    for found in [
        "WriteLayer(",
        "WriteConfig(",
        "WriteManifest(",
        "SetTag(",
        "Delete(",
        "Err(Committed(",
        "outcome: Miss",
        "outcome: Failed",
        "Destination {",
        "buildpacks/layer-diff-mismatch",
        "buildpacks/image-corrupt",
        // Written and read as an integer, and read as a float.
        r#"{\"n\":9007199254740993}"#,
        r#"{\"n\":9007199254740992}"#,
    ] {
        assert!(lines.iter().any(|line| line.contains(found)), "{found}");
    }
}

#[test]
fn images_of_another_scope_or_none() {
    let lines = both(|subject| {
        let registry = Arc::new(MemoryRegistry::default());
        for (scope, accept_unscoped, semantics, commits) in [
            ("one", false, Semantics::guarded(), true),
            ("two", false, Semantics::guarded(), false),
            ("", false, Semantics::compatible(None), true),
            ("one", false, Semantics::guarded(), false),
            ("one", true, Semantics::guarded(), true),
        ] {
            let options = ImageOptions {
                semantics,
                scope: scope.to_owned(),
                policy: ImagePolicy {
                    accept_unscoped,
                    ..ImagePolicy::default()
                },
                ..options()
            };
            let mut image = open(subject, &registry, options).expect("opens");
            let _ = (image.metadata(), image.explain(), image.plan());
            if commits {
                let _ = image.set_metadata(&metadata(&["a"]));
                let _ = image.commit();
            }
        }
    });
    let metadata = lines.iter().filter(|line| line.starts_with("metadata "));
    let codes: Vec<_> = metadata
        .filter_map(|line| line.split("code: \"buildpacks/").nth(1)?.split('"').next())
        .collect();
    assert_eq!(codes, ["image-not-found", "scope", "hit", "scope", "hit"]);
}

#[test]
fn images_that_are_refused() {
    let cap = |name: &str| vec![(name.to_owned(), 3)];
    let lines = both(|subject| {
        for options in [
            ImageOptions {
                scope: String::new(),
                ..options()
            },
            ImageOptions {
                semantics: Semantics::compatible(Some("9")),
                ..options()
            },
            ImageOptions {
                limits: cap("lable-bytes"),
                ..options()
            },
        ] {
            let registry = Arc::new(MemoryRegistry::default());
            assert!(open(subject, &registry, options).is_none());
        }
        for name in ["label-bytes", "depth", "layers", "values", "document-bytes"] {
            let registry = Arc::new(MemoryRegistry::default());
            let options = ImageOptions {
                limits: cap(name),
                ..options()
            };
            let mut image = open(subject, &registry, options).expect("opens");
            let _ = image.set_metadata(&metadata(&["a", "b", "c", "d"]));
            let _ = image.set_metadata("{\"buildpacks\":[1]}");
            let _ = image.commit();
        }
        for code in CODES {
            for call in [
                Call::Locate,
                Call::Resolve,
                Call::Store,
                Call::Retrieve,
                Call::Has,
                Call::Write,
                Call::Tag,
            ] {
                let registry = Arc::new(MemoryRegistry::default());
                let failure = || Failure::new(code, format!("words of {call:?}\nand é"));
                if matches!(call, Call::Locate | Call::Resolve) {
                    registry.fail(call, 0, failure());
                }
                let Some(mut image) = open(subject, &registry, options()) else {
                    continue;
                };
                registry.fail(call, 0, failure());
                let _ = image.exists();
                let _ = image.add(&[addition(&registry, "a", id("a"))]);
                let _ = image.set_metadata(&metadata(&["a"]));
                let _ = (image.commit(), image.commit());
                registry.fail(call, 0, failure());
                let _ = (image.metadata(), image.reuse(&[id("a")]));
                let _ = image.verify(&[id("a")]);
            }
        }
    });
    for variant in [
        "Err(Invalid(",
        "Err(Unsupported(",
        "Err(LimitExceeded(",
        "Err(Denied(",
        "Err(Corrupt(",
        "Err(Host(",
        "words of Tag",
    ] {
        assert!(lines.iter().any(|line| line.contains(variant)), "{variant}");
    }
}

fn request(api: &str) -> RestoreRequest {
    let layers = r#""run":{"launch":true,"sha":"1","data":{"a":[1,2.5,"x"],"b":{"c":null}}},
        "both":{"launch":true,"cache":true,"sha":"2"},"../up":{"launch":true},"store":{"cache":true}"#;
    let stores = [r#"{"metadata":{"k":"v"}}"#, r#"{"metadata":{"k":[null]}}"#];
    let entries = [("ex/bp", layers, stores[0]), ("ex/store", "", stores[1])];
    let entries = entries.map(|(key, layers, store)| {
        format!(r#"{{"key":"{key}","layers":{{{layers}}},"store":{store}}}"#)
    });
    RestoreRequest {
        group: ["ex/bp", "ex/store", "ex/old"]
            .into_iter()
            .map(|id| GroupElement {
                id: id.to_owned(),
                version: "1".to_owned(),
                api: api.to_owned(),
            })
            .collect(),
        app: Some(format!(r#"{{"buildpacks":[{}]}}"#, entries.join(","))),
        cache: Some(metadata(&["a", "both"])),
        retrieval: "buildpacks/hit".to_owned(),
    }
}

/// Restores twice: the first time the disk is full after one file.
fn restores(subject: &dyn Subject, options: RestoreOptions, api: &str, old_store: &str) {
    let old = [
        ("ex_bp/old.toml".to_owned(), "[metadata]\n".to_owned()),
        ("ex_old/store.toml".to_owned(), old_store.to_owned()),
    ];
    let files = Arc::new(MemoryFiles::with("/layers", &BTreeMap::from(old)));
    let Ok(mut restorer) = subject.open_restorer(files.clone(), Arc::new(Silent), options) else {
        return;
    };
    for writes in [Some(1), None] {
        files.allow_writes(writes);
        let _ = restorer.plan(&request(api));
        let _ = restorer.explain(&request(api));
        let _ = restorer.restore(&request(api));
        let _ = restorer.shas();
    }
}

#[test]
fn restorers_of_every_reading_and_policy() {
    let lines = both(|subject| {
        for semantics in readings() {
            for (shas, skip_layers, keep_integers) in [
                (ShaStore::Memory, false, false),
                (ShaStore::Files, false, true),
                (ShaStore::Files, true, false),
            ] {
                for (platform_api, api, old_store) in [
                    ("0.13", "0.5", "[metadata]\nk = 1\n"),
                    ("0.14", "0.10", ""),
                    ("0.14", "0.10", "k = \u{1}"),
                    ("0.14", "x", ""),
                    ("y", "0.6", ""),
                ] {
                    let options = RestoreOptions {
                        semantics: semantics.clone(),
                        directory: "/layers".to_owned(),
                        platform_api: platform_api.to_owned(),
                        shas,
                        policy: RestorePolicy {
                            skip_layers,
                            keep_integers,
                        },
                        limits: vec![("file-bytes".to_owned(), 200)],
                    };
                    restores(subject, options, api, old_store);
                }
            }
        }
    });
    for found in [
        "origin: App",
        "origin: Cache",
        "origin: Store",
        "restored: true",
        "Err(Invalid(",
        "Err(Corrupt(",
        "no space left",
        "buildpacks/unsafe-layer-name",
        "RecordedSha {",
        "precondition: Any",
        "observer log (Debug",
    ] {
        assert!(lines.iter().any(|line| line.contains(found)), "{found}");
    }
}

//! The decision table of a restore (Buildpacks spec, section 5.3), for all
//! combinations of flags on both sides, in one restore: what is decided and what
//! is in each file.

use std::collections::BTreeMap;
use std::sync::Arc;

use layerwise::buildpacks::{
    GroupElement, Origin, RestoreOptions, RestorePlan, RestoreRequest, ShaStore,
};
use layerwise::host::Silent;
use layerwise::semantics::Semantics;
use layerwise_conformance::buildpacks::{MemoryFiles, Native, Subject};
use layerwise_runner::Component;

use crate::engine;

/// The flags of a layer; `None` where a side does not have it.
type Side = Option<Flags>;

#[derive(Clone, Copy)]
struct Flags {
    launch: bool,
    build: bool,
    cache: bool,
}

/// What the table says about a layer.
#[derive(Debug, PartialEq, Eq)]
struct Row {
    app: Option<&'static str>,
    cache: Option<&'static str>,
    /// Whose metadata the file holds.
    file: Option<&'static str>,
}

fn sides() -> Vec<Side> {
    let flags = (0..8).map(|bits| Flags {
        launch: bits & 1 != 0,
        build: bits & 2 != 0,
        cache: bits & 4 != 0,
    });
    [None].into_iter().chain(flags.map(Some)).collect()
}

/// The rules of the Buildpacks spec, section 5.3, as they are written there, one
/// line per rule.
fn row(app: Side, cache: Side, fallback: bool) -> Row {
    let app_says = app.map(|layer| match (layer, cache) {
        (layer, _) if !layer.launch => "launch-false",
        (layer, _) if layer.build && !layer.cache => "build-without-cache",
        (layer, None) if layer.cache => "not-in-cache",
        (layer, Some(cached)) if layer.cache && !cached.cache => "not-cached-in-cache",
        _ => "restored-from-app",
    });
    let written = app_says == Some("restored-from-app");
    let cache_says = cache.map(|layer| match layer {
        layer if !layer.cache => "cache-false",
        layer if layer.launch && app.is_some() => "launch-in-app",
        layer if layer.launch && !fallback => "launch-not-in-app",
        layer if layer.launch => "restored-from-cache-launch-fallback",
        _ if written => "restored-from-cache-over-app",
        _ => "restored-from-cache",
    });
    let from_cache = cache_says.is_some_and(|code| code.starts_with("restored-"));
    Row {
        app: app_says,
        cache: cache_says,
        file: match (from_cache, written) {
            (true, _) => Some("cache"),
            (false, true) => Some("app"),
            (false, false) => None,
        },
    }
}

/// All combinations, each with a layer of its own.
fn combinations() -> Vec<(String, Side, Side)> {
    let mut all = Vec::new();
    for (a, app) in sides().into_iter().enumerate() {
        for (c, cache) in sides().into_iter().enumerate() {
            if app.is_some() || cache.is_some() {
                all.push((format!("layer-{a}-{c}"), app, cache));
            }
        }
    }
    all
}

fn label(side: &str, layers: impl Iterator<Item = (String, Side)>) -> String {
    let layers: Vec<String> = layers
        .filter_map(|(name, flags)| {
            let Flags {
                launch,
                build,
                cache,
            } = flags?;
            Some(format!(
                r#""{name}":{{"sha":"{side} of {name}","data":{{"side":"{side}"}},"build":{build},"launch":{launch},"cache":{cache}}}"#
            ))
        })
        .collect();
    format!(
        r#"{{"buildpacks":[{{"key":"ex/bp","version":"1","layers":{{{}}}}}]}}"#,
        layers.join(",")
    )
}

fn decided(plan: &RestorePlan, origin: Origin, name: &str) -> Option<String> {
    let mut found = plan
        .decisions
        .iter()
        .filter(|decision| decision.origin == origin && decision.layer == name);
    let decision = found.next()?;
    assert!(found.next().is_none(), "{name} is decided twice");
    let code = decision.finding.code.strip_prefix("buildpacks/");
    let code = code.expect("a code of this system");
    assert_eq!(decision.restored, code.starts_with("restored-"), "{name}");
    Some(code.to_owned())
}

fn check(subject: &dyn Subject, semantics: &Semantics, platform_api: &str, fallback: bool) {
    let all = combinations();
    assert_eq!(all.len(), 80);
    let files = Arc::new(MemoryFiles::with("/layers", &BTreeMap::new()));
    let options = RestoreOptions {
        semantics: semantics.clone(),
        directory: "/layers".to_owned(),
        platform_api: platform_api.to_owned(),
        shas: ShaStore::Files,
        ..RestoreOptions::default()
    };
    let opened = subject.open_restorer(files.clone(), Arc::new(Silent), options);
    let request = RestoreRequest {
        group: vec![GroupElement {
            id: "ex/bp".to_owned(),
            version: "1".to_owned(),
            api: "0.10".to_owned(),
        }],
        app: Some(label(
            "app",
            all.iter().map(|(name, app, _)| (name.clone(), *app)),
        )),
        cache: Some(label(
            "cache",
            all.iter().map(|(name, _, cache)| (name.clone(), *cache)),
        )),
        retrieval: "buildpacks/hit".to_owned(),
    };
    let plan = opened.expect("opens").restore(&request).expect("restores");
    let written = files.below("/layers");
    let mut wanted_files = 0;
    for (name, app, cache) in &all {
        let want = row(*app, *cache, fallback);
        let about = format!("{name} {platform_api} {semantics:?}");
        let have = decided(&plan, Origin::App, name);
        assert_eq!(have.as_deref(), want.app, "{about}");
        let have = decided(&plan, Origin::Cache, name);
        assert_eq!(have.as_deref(), want.cache, "{about}");
        let text = |extension: &str| written.get(&format!("ex_bp/{name}.{extension}")).cloned();
        let toml = want
            .file
            .map(|side| format!("[metadata]\n  side = \"{side}\"\n"));
        assert_eq!(text("toml"), toml, "{about}");
        let sha = want.file.map(|side| format!("{side} of {name}"));
        assert_eq!(text("sha"), sha, "{about}");
        wanted_files += 2 * usize::from(want.file.is_some());
    }
    assert_eq!(written.len(), wanted_files, "no other file");
    assert_eq!(plan.files.len(), wanted_files, "each file once");
}

#[test]
fn every_combination_of_flags() {
    let component = Component::new(engine());
    for subject in [&Native as &dyn Subject, &component] {
        for (semantics, platform_api, fallback) in [
            (Semantics::guarded(), "0.7", false),
            (Semantics::guarded(), "0.13", false),
            (Semantics::guarded(), "0.14", true),
            (Semantics::guarded(), "0.15", true),
            (Semantics::compatible(None), "0.13", false),
            (Semantics::compatible(None), "0.15", true),
            (Semantics::compatible(Some("0.13")), "0.7", false),
            (Semantics::compatible(Some("0.13")), "0.14", false),
        ] {
            check(subject, &semantics, platform_api, fallback);
        }
    }
}

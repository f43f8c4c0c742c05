//! The Buildpacks lifecycle: a layer that a build finds again, and one whose
//! content the cache has lost.

use std::collections::BTreeMap;
use std::sync::Arc;

use layerwise::buildpacks::{GroupElement, Reason, RestoreOptions, RestorePlan, RestoreRequest};
use layerwise::explain::Explanation;
use layerwise_conformance::buildpacks::MemoryFiles;
use layerwise_host::{Engine, Imports, SessionLimits};
use serde::Serialize;

use super::scene::{Scene, object};
use crate::buildpacks::show_plan;
use crate::failed::Failed;
use crate::page::Page;
use crate::why;

/// The label of the previous application image.
const APP: &str = concat!(
    r#"{"buildpacks":[{"key":"example/node","version":"1.0.0","layers":{"#,
    r#""modules":{"sha":"sha256:1111111111111111111111111111111111111111111111111111111111111111","#,
    r#""data":{"lock":"5f3a"},"launch":true,"build":true,"cache":true}}}]}"#
);

/// The label of a cache image.
const CACHE: &str = concat!(
    r#"{"sbom":{"sha":""},"buildpacks":[{"key":"example/node","version":"1.0.0","layers":{"#,
    r#""modules":{"sha":"sha256:1111111111111111111111111111111111111111111111111111111111111111","#,
    r#""data":{"lock":"5f3a"},"build":true,"launch":true,"cache":true}}}]}"#
);

/// The label of a cache image that another build replaced.
const REPLACED: &str = r#"{"sbom":{"sha":""},"buildpacks":[]}"#;

/// What a scene asks.
struct Ask {
    title: &'static str,
    command: &'static str,
    cache: &'static str,
}

const FOUND: Ask = Ask {
    title: "a layer that a build finds again",
    command: "buildpacks plan --layers /layers --group group.toml --platform-api 0.14 \
              --app-image app:1 --cache-image cache:1 --scope app",
    cache: CACHE,
};

const LOST: Ask = Ask {
    title: "a layer that the cache does not have any more, and why it is made again",
    command: "buildpacks explain --layers /layers --group group.toml --platform-api 0.14 \
              --app-image app:1 --cache-image cache:2 --scope app",
    cache: REPLACED,
};

/// What was asked and answered.
#[derive(Serialize)]
struct Members {
    plan: Option<RestorePlan>,
    explanation: Option<Explanation>,
}

/// The scenes.
pub fn scenes(engine: &Engine) -> Result<Vec<Scene>, Failed> {
    [FOUND, LOST].iter().map(|ask| scene(engine, ask)).collect()
}

fn scene(engine: &Engine, ask: &Ask) -> Result<Scene, Failed> {
    let lent = Imports {
        files: Arc::new(MemoryFiles::with("/layers", &BTreeMap::new())),
        ..Imports::default()
    };
    let options = RestoreOptions {
        directory: "/layers".to_owned(),
        platform_api: "0.14".to_owned(),
        ..RestoreOptions::default()
    };
    let mut restorer = engine.buildpacks_restorer(lent, options, SessionLimits::default())?;
    let request = RestoreRequest {
        group: vec![GroupElement {
            id: "example/node".to_owned(),
            version: "1.1.0".to_owned(),
            api: "0.10".to_owned(),
        }],
        app: Some(APP.to_owned()),
        cache: Some(ask.cache.to_owned()),
        retrieval: Reason::Hit.into(),
    };
    let plan = restorer.plan(&request)?;
    let members = if plan.decisions.iter().any(|decision| decision.restored) {
        Members {
            plan: Some(plan),
            explanation: None,
        }
    } else {
        Members {
            plan: None,
            explanation: Some(restorer.explain(&request)?),
        }
    };
    let command = ask.command;
    Ok(Scene {
        system: "buildpacks",
        title: ask.title,
        command,
        members: object(&members)?,
        show: Box::new(move |page| show(page, command, &members)),
    })
}

fn show(page: &mut Page, command: &str, members: &Members) {
    page.rows(2, &[["call", command]]);
    if let Some(plan) = &members.plan {
        show_plan(page, plan);
    }
    page.indented(2, |page| {
        if let Some(explanation) = &members.explanation {
            why::explanation(page, explanation, &[]);
        }
    });
}

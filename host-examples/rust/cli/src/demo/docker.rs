//! Docker's classic builder: a step that was built here, one that is restored
//! from an image, and one that has to run.

mod sample;

use std::sync::Arc;

use layerwise::docker::{Answer, CacheFrom, Options, Step};
use layerwise::explain::Explanation;
use layerwise_host::{Engine, Imports, SessionLimits};
use serde::Serialize;

use super::scene::{Scene, object};
use crate::docker::show_answer;
use crate::failed::Failed;
use crate::page::Page;
use crate::why;
use sample::Sample;

/// What a scene asks.
struct Ask {
    title: &'static str,
    command: &'static str,
    config: &'static str,
    trust: Option<&'static str>,
}

const LOCAL: Ask = Ask {
    title: "a step that was built here before",
    command: "docker lookup --parent base:1 --config make.json --platform linux/amd64",
    config: sample::MAKE,
    trust: None,
};

const RESTORED: Ask = Ask {
    title: "a step of an image that was built elsewhere",
    command: "docker lookup --parent base:1 --config test.json --platform linux/amd64 --trust app:1",
    config: sample::TEST,
    trust: Some("app:1"),
};

const MISSED: Ask = Ask {
    title: "a step whose environment changed, and why it has to run",
    command: "docker explain --parent base:1 --config changed.json --platform linux/amd64",
    config: sample::CHANGED,
    trust: None,
};

/// What was asked and answered.
#[derive(Serialize)]
struct Members {
    parent: String,
    config: &'static str,
    answer: Answer,
    explanation: Option<Explanation>,
}

/// The scenes.
pub fn scenes(engine: &Engine) -> Result<Vec<Scene>, Failed> {
    [LOCAL, RESTORED, MISSED]
        .iter()
        .map(|ask| scene(engine, ask))
        .collect()
}

fn scene(engine: &Engine, ask: &Ask) -> Result<Scene, Failed> {
    let Sample { images, base } = sample::images();
    let options = Options {
        cache_from: ask
            .trust
            .iter()
            .map(|name| CacheFrom {
                reference: (*name).to_owned(),
                trusted: true,
            })
            .collect(),
        ..Options::default()
    };
    let lent = Imports {
        images: Arc::new(images),
        ..Imports::default()
    };
    let mut session = engine.docker(lent, options, SessionLimits::default())?;
    let step = Step {
        parent: Some(base.clone()),
        config: Some(ask.config.to_owned()),
        platform: sample::platform(),
        last: false,
    };
    let answer = session.lookup(&step)?;
    let explanation = match answer.image {
        Some(_) => None,
        None => Some(session.explain(&step)?),
    };
    let (command, config) = (ask.command, ask.config);
    let members = Members {
        parent: base,
        config,
        answer,
        explanation,
    };
    Ok(Scene {
        system: "docker",
        title: ask.title,
        command,
        members: object(&members)?,
        show: Box::new(move |page| show(page, command, &members)),
    })
}

fn show(page: &mut Page, command: &str, members: &Members) {
    page.rows(2, &[["call", command], ["config", members.config]]);
    page.indented(2, |page| match &members.explanation {
        None => show_answer(page, &members.answer, &[], true),
        Some(explanation) => why::explanation(page, explanation, &[]),
    });
}

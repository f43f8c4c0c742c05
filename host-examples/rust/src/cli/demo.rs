//! `layerwise demo`: three decisions on sample data, made by the component.

mod sample;

use std::sync::Arc;

use layerwise::docker::{Answer, CacheFrom, Options, Step};
use layerwise::explain::Explanation;
use layerwise_host::{Engine, Lent, SessionLimits};
use serde::Serialize;

use super::args::Global;
use super::docker::{show_answer, show_explanation};
use super::edges;
use super::failed::Failed;
use super::page::Page;
use super::reply::{Exit, Reply, Style};
use sample::Sample;

/// What `--help` says about the output.
pub const HELP: &str = r#"Needs nothing: the images are in memory. --json prints one document, absent members as null:
{"schema": "layerwise/demo/1", "scenes": [{"title", "command", "parent", "config", "answer",
"explanation"}]}; answers and explanations are as in `layerwise docker lookup --help`."#;

#[derive(Serialize)]
struct Document {
    schema: &'static str,
    scenes: Vec<Scene>,
}

/// One decision.
#[derive(Serialize)]
struct Scene {
    title: &'static str,
    /// The command line that asks the same of a real store.
    command: &'static str,
    parent: String,
    config: &'static str,
    answer: Answer,
    explanation: Option<Explanation>,
}

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

/// Makes the decisions.
pub fn run(global: &Global, style: Style) -> Result<Reply, Failed> {
    let engine = edges::engine(global)?;
    let document = Document {
        schema: "layerwise/demo/1",
        scenes: [LOCAL, RESTORED, MISSED]
            .iter()
            .map(|ask| scene(&engine, ask))
            .collect::<Result<_, _>>()?,
    };
    Reply::of(style, Exit::Done, &document, show)
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
    let lent = Lent {
        images: Arc::new(images),
        ..Lent::default()
    };
    let mut session = engine.docker(lent, options, SessionLimits::default())?;
    let step = Step {
        parent: Some(base.clone()),
        config: Some(ask.config.to_owned()),
        platform: sample::platform(),
    };
    let answer = session.lookup(&step)?;
    let explanation = match answer.image {
        Some(_) => None,
        None => Some(session.explain(&step)?),
    };
    Ok(Scene {
        title: ask.title,
        command: ask.command,
        parent: base,
        config: ask.config,
        answer,
        explanation,
    })
}

fn show(page: &mut Page, document: &Document) {
    for (index, scene) in document.scenes.iter().enumerate() {
        page.gap();
        page.line(&format!("{}. {}", index + 1, scene.title));
        page.rows(2, &[["call", scene.command], ["config", scene.config]]);
        page.indented(2, |page| match &scene.explanation {
            None => show_answer(page, &scene.answer, &[], true),
            Some(explanation) => show_explanation(page, explanation, &[]),
        });
    }
    page.gap();
    page.line(
        "`layerwise rule CODE` says what a code means; `layerwise docker lookup --help` how to",
    );
    page.line("ask the same of a real store.");
}

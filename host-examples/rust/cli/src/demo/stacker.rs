//! stacker: a layer whose result may be used again, and one with a changed file.

use std::sync::Arc;

use layerwise::explain::Explanation;
use layerwise::host::Failure;
use layerwise::stacker::{Epoch, HostFacts, LayerDefinition, Options, Outcome, Places};
use layerwise_conformance::memory_fs::MemoryFs;
use layerwise_host::{Engine, Imports, SessionLimits};
use serde::Serialize;

use super::scene::{Scene, object};
use crate::failed::Failed;
use crate::lend;
use crate::page::Page;
use crate::stacker::{Decision, show_explanation};

/// The definitions, as a stackerfile becomes them.
const LAYERS: [(&str, &str); 2] = [
    ("base", r#"{"from":{"type":"scratch"},"run":["setup"]}"#),
    (
        "app",
        concat!(
            r#"{"from":{"type":"built","tag":"base"},"run":["make"],"#,
            r#""imports":[{"path":"/project/src","uid":-1,"gid":-1}]}"#
        ),
    ),
];

const SOURCE: &str = "/project/.stacker/imports/app/src/main.c";

/// What a scene asks.
struct Ask {
    title: &'static str,
    command: &'static str,
    /// What the file is when it is asked.
    source: &'static str,
}

const SAME: Ask = Ask {
    title: "a layer that was built from the same files",
    command: "stacker lookup --layer app --source-date-epoch unset",
    source: "int main() { return 0; }",
};

const EDITED: Ask = Ask {
    title: "a layer with a changed file, and which one",
    command: "stacker explain --layer app --source-date-epoch unset",
    source: "int main() { return 1; }",
};

/// What was asked and answered.
#[derive(Serialize)]
struct Members {
    layers: Vec<Decision<'static>>,
    explanation: Option<Explanation>,
}

/// The scenes.
pub fn scenes(engine: &Engine) -> Result<Vec<Scene>, Failed> {
    [SAME, EDITED]
        .iter()
        .map(|ask| scene(engine, ask))
        .collect()
}

fn scene(engine: &Engine, ask: &Ask) -> Result<Scene, Failed> {
    let files = Arc::new(MemoryFs::default());
    write(&files, SAME.source)?;
    let lent = Imports {
        files: Arc::<MemoryFs>::clone(&files),
        ..Imports::default()
    };
    let mut session = engine.stacker(lent, options(), SessionLimits::default())?;
    let host = HostFacts {
        now: "2026-01-01T00:00:00".to_owned(),
        ..HostFacts::default()
    };
    for (name, _) in LAYERS {
        session.put(name, r#"{"tar+false":{}}"#, &host)?;
    }
    write(&files, ask.source)?;
    session.refresh()?;
    let answer = session.lookup("app")?;
    let explanation = match answer.outcome {
        Outcome::Hit => None,
        Outcome::Miss => Some(session.explain("app")?),
    };
    let members = Members {
        layers: vec![Decision::new("app", Ok(answer))],
        explanation,
    };
    let command = ask.command;
    Ok(Scene {
        system: "stacker",
        title: ask.title,
        command,
        members: object(&members)?,
        show: Box::new(move |page| show(page, command, &members)),
    })
}

fn write(files: &MemoryFs, source: &str) -> Result<(), Failed> {
    let failed = |failure: Failure| lend::failed(failure);
    files.put_file(SOURCE, source).map_err(failed)
}

fn options() -> Options {
    let definition = |(name, document): (&str, &str)| LayerDefinition {
        name: name.to_owned(),
        document: document.to_owned(),
    };
    Options {
        places: Places {
            stacker: "/project/.stacker".to_owned(),
            rootfs: "/project/roots".to_owned(),
            oci: "/project/oci".to_owned(),
        },
        epoch: Epoch::Unset,
        definitions: LAYERS.into_iter().map(definition).collect(),
        ..Options::default()
    }
}

fn show(page: &mut Page, command: &str, members: &Members) {
    page.rows(2, &[["call", command]]);
    page.indented(2, |page| match &members.explanation {
        Some(explanation) => show_explanation(page, explanation),
        None => members.layers.iter().for_each(|layer| layer.show(page)),
    });
}

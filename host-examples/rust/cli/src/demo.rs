//! `layerwise demo`: decisions of all systems on sample data, made by the
//! component. One file per system; each gives a hit, and a miss with its
//! reasons.

mod buildkit;
mod buildpacks;
mod docker;
mod scene;
mod stacker;

use layerwise_host::Engine;
use serde::Serialize;

use super::args::Global;
use super::failed::Failed;
use super::page::Page;
use super::reply::{Exit, Reply, Style};
use scene::Scene;

/// What `--help` says about the output.
pub const HELP: &str = r#"Needs nothing: images, registries and files are in memory. --json prints one document, absent
members as null: {"schema": "layerwise/demo/1", "scenes": [{"system", "title", "command", ...}]}.
Further members of a scene are named and written as in the document of its command; see
`layerwise COMMAND --help`. Scenes of `docker` also have "parent" and "config"."#;

#[derive(Serialize)]
struct Document {
    schema: &'static str,
    scenes: Vec<Scene>,
}

/// What a system shows.
type Scenes = fn(&Engine) -> Result<Vec<Scene>, Failed>;

const SYSTEMS: &[Scenes] = &[
    docker::scenes,
    buildpacks::scenes,
    buildkit::scenes,
    stacker::scenes,
];

/// Makes the decisions.
pub fn run(global: &Global, style: Style) -> Result<Reply, Failed> {
    let engine = crate::io::engine(global)?;
    let mut scenes = Vec::new();
    for system in SYSTEMS {
        scenes.extend(system(&engine)?);
    }
    let document = Document {
        schema: "layerwise/demo/1",
        scenes,
    };
    Reply::of(style, Exit::Done, &document, show)
}

fn show(page: &mut Page, document: &Document) {
    for (index, scene) in document.scenes.iter().enumerate() {
        page.gap();
        page.line(&format!("{}. {}", index + 1, scene.title));
        (scene.show)(page);
    }
    page.gap();
    page.line(
        "`layerwise rule CODE` says what a code means; `layerwise COMMAND --help` how to ask",
    );
    page.line("the same of real things.");
}

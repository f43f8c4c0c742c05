//! `stacker lookup`: a decision about each layer. Writes nothing.

use serde::Serialize;

use super::args::LookupArgs;
use super::opened::Opened;
use super::show::{About, Decision, shared};
use crate::args::Global;
use crate::failed::Failed;
use crate::page::Page;
use crate::reply::{Exit, Reply, Style};

/// What `--help` says about the JSON document; [`Document`] is its type.
pub const HELP: &str = concat!(
    r#"Writes nothing: what opening the cache would drop is dropped in memory only (`layerwise stacker
prune` writes it). Decides as `stacker build` would now: it copies imports and bases anew first, so
an edited source is a miss; what stands on a layer that is built is built, too; and a layer with
binds, or without a wanted layer type, is built although its entry is a hit ("rebuilt").

Exit codes: 0 nothing would be built, 1 something would, 2 usage, 3 an error.

--json prints one document, absent members as null:
  schema       "layerwise/stacker-lookup/1"
  layers       [{"name", "outcome": "hit", "miss" or "error", "hash": of the entry, in digits,
               "types": [layer types the entry has a manifest for], "reason": finding,
               "changes": [{"index", "root", "path", "kind": "missing", "extra" or "modified",
               "keys"}], "rebuilt": whether it is built although it hits, "notes": [finding], "error": as in an error document}]
"#,
    shared!()
);

#[derive(Serialize)]
struct Document<'a> {
    schema: &'static str,
    #[serde(flatten)]
    about: About<'a>,
    layers: Vec<Decision<'a>>,
}

/// Decides about the layers that the arguments name.
pub fn run(global: &Global, args: &LookupArgs, style: Style) -> Result<Reply, Failed> {
    let opened = Opened::new(global, &args.project, Some(&args.file), false)?;
    let wanted = opened.layers(&args.file.layer)?;
    let mut session = opened.build(&args.types)?;
    let about = About::new(&opened.directories, &opened.semantics, &mut session)?;
    let mut layers = Vec::new();
    for layer in wanted {
        let answer = match session.lookup(&layer.name) {
            Err(error @ layerwise_host::Error::Refused(_)) => Err(opened.failed(error.into())),
            other => Ok(other?),
        };
        layers.push(Decision::new(&layer.name, answer));
    }
    let exit = layers.iter().map(exit).max().unwrap_or(Exit::Done);
    let document = Document {
        schema: "layerwise/stacker-lookup/1",
        about,
        layers,
    };
    Reply::of(style, exit, &document, show)
}

fn exit(decision: &Decision<'_>) -> Exit {
    match decision.outcome {
        "hit" if decision.rebuilt => Exit::Miss,
        "hit" => Exit::Done,
        "miss" => Exit::Miss,
        _ if decision.waits_for_its_base() => Exit::Miss,
        _ => Exit::Error,
    }
}

fn show(page: &mut Page, document: &Document<'_>) {
    document.about.show(page, false);
    page.gap();
    for decision in &document.layers {
        decision.show(page);
    }
    if document
        .layers
        .iter()
        .any(|decision| decision.outcome != "hit" || decision.rebuilt)
    {
        page.line("`layerwise stacker explain` with the same arguments says why");
    }
}

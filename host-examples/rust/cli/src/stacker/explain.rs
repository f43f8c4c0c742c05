//! `stacker explain`: the evidence behind each decision. Writes nothing.

use layerwise::error::Problem;
use layerwise::explain::Explanation;
use layerwise::stacker::{Outcome, Reason};
use serde::Serialize;

use super::args::LookupArgs;
use super::opened::Opened;
use super::show::{self, About, shared};
use crate::args::Global;
use crate::failed::Failed;
use crate::page::Page;
use crate::reply::{Exit, Reply, Style};

/// What `--help` says about the JSON document; [`Document`] is its type.
pub const HELP: &str = concat!(
    r#"Writes nothing. For each layer the findings about all layers below it, the root cause first; what
only follows from an earlier finding is marked. Changed objects of directories are differences
tree/PATH and tree/PATH#KEYWORD, changed definitions give both sides of every member.

Exit codes: 0 nothing would be built, 1 something would, 2 usage, 3 an error.

--json prints one document, absent members as null:
  schema       "layerwise/stacker-explain/1"
  layers       [{"name", "explanation": {"summary": finding, "findings": [finding], "nearest":
               finding, "considered": number of layers}}]
"#,
    shared!()
);

#[derive(Serialize)]
struct Document<'a> {
    schema: &'static str,
    #[serde(flatten)]
    about: About<'a>,
    layers: Vec<Explained<'a>>,
}

#[derive(Serialize)]
struct Explained<'a> {
    name: &'a str,
    explanation: Explanation,
}

/// Explains the layers that the arguments name.
pub fn run(global: &Global, args: &LookupArgs, style: Style) -> Result<Reply, Failed> {
    let opened = Opened::new(global, &args.project, Some(&args.file), false)?;
    let wanted = opened.layers(&args.file.layer)?;
    let mut session = opened.build(&args.types)?;
    let about = About::new(&opened.directories, &opened.semantics, &mut session)?;
    let mut layers = Vec::new();
    let mut exit = Exit::Done;
    for layer in wanted {
        // An explanation does not fail; a lookup says how it ends.
        exit = exit.max(match session.lookup(&layer.name) {
            Ok(answer) if answer.outcome == Outcome::Hit && !answer.rebuilt => Exit::Done,
            Ok(_) => Exit::Miss,
            Err(layerwise_host::Error::Refused(error)) => {
                let base = |problem: &Problem| problem.code == Reason::BaseNotCached;
                if error.problem().is_some_and(base) {
                    Exit::Miss
                } else {
                    Exit::Error
                }
            }
            Err(other) => return Err(other.into()),
        });
        layers.push(Explained {
            name: &layer.name,
            explanation: session.explain(&layer.name)?,
        });
    }
    let document = Document {
        schema: "layerwise/stacker-explain/1",
        about,
        layers,
    };
    Reply::of(style, exit, &document, show)
}

fn show(page: &mut Page, document: &Document<'_>) {
    document.about.show(page, false);
    for layer in &document.layers {
        page.gap();
        show::explanation(page, &layer.explanation);
    }
}

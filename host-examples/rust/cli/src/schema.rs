//! `layerwise schema`: the JSON Schema of each document that `--json` prints.

use clap::Args;

use crate::failed::Failed;
use crate::reply::{Exit, Reply};

/// What `--help` says.
pub const HELP: &str = "\
The member `schema` of a document names its schema and the version of it: layerwise/docker-why/1.
Members may be added to a version; none is removed or changes its meaning.";

/// Which schema.
#[derive(Args)]
pub struct SchemaArgs {
    /// The name of a document, such as docker-why; without one, all names are listed.
    pub name: Option<String>,
}

macro_rules! schemas {
    ($($name:literal)*) => {
        [$(($name, include_str!(concat!("../schemas/", $name, "-1.json")))),*]
    };
}

/// Every document by its name.
const SCHEMAS: [(&str, &str); 27] = schemas! {
    "audit"
    "buildkit-builds" "buildkit-cache" "buildkit-diff" "buildkit-explain" "buildkit-export"
    "buildkit-graph" "buildkit-predict" "buildkit-why" "buildkit-whys"
    "buildpacks-cache" "buildpacks-commit" "buildpacks-restore"
    "conformance" "demo"
    "docker-adopt" "docker-diff" "docker-history" "docker-step" "docker-why"
    "error" "replay" "rules"
    "stacker-explain" "stacker-lookup" "stacker-prune" "stacker-put"
};

/// Prints a schema, or the names of all.
pub fn run(args: &SchemaArgs) -> Result<Reply, Failed> {
    let Some(name) = &args.name else {
        let names: String = SCHEMAS
            .iter()
            .map(|(name, _)| format!("{name}\n"))
            .collect();
        return Ok(Reply::new(Exit::Done, names));
    };
    // As the document itself names it, too.
    let plain = name.trim_start_matches("layerwise/").trim_end_matches("/1");
    match SCHEMAS.iter().find(|(known, _)| *known == plain) {
        Some((_, text)) => Ok(Reply::new(Exit::Done, (*text).to_owned())),
        None => Err(Failed::usage(format!(
            "no document is called {name:?}; `layerwise schema` lists them"
        ))),
    }
}

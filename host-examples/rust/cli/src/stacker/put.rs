//! `stacker put`: records the results of building layers.

use jiff::Zoned;
use layerwise::explain::Finding;
use layerwise::stacker::{Effect, HostFacts};
use serde::Serialize;

use super::args::{HostArgs, PutArgs};
use super::manifests;
use super::opened::Opened;
use super::show::{self, About, shared};
use crate::args::Global;
use crate::failed::Failed;
use crate::page::Page;
use crate::reply::{Exit, Reply, Style};

/// What `--help` says about the JSON document; [`Document`] is its type.
pub const HELP: &str = concat!(
    r#"Each layer is recorded after those it is built on; the first that cannot be recorded is an error,
and what was recorded before it stays. The cache file is replaced as a whole, and what other
writers added meanwhile is kept.

--json prints one document, absent members as null:
  schema       "layerwise/stacker-put/1"
  command      "put" or "plan"
  layers       [{"name", "manifests": as recorded, "hash": of the new entry, in digits (null in a
               plan), "notes": [finding], "effects": [effect] that a plan would write}]
"#,
    shared!()
);

#[derive(Serialize)]
struct Document<'a> {
    schema: &'static str,
    command: &'static str,
    #[serde(flatten)]
    about: About<'a>,
    layers: Vec<Recorded<'a>>,
}

#[derive(Serialize)]
struct Recorded<'a> {
    name: &'a str,
    manifests: serde_json::Value,
    hash: Option<String>,
    notes: Vec<Finding>,
    effects: Vec<Effect>,
}

/// Records the layers that the arguments name.
pub fn run(global: &Global, args: &PutArgs, style: Style) -> Result<Reply, Failed> {
    if args.manifests.is_some() && args.file.layer.len() != 1 {
        let message = "--manifests are those of one layer; give --layer once";
        return Err(Failed::usage(message));
    }
    let host = facts(&args.host)?;
    let opened = Opened::new(global, &args.project, Some(&args.file), !args.plan)?;
    let wanted = opened.layers(&args.file.layer)?;
    // All of them before anything is written.
    let mut puts = Vec::new();
    for layer in wanted {
        puts.push((layer, manifests::of(args, layer, &opened.directories.oci)?));
    }
    let mut session = opened.session(args.plan)?;
    let about = About::new(&opened.directories, &opened.semantics, &mut session)?;
    let mut layers = Vec::new();
    for (layer, manifests) in &puts {
        let failed = |error: layerwise_host::Error| opened.failed(error.into());
        let effects = if args.plan {
            let planned = session.plan(&layer.name, manifests, &host);
            planned.map_err(failed)?
        } else {
            Vec::new()
        };
        // In a plan too: the next layer may be built on this one.
        let stored = session.put(&layer.name, manifests, &host).map_err(failed)?;
        layers.push(Recorded {
            name: &layer.name,
            manifests: serde_json::from_str(manifests).unwrap_or_default(),
            hash: Some(stored.hash.to_string()).filter(|_| !args.plan),
            notes: stored.notes,
            effects,
        });
    }
    let document = Document {
        schema: "layerwise/stacker-put/1",
        command: if args.plan { "plan" } else { "put" },
        about,
        layers,
    };
    Reply::of(style, Exit::Done, &document, show)
}

/// What recorded trees say about where they were written.
fn facts(args: &HostArgs) -> Result<HostFacts, Failed> {
    let directory = std::env::current_dir().unwrap_or_default();
    Ok(HostFacts {
        user: args.user.clone().or_else(|| whoami::username().ok()),
        machine: args.machine.clone().or_else(|| whoami::hostname().ok()),
        now: match &args.now {
            Some(now) => now.clone(),
            None => Zoned::now().strftime("%Y-%m-%dT%H:%M:%S").to_string(),
        },
        directory: layerwise_files::encode(directory.as_os_str().as_encoded_bytes()),
    })
}

fn show(page: &mut Page, document: &Document<'_>) {
    let done = document.command == "put";
    document.about.show(page, done);
    page.gap();
    for layer in &document.layers {
        let verb = if done { "put" } else { "would put" };
        page.line(&format!("{verb}  {}", layer.name));
        let types = layer.manifests.as_object().into_iter().flatten();
        let types: Vec<&str> = types.map(|(kind, _)| kind.as_str()).collect();
        let types = types.join(" ");
        let mut rows = vec![["types".to_owned(), types]];
        rows.extend(
            layer
                .hash
                .iter()
                .map(|hash| ["entry".to_owned(), hash.clone()]),
        );
        let effects = layer.effects.iter();
        rows.extend(effects.map(|effect| ["would".to_owned(), show::effect(effect)]));
        page.rows(6, &rows);
        show::findings(page, &layer.notes, 6);
    }
}

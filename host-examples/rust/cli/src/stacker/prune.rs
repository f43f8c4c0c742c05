//! `stacker prune`: opens the cache as stacker does, which drops what is gone.

use std::fs;

use serde::Serialize;

use super::args::PruneArgs;
use super::opened::{Directories, Opened};
use super::show::{About, shared};
use crate::args::Global;
use crate::failed::Failed;
use crate::page::Page;
use crate::reply::{Exit, Reply, Style};

/// What `--help` says about the JSON document; [`Document`] is its type.
pub const HELP: &str = concat!(
    r#"Does what every start of stacker does to its cache: drops entries whose manifests cannot be read
from the OCI layout, or whose result is gone from the roots directory, and a cache of another
version. A cache that cannot be read is kept under another name (guarded reading).

--json prints one document, absent members as null:
  schema       "layerwise/stacker-prune/1"
  command      "prune" or "plan"
  entries      the names that are left, sorted
"#,
    shared!()
);

#[derive(Serialize)]
struct Document<'a> {
    schema: &'static str,
    command: &'static str,
    #[serde(flatten)]
    about: About<'a>,
    entries: Vec<String>,
}

/// Opens the cache and says what that did.
pub fn run(global: &Global, args: &PruneArgs, style: Style) -> Result<Reply, Failed> {
    // Before the first build there is nothing to drop, and nowhere to write it.
    let cache = Directories::new(&args.project)?.stacker.join("build.cache");
    let plan = args.plan || fs::symlink_metadata(cache).is_err();
    let opened = Opened::new(global, &args.project, None, !plan)?;
    let mut session = opened.session(plan)?;
    let document = Document {
        schema: "layerwise/stacker-prune/1",
        command: if args.plan { "plan" } else { "prune" },
        about: About::new(&opened.directories, &opened.semantics, &mut session)?,
        entries: session.entries()?,
    };
    Reply::of(style, Exit::Done, &document, show)
}

fn show(page: &mut Page, document: &Document<'_>) {
    document.about.show(page, document.command == "prune");
    page.rows(2, &[["left", &document.entries.join(" ")]]);
}

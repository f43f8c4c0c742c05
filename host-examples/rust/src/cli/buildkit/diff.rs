//! `buildkit diff`: what changed between two caches.

use layerwise::explain::Finding;
use layerwise::semantics::Semantics;
use layerwise_host::buildkit::Cache;
use serde::Serialize;

use super::args::DiffArgs;
use super::{Opened, show};
use crate::cli::args::Global;
use crate::cli::failed::Failed;
use crate::cli::page::Page;
use crate::cli::reply::{Exit, Reply, Style};

/// What `--help` says after the options.
pub const HELP: &str = r#"Caches are compared by the structure of their records, whatever their order and indexes are. A root
cause is a record that differs while everything it stands on is in both caches; the first one is
where the builds part. What stands on a root cause differs too and is a cascade.

Exit codes: 0 the same, 1 different, 2 usage, 3 error.

--json prints one document, absent members as null:
  schema    "layerwise/buildkit-diff/1"
  old, new  {"cache": as given, "repository", "manifest": digest, "config": digest}
  same      true or false
  first     finding: the first root cause
  causes    findings, in the order of a build
  cascades  findings
A finding is {"code", "subject", "differences": [{"path", "have": of old, "want": of new}], "hint",
"cascade"}; `layerwise rule CODE` says what its code means. An error is {"schema":
"layerwise/error/1", "error": {"kind", "message", "code", "operation", "subject", "limit",
"value"}}."#;

#[derive(Serialize)]
struct Document<'a> {
    schema: &'static str,
    old: Side<'a>,
    new: Side<'a>,
    same: bool,
    first: Option<&'a Finding>,
    causes: &'a [Finding],
    cascades: &'a [Finding],
}

#[derive(Serialize)]
struct Side<'a> {
    cache: &'a str,
    repository: String,
    manifest: String,
    config: String,
}

/// Compares.
pub fn run(global: &Global, args: &DiffArgs, style: Style) -> Result<Reply, Failed> {
    let opened = Opened::reading(global, &args.registry, &args.limits)?;
    let (old, before) = open(&opened, &args.old)?;
    let (new, after) = open(&opened, &args.new)?;
    let found = before.compare(&after)?;
    let causes = found.findings.iter().take_while(|f| !f.cascade).count();
    let (causes, cascades) = found.findings.split_at(causes);
    let same = found.findings.is_empty();
    let document = Document {
        schema: "layerwise/buildkit-diff/1",
        old,
        new,
        same,
        first: causes.first(),
        causes,
        cascades,
    };
    let exit = if same { Exit::Done } else { Exit::Miss };
    Reply::of(style, exit, &document, |page, document| {
        show_document(page, document, args.cascades);
    })
}

fn open<'a>(opened: &Opened, reference: &'a str) -> Result<(Side<'a>, Cache), Failed> {
    let found = opened.find(reference)?;
    let session = &opened.session;
    let cache = session
        .open(
            &found.repository,
            &found.manifest,
            &Semantics::default(),
            &opened.limits,
        )
        .map_err(|error| super::about(error, reference))?;
    let side = Side {
        cache: reference,
        repository: found.repository,
        manifest: found.manifest.digest,
        config: cache.config()?,
    };
    Ok((side, cache))
}

fn show_document(page: &mut Page, document: &Document<'_>, all: bool) {
    let Document {
        old,
        new,
        same,
        causes,
        cascades,
        ..
    } = document;
    page.line(if *same { "same" } else { "different" });
    page.rows(
        2,
        &[
            ["old", old.cache, &old.config],
            ["new", new.cache, &new.config],
        ],
    );
    if !causes.is_empty() {
        page.gap();
        page.line("where the builds part (have: old, want: new):");
        for finding in *causes {
            show::entry(page, finding);
        }
    }
    if cascades.is_empty() {
        return;
    }
    page.gap();
    if all {
        page.line("what follows from that:");
        for finding in *cascades {
            show::entry(page, finding);
        }
    } else {
        let count = match cascades.len() {
            1 => "1 record follows".to_owned(),
            n => format!("{n} records follow"),
        };
        page.line(&format!("{count} from that; --cascades lists them"));
    }
}

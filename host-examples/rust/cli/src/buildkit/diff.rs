//! `buildkit diff`: what changed between two caches.

use std::collections::BTreeMap;

use layerwise::explain::Finding;
use layerwise_host::buildkit::Cache;
use serde::Serialize;

use super::args::DiffArgs;
use super::opened::Opened;
use super::show;
use super::words::Words;
use crate::args::Global;
use crate::failed::Failed;
use crate::page::Page;
use crate::reply::{Exit, Reply, Style};

/// What `--help` says after the options.
pub const HELP: &str = r#"Caches are compared by the structure of their records, whatever their order and indexes are. A root
cause is where builds part: a source or a step that differs while everything it stands on is in
both caches. What stands on it differs too and is a cascade. Sources are paired by what stands on
them. A record that lost its result, a second key of an image and a key that leads nowhere change
no build and are counted only: an export of imported records leaves such things out.

Exit codes: 0 no build parts, 1 builds part, 2 usage, 3 error.

--json prints one document, absent members as null:
  schema    "layerwise/buildkit-diff/1"
  old, new  {"cache": as given, "repository", "manifest": digest, "config": digest}
  same      true: no build parts
  passed    number of records that only one cache has and that change no build
  first     finding: the first root cause
  causes    findings, in the order of a build
  cascades  findings
  names     with --build: {digest: the step in words}; else null
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
    passed: u64,
    first: Option<&'a Finding>,
    causes: &'a [Finding],
    cascades: &'a [Finding],
    names: Option<BTreeMap<&'a str, String>>,
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
    let words = Words::of(global, &args.words, &args.registry, &args.limits)?;
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
        passed: passed(&found.summary),
        first: causes.first(),
        causes,
        cascades,
        names: words.document(),
    };
    let exit = if same { Exit::Done } else { Exit::Miss };
    let reply = Reply::of(style, exit, &document, |page, document| {
        show_document(page, document, args.cascades);
    })?;
    Ok(words.in_text(style, reply))
}

fn open<'a>(opened: &Opened, reference: &'a str) -> Result<(Side<'a>, Cache), Failed> {
    let found = opened.find(reference)?;
    let cache = opened.look(&found, reference)?;
    let manifest = found.manifest();
    let side = Side {
        cache: reference,
        repository: found.repository().to_owned(),
        manifest: manifest.map_or(String::new(), |manifest| manifest.digest.clone()),
        config: cache.describe()?.config,
    };
    Ok((side, cache))
}

/// How many records are in one cache only and change no build.
fn passed(summary: &Finding) -> u64 {
    let count = summary.differences.last();
    let count = count.and_then(|count| count.have.as_deref());
    count
        .and_then(|count| count.parse().ok())
        .unwrap_or_default()
}

fn show_document(page: &mut Page, document: &Document<'_>, all: bool) {
    let Document {
        old,
        new,
        same,
        passed,
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
    if *passed > 0 {
        let passed = passed.to_string();
        page.rows(2, &[["in one cache only, without effect", &passed]]);
    }
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

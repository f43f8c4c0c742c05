//! `layerwise audit`: looks through whole registries and directories, verifies every
//! cache, and says what may be deleted without losing a hit.
//!
//! `places` reads what is audited, `look` asks the component about one manifest
//! (through `lent`, with everything it leads to by `closure`), `decide` says what may
//! go, and `store` puts them together and carries it out. `journal` is what an audit
//! that was killed goes on from.

mod closure;
mod decide;
mod facts;
mod ids;
mod journal;
mod lent;
mod look;
mod output;
mod places;
mod show;
mod store;

use std::io::{Write, stdout};
use std::path::PathBuf;
use std::sync::Arc;
use std::thread;

use clap::Args;

use crate::args::{Global, LimitArgs};
use crate::failed::Failed;
use crate::lend::{self, Bars, RegistryArgs};
use crate::page::Page;
use crate::reply::{Exit, Reply, Style};

use journal::Journal;
use look::Looking;
use output::{Line, Output, Totals};
use store::Auditor;

/// What `--help` says after the options.
pub const HELP: &str = r#"A place is a registry (HOST[:PORT], which must list its repositories), a repository with all its
tags (HOST/NAME), one reference (HOST/NAME:TAG), a layout directory (oci:DIR), or list:FILE with one
place a line (list:- for standard input).

What may go: a cache that gives nobody a hit, and a manifest without a name when another one holds
the same; never what a manifest that is kept refers to, and never what is no cache or could not be
read. A repository of which only some references are named is verified, and nothing of it may go.
Of a layout directory the blobs go, too, that nothing needs. A registry takes them away itself.

--apply deletes it. Nobody else may write into a layout directory meanwhile; a new entry in its
index ends the work. Killed at any moment, the same command goes on. With --journal it does not
look again at what it has seen.

Exit codes: 0 all is good, 1 something is damaged, useless or could not be looked at, 2 usage,
3 error.

--json prints documents, one a line, each with a "type":
  audit        {"schema": "layerwise/audit/1", "places"}
  manifest     {"repository", "digest", "size", "names", "kind": "buildkit", "inline", "buildpacks",
               "image" or "unknown", "state": "good", "damaged", "no-hit", "refused" or "unknown",
               "records": {"hit", "broken", "key", "dead"}, "findings": {code: number}, "problem",
               "needs": [{"digest", "size"}], "whole": false if there may be more, "missing": number}
  problem      {"place", "message"}: what could not be looked at
  duplicate    {"repository", "digest", "names", "of"}: a cache that holds the same as another
  delete       {"repository", "digest", "names", "cause": "refused", "no-hit" or "duplicate"}
  delete-blob  {"repository", "digest", "size", "cause": one of these, or "orphan"}
  deleted      {"repository", "digest"}: with --apply, a manifest of a registry
  total        {"manifests": {kind: {state: number}}, "records", "duplicates", "problems",
               "bytes": {"stored", "shared", "saved", "causes": {cause: bytes}},
               "delete": {"manifests", "blobs", "bytes"}, "deleted": the same, with --apply}
`layerwise buildkit verify` and `layerwise buildpacks cache verify` say more of one cache."#;

#[derive(Args)]
pub struct AuditArgs {
    /// What is audited.
    #[arg(value_name = "PLACE", required = true)]
    pub places: Vec<String>,
    /// Delete what may go.
    #[arg(long)]
    pub apply: bool,
    /// Write down in this file what was seen, and go on from it when it is there.
    #[arg(long, value_name = "FILE")]
    pub journal: Option<PathBuf>,
    /// How many manifests are looked at a time. Default: one for each processor, at most 8.
    #[arg(long, value_name = "N")]
    pub jobs: Option<usize>,
    #[command(flatten)]
    pub registry: RegistryArgs,
    #[command(flatten)]
    pub limits: LimitArgs,
}

/// Audits everything that is named.
pub fn run(global: &Global, args: &AuditArgs, style: Style) -> Result<Reply, Failed> {
    let stores = places::parse(&args.places)?;
    let jobs = args.jobs.unwrap_or_else(processors).max(1);
    let bars = Bars::default();
    // Documents are small; what shows is how many manifests are done.
    let options = lend::options(&args.registry, &Bars::default())?.at_once(jobs);
    let journal = args.journal.as_deref();
    let journal = journal.map(|path| Journal::open(path, &args.places));
    let mut stdout = stdout().lock();
    let mut auditor = Auditor {
        looking: Looking {
            engine: crate::io::engine(global)?,
            repositories: lend::repositories(options)?,
            session: args.limits.of_session(),
            limits: args.limits.named.clone(),
            seen: Arc::default(),
        },
        jobs,
        journal: journal.transpose()?,
        output: Output {
            lines: style.json.then_some(&mut stdout as &mut dyn Write),
            totals: Totals::default(),
            bad: Vec::new(),
            most: if style.verbose {
                usize::MAX
            } else {
                show::SHOWN
            },
        },
        bars,
        apply: args.apply,
    };
    let places = &args.places;
    auditor.output.line(&Line::Audit {
        schema: "layerwise/audit/1",
        places,
    })?;
    for store in &stores {
        auditor.store(store)?;
    }
    let mut output = auditor.output;
    let totals = std::mem::take(&mut output.totals);
    output.line(&Line::Total(&totals))?;
    if let (0, Some(first)) = (
        totals.count(),
        output.bad.first().filter(|_| totals.problems > 0),
    ) {
        let message = format!("cannot audit {:?}: {}", first.what, first.why);
        return Err(Failed::new("host", message).about(&first.what));
    }
    let exit = match totals.is_bad() {
        true => Exit::Miss,
        false => Exit::Done,
    };
    if style.json {
        return Ok(Reply::new(exit, String::new()));
    }
    let mut page = Page::new(style);
    show::put(&mut page, &totals, &output.bad, args.apply);
    Ok(Reply::new(exit, page.finish()))
}

fn processors() -> usize {
    thread::available_parallelism().map_or(1, |count| count.get().min(8))
}

//! `buildkit explain`: what a solver asks of a cache, and why it got no answer.

use layerwise::buildkit::{Query, Reason};
use layerwise::explain::Explanation;
use layerwise::semantics::Semantics;
use serde::Serialize;

use super::Opened;
use super::args::ExplainArgs;
use crate::cli::args::Global;
use crate::cli::failed::Failed;
use crate::cli::page::Page;
use crate::cli::reply::{Exit, Reply, Style};
use crate::cli::why;

/// What `--help` says after the options.
pub const HELP: &str = r#"A solver first asks for the record of a vertex without inputs, then, for every input of the next
vertex, for records that stand on one it found. The digest of the record is SHA-256 of
`VERTEX@OUTPUT`. A record without inputs has its digest as its name, another one `xxh64:` and 16
hex digits; a hit names the records that were found.

Exit codes: 0 hit, 1 miss, 2 usage, 3 error.

--json prints one document, absent members as null:
  schema       "layerwise/buildkit-explain/1"
  cache        as given
  records      names of the records that were found
  explanation  {"summary": finding, "findings": [finding], "nearest": finding, "considered":
               number of links that were looked at}
A finding is {"code", "subject", "differences": [{"path", "have", "want"}], "hint", "cascade"};
`layerwise rule CODE` says what its code means. An error is {"schema": "layerwise/error/1",
"error": {"kind", "message", "code", "operation", "subject", "limit", "value"}}."#;

#[derive(Serialize)]
struct Document<'a> {
    schema: &'static str,
    cache: &'a str,
    records: Vec<String>,
    explanation: Explanation,
}

/// Looks up.
pub fn run(global: &Global, args: &ExplainArgs, style: Style) -> Result<Reply, Failed> {
    let opened = Opened::reading(global, &args.registry, &args.limits)?;
    let found = opened.find(&args.cache)?;
    let cache = opened
        .session
        .open(
            &found.repository,
            &found.manifest,
            &Semantics::default(),
            &opened.limits,
        )
        .map_err(|error| super::about(error, &args.cache))?;
    let query = Query {
        record: args.record.clone(),
        digest: args.vertex.clone(),
        output: args.output,
        input: args.input,
        selector: args.selector.clone(),
    };
    let explanation = cache.explain(&query)?;
    let exit = if explanation.summary.code == Reason::Hit.as_str() {
        Exit::Done
    } else {
        Exit::Miss
    };
    let document = Document {
        schema: "layerwise/buildkit-explain/1",
        cache: &args.cache,
        records: cache.lookup(&query)?,
        explanation,
    };
    Reply::of(style, exit, &document, show)
}

fn show(page: &mut Page, document: &Document<'_>) {
    why::explanation(page, &document.explanation, &[["cache", document.cache]]);
}

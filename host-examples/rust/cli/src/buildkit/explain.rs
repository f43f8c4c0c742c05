//! `buildkit explain`: what a solver asks of a cache, and why it got no answer.

use std::collections::BTreeMap;

use layerwise::buildkit::{Query, Reason};
use layerwise::builds::Role;
use layerwise::explain::Explanation;
use serde::Serialize;

use super::args::ExplainArgs;
use super::opened::Opened;
use super::words::Words;
use crate::args::Global;
use crate::failed::Failed;
use crate::page::Page;
use crate::reply::{Exit, Reply, Style};
use crate::why;

/// What `--help` says after the options.
pub const HELP: &str = r#"A solver first asks for the record of a vertex without inputs, then, for every input of the next
vertex, for records that stand on one it found. The digest of the record is SHA-256 of
`VERTEX@OUTPUT`. A record without inputs has its digest as its name, another one `xxh64:` and 16
hex digits; a hit names the records that were found, and `layerwise buildkit inspect --records`
lists all with their links. Of files that a COPY or ADD takes a solver asks by their bytes: VERTEX
is their digest then, and --output -1. The digests of --progress=rawjson name vertices with all that
is below them; no cache knows them. With --build they are translated, and --step 7 asks for the step
of a line, with all of its inputs, as `buildkit predict` does.

Several caches are asked one after the other, as builders ask all that --cache-from names. It is a
hit when one of them has it; that one is shown, else the one that comes nearest, then the others.

Exit codes: 0 hit, 1 miss, 2 usage, 3 error.

--json prints one document, absent members as null:
  schema       "layerwise/buildkit-explain/1"
  cache        as given; the one that hits or comes nearest
  records      names of the records that were found
  explanation  {"summary": finding, "findings": [finding], "nearest": finding, "considered":
               number of links that were looked at}
  others       [{"cache", "records", "explanation"}]
  names        with --build: {digest: the step in words}; else null
A finding is {"code", "subject", "differences": [{"path", "have", "want"}], "hint", "cascade"};
`layerwise rule CODE` says what its code means. An error is {"schema": "layerwise/error/1",
"error": {"kind", "message", "code", "operation", "subject", "limit", "value"}}."#;

#[derive(Serialize)]
struct Document<'a> {
    schema: &'static str,
    #[serde(flatten)]
    first: Answer<'a>,
    others: Vec<Answer<'a>>,
    names: Option<BTreeMap<&'a str, String>>,
}

/// What one cache returns.
#[derive(Serialize)]
struct Answer<'a> {
    cache: &'a str,
    records: Vec<String>,
    explanation: Explanation,
}

impl Answer<'_> {
    fn is_hit(&self) -> bool {
        self.explanation.summary.code == Reason::Hit
    }

    /// A hit first, then what differs least.
    fn rank(&self) -> (bool, bool, usize) {
        let nearest = self.explanation.nearest.as_ref();
        let differences = nearest.map_or(0, |nearest| nearest.differences.len());
        (!self.is_hit(), nearest.is_none(), differences)
    }
}

/// Looks up.
pub fn run(global: &Global, args: &ExplainArgs, style: Style) -> Result<Reply, Failed> {
    if let Some(step) = &args.step {
        return super::explain_step::run(global, args, step, style);
    }
    let words = Words::of(global, &args.words, &args.registry, &args.limits)?;
    let opened = Opened::reading(global, &args.registry, &args.limits)?;
    let query = Query {
        record: args.record.clone(),
        digest: asked(&words, args.vertex.as_deref().unwrap_or_default())?,
        output: args.output,
        input: args.input,
        selector: args.selector.clone(),
    };
    let mut answers = Vec::new();
    for name in &args.caches {
        let cache = opened.look(&opened.find(name)?, name)?;
        answers.push(Answer {
            cache: name,
            records: cache.lookup(&query)?,
            explanation: cache.explain(&query)?,
        });
    }
    // Stable: of those that are alike the first one given counts.
    answers.sort_by_key(Answer::rank);
    let mut answers = answers.into_iter();
    let Some(first) = answers.next() else {
        return Err(Failed::usage("no cache was given"));
    };
    let exit = if first.is_hit() {
        Exit::Done
    } else {
        Exit::Miss
    };
    let document = Document {
        schema: "layerwise/buildkit-explain/1",
        first,
        others: answers.collect(),
        names: words.document(),
    };
    let reply = Reply::of(style, exit, &document, show)?;
    Ok(words.in_text(style, reply))
}

/// The digest that a solver asks by, for what was typed.
fn asked(words: &Words, typed: &str) -> Result<String, Failed> {
    let Some((Role::Vertex, step)) = words.find(typed) else {
        return Ok(typed.to_owned());
    };
    step.cache_map.clone().ok_or_else(|| {
        let step = words.step(step);
        Failed::usage(format!(
            "{typed:?} is the digest that logs have for {step:?}, and what caches know that step \
             by is not in the record"
        ))
    })
}

fn show(page: &mut Page, document: &Document<'_>) {
    let first = &document.first;
    why::explanation(page, &first.explanation, &[["cache", first.cache]]);
    for other in &document.others {
        page.gap();
        why::explanation(page, &other.explanation, &[["cache", other.cache]]);
    }
}

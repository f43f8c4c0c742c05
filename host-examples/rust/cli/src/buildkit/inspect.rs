//! `buildkit inspect` and `buildkit verify`: what a cache holds, and what is wrong
//! with it.

use std::collections::BTreeMap;

use layerwise::buildkit::{Evidence, Severity, Standing, Statistics, Verdict};
use layerwise::oci::Descriptor;
use serde::Serialize;

use super::args::InspectArgs;
use super::found::pinned;
use super::opened::Opened;
use super::orphans::{self, Orphans};
use super::words::Words;
use super::{report, show};
use crate::args::Global;
use crate::failed::Failed;
use crate::page::Page;
use crate::reply::{Exit, Reply, Style};
use crate::text;

/// What `--help` says after the options.
pub const HELP: &str = r#"Exit codes: `inspect` 0 when the manifest was read; `verify` 0 without findings of the severity
`error`, 1 with; 2 usage, 3 error. The registry is asked for every layer; layers are read only with
--read-layers, and the answer says which. An image or an index of images is read too: as its inline
cache (`--export-cache type=inline`).

A cache that names a result whose layer is gone is bad: from a registry builders show such a step
as CACHED and fail the build, at once or when a later step changes; from a local directory they run
the step again. `layerwise buildkit export NEW --from OLD` writes it anew without these results.

A record is hit (it can be reached and a complete result is there), broken (a result that it names
has a layer that is not there), key (it can be reached and has no result, as most steps of other
stages have with mode=min) or dead (no lookup reaches it).

--json prints one document, absent members as null:
  schema      "layerwise/buildkit-cache/1"
  command     "inspect" or "verify"
  cache       as given
  repository  where it is
  manifest    descriptor: {"media_type", "digest", "size", "annotations"}
  kind        the media type the manifest stands for; empty when it stands for none
  config      digest of the cache config; empty when there is none
  inline      true: the records are in the configs of images
  layers      what is known of them: "none", "presence" (they were asked for) or "bytes" (read)
  orphans     {"blobs", "bytes"}: what a layout directory has and no entry of its index leads to
  statistics  {"records", "roots", "leaves", "links", "results", "depth", "blobs", "bytes", "oldest",
              "newest"} after merging; zero when importers refuse the cache for anything but size
  standings   {"hit", "broken", "key", "dead"}: numbers of records of the config
  severities  {"error", "warning", "information"}: numbers of findings
  findings    {"severity", "code", "subject", "differences": [{"path", "have", "want"}], "hint",
              "cascade"}, the worst first; at most 100 of one code, then one that tells how many
  records     with --records: [{"record": index, "name": what `explain --record` takes, "digest",
              "standing", "input": the first input that no source reaches, "links": [{"input",
              "record", "selector"}], "newest": its newest result {"created", "layers", "bytes",
              "top"} or null}]; else null
  names       with --build: {digest: the step in words}; else null
`layerwise rule CODE` says what a code means. An error is {"schema": "layerwise/error/1", "error":
{"kind", "message", "code", "operation", "subject", "limit", "value"}}."#;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
enum Verb {
    Inspect,
    Verify,
}

#[derive(Serialize)]
struct Document<'a> {
    schema: &'static str,
    command: Verb,
    cache: &'a str,
    repository: &'a str,
    manifest: Option<&'a Descriptor>,
    kind: &'a str,
    config: &'a str,
    inline: bool,
    layers: Evidence,
    orphans: Option<Orphans>,
    statistics: &'a Statistics,
    standings: Standings,
    severities: Severities,
    findings: Vec<show::Graded<'a>>,
    records: Option<&'a [Verdict]>,
    names: Option<BTreeMap<&'a str, String>>,
}

/// Numbers of records.
#[derive(Clone, Copy, Debug, Default, Serialize)]
struct Standings {
    hit: usize,
    broken: usize,
    key: usize,
    dead: usize,
}

#[derive(Serialize)]
struct Severities {
    error: usize,
    warning: usize,
    information: usize,
}

/// `buildkit inspect`
pub fn inspect(global: &Global, args: &InspectArgs, style: Style) -> Result<Reply, Failed> {
    run(global, args, Verb::Inspect, style)
}

/// `buildkit verify`
pub fn verify(global: &Global, args: &InspectArgs, style: Style) -> Result<Reply, Failed> {
    run(global, args, Verb::Verify, style)
}

fn run(global: &Global, args: &InspectArgs, verb: Verb, style: Style) -> Result<Reply, Failed> {
    let opened = Opened::reading(global, &args.registry, &args.limits)?;
    let words = Words::of(global, &args.words, &args.registry, &args.limits)?;
    let cache = &args.cache.cache;
    let found = opened.find(cache)?;
    pinned(&found, args.cache.digest.as_deref(), cache)?;
    let report = report::check(&opened, &found, cache, args.read_layers)?;
    let findings = show::graded(&report.findings);
    let count = |severity| findings.iter().filter(|f| f.severity == severity).count();
    let severities = Severities {
        error: count(Severity::Error),
        warning: count(Severity::Warning),
        information: count(Severity::Information),
    };
    let exit = match verb {
        Verb::Verify if severities.error > 0 => Exit::Miss,
        _ => Exit::Done,
    };
    let document = Document {
        schema: "layerwise/buildkit-cache/1",
        command: verb,
        cache,
        repository: found.repository(),
        manifest: found.manifest(),
        kind: &report.kind,
        config: &report.config,
        inline: report.inline,
        layers: report.layers,
        orphans: orphans::count(&*opened.registry, found.repository()),
        statistics: &report.statistics,
        standings: standings(&report.verdicts),
        severities,
        findings,
        records: args.records.then_some(&*report.verdicts),
        names: words.document(),
    };
    let reply = Reply::of(style, exit, &document, show_document)?;
    Ok(words.in_text(style, reply))
}

/// How many records are good for what.
fn standings(verdicts: &[Verdict]) -> Standings {
    let mut numbers = Standings::default();
    for verdict in verdicts {
        match verdict.standing {
            Standing::Hit => numbers.hit += 1,
            Standing::Broken => numbers.broken += 1,
            Standing::Key => numbers.key += 1,
            Standing::Dead => numbers.dead += 1,
        }
    }
    numbers
}

fn show_document(page: &mut Page, document: &Document<'_>) {
    let Document {
        command,
        cache,
        severities,
        findings,
        records,
        ..
    } = document;
    let verdict = match (command, severities.error) {
        (Verb::Inspect, _) => "cache",
        (Verb::Verify, 0) => "good",
        (Verb::Verify, _) => "bad",
    };
    page.line(&format!("{verdict}  {cache}"));
    numbers(page, document);
    show::findings(page, findings);
    if let Some(records) = records {
        page.gap();
        self::records(page, records);
    }
}

/// What there is, in rows.
fn numbers(page: &mut Page, document: &Document<'_>) {
    let Statistics {
        roots,
        leaves,
        links,
        results,
        depth,
        blobs,
        bytes,
        oldest,
        newest,
        ..
    } = document.statistics;
    let Standings {
        hit,
        broken,
        key,
        dead,
    } = document.standings;
    let config = match (document.inline, document.manifest) {
        (true, _) => "inline, in the configs of images",
        (false, Some(_)) => document.config,
        (false, None) => "alone, without a manifest",
    };
    let total = hit + broken + key + dead;
    let evidence = match document.layers {
        Evidence::None => "they could not be looked for",
        Evidence::Presence => "asked for, not read; --read-layers reads them",
        Evidence::Bytes => "read",
    };
    let Severities {
        error,
        warning,
        information,
    } = document.severities;
    let manifest = document.manifest.map(|manifest| &*manifest.digest);
    let mut rows = vec![
        ["manifest", manifest.unwrap_or("none")],
        ["kind", document.kind],
        ["config", config],
    ];
    let records = format!("{total}: hit {hit}, broken {broken}, key {key}, dead {dead}");
    let chains = format!("roots {roots}, leaves {leaves}, links {links}, depth {depth}");
    let results = if newest.is_empty() {
        results.to_string()
    } else {
        format!("{results}, made from {oldest} to {newest}")
    };
    let layers = format!("{blobs}, {}; {evidence}", text::bytes(*bytes));
    rows.push(["records", &records]);
    rows.push(["chains", &chains]);
    rows.push(["results", &results]);
    rows.push(["layers", &layers]);
    let orphans = document.orphans.filter(|orphans| orphans.blobs > 0);
    let orphans = orphans.map(|Orphans { blobs, bytes }| {
        let bytes = text::bytes(bytes);
        format!("{blobs} blobs, {bytes}, that no entry of the index leads to")
    });
    if let Some(orphans) = &orphans {
        rows.push(["orphaned", orphans]);
    }
    let findings = format!("error {error}, warning {warning}, information {information}");
    rows.push(["findings", &findings]);
    page.rows(2, &rows);
}

/// Every record with its name and its links.
fn records(page: &mut Page, records: &[Verdict]) {
    for verdict in records {
        let input = verdict.input.filter(|_| verdict.standing == Standing::Dead);
        let lacks = input.map_or(String::new(), |input| {
            format!("nothing reaches input {input}")
        });
        let at = format!("records[{}]", verdict.record);
        let standing = verdict.standing.as_str();
        page.rows(0, &[[&*at, &verdict.digest, standing, &lacks]]);
        if !verdict.name.is_empty() && verdict.name != verdict.digest {
            page.rows(2, &[["name", &verdict.name]]);
        }
        for link in &verdict.links {
            let from = format!("from records[{}]", link.record);
            let input = format!("input {}", link.input);
            let selector = match link.selector.as_str() {
                "" => String::new(),
                selector => format!("selector {selector}"),
            };
            page.rows(2, &[[&*input, &from, &selector]]);
        }
    }
}

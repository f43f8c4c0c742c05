//! `buildkit inspect` and `buildkit verify`: what a cache holds, and what is wrong
//! with it.

use layerwise::buildkit::{Reason, Report, Severity, Standing, Statistics, Verdict};
use layerwise::oci::Descriptor;
use layerwise::semantics::Semantics;
use serde::Serialize;
use serde_json::json;

use super::args::InspectArgs;
use super::{Found, Opened, show};
use crate::cli::args::Global;
use crate::cli::failed::Failed;
use crate::cli::page::Page;
use crate::cli::reply::{Exit, Reply, Style};

/// What `--help` says after the options.
pub const HELP: &str = r#"Exit codes: `inspect` 0 when the manifest was read; `verify` 0 without findings of the severity
`error`, 1 with; 2 usage, 3 error. The registry is asked for every layer; layers are not read.
An ordinary image is read too: as its inline cache (`--export-cache type=inline`).

A record is hit (it can be reached and a complete result is there), key (it can be reached and has
no usable result, as most have with mode=min) or dead (no lookup reaches it).

--json prints one document, absent members as null:
  schema      "layerwise/buildkit-cache/1"
  command     "inspect" or "verify"
  cache       as given
  repository  where it is
  manifest    descriptor: {"media_type", "digest", "size", "annotations"}
  kind        the media type the manifest stands for; empty when it stands for none
  config      digest of the cache config; empty when there is none
  inline      true: the records are in the configs of images
  statistics  {"records", "roots", "leaves", "links", "results", "depth", "blobs", "bytes"} after
              merging; zero when importers refuse the cache
  standings   {"hit", "key", "dead"}: numbers of records of the config
  severities  {"error", "warning", "information"}: numbers of findings
  findings    {"severity", "code", "subject", "differences": [{"path", "have", "want"}], "hint",
              "cascade"}, the worst first; at most 100 of one code, then one that tells how many
  records     with --records: [{"record": index, "digest", "standing", "input": the first input
              that no source reaches}]; else null
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
    manifest: &'a Descriptor,
    kind: &'a str,
    config: &'a str,
    inline: bool,
    statistics: Statistics,
    standings: Standings,
    severities: Severities,
    findings: Vec<show::Graded<'a>>,
    records: Option<&'a [Verdict]>,
}

/// Numbers of records.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Standings {
    pub hit: usize,
    pub key: usize,
    pub dead: usize,
}

#[derive(Serialize)]
struct Severities {
    error: usize,
    warning: usize,
    information: usize,
}

/// What is known about a cache, wherever its records are.
pub struct Checked {
    pub report: Report,
    /// The records are in the configs of images.
    pub inline: bool,
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
    let found = opened.find(&args.cache)?;
    let Checked { report, inline } = check(&opened, &found, &args.cache)?;
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
        cache: &args.cache,
        repository: &found.repository,
        manifest: &found.manifest,
        kind: &report.kind,
        config: &report.config,
        inline,
        statistics: report.statistics,
        standings: standings(&report.verdicts),
        severities,
        findings,
        records: args.records.then_some(&*report.verdicts),
    };
    Reply::of(style, exit, &document, show_document)
}

/// Checks a cache. Where the manifest lists no config, the inline caches of images
/// are looked at.
pub fn check(opened: &Opened, found: &Found, cache: &str) -> Result<Checked, Failed> {
    let Found {
        repository,
        manifest,
    } = found;
    let report = opened
        .session
        .inspect(repository, manifest, &opened.limits)
        .map_err(|error| super::about(error, cache))?;
    let missing = |code: &str| code == Reason::ConfigMissing.as_str();
    if !report.findings.iter().any(|finding| missing(&finding.code)) {
        return Ok(Checked {
            report,
            inline: false,
        });
    }
    Ok(inline(opened, found, &report)?.unwrap_or(Checked {
        report,
        inline: false,
    }))
}

/// The inline caches behind a manifest; none when there are none.
fn inline(opened: &Opened, found: &Found, report: &Report) -> Result<Option<Checked>, Failed> {
    let semantics = Semantics::default();
    let session = &opened.session;
    let opening = session.open(
        &found.repository,
        &found.manifest,
        &semantics,
        &opened.limits,
    );
    let Ok(cache) = opening else {
        return Ok(None);
    };
    if cache.records()? == 0 {
        return Ok(None);
    }
    // Layers of images are there, or the image is of no use either.
    let blobs = cache.offers()?.into_iter().flat_map(|offer| offer.blobs);
    let blobs: std::collections::BTreeSet<String> = blobs.collect();
    let listed: Vec<_> = blobs
        .iter()
        .map(|digest| json!({"digest": digest, "size": 1}))
        .collect();
    let listed = serde_json::Value::from(listed).to_string();
    let checked = session.verify(&cache.encode()?, &listed, &opened.limits)?;
    let of_a_list = [Reason::ConfigMissing, Reason::IndexWithLayers];
    let mut report = report.clone();
    report
        .findings
        .retain(|finding| !of_a_list.iter().any(|code| code.as_str() == finding.code));
    report.findings.extend(cache.findings()?);
    report.verdicts = checked.verdicts;
    report.statistics = cache.statistics()?;
    Ok(Some(Checked {
        report,
        inline: true,
    }))
}

/// How many records are good for what.
pub fn standings(verdicts: &[Verdict]) -> Standings {
    let mut numbers = Standings::default();
    for verdict in verdicts {
        match verdict.standing {
            Standing::Hit => numbers.hit += 1,
            Standing::Key => numbers.key += 1,
            Standing::Dead => numbers.dead += 1,
        }
    }
    numbers
}

/// A standing by its name.
pub const fn standing(standing: Standing) -> &'static str {
    match standing {
        Standing::Hit => "hit",
        Standing::Key => "key",
        Standing::Dead => "dead",
    }
}

fn show_document(page: &mut Page, document: &Document<'_>) {
    let Document {
        command,
        cache,
        manifest,
        kind,
        config,
        inline,
        statistics,
        standings,
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
    let Statistics {
        roots,
        leaves,
        links,
        results,
        depth,
        blobs,
        bytes,
        ..
    } = statistics;
    let config = if *inline {
        "inline, in the configs of images"
    } else {
        config
    };
    let total = standings.hit + standings.key + standings.dead;
    let rows = [
        ["manifest", &manifest.digest],
        ["kind", kind],
        ["config", config],
        [
            "records",
            &format!(
                "{total}: hit {}, key {}, dead {}",
                standings.hit, standings.key, standings.dead
            ),
        ],
        [
            "chains",
            &format!("roots {roots}, leaves {leaves}, links {links}, depth {depth}"),
        ],
        ["results", &results.to_string()],
        ["layers", &format!("{blobs}, {}", show::bytes(*bytes))],
        [
            "findings",
            &format!(
                "error {}, warning {}, information {}",
                severities.error, severities.warning, severities.information
            ),
        ],
    ];
    page.rows(2, &rows);
    show::findings(page, findings);
    if let Some(records) = records {
        page.gap();
        let rows: Vec<[String; 4]> = records
            .iter()
            .map(|verdict| {
                let input = verdict.input.filter(|_| verdict.standing == Standing::Dead);
                [
                    format!("records[{}]", verdict.record),
                    verdict.digest.clone(),
                    standing(verdict.standing).to_owned(),
                    input.map_or(String::new(), |input| {
                        format!("nothing reaches input {input}")
                    }),
                ]
            })
            .collect();
        let rows: Vec<[&str; 4]> = rows
            .iter()
            .map(|r| r.each_ref().map(String::as_str))
            .collect();
        page.rows(0, &rows);
    }
}

//! `buildkit graph`: the chains of a cache as a picture.

use std::fs;
use std::path::Path;

use layerwise::buildkit::{Report, Severity, Standing, severity};
use layerwise_picture::{Meaning, Model, Named, Subject, Wanted};
use serde::Serialize;

use super::args::{Format, GraphArgs};
use super::found::pinned;
use super::opened::Opened;
use super::report;
use super::words::Words;
use crate::args::Global;
use crate::failed::Failed;
use crate::page::Page;
use crate::reply::{Exit, Reply, Style};

/// What `--help` says after the options.
pub const HELP: &str = r#"Every box is a record: its digest and position, what its result has (layers of the whole chain and
their bytes), and what it is good for: hit (it can be reached and a complete result is there),
broken (a result has a layer that is not there), key (it can be reached and has no result) or dead
(no lookup reaches it). A mark tells that the record has findings, which hovering over or tabbing
to the box shows. Lines lead from what a record stands on down to it. Runs of records without a branch, result or finding are one box.

With --build boxes are called by the steps of the build, such as `Dockerfile:7 RUN make`, and those
that it ran are marked; with --against, too, those among them that have a cause of their own. The page
lists them, and each name leads to its box.

Colours say the same as the words. Pictures are files of their own: no fonts, scripts or other
files are fetched. Text from the cache is escaped.

Exit codes: 0 done, 2 usage, 3 error. A cache that readers refuse is drawn as far as its records can be read.

--json prints one document, absent members as null, in place of a picture on standard output:
  schema   "layerwise/buildkit-graph/1"
  cache    as given
  output   {"file", "format", "bytes"}: the picture that was written
  records  number of records of the config
  drawn    number of boxes
  left_out number of records that are not drawn, because there would be more than --boxes
  boxes    [{"records": [index], "digest", "standing", "name": with --build the step in words,
           "fate": "cached", "ran" or "cause", "row", "created", "layers": number in the chain,
           "bytes": of the chain, "findings": [code], "sources": [{"box": position in this
           list, "input", "selector"}], "more": users that are not drawn}]
An error is {"schema": "layerwise/error/1", "error": {"kind", "message", "code", "operation",
"subject", "limit", "value"}}."#;

#[derive(Serialize)]
struct Document<'a> {
    schema: &'static str,
    cache: &'a str,
    output: Option<Output>,
    records: usize,
    drawn: usize,
    left_out: usize,
    boxes: &'a [layerwise_picture::Box],
}

#[derive(Serialize)]
struct Output {
    file: String,
    format: &'static str,
    bytes: usize,
}

/// Draws.
pub fn run(global: &Global, args: &GraphArgs, style: Style) -> Result<Reply, Failed> {
    let format = args
        .format
        .or_else(|| by_extension(args.output.as_deref()?))
        .unwrap_or(Format::Dot);
    let opened = Opened::reading(global, &args.registry, &args.limits)?;
    let cache = &args.cache.cache;
    let found = opened.find(cache)?;
    pinned(&found, args.cache.digest.as_deref(), cache)?;
    let report = report::check(&opened, &found, cache, false)?;
    drawable(&report, cache)?;
    let wanted = Wanted {
        boxes: args.boxes.max(1),
        collapse: !args.no_collapse,
    };
    let mut model = Model::new(&report, wanted);
    let (registry, limits) = (&args.registry, &args.limits);
    let against = args.against.as_deref();
    let words = Words::compared(global, &args.words, against, registry, limits)?;
    model.name(&report, |digest| {
        Some(Named {
            name: words.word(digest)?,
            fate: words.fate(digest),
        })
    });
    let text = match format {
        Format::Dot => layerwise_picture::dot(&model),
        Format::Svg => layerwise_picture::svg(&model),
        Format::Html => {
            let meaning = |code: &str| {
                let rule = style.catalogue?.find(code)?;
                Some(Meaning {
                    meaning: rule.meaning.clone(),
                    advice: rule.advice.clone(),
                })
            };
            let subject = Subject {
                cache,
                manifest: found.manifest().map(|manifest| &*manifest.digest),
                report: &report,
                meaning: &meaning,
            };
            layerwise_picture::page(&subject, &model)
        }
    };
    let mut document = Document {
        schema: "layerwise/buildkit-graph/1",
        cache,
        output: None,
        records: model.records,
        drawn: model.boxes.len(),
        left_out: model.left_out,
        boxes: &model.boxes,
    };
    let Some(file) = &args.output else {
        if style.json {
            return Reply::of(style, Exit::Done, &document, |_, _| ());
        }
        return Ok(Reply::new(Exit::Done, text));
    };
    fs::write(file, &text).map_err(|error| {
        Failed::unwritable(&format!("the picture {file:?}"), &error).about(file.display())
    })?;
    document.output = Some(Output {
        file: file.display().to_string(),
        format: name(format),
        bytes: text.len(),
    });
    Reply::of(style, Exit::Done, &document, show)
}

/// Refuses a cache without records when it could not be read.
fn drawable(report: &Report, cache: &str) -> Result<(), Failed> {
    let bad = |code: &str| severity(code) == Some(Severity::Error);
    let first = report.findings.iter().find(|finding| bad(&finding.code));
    match first.filter(|_| report.verdicts.is_empty()) {
        None => Ok(()),
        Some(finding) => {
            let (code, subject) = (&finding.code, &finding.subject);
            let message = format!(
                "cannot draw the cache {cache:?}: {code} at {subject:?}; \
                 `layerwise buildkit verify` says more"
            );
            Err(Failed::new("corrupt", message).about(cache))
        }
    }
}

fn by_extension(path: &Path) -> Option<Format> {
    match path.extension()?.to_str()? {
        "dot" | "gv" => Some(Format::Dot),
        "svg" => Some(Format::Svg),
        "html" | "htm" => Some(Format::Html),
        _ => None,
    }
}

const fn name(format: Format) -> &'static str {
    match format {
        Format::Dot => "dot",
        Format::Svg => "svg",
        Format::Html => "html",
    }
}

fn show(page: &mut Page, document: &Document<'_>) {
    let Some(output) = &document.output else {
        return;
    };
    page.line(&format!("drawn  {}", output.file));
    let count = |standing| {
        let same = document.boxes.iter().filter(|one| one.standing == standing);
        same.map(|one| one.records.len()).sum::<usize>()
    };
    let boxes = format!("{} for {} records", document.drawn, document.records);
    let kinds = format!(
        "{} hit, {} broken, {} key, {} dead",
        count(Standing::Hit),
        count(Standing::Broken),
        count(Standing::Key),
        count(Standing::Dead)
    );
    page.rows(2, &[["boxes", &boxes], ["records", &kinds]]);
    if document.left_out > 0 {
        let more = format!("{} records; --boxes draws more", document.left_out);
        page.rows(2, &[["left out", &more]]);
    }
}

//! What a command found out about the steps of a build, as a report: for people as text
//! or Markdown, for machines as JSON, for code scanning as SARIF, and as annotations of
//! a workflow of GitHub. A command makes a [`Report`]; how it looks is decided here.

mod github;
mod markdown;
mod model;
mod sarif;
mod text;
mod words;

use clap::{Args, ValueEnum};
use serde::Serialize;
use serde_json::Value;

use crate::failed::Failed;
use crate::reply::{Exit, Reply, Style};

pub use model::{Change, Cost, FileChange, Level, Report, Step};
pub use words::files;

/// How reports are printed.
#[derive(Args, Default)]
pub struct ReportArgs {
    /// How to print the report. Default: text.
    #[arg(long, value_name = "FORMAT", conflicts_with = "json")]
    format: Option<Format>,
}

#[derive(Clone, Copy, ValueEnum)]
enum Format {
    /// For a terminal.
    Text,
    /// For a pull request or a job summary.
    Markdown,
    /// For programs; the same as --json.
    Json,
    /// SARIF 2.1.0, for code scanning.
    Sarif,
    /// Annotations, as a workflow of GitHub Actions prints them.
    Github,
}

/// A report in the format that was asked for.
pub fn reply(
    style: Style,
    args: &ReportArgs,
    exit: Exit,
    report: &Report,
) -> Result<Reply, Failed> {
    let json = Style {
        json: true,
        ..style
    };
    match args.format {
        Some(Format::Json) => Reply::of(json, exit, report, |_, _| {}),
        Some(Format::Sarif) => Reply::of(
            json,
            exit,
            &sarif::log(vec![sarif::run(report, style)]),
            |_, _| {},
        ),
        Some(Format::Markdown) => Ok(Reply::new(exit, markdown::page(report, style))),
        Some(Format::Github) => Ok(Reply::new(exit, github::lines(report, style))),
        Some(Format::Text) | None => Reply::of(style, exit, report, text::show),
    }
}

/// Several reports as one; one as it is.
pub fn replies(
    style: Style,
    args: &ReportArgs,
    exit: Exit,
    reports: &[Report],
) -> Result<Reply, Failed> {
    #[derive(Serialize)]
    struct Document<'a> {
        schema: &'static str,
        builds: &'a [Report],
    }
    if let [report] = reports {
        return reply(style, args, exit, report);
    }
    let json = Style {
        json: true,
        ..style
    };
    let document = Document {
        schema: "layerwise/buildkit-whys/1",
        builds: reports,
    };
    let joined = |page: fn(&Report, Style) -> String, between: &str| {
        let pages: Vec<String> = reports.iter().map(|report| page(report, style)).collect();
        Ok(Reply::new(exit, pages.join(between)))
    };
    match args.format {
        Some(Format::Json) => Reply::of(json, exit, &document, |_, _| {}),
        Some(Format::Sarif) => {
            let runs: Vec<Value> = reports.iter().map(|one| sarif::run(one, style)).collect();
            Reply::of(json, exit, &sarif::log(runs), |_, _| {})
        }
        Some(Format::Markdown) => joined(markdown::page, "\n"),
        Some(Format::Github) => joined(github::lines, ""),
        Some(Format::Text) | None => Reply::of(style, exit, &document, |page, document| {
            for report in document.builds {
                page.gap();
                text::show(page, report);
            }
        }),
    }
}

#[cfg(test)]
mod tests;

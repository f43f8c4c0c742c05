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

use crate::failed::Failed;
use crate::reply::{Exit, Reply, Style};

pub use model::{Change, FileChange, Level, Report, Step};
pub use words::files;

/// How reports are printed.
#[derive(Args)]
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
        Some(Format::Sarif) => Reply::of(json, exit, &sarif::log(report, style), |_, _| {}),
        Some(Format::Markdown) => Ok(Reply::new(exit, markdown::page(report, style))),
        Some(Format::Github) => Ok(Reply::new(exit, github::lines(report, style))),
        Some(Format::Text) | None => Reply::of(style, exit, report, text::show),
    }
}

#[cfg(test)]
mod tests;

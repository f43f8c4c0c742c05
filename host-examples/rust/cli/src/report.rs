//! What a command found out about the steps of a build, as a report: for people as text
//! or Markdown, for machines as JSON, for code scanning as SARIF, and as annotations of
//! a workflow of GitHub. A command makes a [`Report`]; how it looks is decided here.

mod github;
mod markdown;
mod sarif;
mod text;

use clap::{Args, ValueEnum};
use layerwise::explain::{Difference, Finding};
use serde::Serialize;

use crate::failed::Failed;
use crate::page::Page;
use crate::reply::{Exit, Reply, Style};

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

/// What was found out.
#[derive(Debug, Serialize)]
pub struct Report {
    /// The name and version of the JSON, such as `layerwise/docker-why/1`.
    pub schema: &'static str,
    /// What was asked, such as `docker why .`.
    pub title: String,
    /// What came of it, in one line.
    pub verdict: String,
    /// What else is to be said first, each with its label.
    pub facts: Vec<[String; 2]>,
    /// The Dockerfile, as people name it in the project; `None` if it is no file there.
    pub file: Option<String>,
    /// What the two sides of differences are: `["have", "want"]` or `["old", "new"]`.
    pub sides: [&'static str; 2],
    /// The steps, in the order of the build.
    pub steps: Vec<Step>,
    /// What is about no step.
    pub findings: Vec<Finding>,
}

/// One step of a build.
#[derive(Debug, Serialize)]
pub struct Step {
    /// Its name, such as `build 2/5`.
    pub name: String,
    /// Its first and last line in the Dockerfile, counted from 1.
    pub lines: Option<[u32; 2]>,
    /// The instruction, or what it is called.
    pub text: String,
    /// What became of it: one or two words, such as `hit` or `not asked`.
    pub state: String,
    /// How much that matters.
    pub level: Level,
    /// The image or digest that is its result.
    pub result: Option<String>,
    /// What else is known of it, each with its label.
    pub facts: Vec<[String; 2]>,
    /// Why it became so: root causes first, what follows from them is marked `cascade`.
    pub causes: Vec<Finding>,
    /// The files in which it differs.
    pub files: Vec<FileChange>,
}

/// How much a step matters to who reads the report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Level {
    /// All is well.
    Fine,
    /// It only follows from something else.
    Note,
    /// It is a cause.
    Warning,
    /// It ends the build.
    Error,
}

/// A file that changed.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct FileChange {
    /// Its path.
    pub path: String,
    /// What became of it.
    pub change: Change,
    /// The properties that differ, of one that is on both sides.
    pub differences: Vec<Difference>,
}

/// What became of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Change {
    /// It is on the new side only.
    Added,
    /// It is on the old side only.
    Removed,
    /// It is another one.
    Changed,
}

impl Change {
    /// As people read it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Added => "added",
            Self::Removed => "removed",
            Self::Changed => "changed",
        }
    }
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

/// What a cause says in one line: what its code means, and what it is about.
fn sentence(style: Style, finding: &Finding) -> String {
    let meaning = style.catalogue.and_then(|all| all.find(&finding.code));
    let meaning = meaning.map_or(&*finding.code, |rule| &rule.meaning);
    match finding.subject.as_str() {
        "" => meaning.to_owned(),
        subject => format!("{meaning} ({subject})"),
    }
}

/// What to do about a cause: what is known of this one, else of its code.
fn advice<'a>(style: Style<'a>, finding: &'a Finding) -> Option<&'a str> {
    let known = || {
        let rule = style.catalogue?.find(&finding.code)?;
        Some(rule.advice.as_str()).filter(|advice| !advice.starts_with("nothing to do"))
    };
    finding
        .hint
        .as_deref()
        .or_else(known)
        .filter(|advice| !advice.is_empty())
}

/// The places in which a file differs, in words: `content, mode 0644 -> 0755`.
pub fn properties(file: &FileChange) -> String {
    let word = |difference: &Difference| {
        let (have, want) = (difference.have.as_deref(), difference.want.as_deref());
        match (&*difference.path, have, want) {
            // Nobody compares checksums by eye.
            ("content", ..) => "content".to_owned(),
            (path, have, want) => format!(
                "{path} {} -> {}",
                have.unwrap_or("absent"),
                want.unwrap_or("absent")
            ),
        }
    };
    let words: Vec<String> = file.differences.iter().map(word).collect();
    words.join(", ")
}

/// Puts changed files on a page, one a line.
pub fn files<'a>(page: &mut Page, indent: usize, files: impl IntoIterator<Item = &'a FileChange>) {
    let rows: Vec<[String; 3]> = files
        .into_iter()
        .map(|file| {
            [
                file.change.word().to_owned(),
                file.path.clone(),
                properties(file),
            ]
        })
        .collect();
    let rows: Vec<[&str; 3]> = rows
        .iter()
        .map(|row| row.each_ref().map(String::as_str))
        .collect();
    page.rows(indent, &rows);
}

#[cfg(test)]
mod tests;

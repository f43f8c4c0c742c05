//! `layerwise conformance`: vector files through the component.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use clap::Args;
use layerwise_conformance::{FileError, Report, load};
use layerwise_host::Engine;
use serde::Serialize;
use serde::de::IgnoredAny;

use super::failed::Failed;
use super::page::Page;
use super::reply::{Exit, Reply, Style};
use super::text;
use crate::args::Global;

/// What `--help` says about the output.
pub const HELP: &str = r#"Prints a line for each comparison that does not hold: name, what was expected, what came. The last
line is `N passed, M failed`, counting cases. A file that cannot be read, or is of no known format,
is an error; the other files are still run. A transcript is a file of calls: see `layerwise replay`.

Exit codes: 0 all passed, 1 a case failed, 2 usage, 3 a file was not run.

--json prints one document, absent members as null:
  schema, passed, failed    "layerwise/conformance/1" and the counts of all files
  files   [{"file", "passed", "failed", "mismatches": [{"name", "expected", "actual"}], "error"}]
`error` is as in other commands: {"kind", "message", ...}."#;

/// Which vectors are run.
#[derive(Args)]
pub struct ConformanceArgs {
    /// Vector files; the `format` member of each says what it holds.
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
}

/// Characters of each side shown on a terminal, and of what is equal before.
const SHOWN: usize = 120;
const BEFORE: usize = 24;

#[derive(Serialize)]
struct Document {
    schema: &'static str,
    passed: u64,
    failed: u64,
    files: Vec<Outcome>,
}

#[derive(Default, Serialize)]
struct Outcome {
    file: String,
    passed: u64,
    failed: u64,
    mismatches: Vec<Mismatch>,
    error: Option<Failed>,
}

#[derive(Serialize)]
struct Mismatch {
    name: String,
    expected: String,
    actual: String,
}

/// Runs every file.
pub fn run(global: &Global, args: &ConformanceArgs, style: Style) -> Result<Reply, Failed> {
    each("layerwise/conformance/1", one, global, &args.files, style)
}

fn one(engine: &Engine, path: &Path) -> Result<Report, Failed> {
    layerwise_runner::run(engine, path).map_err(|error| not_run(&VECTORS, path, &error))
}

/// A kind of file whose cases are run.
pub struct Kind {
    /// One of them.
    pub name: &'static str,
    /// All that one holds.
    pub whole: &'static str,
    /// The member that says that it is one.
    pub member: &'static str,
}

const VECTORS: Kind = Kind {
    name: "vector file",
    whole: "the vectors",
    member: "format",
};

/// Why a file was not run.
pub fn not_run(kind: &Kind, path: &Path, error: &FileError) -> Failed {
    let why = match error {
        FileError::Read(error) => return Failed::file(kind.whole, path, error),
        FileError::Form(error) => form(kind, path, error),
        FileError::Format(_) => error.to_string(),
    };
    Failed::new("file", format!("cannot run {path:?}: {why}")).about(path.display())
}

/// The parser speaks of what it wanted next. Of a file that is of another kind
/// altogether, which is looked at again, that says little.
fn form(kind: &Kind, path: &Path, error: &serde_json::Error) -> String {
    let Kind { name, member, .. } = kind;
    let text = load(path).unwrap_or_default();
    if text.trim_ascii().is_empty() {
        return format!("not a {name}: it is empty");
    }
    match serde_json::from_str::<BTreeMap<String, IgnoredAny>>(&text) {
        Err(error) if error.is_data() => {}
        Ok(members) if !members.contains_key(*member) => {}
        // An error without a place is about what the file says, not its form.
        _ if error.line() == 0 => return error.to_string(),
        _ => return format!("not a {name}: {error}"),
    }
    format!("not a {name}: expected an object with the member {member:?}")
}

/// Runs every file in one way.
pub fn each(
    schema: &'static str,
    one: impl Fn(&Engine, &Path) -> Result<Report, Failed>,
    global: &Global,
    files: &[PathBuf],
    style: Style,
) -> Result<Reply, Failed> {
    let engine = crate::io::engine(global)?;
    let mut document = Document {
        schema,
        passed: 0,
        failed: 0,
        files: Vec::new(),
    };
    for path in files {
        let mut outcome = Outcome {
            file: path.display().to_string(),
            ..Outcome::default()
        };
        match one(&engine, path) {
            Ok(report) => {
                outcome.passed = report.passed;
                outcome.failed = report.failed;
                outcome.mismatches = report.mismatches.into_iter().map(Into::into).collect();
            }
            Err(failed) => outcome.error = Some(failed),
        }
        document.passed += outcome.passed;
        document.failed += outcome.failed;
        document.files.push(outcome);
    }
    let errors = || document.files.iter().filter_map(|file| file.error.as_ref());
    let exit = match (errors().next(), document.failed) {
        (Some(_), _) => Exit::Error,
        (None, 0) => Exit::Done,
        (None, _) => Exit::Miss,
    };
    let mut reply = Reply::of(style, exit, &document, show)?;
    for error in errors() {
        reply.complain(error);
    }
    Ok(reply)
}

impl From<layerwise_conformance::Mismatch> for Mismatch {
    fn from(mismatch: layerwise_conformance::Mismatch) -> Self {
        Self {
            name: mismatch.name,
            expected: mismatch.expected,
            actual: mismatch.actual,
        }
    }
}

fn show(page: &mut Page, document: &Document) {
    let Style {
        verbose, terminal, ..
    } = page.style();
    let several = document.files.len() > 1;
    for file in &document.files {
        for Mismatch {
            name,
            expected,
            actual,
        } in &file.mismatches
        {
            let (expected, actual) = if terminal && !verbose {
                let (expected, actual) = text::around_difference(expected, actual, BEFORE);
                let cut = |side: &str| text::cut(side, SHOWN).into_owned();
                (cut(&expected), cut(&actual))
            } else {
                (expected.clone(), actual.clone())
            };
            let place = if several { &*file.file } else { "" };
            let colon = if several { ": " } else { "" };
            page.whole(&format!(
                "{place}{colon}{name}: expected {expected}, got {actual}"
            ));
        }
    }
    page.whole(&format!(
        "{} passed, {} failed",
        document.passed, document.failed
    ));
}

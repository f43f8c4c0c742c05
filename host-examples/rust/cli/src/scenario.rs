//! `layerwise scenario`: calls over real stores in a fresh directory.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use clap::Args;
use layerwise_host::Engine;
use layerwise_runner::scenario::{Outcome, Scenario};

use super::failed::Failed;
use super::page::Page;
use super::reply::{Exit, Reply, Style};
use super::text;
use crate::args::Global;

/// What `--help` says.
pub const HELP: &str = r#"A scenario (`tests/TRANSCRIPTS.md` describes its form) is made in a fresh directory, which is removed
afterwards. For each file one line of JSON is printed, members sorted: `{"after":{...},"results":[...]}`.
These are the same bytes from every host; characters that a terminal acts upon are \u escapes. With --check nothing is printed but the first difference
of each file and a last line, `N passed, M failed`.

Exit codes: 0 done, 1 a file differs from what it says, 2 usage, 3 a file cannot be run."#;

/// Which scenarios are run.
#[derive(Args)]
pub struct ScenarioArgs {
    /// Scenarios.
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// Compare with what each file says instead of printing what came.
    #[arg(long)]
    pub check: bool,
}

/// Runs every file.
pub fn run(global: &Global, args: &ScenarioArgs, style: Style) -> Result<Reply, Failed> {
    let engine = crate::io::engine(global)?;
    let mut page = Page::new(style);
    let (mut passed, mut failed, mut lines) = (0_u64, 0_u64, String::new());
    for path in &args.files {
        let (scenario, outcome) = one(&engine, path)?;
        let _ = writeln!(lines, "{}", text::escape_json(outcome.to_line().trim_end()));
        match scenario.compare(&outcome) {
            None => passed += 1,
            Some(differs) => {
                failed += 1;
                page.whole(&format!(
                    "{}: {}: expected {}, got {}",
                    path.display(),
                    differs.name,
                    differs.expected,
                    differs.actual
                ));
            }
        }
    }
    if !args.check {
        return Ok(Reply::new(Exit::Done, lines));
    }
    page.whole(&format!("{passed} passed, {failed} failed"));
    let exit = if failed == 0 { Exit::Done } else { Exit::Miss };
    Ok(Reply::new(exit, page.finish()))
}

fn one(engine: &Engine, path: &Path) -> Result<(Scenario, Outcome), Failed> {
    let text = crate::io::text("the scenario", path)?;
    let done = Scenario::parse(&text).and_then(|scenario| {
        let outcome = scenario.run(engine)?;
        Ok((scenario, outcome))
    });
    done.map_err(|error| {
        Failed::new("scenario", format!("{path:?}: {error}")).about(path.display())
    })
}

//! `layerwise replay`: the calls of transcripts, made again.

use std::path::{Path, PathBuf};

use clap::Args;
use layerwise_conformance::{FileError, Report, load};
use layerwise_host::Engine;

use super::conformance::{self, Kind};
use super::failed::Failed;
use super::reply::{Reply, Style};
use crate::args::Global;

/// What `--help` says.
pub const HELP: &str = r#"Each instance of a transcript gets a fresh instance of the component, the same calls in the same
order, and the recorded results of what it asks its host. It passes if it asks the same and
returns the same; else its first difference is printed: name, what was expected, what came. The last
line is `N passed, M failed`, counting instances.

Exit codes: 0 all passed, 1 an instance differed, 2 usage, 3 a file is not a transcript.

--json prints the document of `layerwise conformance` with the schema "layerwise/replay/1"."#;

/// Which transcripts are played.
#[derive(Args)]
pub struct ReplayArgs {
    /// Transcripts, plain or gzip.
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
}

/// Plays every file.
pub fn run(global: &Global, args: &ReplayArgs, style: Style) -> Result<Reply, Failed> {
    conformance::each("layerwise/replay/1", one, global, &args.files, style)
}

const TRANSCRIPT: Kind = Kind {
    name: "transcript",
    whole: "the transcript",
    member: "schema",
};

fn one(engine: &Engine, path: &Path) -> Result<Report, Failed> {
    let played = load(path).map_err(FileError::Read).and_then(|text| {
        let played = layerwise_runner::replay(engine, &text);
        played.map_err(FileError::Form)
    });
    played.map_err(|error| conformance::not_run(&TRANSCRIPT, path, &error))
}

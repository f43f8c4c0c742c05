//! `layerwise record`: a command whose calls across the boundary are written down.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::Args;
use layerwise_host::Recorder;

use crate::failed::Failed;
use crate::reply::{Exit, Reply};

/// What `--help` says.
pub const HELP: &str = r#"Everything that COMMAND prints, and its exit code, are as without `layerwise record`. The transcript
(`tests/TRANSCRIPTS.md` describes its form) holds what the component was asked and answered, and
what it asked its host and was told: names, digests, image configs, manifests, metadata files and
paths. The bytes of layers and of other files are not in it, nor are credentials, which
never reach the component. `layerwise replay FILE` makes the same calls again without any store.

With LAYERWISE_RECORD=DIRECTORY in its environment every command writes a transcript there."#;

/// What is recorded, and where.
#[derive(Args)]
pub struct RecordArgs {
    /// Where to write the transcript, compressed if the name ends in `.gz`.
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
    /// The command with its arguments, as without `layerwise record`.
    #[arg(
        required = true,
        value_name = "COMMAND",
        trailing_var_arg = true,
        allow_hyphen_values = true
    )]
    pub command: Vec<OsString>,
}

/// Runs the command with a recorder, and writes its transcript.
pub fn run(args: &RecordArgs, run: impl FnOnce(Recorder) -> Reply) -> Reply {
    let recorder = Recorder::new();
    if let Some(command) = args.command.first() {
        recorder.name(&command.to_string_lossy());
    }
    let mut reply = run(recorder.clone());
    if let Err(error) = recorder.save(&args.out) {
        // The command has run and may have changed things: its answer is printed
        // all the same.
        let what = format!("the transcript {:?}", args.out);
        reply.complain(&Failed::unwritable(&what, &error).about(args.out.display()));
        reply.exit = Exit::Error;
    }
    reply
}

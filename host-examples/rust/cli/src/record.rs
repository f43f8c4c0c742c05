//! `layerwise record`: a command whose calls across the boundary are written down.

use std::ffi::OsString;
use std::iter;

use clap::Parser as _;
use layerwise_host::Recorder;

use super::args::{Cli, Command, Global, RecordArgs};
use super::failed::Failed;
use super::reply::{Exit, Reply, Style};

/// What `--help` says.
pub const HELP: &str = r#"Everything that COMMAND prints, and its exit code, are as without `layerwise record`. The transcript
(`tests/TRANSCRIPTS.md` describes its form) holds what the component was asked and answered, and
what it asked its host and was told: names, digests, image configs, manifests, metadata files and
paths. The bytes of layers and of other files are not in it, nor are credentials, which
never reach the component. `layerwise replay FILE` makes the same calls again without any store.

With LAYERWISE_RECORD=DIRECTORY in its environment every command writes a transcript there."#;

/// Runs the command and writes its transcript.
pub fn run(global: &Global, args: &RecordArgs, style: Style) -> Result<Reply, Failed> {
    let name = OsString::from("layerwise");
    let mut cli = match Cli::try_parse_from(iter::once(name).chain(args.command.iter().cloned())) {
        Ok(cli) => cli,
        Err(error) => return Ok(super::usage(&error, style.json)),
    };
    if matches!(cli.command, Command::Record(_)) {
        return Err(Failed::usage("a recorded command cannot be `record` again"));
    }
    let recorder = Recorder::new();
    if let Some(command) = args.command.first() {
        recorder.name(&command.to_string_lossy());
    }
    cli.global.json |= global.json;
    cli.global.verbose |= global.verbose;
    if cli.global.component.is_none() {
        cli.global.component.clone_from(&global.component);
    }
    cli.global.record = Some(recorder.clone());
    let mut reply = super::reply(&cli);
    if let Err(error) = recorder.save(&args.out) {
        // The command has run and may have changed things: its answer is printed
        // all the same.
        let what = format!("the transcript {:?}", args.out);
        reply.complain(&Failed::unwritable(&what, &error).about(args.out.display()));
        reply.exit = Exit::Error;
    }
    Ok(reply)
}

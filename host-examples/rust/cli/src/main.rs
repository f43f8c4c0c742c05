//! The program `layerwise`: reads arguments, calls the library, prints.
//!
//! One module a command; each answers a reply and prints nothing itself. Exit
//! codes: 0 hit or done, 1 miss, 2 usage, 3 error.

mod args;
mod audit;
mod buildkit;
mod buildpacks;
mod catalogue;
mod cli;
mod color;
mod completions;
mod conformance;
mod demo;
mod docker;
mod elsewhere;
mod examples;
mod exit;
mod failed;
mod help;
mod interrupt;
mod io;
mod lend;
mod limits;
mod man;
mod page;
mod pager;
mod record;
mod replay;
mod reply;
mod report;
mod rule;
mod scenario;
mod schema;
mod stacker;
mod text;
mod typed;
mod why;

use std::env;
use std::ffi::OsString;
use std::io::{
    ErrorKind as IoErrorKind, IsTerminal as _, Result as IoResult, Write, stderr, stdout,
};
use std::iter;
use std::process::ExitCode;

use clap::FromArgMatches as _;
use clap::error::ErrorKind;
use layerwise_host::{COMPONENT_SHA256, TARGET, TARGET_FEATURES};
use serde_json::json;

use args::Global;
use catalogue::Catalogue;
use cli::{Cli, Command};
use color::Color;
use failed::Failed;
use record::RecordArgs;
use reply::{Exit, Reply, Style};

fn main() -> ExitCode {
    let arguments: Vec<OsString> = env::args_os().collect();
    let json = arguments.iter().any(|argument| argument == "--json");
    let reply = match parse(arguments.clone()) {
        Ok(cli) => reply(&cli),
        Err(error) if error.kind() == ErrorKind::DisplayVersion => version(json),
        Err(error) => usage(&error, json, Color::typed(&arguments)),
    };
    ExitCode::from(print(&reply).code())
}

/// The arguments as they were meant; what is wrong with them comes with the words to
/// type instead.
fn parse(arguments: Vec<OsString>) -> Result<Cli, clap::Error> {
    let read = help::command().try_get_matches_from(typed::arguments(arguments.clone()));
    read.and_then(|matches| Cli::from_arg_matches(&matches))
        .map_err(|error| typed::suggest(error, arguments))
}

/// Prints a reply and answers how the command ended. What was done is done, but
/// nobody may take it for said when it was not.
fn print(reply: &Reply) -> Exit {
    let complained = put(&mut stderr(), &reply.stderr);
    let answered = pager::show(&reply.stdout).unwrap_or_else(|| put(&mut stdout(), &reply.stdout));
    let Err(error) = &answered else {
        return if complained.is_ok() {
            reply.exit
        } else {
            Exit::Error
        };
    };
    let failed = Failed::unwritable("to standard output", error);
    let complaint = Reply::failed(&failed, false);
    // There is no further place to complain at; the exit code remains.
    let _ = put(&mut stderr(), &complaint.stderr);
    complaint.exit
}

/// Writes all of a text. A reader that went away, such as `head`, has what it
/// wanted.
fn put(stream: &mut impl Write, text: &str) -> IoResult<()> {
    match stream
        .write_all(text.as_bytes())
        .and_then(|()| stream.flush())
    {
        Err(error) if error.kind() == IoErrorKind::BrokenPipe => Ok(()),
        written => written,
    }
}

/// What a command says, whether it could do its work or not.
fn reply(cli: &Cli) -> Reply {
    let catalogue = Catalogue::new(&cli.global);
    let style = Style {
        json: cli.global.json,
        verbose: cli.global.verbose,
        terminal: stdout().is_terminal(),
        color: cli.global.color.holds(&stdout()),
        catalogue: Some(&catalogue),
    };
    let mut reply = run(cli, style).unwrap_or_else(|failed| Reply::failed(&failed, style.json));
    if cli.global.color.holds(&stderr()) {
        reply.stderr = color::paint_error(&reply.stderr);
    }
    reply
}

fn run(cli: &Cli, style: Style) -> Result<Reply, Failed> {
    let global = &cli.global;
    match &cli.command {
        Command::Docker(command) => docker::run(global, command, style),
        Command::Buildpacks(command) => buildpacks::run(global, command, style),
        Command::Stacker(command) => stacker::run(global, command, style),
        Command::Buildkit(command) => buildkit::run(global, command, style),
        Command::Audit(args) => audit::run(global, args, style),
        Command::Conformance(args) => conformance::run(global, args, style),
        Command::Record(args) => recorded(global, args),
        Command::Replay(args) => replay::run(global, args, style),
        Command::Scenario(args) => scenario::run(global, args, style),
        Command::Rule(args) => rule::run(global, args, style),
        Command::Demo => demo::run(global, style),
        Command::Completions(args) => Ok(completions::run(help::command(), args)),
        Command::Schema(args) => schema::run(args),
        Command::Man(args) => man::run(&help::command(), args),
    }
}

/// Runs the command that is recorded. Options given before it hold for it too.
fn recorded(global: &Global, args: &RecordArgs) -> Result<Reply, Failed> {
    let name = OsString::from("layerwise");
    let arguments = iter::once(name).chain(args.command.iter().cloned());
    let mut cli = match parse(arguments.collect()) {
        Ok(cli) => cli,
        Err(error) => return Ok(usage(&error, global.json, global.color)),
    };
    if matches!(cli.command, Command::Record(_)) {
        return Err(Failed::usage("a recorded command cannot be `record` again"));
    }
    cli.global.json |= global.json;
    cli.global.verbose |= global.verbose;
    if cli.global.component.is_none() {
        cli.global.component.clone_from(&global.component);
    }
    Ok(record::run(args, |recorder| {
        cli.global.record = Some(recorder);
        reply(&cli)
    }))
}

/// The version; with `--verbose` or `--json` also which component is inside, by its
/// SHA-256, and what its machine code was compiled for.
fn version(json: bool) -> Reply {
    let version = env!("CARGO_PKG_VERSION");
    let compiler = cfg!(feature = "compiler");
    if json {
        let document = json!({
            "version": version,
            "component": {
                "digest": format!("sha256:{COMPONENT_SHA256}"),
                "target": TARGET,
                "features": TARGET_FEATURES.split_whitespace().collect::<Vec<_>>(),
            },
            "compiler": compiler,
        });
        return Reply::new(Exit::Done, format!("{document:#}\n"));
    }
    let mut text = format!("layerwise {version}\n");
    if env::args_os().any(|argument| argument == "--verbose" || argument == "-v") {
        let compiler = if compiler { "with" } else { "without" };
        text.push_str(&format!(
            "component  sha256:{COMPONENT_SHA256}\n\
             code       {TARGET} {TARGET_FEATURES}\n\
             built      {compiler} a compiler\n"
        ));
    }
    Reply::new(Exit::Done, text)
}

/// Help and versions are answers; everything else that clap says is a refusal.
fn usage(error: &clap::Error, json: bool, color: Color) -> Reply {
    let text = error.to_string();
    let shown = |colored: bool| match colored {
        true => error.render().ansi().to_string(),
        false => text.clone(),
    };
    if !error.use_stderr() {
        return Reply::new(Exit::Done, shown(color.holds(&stdout())));
    }
    // What is wrong, with the arguments it lists; then come usage and tips.
    let lines: Vec<&str> = text
        .lines()
        .take_while(|line| !line.is_empty())
        .map(str::trim)
        .collect();
    let message = lines.join(" ");
    let message = message.strip_prefix("error: ").unwrap_or(&message);
    let mut reply = Reply::failed(&Failed::usage(message), json);
    reply.stderr = shown(color.holds(&stderr()));
    reply
}

//! The command line as people see it: each command with its examples, its short help on
//! one screen, and the variables of the environment that stand for options.

use std::env;

use clap::{Arg, Command, CommandFactory as _};

use crate::cli::Cli;
use crate::examples;

/// Options that a variable of the environment can stand for, wherever they are accepted.
pub const VARIABLES: [(&str, &str); 6] = [
    ("color", "LAYERWISE_COLOR"),
    ("deadline_seconds", "LAYERWISE_DEADLINE_SECONDS"),
    ("memory_mib", "LAYERWISE_MEMORY_MIB"),
    ("platform", "LAYERWISE_PLATFORM"),
    ("store", "LAYERWISE_STORE"),
    ("trust_key", "LAYERWISE_TRUST_KEY"),
];

/// Options that few need: `-h` leaves them to `--help`.
const RARE: [&str; 27] = [
    "accept_unscoped",
    "app_platform",
    "buildpack_api",
    "color",
    "component",
    "deadline_seconds",
    "docker_version",
    "gid",
    "guarded",
    "host_os",
    "https",
    "keep_integers",
    "keep_set_id",
    "machine",
    "memory_mib",
    "named",
    "now",
    "oci_dir",
    "push_too_large",
    "roots_dir",
    "set",
    "shas",
    "skip_unreadable",
    "stacker_dir",
    "strict_results",
    "uid",
    "user",
];

/// How long the short help of an option may be, so that it fits beside its name.
const BRIEF: usize = 55;

const MORE: &str = "All options, and the documents of --json: --help";

/// All commands.
pub fn command() -> Command {
    dressed(Cli::command(), "")
}

/// A command and those below it.
fn dressed(command: Command, path: &str) -> Command {
    let names: Vec<String> = command
        .get_subcommands()
        .map(|inner| inner.get_name().to_owned())
        .collect();
    let mut command = command.mut_args(|arg| variable(short(arg)));
    if let Some(lines) = examples::of(path) {
        let examples = format!("Examples:\n  {}", lines.join("\n  "));
        let long = match command.get_after_long_help() {
            Some(more) => format!("{examples}\n\n{more}"),
            None => examples.clone(),
        };
        command = command
            .after_help(format!("{examples}\n\n{MORE}"))
            .after_long_help(long);
    }
    for name in names {
        let path = format!("{path} {name}");
        command = command.mut_subcommand(name, |inner| dressed(inner, path.trim_start()));
    }
    command
}

/// In the short help an option is one sentence, and a rare one is not there.
fn short(arg: Arg) -> Arg {
    let rare = RARE.contains(&arg.get_id().as_str());
    let arg = arg.hide_short_help(rare);
    let Some(help) = arg.get_help().map(ToString::to_string) else {
        return arg;
    };
    let long = arg
        .get_long_help()
        .map_or(help.clone(), ToString::to_string);
    arg.help(sentence(&help).to_owned()).long_help(long)
}

/// The first sentence; of a long one what stands before its last comma, colon and so on.
fn sentence(text: &str) -> &str {
    let first = text.split(". ").next().unwrap_or(text);
    let mut short = first.trim_end_matches('.');
    while short.chars().count() > BRIEF {
        let end = [": ", "; ", ", ", " ("]
            .iter()
            .filter_map(|mark| short.rfind(mark))
            .max();
        match end.and_then(|end| short.get(..end)) {
            Some(before) => short = before,
            None => break,
        }
    }
    short
}

/// A variable that is set to nothing is not set.
fn variable(arg: Arg) -> Arg {
    let named = VARIABLES
        .iter()
        .find(|(id, _)| *id == arg.get_id().as_str());
    match named {
        Some((_, name)) if env::var_os(name).is_none_or(|value| !value.is_empty()) => {
            arg.env(*name).hide_env_values(true)
        }
        _ => arg,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn each(command: &Command, path: &str, seen: &mut dyn FnMut(&Command, &str)) {
        seen(command, path);
        for inner in command.get_subcommands() {
            if inner.get_name() != "help" {
                let path = format!("{path} {}", inner.get_name());
                each(inner, path.trim_start(), seen);
            }
        }
    }

    #[test]
    fn every_command_has_examples_that_are_understood() {
        let mut paths = Vec::new();
        each(&command(), "", &mut |_, path| paths.push(path.to_owned()));
        assert!(paths.len() > 30, "{paths:?}");
        for path in &paths {
            let lines = examples::of(path);
            let lines = lines.unwrap_or_else(|| panic!("no examples of {path:?}"));
            for line in lines {
                let words = line.replace("\\\n", " ");
                let words = words.split(['|', '>']).next().unwrap().split_whitespace();
                let read = command().try_get_matches_from(words);
                assert!(read.is_ok(), "{line}: {}", read.unwrap_err());
                assert!(
                    line.starts_with(format!("layerwise {path}").trim()),
                    "{line}"
                );
            }
        }
        for (path, _) in examples::ALL {
            assert!(paths.iter().any(|known| known == path), "{path}");
        }
    }

    #[test]
    fn the_short_help_of_a_command_fits_a_screen() {
        let mut all = command();
        // Gives every command the options that all have.
        all.build();
        each(&all, "", &mut |command, path| {
            let text = command.clone().term_width(100).render_help().to_string();
            let lines = text.lines().count();
            assert!(lines <= 40, "{path}: {lines} lines\n{text}");
        });
    }

    #[test]
    fn every_name_here_is_one_of_an_option() {
        let mut ids = Vec::new();
        each(&command(), "", &mut |command, _| {
            ids.extend(command.get_arguments().map(|arg| arg.get_id().to_string()));
        });
        let variables = VARIABLES.iter().map(|(id, _)| id);
        for id in RARE.iter().chain(variables) {
            assert!(ids.iter().any(|known| known == id), "{id}");
        }
    }

    #[test]
    fn a_sentence_ends_before_what_explains_it() {
        assert_eq!(sentence("A source. With one, only"), "A source");
        assert_eq!(sentence("A source: an image."), "A source: an image");
        let long = "The store: `oci:DIRECTORY` is a layout, `docker:DIRECTORY` a data root, or";
        assert_eq!(sentence(long), "The store: `oci:DIRECTORY` is a layout");
        let long = "Decide exactly as upstream does, in its newest version that is known";
        assert_eq!(sentence(long), "Decide exactly as upstream does");
        assert_eq!(sentence("Version 20.10 of it"), "Version 20.10 of it");
    }
}

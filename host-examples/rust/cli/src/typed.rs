//! What people type, read as it was meant: a version after a space, and commands
//! under another name or in another place.

use std::ffi::{OsStr, OsString};

use clap::Command;
use clap::error::{ContextKind, ContextValue, Error, ErrorKind};

use crate::elsewhere::{COMMANDS, OPTIONS, WORDS};
use crate::{examples, help};

/// The option whose value is optional, so that it has to be joined to it.
const COMPATIBLE: &str = "--compatible";

/// The most commands that are suggested.
const MOST: usize = 4;

/// Joins `--compatible` and a version after it: digits and dots are a version and
/// nothing else a command takes there.
pub fn arguments(given: impl IntoIterator<Item = OsString>) -> Vec<OsString> {
    let mut arguments: Vec<OsString> = Vec::new();
    for argument in given {
        match arguments.last_mut() {
            Some(before) if before == COMPATIBLE && is_version(&argument) => {
                before.push("=");
                before.push(&argument);
            }
            _ => arguments.push(argument),
        }
    }
    arguments
}

fn is_version(argument: &OsStr) -> bool {
    let text = argument.to_string_lossy();
    let number = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    text.split('.').all(number) && (text.contains('.') || text.len() <= 2)
}

/// Adds the words to type to what is wrong with the arguments.
pub fn suggest(error: Error, given: impl IntoIterator<Item = OsString>) -> Error {
    let place = place(given);
    match error.kind() {
        ErrorKind::InvalidSubcommand => command(error, &place),
        ErrorKind::UnknownArgument => option(error, &place),
        ErrorKind::MissingRequiredArgument | ErrorKind::MissingSubcommand => {
            match examples::of(&place.join(" ")) {
                Some([line, ..]) => told(error, format!("such as `{line}`")),
                None => error,
            }
        }
        _ => error,
    }
}

/// Puts commands in place of those that clap suggests for an unknown one: the same
/// name elsewhere, a name that is mistyped, what other tools call so. Clap compares
/// beginnings, and takes `replay` for what was meant by `explain`.
fn command(mut error: Error, place: &[String]) -> Error {
    error.remove(ContextKind::SuggestedSubcommand);
    let Some(ContextValue::String(typed)) = error.get(ContextKind::InvalidSubcommand) else {
        return error;
    };
    if let Some((_, words)) = WORDS.iter().find(|(name, _)| name == typed) {
        return told(error, (*words).to_owned());
    }
    let commands = suggested(typed, place);
    if !commands.is_empty() {
        error.insert(
            ContextKind::SuggestedSubcommand,
            ContextValue::Strings(commands),
        );
    }
    error
}

/// Says what an unknown option is called here, or which commands have it.
fn option(error: Error, place: &[String]) -> Error {
    let Some(ContextValue::String(typed)) = error.get(ContextKind::InvalidArg) else {
        return error;
    };
    let typed = typed.split('=').next().unwrap_or_default();
    if let Some((_, words)) = OPTIONS.iter().find(|(name, _)| *name == typed) {
        return told(error, (*words).to_owned());
    }
    let mut having = Vec::new();
    let name = typed.trim_start_matches('-');
    collect(&help::command(), &mut Vec::new(), &mut |path, command| {
        if command
            .get_arguments()
            .any(|arg| arg.get_long() == Some(name))
        {
            having.push(format!("`layerwise {}`", path.join(" ")));
        }
    });
    having.sort_by_key(|command| !place.iter().all(|word| command.contains(word)));
    having.truncate(MOST);
    if having.is_empty() {
        return error;
    }
    let words = format!("{typed} is an option of {}", having.join(", "));
    told(error, words)
}

/// Adds a tip in place of the one that clap has.
fn told(mut error: Error, words: String) -> Error {
    for kind in [ContextKind::SuggestedArg, ContextKind::SuggestedCommand] {
        error.remove(kind);
    }
    let words = ContextValue::StyledStrs(vec![words.into()]);
    error.insert(ContextKind::Suggested, words);
    error
}

/// The commands that were understood before the one that was not.
fn place(given: impl IntoIterator<Item = OsString>) -> Vec<String> {
    let mut at = help::command();
    let mut path = Vec::new();
    for argument in given.into_iter().skip(1) {
        let name = argument.to_string_lossy();
        let Some(next) = at.find_subcommand(&*name).cloned() else {
            continue;
        };
        path.push(next.get_name().to_owned());
        at = next;
    }
    path
}

fn suggested(typed: &str, place: &[String]) -> Vec<String> {
    let mut all = Vec::new();
    let mut seen = |path: &[String], _: &Command| all.push(path.to_vec());
    collect(&help::command(), &mut Vec::new(), &mut seen);
    let line = |path: &Vec<String>| path.join(" ");
    let near = |path: &&Vec<String>| {
        let (Some(name), here) = (path.last(), path.len() == place.len() + 1) else {
            return false;
        };
        here && path.starts_with(place) && is_mistyped(typed, name)
    };
    let mistyped: Vec<String> = all.iter().filter(near).map(line).collect();
    if !mistyped.is_empty() {
        return mistyped;
    }
    let meant = COMMANDS.iter().filter(|(name, _)| *name == typed);
    let meant: Vec<String> = meant.map(|(_, command)| (*command).to_owned()).collect();
    let system = place.first().map(|system| format!("{system} "));
    let here = |command: &&String| system.as_ref().is_some_and(|s| command.starts_with(s));
    let of_system: Vec<String> = meant.iter().filter(here).cloned().collect();
    if !of_system.is_empty() {
        return of_system;
    }
    let same = |path: &&Vec<String>| path.last().is_some_and(|name| name == typed);
    let mut same: Vec<String> = all.iter().filter(same).map(line).collect();
    for command in meant {
        if !same.contains(&command) {
            same.push(command);
        }
    }
    if same.is_empty() {
        let near = |path: &&Vec<String>| path.last().is_some_and(|n| is_mistyped(typed, n));
        same = all.iter().filter(near).map(line).collect();
    }
    same.truncate(MOST);
    same
}

/// One wrong, missing, added or swapped character for every three, and at least one;
/// or the beginning of the name.
fn is_mistyped(typed: &str, name: &str) -> bool {
    let most = (name.len() / 3).max(1);
    let begun = typed.len() >= 3 && name.starts_with(typed);
    begun || strsim::damerau_levenshtein(typed, name) <= most
}

/// What is called with the words of a command, and the command.
type Seen<'a> = dyn FnMut(&[String], &Command) + 'a;

fn collect(command: &Command, path: &mut Vec<String>, seen: &mut Seen<'_>) {
    for inner in command.get_subcommands().filter(|c| !c.is_hide_set()) {
        if inner.get_name() == "help" {
            continue;
        }
        path.push(inner.get_name().to_owned());
        seen(path, inner);
        collect(inner, path, seen);
        path.pop();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_after_a_space_is_one() {
        let joined = |given: &[&str]| arguments(given.iter().map(OsString::from));
        assert_eq!(
            joined(&["history", "--compatible", "20.10", "app"]),
            ["history", "--compatible=20.10", "app"]
        );
        assert_eq!(joined(&["--compatible", "29"]), ["--compatible=29"]);
        for other in ["app:1", "1.2.x", "20.10.", "", "123", "--json"] {
            assert_eq!(joined(&["--compatible", other]), ["--compatible", other]);
        }
        assert_eq!(joined(&["app", "20.10"]), ["app", "20.10"]);
    }

    #[test]
    fn commands_are_found_by_what_was_meant() {
        let at = |place: &[&str]| -> Vec<String> { place.iter().map(|p| p.to_string()).collect() };
        assert_eq!(suggested("dokcer", &[]), ["docker"]);
        assert_eq!(suggested("histroy", &at(&["docker"])), ["docker history"]);
        assert_eq!(suggested("history", &[]), ["docker history"]);
        let explain = suggested("explain", &[]);
        assert!(
            explain.contains(&"docker explain".to_owned()),
            "{explain:?}"
        );
        assert!(!explain.contains(&"replay".to_owned()));
        assert_eq!(suggested("build", &[]), ["buildpacks", "buildkit"]);
        assert_eq!(suggested("xyzzy", &[]), [""; 0]);
        assert_eq!(suggested("inspect", &at(&["docker"])), ["docker history"]);
        assert_eq!(suggested("verify", &at(&["docker"])).len(), 2);
    }

    #[test]
    fn every_suggestion_is_a_command() {
        let mut all = Vec::new();
        let mut seen = |path: &[String], _: &Command| all.push(path.join(" "));
        collect(&help::command(), &mut Vec::new(), &mut seen);
        for (_, command) in COMMANDS {
            assert!(all.contains(&(*command).to_owned()), "{command}");
        }
    }
}

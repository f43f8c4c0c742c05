//! What people type, read as it was meant: a version after a space, and commands
//! under another name or in another place.

use std::ffi::{OsStr, OsString};

use clap::error::{ContextKind, ContextValue, Error, ErrorKind};
use clap::{Command, CommandFactory as _};

use crate::cli::Cli;

/// The option whose value is optional, so that it has to be joined to it.
const COMPATIBLE: &str = "--compatible";

/// Names from other tools, and what has that place here.
const ELSEWHERE: [(&str, &str); 14] = [
    ("cache", "buildpacks cache"),
    ("check", "buildkit verify"),
    ("compare", "buildkit diff"),
    ("copy", "buildkit export"),
    ("images", "docker history"),
    ("inspect", "docker history"),
    ("inspect", "buildkit inspect"),
    ("log", "docker history"),
    ("ls", "buildkit inspect"),
    ("merge", "buildkit export"),
    ("restore", "buildpacks restore"),
    ("show", "buildpacks cache show"),
    ("show", "buildkit inspect"),
    ("test", "conformance"),
];

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

/// Puts commands in place of those that clap suggests for an unknown one: the same
/// name elsewhere, a name that is mistyped, what other tools call so. Clap compares
/// beginnings, and takes `replay` for what was meant by `explain`.
pub fn suggest(mut error: Error, given: impl IntoIterator<Item = OsString>) -> Error {
    if error.kind() != ErrorKind::InvalidSubcommand {
        return error;
    }
    error.remove(ContextKind::SuggestedSubcommand);
    let Some(ContextValue::String(typed)) = error.get(ContextKind::InvalidSubcommand) else {
        return error;
    };
    let commands = suggested(typed, &place(given));
    if !commands.is_empty() {
        error.insert(
            ContextKind::SuggestedSubcommand,
            ContextValue::Strings(commands),
        );
    }
    error
}

/// The commands that were understood before the one that was not.
fn place(given: impl IntoIterator<Item = OsString>) -> Vec<String> {
    let mut at = Cli::command();
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
    collect(&Cli::command(), &mut Vec::new(), &mut all);
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
    let meant = ELSEWHERE.iter().filter(|(name, _)| *name == typed);
    let meant: Vec<String> = meant.map(|(_, command)| (*command).to_owned()).collect();
    let system = place.first().map(|system| format!("{system} "));
    let here = |command: &&String| system.as_ref().is_some_and(|s| command.starts_with(s));
    let of_system: Vec<String> = meant.iter().filter(here).cloned().collect();
    if !of_system.is_empty() {
        return of_system;
    }
    let same = |path: &&Vec<String>| path.last().is_some_and(|name| name == typed);
    let mut same: Vec<String> = all.iter().filter(same).map(line).collect();
    if same.is_empty() {
        same = meant;
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

fn collect(command: &Command, path: &mut Vec<String>, all: &mut Vec<Vec<String>>) {
    for inner in command.get_subcommands().filter(|c| !c.is_hide_set()) {
        if inner.get_name() == "help" {
            continue;
        }
        path.push(inner.get_name().to_owned());
        all.push(path.clone());
        collect(inner, path, all);
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
        collect(&Cli::command(), &mut Vec::new(), &mut all);
        let all: Vec<String> = all.iter().map(|path| path.join(" ")).collect();
        for (_, command) in ELSEWHERE {
            assert!(all.contains(&command.to_owned()), "{command}");
        }
    }
}

//! What the tests need of the machine, and what happens without it.

use std::io::{self, Write};
use std::path::Path;
use std::{env, fs};

use super::process;

/// The engine's command line. Where several are installed, the one of the
/// engine's own package is meant.
pub fn docker() -> &'static str {
    let packaged = "/usr/bin/docker";
    if Path::new(packaged).exists() {
        packaged
    } else {
        "docker"
    }
}

/// Whether a test can run. If not, says why, or fails when it has to run.
pub fn met() -> bool {
    missing().is_none_or(|why| skip(&why))
}

/// Says that a test is skipped, or fails when it has to run. Always false.
pub fn skip(why: &str) -> bool {
    let required = env::var("LAYERWISE_REQUIRE_LIVE").is_ok_and(|value| value == "1");
    assert!(!required, "LAYERWISE_REQUIRE_LIVE=1, but {why}");
    // Not through a macro: what those print in a test that passes is not shown.
    let _ = writeln!(io::stderr(), "skipped: {why}");
    false
}

fn missing() -> Option<String> {
    let needed = [
        "dockerd",
        docker(),
        "docker-registry",
        "cc",
        "setpriv",
        "timeout",
        "sh",
        "id",
        "umount",
    ];
    absent(&needed).or_else(|| not_root("a Docker engine"))
}

/// Whether programs are installed. If not, says so, or fails when they have to be.
pub fn programs(names: &[&str]) -> bool {
    absent(names).is_none_or(|why| skip(&why))
}

/// Whether this is root, which `what` needs.
pub fn root(what: &str) -> bool {
    not_root(what).is_none_or(|why| skip(&why))
}

fn absent(names: &[&str]) -> Option<String> {
    let absent: Vec<_> = names.iter().filter(|name| !installed(name)).collect();
    let names: Vec<_> = absent.into_iter().copied().collect();
    (!names.is_empty()).then(|| format!("not installed: {}", names.join(", ")))
}

fn not_root(what: &str) -> Option<String> {
    let user = process::run("id", ["-u"], None).stdout;
    let user = user.trim();
    (user != "0").then(|| format!("{what} needs root, and this is user {user}"))
}

fn installed(program: &str) -> bool {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path)
        .map(|directory| directory.join(program))
        .any(|file| fs::metadata(file).is_ok_and(|found| found.is_file()))
}

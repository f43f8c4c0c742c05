//! What the tests need of the machine, and what happens without it.

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::{env, fs};

/// The go-mtree of the newest stacker that is known.
const GOMTREE: &str = "github.com/vbatts/go-mtree/cmd/gomtree@v0.5.4";

/// Whether programs are there. If not, says so, or fails when they have to be.
pub fn installed(programs: &[&str]) -> bool {
    let absent: Vec<_> = programs
        .iter()
        .copied()
        .filter(|name| find(name).is_none())
        .collect();
    absent.is_empty() || skip(&format!("not installed: {}", absent.join(", ")))
}

/// go-mtree's program: the one that is installed, or built with Go.
pub fn gomtree() -> Option<&'static Path> {
    static BUILT: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    let built = BUILT.get_or_init(|| match find("gomtree") {
        Some(path) => Ok(path),
        None => build(),
    });
    match built {
        Ok(path) => Some(path),
        Err(why) => {
            skip(why);
            None
        }
    }
}

fn build() -> Result<PathBuf, String> {
    let go = find("go").ok_or("not installed: gomtree, go")?;
    let place = Path::new(env!("CARGO_TARGET_TMPDIR")).join("gomtree");
    let program = place.join("gomtree");
    if program.exists() {
        return Ok(program);
    }
    let mut command = Command::new(go);
    let output = command.args(["install", GOMTREE]).env("GOBIN", &place);
    let output = output.output().map_err(|error| error.to_string())?;
    if output.status.success() {
        return Ok(program);
    }
    let words = String::from_utf8_lossy(&output.stderr);
    Err(format!("go cannot install gomtree: {words}"))
}

/// Says that a test is skipped, or fails when it has to run. Always false.
fn skip(why: &str) -> bool {
    let required = env::var("LAYERWISE_REQUIRE_LIVE").is_ok_and(|value| value == "1");
    assert!(!required, "LAYERWISE_REQUIRE_LIVE=1, but {why}");
    // Not through a macro: what those print in a test that passes is not shown.
    let _ = writeln!(io::stderr(), "skipped: {why}");
    false
}

fn find(program: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path)
        .map(|directory| directory.join(program))
        .find(|file| fs::metadata(file).is_ok_and(|found| found.is_file()))
}

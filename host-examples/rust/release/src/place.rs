//! Where a release is made: the tree it comes from, the directory of its forms, and empty
//! directories to prove them in.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use sha2::{Digest as _, Sha256};
use tempfile::TempDir;

use crate::failure::Failure;

/// How many lines of a program that failed are told.
const TOLD: usize = 30;

/// A release that is being made.
pub struct Place {
    /// The tree it is made from.
    pub source: PathBuf,
    /// The commit of that tree, changes included if the tree is taken as it is.
    pub commit: String,
    /// Where the forms are put.
    pub out: PathBuf,
    /// Where cargo builds.
    pub target: PathBuf,
    /// The version of everything.
    pub version: String,
    /// The cargo profile of the programs.
    pub profile: String,
    /// The key that signs, if one was given.
    pub key: Option<PathBuf>,
    work: TempDir,
}

impl Place {
    /// Begins with a clean clone of the commit that is checked out, or with the tree.
    pub fn open(
        out: &Path,
        here: bool,
        profile: &str,
        key: Option<&Path>,
    ) -> Result<Self, Failure> {
        let work = TempDir::new().map_err(|e| Failure::new(format!("make a directory: {e}")))?;
        let tree = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../..");
        let tree = absolute(&tree)?;
        fs::create_dir_all(out).map_err(|error| Failure::file("make", out, &error))?;
        let named = env::var_os("CARGO_TARGET_DIR").map(PathBuf::from);
        let mut place = Self {
            source: tree.clone(),
            commit: "HEAD".to_owned(),
            out: absolute(out)?,
            target: named.unwrap_or_else(|| tree.join("target")),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            profile: profile.to_owned(),
            key: key.map(absolute).transpose()?,
            work,
        };
        if here {
            // A commit of the changes that is on no branch; nothing if there are none.
            let changes = place.output(place.tool("git").args(["stash", "create"]))?;
            if !changes.trim().is_empty() {
                place.commit = changes.trim().to_owned();
            }
        } else {
            let clone = place.work.path().join("source");
            place.output(
                place
                    .tool("git")
                    .args(["clone", "--quiet"])
                    .arg(&tree)
                    .arg(&clone),
            )?;
            place.source = clone;
        }
        Ok(place)
    }

    /// A program, to be run in the tree; what cargo tells this process stays here.
    pub fn tool(&self, name: &str) -> Command {
        let mut command = Command::new(name);
        command.current_dir(&self.source);
        for (name, _) in env::vars_os() {
            let text = name.to_string_lossy();
            if text.starts_with("CARGO_PKG_") || text.starts_with("CARGO_MANIFEST_") {
                command.env_remove(&name);
            }
        }
        command.env("CARGO_TARGET_DIR", &self.target);
        command
    }

    /// Fails if a program is not there.
    pub fn needs(&self, tool: &str) -> Result<(), Failure> {
        let path = env::var_os("PATH").unwrap_or_default();
        match env::split_paths(&path).any(|directory| directory.join(tool).is_file()) {
            true => Ok(()),
            false => Err(Failure::new(format!(
                "this needs the program {tool}, which is not there"
            ))),
        }
    }

    /// Runs a program to its end and returns what it printed.
    pub fn output(&self, command: &mut Command) -> Result<String, Failure> {
        let line = format!("{command:?}");
        let output = command
            .output()
            .map_err(|error| Failure::new(format!("run {line}: {error}")))?;
        let printed = String::from_utf8_lossy(&output.stdout).into_owned();
        if output.status.success() {
            return Ok(printed);
        }
        let said = String::from_utf8_lossy(&output.stderr).into_owned() + &printed;
        let lines: Vec<&str> = said.lines().collect();
        let last = lines
            .get(lines.len().saturating_sub(TOLD)..)
            .unwrap_or_default();
        Err(Failure::new(format!(
            "run {line}: {}\n{}",
            output.status,
            last.join("\n")
        )))
    }

    /// An empty directory, which goes away at the end.
    pub fn empty(&self, name: &str) -> Result<PathBuf, Failure> {
        let path = self.work.path().join(name);
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).map_err(|error| Failure::file("make", &path, &error))?;
        Ok(path)
    }

    /// A file that goes away at the end.
    pub fn scratch(&self, name: &str) -> PathBuf {
        self.work.path().join(name)
    }

    /// A file of the tree.
    pub fn text(&self, path: &str) -> Result<String, Failure> {
        read_text(&self.source.join(path))
    }

    /// The one file of the release whose name ends so.
    pub fn made(&self, end: &str) -> Result<PathBuf, Failure> {
        let mut found = Vec::new();
        let entries = fs::read_dir(&self.out).map_err(|e| Failure::file("read", &self.out, &e))?;
        for entry in entries.flatten() {
            if entry.file_name().to_string_lossy().ends_with(end) {
                found.push(entry.path());
            }
        }
        match found.as_slice() {
            [one] => Ok(one.clone()),
            _ => Err(Failure::new(format!(
                "{} files of {:?} end in {end:?}",
                found.len(),
                self.out
            ))),
        }
    }
}

/// Reads a text.
pub fn read_text(path: &Path) -> Result<String, Failure> {
    fs::read_to_string(path).map_err(|error| Failure::file("read", path, &error))
}

/// Reads bytes.
pub fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    fs::read(path).map_err(|error| Failure::file("read", path, &error))
}

/// Writes a file, and the directories it is in.
pub fn write(path: &Path, bytes: impl AsRef<[u8]>) -> Result<(), Failure> {
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent).map_err(|error| Failure::file("make", parent, &error))?;
    }
    fs::write(path, bytes).map_err(|error| Failure::file("write", path, &error))
}

/// The SHA-256 of bytes, in hex.
pub fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// The code of the first block of a language in a page of Markdown.
pub fn snippet(page: &str, language: &str) -> Result<String, Failure> {
    let start = format!("```{language}\n");
    let block = page
        .split_once(&*start)
        .and_then(|(_, rest)| rest.split_once("\n```"));
    match block {
        Some((code, _)) => Ok(format!("{code}\n")),
        None => Err(Failure::new(format!("the page has no block of {language}"))),
    }
}

fn absolute(path: &Path) -> Result<PathBuf, Failure> {
    fs::canonicalize(path).map_err(|error| Failure::file("find", path, &error))
}

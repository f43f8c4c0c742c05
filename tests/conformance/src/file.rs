//! Vector files: reading them, and finding out what they hold.

use std::fmt;
use std::io::{self, Error, ErrorKind, Read as _};
use std::path::Path;

use serde::Deserialize;

use crate::{Report, buildkit, buildpacks, builds, docker, dockerfile, stacker};

/// An implementation of everything that vector files ask for.
pub trait Subject:
    docker::Subject
    + dockerfile::Subject
    + buildpacks::Subject
    + buildkit::Subject
    + builds::Subject
    + stacker::Subject
{
}

impl<T> Subject for T where
    T: docker::Subject
        + dockerfile::Subject
        + buildpacks::Subject
        + buildkit::Subject
        + builds::Subject
        + stacker::Subject
{
}

/// Why a vector file was not run.
#[derive(Debug)]
pub enum FileError {
    /// It cannot be read.
    Read(Error),
    /// It is not a vector file, or has members its format does not have.
    Form(serde_json::Error),
    /// Its format is not one of those known here.
    Format(String),
}

impl fmt::Display for FileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Read(error) => error.fmt(f),
            Self::Form(error) => write!(f, "not a vector file: {error}"),
            Self::Format(name) => write!(f, "unknown vector format {name:?}"),
        }
    }
}

impl std::error::Error for FileError {}

/// Runs a vector file, plain or gzip; its `format` member says what it is.
///
/// # Errors
/// When it cannot be read or is not of a known format. Cases that fail are in
/// the report.
pub fn run_file(path: &Path, subject: &dyn Subject) -> Result<Report, FileError> {
    run_beside(&load(path).map_err(FileError::Read)?, path, subject)
}

/// Runs the text of a vector file that was read from `path`: some need another file of
/// the same folder.
///
/// # Errors
/// When it is not of a known format. Cases that fail are in the report.
pub fn run_beside(text: &str, path: &Path, subject: &dyn Subject) -> Result<Report, FileError> {
    if format(text)? == builds::OPS {
        let pairs = builds::beside(path);
        return builds::run_ops(text, pairs.as_deref(), subject).map_err(FileError::Form);
    }
    run_text(text, subject)
}

/// Runs the text of a vector file; its `format` member says what it is.
///
/// # Errors
/// When it is not of a known format. Cases that fail are in the report.
pub fn run_text(text: &str, subject: &dyn Subject) -> Result<Report, FileError> {
    let format = format(text)?;
    match format.as_str() {
        "moby-image-cache-vectors/1" => docker::run_moby(text, subject),
        "buildkit-remote-cache-vectors/1" => buildkit::run(text, subject),
        "docker-real/1" => docker::run_real(text, subject),
        "docker-real/2" => docker::run_probes(text, subject),
        "docker-plan/1" => dockerfile::run(text, subject),
        "buildpacks-lifecycle-vectors/1" => buildpacks::run_both(text, subject),
        "stacker-conformance/1" => stacker::run(text, subject),
        builds::OPS => builds::run_ops(text, None, subject),
        builds::BUILDS => builds::run_builds(text, subject),
        _ => return Err(FileError::Format(format)),
    }
    .map_err(FileError::Form)
}

fn format(text: &str) -> Result<String, FileError> {
    #[derive(Deserialize)]
    struct Tag {
        format: String,
    }
    let tag: Tag = serde_json::from_str(text).map_err(FileError::Form)?;
    Ok(tag.format)
}

/// No vector file or transcript has more bytes, unpacked.
const LONGEST: u64 = 1 << 30;
/// Nor more than this and so many times its packed bytes: what others sent may be
/// made to fill the memory.
const FREE: u64 = 64 << 20;
const TIMES: u64 = 100;

/// Reads a vector file, plain or gzip.
///
/// # Errors
/// When it cannot be read, is not UTF-8 after decompression, or has more than
/// 1 GiB then, or more than 64 MiB and 100 times its packed bytes.
pub fn load(path: &Path) -> io::Result<String> {
    let mut bytes = Vec::new();
    let file = std::fs::File::open(path)?;
    file.take(LONGEST + 1).read_to_end(&mut bytes)?;
    if !bytes.starts_with(&[0x1f, 0x8b]) {
        check(bytes.len(), LONGEST)?;
        return String::from_utf8(bytes)
            .map_err(|error| Error::new(ErrorKind::InvalidData, error.utf8_error()));
    }
    let packed = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
    let most = LONGEST.min(FREE.saturating_add(packed.saturating_mul(TIMES)));
    let mut text = String::new();
    let unpacked = flate2::read::MultiGzDecoder::new(bytes.as_slice());
    unpacked.take(most + 1).read_to_string(&mut text)?;
    check(text.len(), most)?;
    Ok(text)
}

fn check(length: usize, most: u64) -> io::Result<()> {
    if length as u64 > most {
        let message = format!("it has more than {most} bytes, unpacked");
        return Err(Error::other(message));
    }
    Ok(())
}

//! The export `filesystem`: what WASI can tell of files, their names, texts and digests.
//!
//! Owners, modes and attributes it cannot tell, and nothing can be locked or replaced on a
//! condition: all that is `unsupported`. Paths are those of the runtime, which confines them.

use std::fs::{self, File};
use std::io::Read as _;
use std::path::Path;

use layerwise::host::{Failure, FailureCode};
use layerwise_files::{failure, too_large};
use sha2::{Digest as _, Sha256};

use crate::Stores;
use crate::bindings::exports::layerwise::cache::filesystem as wit;
use crate::bindings::exports::layerwise::cache::types::Failure as Failed;
use crate::types::failed;

/// How much of a file is in memory while it is hashed.
const BUFFER: usize = 64 << 10;

impl wit::Guest for Stores {
    fn stat(paths: Vec<String>, _: bool, _: wit::Facts) -> Vec<Result<wit::Entry, Failed>> {
        failed(&paths, &unsupported("tells no owners and modes"))
    }

    fn list_names(directory: String) -> Result<Vec<String>, Failed> {
        Ok(list(&directory)?)
    }

    fn read(paths: Vec<String>, limit: u64) -> Vec<Result<wit::Content, Failed>> {
        let read = |path: &String| Ok(read(path, limit)?);
        paths.iter().map(read).collect()
    }

    fn walk(_: String, _: wit::Facts, _: u64) -> Result<Vec<wit::Entry>, Failed> {
        Err(unsupported("tells no owners and modes").into())
    }

    fn hash(files: Vec<wit::Hashing>) -> Vec<Result<String, Failed>> {
        files.iter().map(|file| Ok(hash(file)?)).collect()
    }

    fn write(changes: Vec<wit::Change>) -> Vec<Result<(), Failed>> {
        let first = changes.get(..1).unwrap_or_default();
        failed(first, &unsupported("has no locks"))
    }

    fn rename(_: String, _: String) -> Result<(), Failed> {
        Err(unsupported("has no locks").into())
    }

    fn remove(paths: Vec<String>) -> Vec<Result<(), Failed>> {
        failed(&paths, &unsupported("has no locks"))
    }
}

fn unsupported(why: &str) -> Failure {
    Failure::new(
        FailureCode::Unsupported,
        format!("not under WASI, which {why}: use the native host"),
    )
}

fn list(directory: &str) -> Result<Vec<String>, Failure> {
    let path = text(directory)?;
    let path = Path::new(&path);
    let failed = |error| failure("read", path, &error);
    let mut names = fs::read_dir(path)
        .map_err(failed)?
        .map(|entry| entry.map_err(failed))
        .map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()))
        .collect::<Result<Vec<_>, Failure>>()?;
    names.sort();
    Ok(names.iter().map(|name| name.replace('%', "%25")).collect())
}

fn read(path: &str, limit: u64) -> Result<wit::Content, Failure> {
    let (file, size) = open(path)?;
    if size > limit {
        return Err(too_large(&format!("{path:?}"), size, limit));
    }
    let mut bytes = Vec::new();
    file.take(limit.saturating_add(1))
        .read_to_end(&mut bytes)
        .map_err(|error| failure("read", Path::new(path), &error))?;
    let size = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
    if size > limit {
        return Err(too_large(&format!("{path:?}"), size, limit));
    }
    let digest = digest(&Sha256::digest(&bytes));
    let (text, lossy) = match String::from_utf8(bytes) {
        Ok(text) => (text, false),
        Err(error) => (each_byte(error.as_bytes()), true),
    };
    Ok(wit::Content {
        text,
        lossy,
        digest,
    })
}

/// Text in which each byte that is not part of valid UTF-8 is one U+FFFD.
fn each_byte(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        text.extend(chunk.invalid().iter().map(|_| char::REPLACEMENT_CHARACTER));
    }
    text
}

fn hash(file: &wit::Hashing) -> Result<String, Failure> {
    let mut hasher = Sha256::new();
    hasher.update(text(&file.prefix)?);
    let (mut input, _) = open(&file.path)?;
    let mut buffer = vec![0; BUFFER];
    loop {
        let count = input
            .read(&mut buffer)
            .map_err(|error| failure("read", Path::new(&file.path), &error))?;
        match buffer.get(..count) {
            Some([]) | None => break,
            Some(bytes) => hasher.update(bytes),
        }
    }
    hasher.update(text(&file.suffix)?);
    Ok(digest(&hasher.finalize()))
}

/// Opens a regular file and tells its size.
fn open(path: &str) -> Result<(File, u64), Failure> {
    let real = text(path)?;
    let real = Path::new(&real);
    let failed = |error| failure("read", real, &error);
    let metadata = fs::metadata(real).map_err(failed)?;
    if !metadata.is_file() {
        let message = format!("cannot read {path:?}: it is not a regular file");
        return Err(Failure::new(FailureCode::Invalid, message));
    }
    Ok((File::open(real).map_err(failed)?, metadata.len()))
}

fn digest(bytes: &[u8]) -> String {
    format!("sha256:{}", hex::encode(bytes))
}

/// The text that a path of the contract stands for; WASI has no other names.
fn text(path: &str) -> Result<String, Failure> {
    let invalid = |why: &str| {
        let message = format!("{path:?} is not a path: {why}");
        Failure::new(FailureCode::Invalid, message)
    };
    let mut bytes = Vec::with_capacity(path.len());
    let mut rest = path.bytes();
    while let Some(byte) = rest.next() {
        let mut digit = || char::from(rest.next()?).to_digit(16);
        bytes.push(match byte {
            b'%' => match (digit(), digit()) {
                (Some(high), Some(low)) => {
                    u8::try_from(high.saturating_mul(16).saturating_add(low)).unwrap_or_default()
                }
                _ => return Err(invalid("\"%\" is not followed by two hex digits")),
            },
            byte => byte,
        });
    }
    if bytes.contains(&0) {
        return Err(invalid("it has a zero byte"));
    }
    String::from_utf8(bytes).map_err(|_| invalid("WASI has no name of these bytes"))
}

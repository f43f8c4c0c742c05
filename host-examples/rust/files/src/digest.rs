//! SHA-256 of files.

use std::fmt::Write as _;
use std::fs::File;
use std::io::{ErrorKind, Read as _};

use rustix::fs::Stat;
use sha2::{Digest as _, Sha256};

use crate::cause::Cause;
use crate::progress::Meter;

/// How much is read at once.
const CHUNK: u64 = 256 << 10;

/// SHA-256 of the bytes of an open file between `prefix` and `suffix`. A file
/// that does not end where it ended when it was opened, or was written to, has
/// no digest: it would be one of bytes that never were there together.
pub fn digest(
    file: &mut File,
    opened: &Stat,
    (prefix, suffix): (&[u8], &[u8]),
    meter: &Meter<'_>,
) -> Result<String, Cause> {
    let size = size(opened);
    let chunk = usize::try_from(size.saturating_add(1).min(CHUNK)).unwrap_or(1);
    let mut buffer = vec![0; chunk];
    let mut hash = Sha256::new_with_prefix(prefix);
    let mut read: u64 = 0;
    loop {
        let bytes = match file.read(&mut buffer) {
            Ok(count) => buffer.get(..count).unwrap_or_default(),
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(error) => return Err(error.into()),
        };
        if bytes.is_empty() {
            break;
        }
        let more = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        read = read.saturating_add(more);
        if read > size {
            return Err(Cause::changed());
        }
        hash.update(bytes);
        meter.advance(more);
    }
    let after = rustix::fs::fstat(&*file)?;
    let written = |stat: &Stat| (stat.st_mtime, stat.st_mtime_nsec);
    if read != size || written(opened) != written(&after) {
        return Err(Cause::changed());
    }
    hash.update(suffix);
    Ok(text(hash))
}

/// SHA-256 of bytes.
pub fn of_bytes(bytes: &[u8]) -> String {
    text(Sha256::new_with_prefix(bytes))
}

/// The size of something in bytes.
pub fn size(stat: &Stat) -> u64 {
    u64::try_from(stat.st_size).unwrap_or(0)
}

fn text(hash: Sha256) -> String {
    let mut text = String::with_capacity(71);
    text.push_str("sha256:");
    for byte in hash.finalize() {
        let _ = write!(text, "{byte:02x}");
    }
    text
}

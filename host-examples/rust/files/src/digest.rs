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

#[cfg(test)]
mod tests {
    use std::fs::{File, FileTimes, OpenOptions};
    use std::sync::Mutex;
    use std::time::{Duration, UNIX_EPOCH};

    use super::*;
    use layerwise::host::FailureCode;

    use crate::progress::Callback;

    /// The digest of a file of three bytes, to which `change` is done once it was read.
    fn while_it_is(
        change: impl Fn(&mut File) + Send + Sync + 'static,
    ) -> Result<String, FailureCode> {
        let mut name = std::env::temp_dir();
        let pid = std::process::id();
        let thread = std::thread::current();
        name.push(format!("layerwise-digest-{pid}-{:?}", thread.id()));
        std::fs::write(&name, "abc").unwrap();
        let other = Mutex::new(OpenOptions::new().write(true).open(&name).unwrap());
        let heard = move |_: u64, _: u64| change(&mut other.lock().unwrap());
        let heard: &Callback = &heard;
        let mut file = File::open(&name).unwrap();
        let stat = rustix::fs::fstat(&file).unwrap();
        let answer = digest(&mut file, &stat, (b"<", b">"), &Meter::new(Some(heard)));
        std::fs::remove_file(&name).unwrap();
        answer.map_err(|cause| cause.code)
    }

    #[test]
    fn a_file_that_changes_meanwhile_has_no_digest() {
        assert_eq!(while_it_is(|_| ()), Ok(of_bytes(b"<abc>")));
        let changed = Err(FailureCode::Other);
        // As long as before.
        let later = FileTimes::new().set_modified(UNIX_EPOCH + Duration::from_secs(1));
        assert_eq!(
            while_it_is(move |file| file.set_times(later).unwrap()),
            changed,
            "written to"
        );
    }
}

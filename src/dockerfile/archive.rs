//! Whether ADD unpacks a file, by its first bytes (Dockerfile spec, section 7.5).

use crate::prelude::*;

/// Bytes of the header of a member of an archive: so many are looked at.
pub const HEADER: usize = 512;
/// Where the checksum is in a header.
const CHECKSUM: core::ops::Range<usize> = 148..156;
const GZIP: &[u8] = b"\x1f\x8b\x08";
/// How files begin that are compressed otherwise: bzip2, xz and zstd.
const COMPRESSED: [&[u8]; 3] = [b"BZh", b"\xfd7zXZ\0", b"\x28\xb5\x2f\xfd"];

/// What a file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// An archive.
    Tar,
    /// Compressed with gzip: what is in it decides.
    Gzip,
    /// Compressed otherwise, and taken for an archive: nobody compresses anything else
    /// so to have ADD copy it.
    Compressed,
    /// Anything else, which is copied as it is.
    Other,
}

/// What a file is by its first [`HEADER`] bytes.
#[must_use]
pub fn of(bytes: &[u8]) -> Form {
    if bytes.starts_with(GZIP) {
        Form::Gzip
    } else if COMPRESSED.iter().any(|magic| bytes.starts_with(magic)) {
        Form::Compressed
    } else if is_header(bytes) {
        Form::Tar
    } else {
        Form::Other
    }
}

/// Whether an archive begins with these bytes.
fn is_header(bytes: &[u8]) -> bool {
    let Some(field) = bytes.get(CHECKSUM).filter(|_| bytes.len() == HEADER) else {
        return false;
    };
    let text = String::from_utf8_lossy(field);
    let text = text.trim_matches([' ', '\0']);
    let sum = bytes.iter().enumerate().map(|(at, byte)| {
        let byte = if CHECKSUM.contains(&at) { b' ' } else { *byte };
        u32::from(byte)
    });
    u32::from_str_radix(text, 8) == Ok(sum.sum())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn archives_are_known_by_their_first_header() {
        let mut bytes = [0; HEADER];
        bytes[..4].copy_from_slice(b"name");
        let sum: u32 = bytes.iter().map(|byte| u32::from(*byte)).sum();
        let sum = format!("{:06o}\0 ", sum + 8 * u32::from(b' '));
        bytes[CHECKSUM].copy_from_slice(sum.as_bytes());
        assert_eq!(of(&bytes), Form::Tar);
        bytes[0] ^= 1;
        assert_eq!(of(&bytes), Form::Other);
        assert_eq!(of(&[0; HEADER]), Form::Other);
        assert_eq!(of(b"no archive"), Form::Other);
        assert_eq!(of(b"\x1f\x8b\x08\0"), Form::Gzip);
        assert_eq!(of(b"BZh9"), Form::Compressed);
    }
}

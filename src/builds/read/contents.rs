//! The digests of the files of a build context, as BuildKit keeps them for the last
//! build (`_external/REF/buildkit.contenthash.v0` of `metadata_v2.db`; Builds spec, section 1.4).

use super::bad::Bad;
use super::wire::Value;
use crate::limits::{Limit, Limits};
use crate::prelude::*;

/// What an entry is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A file.
    File,
    /// All that is in a directory.
    Directory,
    /// A directory itself: mode, owner, attributes.
    Header,
    /// A symbolic link.
    Link,
}

/// One entry with its content digest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// From the root, which is empty, with `/` before each part.
    pub path: String,
    /// What it is.
    pub kind: Kind,
    /// The digest; empty if it was not needed yet.
    pub digest: String,
    /// Where a symbolic link leads.
    pub target: String,
}

/// Reads a value of the database.
///
/// # Errors
/// If it is not one, or above a limit.
pub fn entries<const N: usize>(message: &[u8], limits: &Limits<N>) -> Result<Vec<Entry>, Bad> {
    let mut entries = Vec::new();
    for field in Value::Bytes(message).message()? {
        if let (1, value) = field? {
            if entries.len() as u64 >= limits.get(Limit::Entries) {
                return Err(Bad::Above(Limit::Entries));
            }
            entries.push(entry(value)?);
        }
    }
    Ok(entries)
}

fn entry(value: Value<'_>) -> Result<Entry, Bad> {
    let mut entry = Entry {
        path: String::new(),
        kind: Kind::File,
        digest: String::new(),
        target: String::new(),
    };
    for field in value.message()? {
        match field? {
            (1, value) => entry.path = value.text()?,
            (2, value) => {
                for field in value.message()? {
                    match field? {
                        (1, value) => entry.digest = value.text()?,
                        (2, value) => entry.kind = kind(value.number()?)?,
                        (3, value) => entry.target = value.text()?,
                        _ => {}
                    }
                }
            }
            _ => {}
        }
    }
    // A key has NUL for `/`, and a directory's own entry one more at its end.
    if entry.kind == Kind::Header && entry.path.ends_with('\0') {
        entry.path.pop();
    }
    entry.path = entry.path.replace('\0', "/");
    Ok(entry)
}

fn kind(number: u64) -> Result<Kind, Bad> {
    match number {
        0 => Ok(Kind::File),
        1 => Ok(Kind::Directory),
        2 => Ok(Kind::Header),
        3 => Ok(Kind::Link),
        _ => Err(Bad::Form("an entry is of no known kind")),
    }
}

/// Writes what [`entries`] reads.
#[must_use]
pub fn encode(entries: &[Entry]) -> Vec<u8> {
    let mut message = Vec::new();
    for entry in entries {
        let kind = match entry.kind {
            Kind::File => 0,
            Kind::Directory => 1,
            Kind::Header => 2,
            Kind::Link => 3,
        };
        let mut path = entry.path.replace('/', "\0");
        if entry.kind == Kind::Header {
            path.push('\0');
        }
        let mut record = field(1, entry.digest.as_bytes());
        record.extend([2 << 3, kind]);
        record.extend(field(3, entry.target.as_bytes()));
        let both = [field(1, path.as_bytes()), field(2, &record)].concat();
        message.extend(field(1, &both));
    }
    message
}

/// A field of bytes.
fn field(number: u8, value: &[u8]) -> Vec<u8> {
    let mut field = vec![number << 3 | 2];
    let mut length = value.len();
    while length > 0x7f {
        field.push(u8::try_from(length & 0x7f).unwrap_or_default() | 0x80);
        length >>= 7;
    }
    field.push(u8::try_from(length).unwrap_or_default());
    field.extend_from_slice(value);
    field
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits<1> = Limits::new([(Limit::Entries, 4)]);

    fn bytes(number: u8, value: impl AsRef<[u8]>) -> Vec<u8> {
        field(number, value.as_ref())
    }

    fn stored(path: &str, kind: u8, digest: &str, target: &str) -> Vec<u8> {
        let record = [bytes(1, digest), vec![2 << 3, kind], bytes(3, target)].concat();
        bytes(1, [bytes(1, path), bytes(2, record)].concat())
    }

    fn entry(path: &str, kind: Kind, digest: &str, target: &str) -> Entry {
        Entry {
            path: path.to_owned(),
            kind,
            digest: digest.to_owned(),
            target: target.to_owned(),
        }
    }

    #[test]
    fn paths_are_as_people_write_them() {
        let message = [
            stored("", 1, "sha256:1", ""),
            stored("\0", 2, "", ""),
            stored("\0src\0", 2, "sha256:2", ""),
            stored("\0src\0link", 3, "sha256:3", "../a"),
        ]
        .concat();
        let wanted = [
            entry("", Kind::Directory, "sha256:1", ""),
            entry("", Kind::Header, "", ""),
            entry("/src", Kind::Header, "sha256:2", ""),
            entry("/src/link", Kind::Link, "sha256:3", "../a"),
        ];
        assert_eq!(entries(&message, &LIMITS).unwrap(), wanted);
        assert_eq!(encode(&wanted), message);
        let long = [entry(&format!("/{}", "x".repeat(300)), Kind::File, "a", "")];
        assert_eq!(entries(&encode(&long), &LIMITS).unwrap(), long);
        let more = [message, stored("\0x", 0, "", "")].concat();
        assert_eq!(entries(&more, &LIMITS), Err(Bad::Above(Limit::Entries)));
    }

    #[test]
    fn what_is_no_list_of_digests_is_refused() {
        assert!(entries(&stored("\0a", 4, "", ""), &LIMITS).is_err());
        assert!(entries(b"\x0a\x05", &LIMITS).is_err());
        assert_eq!(entries(b"", &LIMITS), Ok(Vec::new()));
    }
}

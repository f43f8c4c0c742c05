//! The bytes of a layer made from a directory (Buildpacks spec, section 7):
//! headers as Go's `archive/tar` writes them for the lifecycle. A byte that
//! differs is another diff id, and the lifecycle then drops the layer.
//!
//! A header is ustar where everything fits: names of up to 100 bytes, or longer
//! ones that can be split, all ASCII. Else it is PAX: what does not fit is a
//! record before the header.

use crate::prelude::*;

/// Tar files consist of blocks of this size.
pub const BLOCK: usize = 512;

/// What ends an archive.
pub const END: [u8; 2 * BLOCK] = [0; 2 * BLOCK];

/// 1980-01-01T00:00:01Z, the date of everything the lifecycle writes.
const DATE: u64 = 315_532_801;

/// The longest prefix of a name that is split.
const PREFIX: usize = 155;
/// The longest name and the longest target of a link.
const NAME: usize = 100;

/// The largest numbers in the fields of the owner and of the size.
const LARGEST_ID: u32 = (1 << 21) - 1;
const LARGEST_SIZE: u64 = (1 << 33) - 1;

/// What an entry is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EntryKind<'a> {
    /// A file of this size; its bytes and [`padding`] follow the header.
    File(u64),
    /// A directory.
    Directory,
    /// A symbolic link to this target.
    Link(&'a [u8]),
    /// A pipe.
    Pipe,
    /// A character device, by major and minor number.
    Character(u32, u32),
    /// A block device, by major and minor number.
    Block(u32, u32),
}

/// An entry of an archive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry<'a> {
    /// The absolute name; that of a directory does not end in `/`.
    pub name: &'a [u8],
    /// What it is.
    pub kind: EntryKind<'a>,
    /// The 12 permission bits.
    pub mode: u32,
    /// The owning user.
    pub user: u32,
    /// The owning group.
    pub group: u32,
}

impl Entry<'_> {
    /// The header, and the PAX records before it where there are some.
    pub fn header(&self) -> Vec<u8> {
        let mut out = Vec::new();
        if let Some((prefix, name)) = self.plain_name() {
            self.block(name, self.target(), prefix).append_to(&mut out);
            return out;
        }
        let records = self.records();
        let length = u64::try_from(records.len()).unwrap_or(u64::MAX);
        extension(self.name, length).append_to(&mut out);
        out.extend(&records);
        out.resize(out.len().saturating_add(padding(length)), 0);
        let (name, target) = (ascii(self.name), ascii(self.target()));
        self.block(&name, &target, &[]).append_to(&mut out);
        out
    }

    /// Its name for a header without records, as prefix and rest; `None` where
    /// something does not fit.
    fn plain_name(&self) -> Option<(&[u8], &[u8])> {
        let numbers = self.size() <= LARGEST_SIZE && self.user.max(self.group) <= LARGEST_ID;
        if !numbers || !fits(self.target()) {
            return None;
        }
        split(self.name)
    }

    /// What does not fit, in the order of the keywords.
    fn records(&self) -> Vec<u8> {
        let mut all = Vec::new();
        let mut add = |fits: bool, key: &str, value: &dyn Fn() -> Vec<u8>| {
            if !fits {
                all.extend(record(key, &value()));
            }
        };
        let digits = |number: u64| number.to_string().into_bytes();
        let (name, target, size) = (self.name, self.target(), self.size());
        add(self.group <= LARGEST_ID, "gid", &|| {
            digits(self.group.into())
        });
        add(fits(target), "linkpath", &|| target.to_vec());
        add(fits(name), "path", &|| name.to_vec());
        add(size <= LARGEST_SIZE, "size", &|| digits(size));
        add(self.user <= LARGEST_ID, "uid", &|| digits(self.user.into()));
        all
    }

    fn size(&self) -> u64 {
        match self.kind {
            EntryKind::File(size) => size,
            _ => 0,
        }
    }

    fn target(&self) -> &[u8] {
        match self.kind {
            EntryKind::Link(target) => target,
            _ => &[],
        }
    }

    fn block(&self, name: &[u8], target: &[u8], prefix: &[u8]) -> Header {
        let (kind, major, minor) = match self.kind {
            EntryKind::File(_) => (b'0', 0, 0),
            EntryKind::Link(_) => (b'2', 0, 0),
            EntryKind::Character(major, minor) => (b'3', major, minor),
            EntryKind::Block(major, minor) => (b'4', major, minor),
            EntryKind::Directory => (b'5', 0, 0),
            EntryKind::Pipe => (b'6', 0, 0),
        };
        let mut header = Header::new(kind);
        header.text(0, NAME, name);
        header.number(100, 8, self.mode.into());
        header.number(108, 8, self.user.into());
        header.number(116, 8, self.group.into());
        header.number(124, 12, self.size());
        header.number(136, 12, DATE);
        header.text(157, NAME, target);
        header.number(329, 8, major.into());
        header.number(337, 8, minor.into());
        header.text(345, PREFIX, prefix);
        header
    }
}

/// How many zero bytes follow the bytes of a file of this size.
pub fn padding(size: u64) -> usize {
    let used = usize::try_from(size % (1 << 9)).unwrap_or_default();
    used.wrapping_neg() % BLOCK
}

/// Whether a name or target fits into its field as it is.
fn fits(text: &[u8]) -> bool {
    text.len() <= NAME && text.is_ascii()
}

/// A name as prefix and rest: a long one is split between two of its parts, where
/// both fit then.
fn split(name: &[u8]) -> Option<(&[u8], &[u8])> {
    if fits(name) {
        return Some((&[], name));
    }
    if !name.is_ascii() {
        return None;
    }
    let front = name.get(..name.len().min(PREFIX + 1))?;
    let at = front.iter().rposition(|byte| *byte == b'/')?;
    let (prefix, rest) = (name.get(..at)?, name.get(at + 1..)?);
    (at > 0 && !rest.is_empty() && rest.len() <= NAME).then_some((prefix, rest))
}

/// A name without the bytes that older readers do not know.
fn ascii(text: &[u8]) -> Vec<u8> {
    text.iter().copied().filter(u8::is_ascii).collect()
}

/// One PAX record. Its length, which is a part of it, comes first.
fn record(key: &str, value: &[u8]) -> Vec<u8> {
    let rest = key.len() + value.len() + " =\n".len();
    let mut length = rest + rest.to_string().len();
    if length.to_string().len() + rest != length {
        length = length.to_string().len() + rest;
    }
    let mut record = format!("{length} {key}=").into_bytes();
    record.extend(value);
    record.push(b'\n');
    record
}

/// The header before the PAX records of an entry.
fn extension(of: &[u8], length: u64) -> Header {
    let at = of.iter().rposition(|byte| *byte == b'/');
    let (directory, file) = of
        .split_at_checked(at.map_or(0, |at| at + 1))
        .unwrap_or((&[], of));
    let mut name = ascii(&[directory, b"PaxHeaders.0/", file].concat());
    name.truncate(NAME);
    let end = name.iter().rposition(|byte| *byte != b'/');
    name.truncate(end.map_or(0, |end| end + 1));
    let mut header = Header::new(b'x');
    header.text(0, NAME, &name);
    for at in [100, 108, 116] {
        header.number(at, 8, 0);
    }
    header.number(124, 12, length);
    header.number(136, 12, 0);
    header
}

/// A header while it is filled in.
struct Header([u8; BLOCK]);

impl Header {
    fn new(kind: u8) -> Self {
        let mut header = Self([0; BLOCK]);
        header.text(156, 1, &[kind]);
        header.text(257, 8, b"ustar\x0000");
        header
    }

    /// Text, as much as there is room for; a part of a name that ends there
    /// does not look like a directory.
    fn text(&mut self, at: usize, room: usize, text: &[u8]) {
        let Some(field) = self.0.get_mut(at..at + room) else {
            return;
        };
        for (place, byte) in field.iter_mut().zip(text) {
            *place = *byte;
        }
        if text.len() > room && field.last() == Some(&b'/') {
            let end = field.iter().rposition(|byte| *byte != b'/');
            if let Some(after) = field.get_mut(end.map_or(0, |end| end + 1)) {
                *after = 0;
            }
        }
    }

    /// A number in octal digits; one that does not fit is a record, and 0 here.
    fn number(&mut self, at: usize, room: usize, number: u64) {
        let digits = room - 1;
        let mut text = format!("{number:0digits$o}");
        if text.len() > digits {
            text = "0".repeat(digits);
        }
        self.text(at, room, text.as_bytes());
    }

    fn append_to(mut self, out: &mut Vec<u8>) {
        // Spaces where the sum of all bytes is to stand.
        let sum: u64 = self.0.iter().map(|byte| u64::from(*byte)).sum();
        self.number(148, 7, sum + 8 * u64::from(b' '));
        self.text(155, 1, b" ");
        out.extend(self.0);
    }
}

//! Reading a tar archive entry by entry.
//!
//! The headers are those of the `tar` crate. Its own iterator reads the long
//! names and extended headers of an archive into memory whatever their size, and
//! the raw one, which does not, knows nothing of sizes in extended headers, so
//! that what is content to one reader would be entries to the other.
//!
//! Global headers are passed over, as Docker does.

use std::collections::BTreeMap;
use std::io::{self, Read};

use layerwise::host::{Failure, FailureCode};
use tar::{EntryType, Header, PaxExtensions};

use super::Source;
use crate::failures;
use crate::limits::{FREE_ENTRIES, HEADER_OF_AN_ENTRY, Limit, Limits, over};

const BLOCK: u64 = 512;
const XATTR: &str = "SCHILY.xattr.";
const SPARSE: &str = "GNU.sparse.";

/// What an entry makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    File,
    Directory,
    Symlink,
    Hardlink,
    CharacterDevice,
    BlockDevice,
    Fifo,
}

/// One entry. Its bytes are read from the [`Tar`].
#[derive(Debug)]
pub struct Entry {
    pub name: Vec<u8>,
    pub link: Vec<u8>,
    pub kind: Kind,
    pub mode: u32,
    pub uid: u32,
    pub gid: u32,
    /// Seconds since 1970, and nanoseconds.
    pub modified: (i64, u32),
    pub size: u64,
    pub attributes: BTreeMap<String, Vec<u8>>,
}

/// An archive.
pub struct Tar<R> {
    input: R,
    limits: Limits,
    /// Bytes of the current entry that were not read, and of its padding.
    left: u64,
    padding: u64,
    /// Entries, and bytes of headers beside their own.
    entries: u64,
    headers: u64,
}

/// What goes before the header of an entry; of extended headers what is used.
#[derive(Default)]
struct Extra {
    name: Option<Vec<u8>>,
    link: Option<Vec<u8>>,
    path: Option<Vec<u8>>,
    linkpath: Option<Vec<u8>>,
    size: Option<Vec<u8>>,
    uid: Option<Vec<u8>>,
    gid: Option<Vec<u8>>,
    mtime: Option<Vec<u8>>,
    attributes: BTreeMap<String, Vec<u8>>,
    sparse: bool,
}

impl Entry {
    /// The name for a message.
    pub fn quoted(&self) -> String {
        format!("{:?}", String::from_utf8_lossy(&self.name))
    }
}

impl<R: Source> Tar<R> {
    pub const fn new(input: R, limits: Limits) -> Self {
        Self {
            input,
            limits,
            left: 0,
            padding: 0,
            entries: 0,
            headers: 0,
        }
    }

    /// What it is read from.
    pub const fn input(&mut self) -> &mut R {
        &mut self.input
    }

    /// The next entry; what was not read of the one before is passed over.
    ///
    /// # Errors
    /// `corrupt` for what is no archive, `unsupported` for sparse files,
    /// `too-large`.
    pub fn next(&mut self) -> Result<Option<Entry>, Failure> {
        let mut extra = Extra::default();
        loop {
            self.pass()?;
            let Some(header) = self.header()? else {
                return Ok(None);
            };
            let size = header.entry_size().map_err(|error| corrupt(&error))?;
            match header.entry_type() {
                EntryType::GNULongName => extra.name = Some(until_zero(self.extra(size)?)),
                EntryType::GNULongLink => extra.link = Some(until_zero(self.extra(size)?)),
                EntryType::XHeader => extra.read(&self.extra(size)?)?,
                EntryType::XGlobalHeader => {
                    self.count_header(size)?;
                    self.expect(size)?;
                }
                kind => {
                    self.count(1)?;
                    let entry = entry(&header, kind, size, extra)?;
                    let what = "the size of a file of the layer";
                    self.limits.check(Limit::LayerBytes, entry.size, what)?;
                    self.expect(entry.size)?;
                    return Ok(Some(entry));
                }
            }
        }
    }

    /// Counts entries, and attributes as such. Many of them from few bytes are
    /// no layer that anybody built.
    pub fn count(&mut self, more: u64) -> Result<(), Failure> {
        self.entries = self.entries.saturating_add(more);
        let what = "the number of entries of the layer";
        self.limits.check(Limit::LayerEntries, self.entries, what)?;
        let price = self.limits.of(Limit::EntryInputBytes);
        let paid = self.input.taken().checked_div(price);
        match paid.map(|paid| paid.saturating_add(FREE_ENTRIES)) {
            Some(most) if self.entries > most => {
                let what = "the number of entries in so few compressed bytes";
                Err(over(Limit::EntryInputBytes, price, what))
            }
            _ => Ok(()),
        }
    }

    /// The next header; none at the end of the archive.
    fn header(&mut self) -> Result<Option<Header>, Failure> {
        let mut header = Header::new_old();
        let block = header.as_mut_bytes();
        let mut filled = 0;
        while let Some(room) = block.get_mut(filled..).filter(|room| !room.is_empty()) {
            match self.input.read(room) {
                Ok(0) if filled == 0 => return Ok(None),
                Ok(0) => return Err(no_archive("it ends inside of a header")),
                Ok(count) => filled = filled.saturating_add(count),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(corrupt(&error)),
            }
        }
        if block.iter().all(|byte| *byte == 0) {
            return Ok(None);
        }
        // The checksum is that of the header with blanks in its own place.
        let bytes = block.iter().enumerate();
        let sum: u32 = bytes
            .map(|(at, byte)| {
                if (148..156).contains(&at) {
                    32
                } else {
                    u32::from(*byte)
                }
            })
            .sum();
        if header.cksum().ok() != Some(sum) {
            return Err(no_archive("a header has the wrong checksum"));
        }
        Ok(Some(header))
    }

    /// The bytes of a header before an entry.
    fn extra(&mut self, size: u64) -> Result<Vec<u8>, Failure> {
        self.count_header(size)?;
        self.expect(size)?;
        let mut bytes = Vec::new();
        self.read_to_end(&mut bytes)
            .map_err(|error| corrupt(&error))?;
        Ok(bytes)
    }

    fn count_header(&mut self, size: u64) -> Result<(), Failure> {
        let padded = size.checked_next_multiple_of(BLOCK).unwrap_or(u64::MAX);
        self.headers = self.headers.saturating_add(padded).saturating_add(BLOCK);
        let free = self.entries.saturating_mul(HEADER_OF_AN_ENTRY);
        let counted = self.headers.saturating_sub(free);
        let what = "the size of the extended headers of the layer";
        self.limits.check(Limit::HeaderBytes, counted, what)
    }

    /// Begins with the bytes of an entry.
    fn expect(&mut self, size: u64) -> Result<(), Failure> {
        let padded = size
            .checked_next_multiple_of(BLOCK)
            .ok_or_else(|| no_archive("an entry has an impossible size"))?;
        self.left = size;
        self.padding = padded.saturating_sub(size);
        Ok(())
    }

    /// Passes over what is left of the current entry.
    fn pass(&mut self) -> Result<(), Failure> {
        let mut buffer = [0; 4096];
        let mut left = self.left.saturating_add(self.padding);
        while left > 0 {
            let wanted = usize::try_from(left)
                .unwrap_or(usize::MAX)
                .min(buffer.len());
            match self
                .input
                .read(buffer.get_mut(..wanted).unwrap_or_default())
            {
                // The padding of the last entry is often left out.
                Ok(0) if self.left == 0 => break,
                Ok(0) => return Err(no_archive("it ends inside of an entry")),
                Ok(count) => {
                    let count = u64::try_from(count).unwrap_or(u64::MAX);
                    left = left.saturating_sub(count);
                    self.left = self.left.saturating_sub(count);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(corrupt(&error)),
            }
        }
        self.left = 0;
        self.padding = 0;
        Ok(())
    }
}

/// The bytes of the current entry.
impl<R: Read> Read for Tar<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let wanted = usize::try_from(self.left)
            .unwrap_or(usize::MAX)
            .min(buffer.len());
        let Some(room) = buffer.get_mut(..wanted).filter(|room| !room.is_empty()) else {
            return Ok(0);
        };
        let count = match self.input.read(room) {
            Err(error) if error.kind() != io::ErrorKind::Interrupted => {
                return Err(io::Error::other(corrupt(&error)));
            }
            other => other?,
        };
        if count == 0 {
            return Err(io::Error::other(no_archive("it ends inside of an entry")));
        }
        self.left = self
            .left
            .saturating_sub(u64::try_from(count).unwrap_or(u64::MAX));
        Ok(count)
    }
}

impl Extra {
    /// Takes what matters from an extended header; the last of a name counts.
    fn read(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        for extension in PaxExtensions::new(bytes) {
            let extension = extension.map_err(|error| corrupt(&error))?;
            // Nothing that matters has another name than text.
            let Ok(key) = extension.key() else { continue };
            let value = extension.value_bytes();
            let place = match key {
                "path" => &mut self.path,
                "linkpath" => &mut self.linkpath,
                "size" => &mut self.size,
                "uid" => &mut self.uid,
                "gid" => &mut self.gid,
                "mtime" => &mut self.mtime,
                _ => {
                    self.sparse |= key.starts_with(SPARSE);
                    if let Some(name) = key.strip_prefix(XATTR) {
                        self.attributes.insert(name.to_owned(), value.to_vec());
                    }
                    continue;
                }
            };
            *place = Some(value.to_vec()).filter(|value| !value.is_empty());
        }
        Ok(())
    }
}

fn entry(header: &Header, kind: EntryType, size: u64, extra: Extra) -> Result<Entry, Failure> {
    if kind.is_gnu_sparse() || extra.sparse {
        let message = "the layer has a sparse file, which is not unpacked here";
        return Err(failures::new(FailureCode::Unsupported, message));
    }
    let number = |value: Option<Vec<u8>>, own: io::Result<u64>| match value {
        Some(text) => decimal(&text).ok_or_else(|| no_archive("an extended header has no number")),
        None => own.map_err(|error| corrupt(&error)),
    };
    let name = extra.path.or(extra.name);
    let name = name.unwrap_or_else(|| header.path_bytes().into_owned());
    let own_link = header.link_name_bytes().map(|link| link.into_owned());
    let link = extra.linkpath.or(extra.link).or(own_link);
    let kind = match kind {
        // Old archives mark directories by a slash at the end.
        EntryType::Regular if name.ends_with(b"/") => Kind::Directory,
        EntryType::Regular | EntryType::Continuous => Kind::File,
        EntryType::Directory => Kind::Directory,
        EntryType::Symlink => Kind::Symlink,
        EntryType::Link => Kind::Hardlink,
        EntryType::Char => Kind::CharacterDevice,
        EntryType::Block => Kind::BlockDevice,
        EntryType::Fifo => Kind::Fifo,
        other => {
            let message = format!(
                "the layer has an entry of the kind {:?}",
                char::from(other.as_byte())
            );
            return Err(failures::new(FailureCode::Unsupported, message));
        }
    };
    let id = |number: u64| u32::try_from(number).map_err(|_| no_archive("an owner is no user"));
    let modified = match extra.mtime {
        Some(text) => time(&text).ok_or_else(|| no_archive("an extended header has no time"))?,
        None => {
            let seconds = header.mtime().map_err(|error| corrupt(&error))?;
            (i64::try_from(seconds).unwrap_or(0), 0)
        }
    };
    let size = number(extra.size, Ok(size))?;
    Ok(Entry {
        mode: header.mode().map_err(|error| corrupt(&error))? & 0o7777,
        uid: id(number(extra.uid, header.uid())?)?,
        gid: id(number(extra.gid, header.gid())?)?,
        modified,
        // Some writers give links the size of their target.
        size: if kind == Kind::File { size } else { 0 },
        attributes: extra.attributes,
        name,
        link: link.unwrap_or_default(),
        kind,
    })
}

fn decimal(text: &[u8]) -> Option<u64> {
    std::str::from_utf8(text).ok()?.parse().ok()
}

/// `[-]SECONDS[.FRACTION]`.
fn time(text: &[u8]) -> Option<(i64, u32)> {
    let text = std::str::from_utf8(text).ok()?;
    let (seconds, fraction) = text.split_once('.').unwrap_or((text, ""));
    let whole: i64 = seconds.parse().ok()?;
    if !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let digits: String = fraction
        .chars()
        .chain("000000000".chars())
        .take(9)
        .collect();
    let nanos: u32 = digits.parse().ok()?;
    if nanos > 0 && seconds.starts_with('-') {
        return Some((whole.checked_sub(1)?, 1_000_000_000_u32.checked_sub(nanos)?));
    }
    Some((whole, nanos))
}

fn until_zero(mut bytes: Vec<u8>) -> Vec<u8> {
    if let Some(end) = bytes.iter().position(|byte| *byte == 0) {
        bytes.truncate(end);
    }
    bytes
}

fn corrupt(error: &io::Error) -> Failure {
    match failures::carried(error) {
        Some(failure) => failure.clone(),
        None => no_archive(&failures::lower(&error.to_string())),
    }
}

fn no_archive(why: &str) -> Failure {
    failures::new(
        FailureCode::Corrupt,
        format!("the layer is not a tar archive: {why}"),
    )
}

//! The two meta pages, which the transactions write in turn.

use std::io::{self, Read, Seek, SeekFrom};

use crate::page::{self, HEADER};

const MAGIC: u32 = 0xed0c_daed;
const VERSION: u32 = 2;
/// Bytes that the checksum covers, and the checksum.
const CHECKED: usize = 56;
const META: usize = CHECKED + 8;
/// What stands for "no list of free pages is kept".
const NO_FREELIST: u64 = u64::MAX;
/// The sizes a page can have: those that bbolt tries, too.
const SMALLEST_PAGE: u32 = 1 << 10;
const LARGEST_PAGE: u32 = 1 << 24;

/// What a valid meta page says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Meta {
    /// Bytes of a page.
    pub page_size: u32,
    /// The page of the root bucket.
    pub root: u64,
    /// The root bucket's sequence.
    pub sequence: u64,
    /// The page with the list of free pages, if one is kept.
    pub freelist: Option<u64>,
    /// How many pages there are, used or not.
    pub pages: u64,
    /// The transaction that wrote it.
    pub transaction: u64,
}

/// The meta page that counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Newest {
    /// It.
    pub meta: Meta,
    /// The other one is invalid.
    pub alone: bool,
}

/// Reads both meta pages; `None` if neither is valid.
pub fn newest(file: &mut (impl Read + Seek)) -> io::Result<Option<Newest>> {
    let second = match read(file, 0)? {
        Some(first) => {
            let second = read(file, u64::from(first.page_size))?;
            let second = second.filter(|second| second.page_size == first.page_size);
            let Some(second) = second else {
                return Ok(Some(Newest {
                    meta: first,
                    alone: true,
                }));
            };
            let meta = if second.transaction > first.transaction {
                second
            } else {
                first
            };
            return Ok(Some(Newest { meta, alone: false }));
        }
        None => second(file)?,
    };
    Ok(second.map(|meta| Newest { meta, alone: true }))
}

/// Looks for the second meta page where the first one does not say how large a page is.
fn second(file: &mut (impl Read + Seek)) -> io::Result<Option<Meta>> {
    let mut size = SMALLEST_PAGE;
    while size <= LARGEST_PAGE {
        let meta = read(file, u64::from(size))?;
        if let Some(meta) = meta.filter(|meta| meta.page_size == size) {
            return Ok(Some(meta));
        }
        size <<= 1;
    }
    Ok(None)
}

/// Reads the meta page at `offset`, if a valid one is there.
fn read(file: &mut (impl Read + Seek), offset: u64) -> io::Result<Option<Meta>> {
    let mut bytes = [0; HEADER + META];
    file.seek(SeekFrom::Start(offset))?;
    match file.read_exact(&mut bytes) {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(None),
        Err(error) => Err(error),
        Ok(()) => Ok(bytes.get(HEADER..).and_then(parse)),
    }
}

fn parse(bytes: &[u8]) -> Option<Meta> {
    let checked = bytes.get(..CHECKED)?;
    let page_size = page::u32_at(bytes, 8)?;
    let freelist = page::u64_at(bytes, 32)?;
    let valid = page::u32_at(bytes, 0)? == MAGIC
        && page::u32_at(bytes, 4)? == VERSION
        && page::u64_at(bytes, CHECKED)? == fnv_1a(checked)
        && page_size.is_power_of_two()
        && (SMALLEST_PAGE..=LARGEST_PAGE).contains(&page_size);
    valid.then_some(Meta {
        page_size,
        root: page::u64_at(bytes, 16)?,
        sequence: page::u64_at(bytes, 24)?,
        freelist: (freelist != NO_FREELIST).then_some(freelist),
        pages: page::u64_at(bytes, 40)?,
        transaction: page::u64_at(bytes, 48)?,
    })
}

/// The 64-bit FNV-1a hash.
fn fnv_1a(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

//! One page: a header, a table of elements, and the bytes of their keys and values.

use crate::error::Damage;

/// Bytes of the header: id, kind, how many elements, how many pages it goes on for.
pub const HEADER: usize = 16;
/// Bytes of one element of a table.
const ELEMENT: usize = 16;

const BRANCH: u16 = 1;
const LEAF: u16 = 2;
const FREELIST: u16 = 16;
/// The mark of an element whose value is a bucket.
const BUCKET: u32 = 1;
/// So many free pages, or more, that their number is in the first eight bytes.
const MANY: u16 = u16::MAX;

/// What a page says about itself.
#[derive(Clone, Copy, Debug)]
pub struct Header {
    pub id: u64,
    kind: u16,
    count: u16,
    /// How many pages follow that belong to it.
    pub overflow: u32,
}

/// What is on a page of a bucket.
#[derive(Debug)]
pub enum Elements<'a> {
    Branch(Vec<Child<'a>>),
    Leaf(Vec<Item<'a>>),
}

/// A page below a branch.
#[derive(Clone, Copy, Debug)]
pub struct Child<'a> {
    /// No key on it is smaller.
    pub key: &'a [u8],
    pub page: u64,
}

/// A key and what it leads to.
#[derive(Clone, Copy, Debug)]
pub struct Item<'a> {
    pub key: &'a [u8],
    pub value: &'a [u8],
    /// The value describes a bucket.
    pub bucket: bool,
}

/// What the value of a bucket says.
#[derive(Clone, Copy, Debug)]
pub struct BucketHeader<'a> {
    pub sequence: u64,
    pub root: Root<'a>,
}

/// Where the pages of a bucket begin.
#[derive(Clone, Copy, Debug)]
pub enum Root<'a> {
    Page(u64),
    /// A small bucket's only page is a part of the value.
    Inline(&'a [u8]),
}

impl Header {
    /// Reads the header that a page begins with.
    pub fn read(page: &[u8]) -> Result<Self, Damage> {
        let read = || {
            Some(Self {
                id: u64_at(page, 0)?,
                kind: u16_at(page, 8)?,
                count: u16_at(page, 10)?,
                overflow: u32_at(page, 12)?,
            })
        };
        read().ok_or(Damage::Outside)
    }

    /// Splits the only page of a bucket that is part of a value, and ends with it.
    pub fn inline<'a>(&self, page: &'a [u8]) -> Result<Vec<Item<'a>>, Damage> {
        let Elements::Leaf(items) = self.elements(page)? else {
            return Err(Damage::Kind);
        };
        if self.id != 0 || self.overflow != 0 {
            return Err(Damage::Id);
        }
        let used = items
            .iter()
            .map(|item| ELEMENT + item.key.len() + item.value.len());
        if HEADER + used.sum::<usize>() == page.len() {
            Ok(items)
        } else {
            Err(Damage::Bounds)
        }
    }

    /// Splits a page of a bucket, all its overflow included, into its elements.
    pub fn elements<'a>(&self, page: &'a [u8]) -> Result<Elements<'a>, Damage> {
        match self.kind {
            BRANCH if self.count == 0 => Err(Damage::Empty),
            BRANCH => self.children(page).map(Elements::Branch),
            LEAF => self.items(page).map(Elements::Leaf),
            _ => Err(Damage::Kind),
        }
    }

    fn children<'a>(&self, page: &'a [u8]) -> Result<Vec<Child<'a>>, Damage> {
        self.table(page, |element, data| {
            let position = u32_at(element, 0)?;
            let key = data.next(position, u32_at(element, 4)?)?;
            let page = u64_at(element, 8)?;
            Some(Child { key, page })
        })
    }

    fn items<'a>(&self, page: &'a [u8]) -> Result<Vec<Item<'a>>, Damage> {
        let items = self.table(page, |element, data| {
            let position = u32_at(element, 4)?;
            let key = data.next(position, u32_at(element, 8)?)?;
            let value = data.take(u32_at(element, 12)?)?;
            Some((u32_at(element, 0)?, key, value))
        })?;
        let marked = items.into_iter().map(|(mark, key, value)| match mark {
            _ if key.is_empty() => Err(Damage::Key),
            0 | BUCKET => Ok(Item {
                key,
                value,
                bucket: mark == BUCKET,
            }),
            _ => Err(Damage::Mark),
        });
        marked.collect()
    }

    /// Reads every element of the table. Keys and values lie behind it in the same
    /// order without gaps: so no byte is used twice, and the work cannot be more than
    /// the page is long.
    fn table<'a, T>(
        &self,
        page: &'a [u8],
        mut element: impl FnMut(&'a [u8], &mut Data<'a>) -> Option<T>,
    ) -> Result<Vec<T>, Damage> {
        let mut read = || {
            let length = usize::from(self.count) * ELEMENT;
            let (table, rest) = page.get(HEADER..)?.split_at_checked(length)?;
            let mut data = Data {
                rest,
                distance: length,
            };
            if self.count == 0 && rest.iter().any(|byte| *byte != 0) {
                // Something was there.
                return None;
            }
            let mut elements = Vec::with_capacity(usize::from(self.count));
            for bytes in table.chunks_exact(ELEMENT) {
                elements.push(element(bytes, &mut data)?);
                data.distance = data.distance.checked_sub(ELEMENT)?;
            }
            Some(elements)
        };
        read().ok_or(Damage::Bounds)
    }

    /// The numbers of the free pages that a list of them names.
    pub fn free<'a>(&self, page: &'a [u8]) -> Result<impl Iterator<Item = u64> + 'a, Damage> {
        if self.kind != FREELIST {
            return Err(Damage::Kind);
        }
        let read = || {
            let ids = page.get(HEADER..)?;
            let (count, ids) = match self.count {
                MANY => (u64_at(ids, 0)?, ids.get(8..)?),
                count => (u64::from(count), ids),
            };
            ids.get(..usize::try_from(count).ok()?.checked_mul(8)?)
        };
        let ids = read().ok_or(Damage::Bounds)?;
        Ok(ids.chunks_exact(8).filter_map(|id| u64_at(id, 0)))
    }
}

/// The keys and values behind a table, as far as they were not taken yet.
struct Data<'a> {
    rest: &'a [u8],
    /// Bytes from the element that is being read to `rest`.
    distance: usize,
}

impl<'a> Data<'a> {
    /// Takes bytes that must begin at `position`, counted from their element.
    fn next(&mut self, position: u32, length: u32) -> Option<&'a [u8]> {
        if usize::try_from(position).ok()? != self.distance {
            return None;
        }
        self.take(length)
    }

    fn take(&mut self, length: u32) -> Option<&'a [u8]> {
        let length = usize::try_from(length).ok()?;
        let (taken, rest) = self.rest.split_at_checked(length)?;
        self.rest = rest;
        self.distance = self.distance.checked_add(length)?;
        Some(taken)
    }
}

impl<'a> BucketHeader<'a> {
    /// Reads the value of a bucket.
    pub fn read(value: &'a [u8]) -> Result<Self, Damage> {
        let read = || {
            let root = match u64_at(value, 0)? {
                0 => Root::Inline(value.get(16..)?),
                page => Root::Page(page),
            };
            Some(Self {
                sequence: u64_at(value, 8)?,
                root,
            })
        };
        read().ok_or(Damage::Bucket)
    }
}

/// A number of two bytes.
fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    array_at(bytes, at).map(u16::from_le_bytes)
}

/// A number of four bytes.
pub fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    array_at(bytes, at).map(u32::from_le_bytes)
}

/// A number of eight bytes.
pub fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    array_at(bytes, at).map(u64::from_le_bytes)
}

fn array_at<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..)?.first_chunk().copied()
}

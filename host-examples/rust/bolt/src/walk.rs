//! Visits every page that can be reached from a meta page, each once.

use std::collections::VecDeque;

use crate::error::{Damage, Error};
use crate::limits::Limits;
use crate::meta::Meta;
use crate::page::{BucketHeader, Elements, Header, Item, Root};

/// What a key leads to.
#[derive(Clone, Copy, Debug)]
pub enum Target<'a> {
    /// Bytes.
    Value(&'a [u8]),
    /// A bucket, by its place in [`Contents::buckets`].
    Bucket(usize),
}

/// The keys of one bucket: a part of [`Contents::keys`].
#[derive(Clone, Copy, Debug, Default)]
pub struct Extent {
    pub first: usize,
    pub count: usize,
    pub sequence: u64,
}

/// All buckets of a database.
#[derive(Debug, Default)]
pub struct Contents<'a> {
    /// The keys of all buckets; those of one are together, in ascending order.
    pub keys: Vec<(&'a [u8], Target<'a>)>,
    /// The buckets; the first is the root.
    pub buckets: Vec<Extent>,
}

/// Reads all buckets of the transaction that wrote `meta`.
pub fn contents<'a>(bytes: &'a [u8], meta: &Meta, limits: &Limits) -> Result<Contents<'a>, Error> {
    let mut walk = Walk {
        pages: Pages::new(bytes, meta),
        limits,
        contents: Contents::default(),
        later: VecDeque::new(),
    };
    walk.announce(Bucket {
        place: 0,
        header: BucketHeader {
            sequence: meta.sequence,
            root: Root::Page(meta.root),
        },
        page: meta.root,
        depth: 0,
    });
    while let Some(bucket) = walk.later.pop_front() {
        walk.bucket(&bucket)?;
    }
    if let Some(freelist) = meta.freelist {
        walk.pages.free(freelist)?;
    }
    Ok(walk.contents)
}

struct Walk<'a, 'w> {
    pages: Pages<'a>,
    limits: &'w Limits,
    contents: Contents<'a>,
    /// Buckets that were seen and not read yet.
    later: VecDeque<Bucket<'a>>,
}

/// A bucket that is to be read.
struct Bucket<'a> {
    /// Its place in the list of buckets.
    place: usize,
    header: BucketHeader<'a>,
    /// The page that names it.
    page: u64,
    /// Levels of pages and buckets above it.
    depth: u32,
}

/// A page of a bucket that is to be read.
struct Visit<'a> {
    page: u64,
    depth: u32,
    /// Its keys are not smaller than this one.
    from: Option<&'a [u8]>,
    /// Its keys are smaller than this one.
    below: Option<&'a [u8]>,
}

impl<'a> Walk<'a, '_> {
    fn announce(&mut self, bucket: Bucket<'a>) {
        self.contents.buckets.push(Extent {
            sequence: bucket.header.sequence,
            ..Extent::default()
        });
        self.later.push_back(bucket);
    }

    /// Reads the keys of one bucket.
    fn bucket(&mut self, bucket: &Bucket<'a>) -> Result<(), Error> {
        self.check_depth(bucket.depth)?;
        let first = self.contents.keys.len();
        match bucket.header.root {
            Root::Inline(page) => {
                let damaged = |damage| damaged(bucket.page, damage);
                let header = Header::read(page).map_err(damaged)?;
                let items = header.inline(page).map_err(damaged)?;
                let visit = Visit {
                    page: bucket.page,
                    depth: bucket.depth,
                    from: None,
                    below: None,
                };
                self.leaf(first, &visit, items)?;
            }
            Root::Page(page) => self.tree(first, page, bucket.depth)?,
        }
        let count = self.contents.keys.len() - first;
        if let Some(extent) = self.contents.buckets.get_mut(bucket.place) {
            (extent.first, extent.count) = (first, count);
        }
        Ok(())
    }

    /// Reads the keys of a bucket with pages of its own, from left to right.
    fn tree(&mut self, first: usize, root: u64, depth: u32) -> Result<(), Error> {
        let mut visits = vec![Visit {
            page: root,
            depth,
            from: None,
            below: None,
        }];
        while let Some(visit) = visits.pop() {
            self.check_depth(visit.depth)?;
            let damaged = |damage| damaged(visit.page, damage);
            let (header, page) = self.pages.claim(visit.page)?;
            match header.elements(page).map_err(damaged)? {
                Elements::Leaf(items) => self.leaf(first, &visit, items)?,
                Elements::Branch(children) => {
                    let keys = children.iter().map(|child| child.key);
                    check_order(keys, visit.from, visit.below).map_err(damaged)?;
                    // The last one that is put there is read next.
                    let mut below = visit.below;
                    for child in children.iter().rev() {
                        visits.push(Visit {
                            page: child.page,
                            depth: visit.depth + 1,
                            from: Some(child.key),
                            below,
                        });
                        below = Some(child.key);
                    }
                }
            }
        }
        Ok(())
    }

    const fn check_depth(&self, depth: u32) -> Result<(), Error> {
        if depth < self.limits.depth {
            return Ok(());
        }
        Err(too_large("levels", self.limits.depth as u64))
    }

    /// Adds the keys of one page to those of the bucket that began with key `first`.
    fn leaf(&mut self, first: usize, visit: &Visit<'a>, items: Vec<Item<'a>>) -> Result<(), Error> {
        let damaged = |damage| damaged(visit.page, damage);
        let before = self.contents.keys.get(first..).and_then(<[_]>::last);
        if let (Some((last, _)), Some(item)) = (before, items.first())
            && *last >= item.key
        {
            return Err(damaged(Damage::Order));
        }
        let keys = items.iter().map(|item| item.key);
        check_order(keys, visit.from, visit.below).map_err(damaged)?;
        let count = self.contents.keys.len() + items.len();
        if count > self.limits.keys {
            return Err(too_large("keys", self.limits.keys as u64));
        }
        for item in items {
            let target = if item.bucket {
                let place = self.contents.buckets.len();
                self.announce(Bucket {
                    place,
                    header: BucketHeader::read(item.value).map_err(damaged)?,
                    page: visit.page,
                    depth: visit.depth + 1,
                });
                Target::Bucket(place)
            } else {
                Target::Value(item.value)
            };
            self.contents.keys.push((item.key, target));
        }
        Ok(())
    }
}

/// The pages of the file, and which of them are used.
struct Pages<'a> {
    bytes: &'a [u8],
    size: usize,
    used: Vec<bool>,
}

impl<'a> Pages<'a> {
    fn new(bytes: &'a [u8], meta: &Meta) -> Self {
        let size = usize::try_from(meta.page_size).unwrap_or(usize::MAX);
        let count = (bytes.len() / size).min(usize::try_from(meta.pages).unwrap_or(usize::MAX));
        let mut used = vec![false; count];
        // The meta pages.
        used.iter_mut().take(2).for_each(|used| *used = true);
        Self { bytes, size, used }
    }

    /// Takes a page with its overflow, which nothing else may have taken.
    fn claim(&mut self, id: u64) -> Result<(Header, &'a [u8]), Error> {
        let damaged = |damage| damaged(id, damage);
        let outside = || damaged(Damage::Outside);
        let place = usize::try_from(id).map_err(|_| outside())?;
        if place >= self.used.len() {
            return Err(outside());
        }
        let start = place.checked_mul(self.size).ok_or_else(outside)?;
        let rest = self.bytes.get(start..).ok_or_else(outside)?;
        let header = Header::read(rest).map_err(damaged)?;
        if header.id != id {
            return Err(damaged(Damage::Id));
        }
        let more = usize::try_from(header.overflow).map_err(|_| outside())?;
        let end = place.checked_add(more).ok_or_else(outside)?;
        let used = self.used.get_mut(place..=end).ok_or_else(outside)?;
        if used.contains(&true) {
            return Err(damaged(Damage::Twice));
        }
        used.fill(true);
        let length = (more + 1).checked_mul(self.size).ok_or_else(outside)?;
        let page = rest.get(..length).ok_or_else(outside)?;
        Ok((header, page))
    }

    /// Takes the list of free pages, and the pages that it names. Pages that are neither
    /// used nor free are no damage: upstream leaves some when a bucket is deleted.
    fn free(&mut self, list: u64) -> Result<(), Error> {
        let (header, page) = self.claim(list)?;
        for id in header.free(page).map_err(|damage| damaged(list, damage))? {
            let place = usize::try_from(id).unwrap_or(usize::MAX);
            match self.used.get_mut(place) {
                Some(used) if !*used => *used = true,
                Some(_) => return Err(damaged(id, Damage::Twice)),
                // Nothing is read there.
                None => {}
            }
        }
        Ok(())
    }
}

/// Keys must ascend, from one bound to the other.
fn check_order<'a>(
    keys: impl Iterator<Item = &'a [u8]> + Clone,
    from: Option<&[u8]>,
    below: Option<&[u8]>,
) -> Result<(), Damage> {
    let smallest = keys.clone().next().unwrap_or_default();
    let largest = keys.clone().last();
    let ascending = keys.clone().zip(keys.skip(1)).all(|(key, next)| key < next);
    let inside = largest.is_none_or(|largest| {
        from.is_none_or(|from| from <= smallest) && below.is_none_or(|below| largest < below)
    });
    if ascending && inside {
        Ok(())
    } else {
        Err(Damage::Order)
    }
}

const fn damaged(page: u64, damage: Damage) -> Error {
    Error::Damaged { page, damage }
}

const fn too_large(limit: &'static str, value: u64) -> Error {
    Error::TooLarge { limit, value }
}

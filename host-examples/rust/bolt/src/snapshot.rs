//! What a database held after one transaction: buckets, keys and values.

use std::fmt;
use std::io::Cursor;

use crate::error::Error;
use crate::limits::Limits;
use crate::meta::{self, Meta};
use crate::walk::{self, Contents, Target};

/// What a database held after one transaction. All of it was checked, so reading it
/// cannot fail.
#[derive(Debug)]
pub struct Snapshot<'a> {
    transaction: u64,
    contents: Contents<'a>,
}

/// A bucket: keys in ascending order, each with a value or another bucket.
#[derive(Clone, Copy)]
pub struct Bucket<'s> {
    keys: &'s [(&'s [u8], Target<'s>)],
    sequence: u64,
    contents: &'s Contents<'s>,
}

/// What a key leads to.
#[derive(Clone, Copy, Debug)]
pub enum Entry<'s> {
    /// Bytes.
    Value(&'s [u8]),
    /// A bucket.
    Bucket(Bucket<'s>),
}

impl<'a> Snapshot<'a> {
    /// Reads the bytes of a whole database file that nobody writes to meanwhile.
    ///
    /// # Errors
    /// Every [`Error`] but `Io` and `Unstable`.
    pub fn of(bytes: &'a [u8], limits: &Limits) -> Result<Self, Error> {
        let newest = meta::newest(&mut Cursor::new(bytes))?.ok_or(Error::NotBolt)?;
        Self::at(bytes, &newest.meta, limits)
    }

    pub(crate) fn at(bytes: &'a [u8], meta: &Meta, limits: &Limits) -> Result<Self, Error> {
        Ok(Self {
            transaction: meta.transaction,
            contents: walk::contents(bytes, meta, limits)?,
        })
    }

    /// The number of the transaction; each one that is committed has a higher one.
    pub const fn transaction(&self) -> u64 {
        self.transaction
    }

    /// The bucket that all others are in.
    pub fn root(&self) -> Bucket<'_> {
        self.contents.bucket(0)
    }

    /// The bucket that these names lead to from the root, one bucket in the other.
    pub fn bucket(&self, names: &[&[u8]]) -> Option<Bucket<'_>> {
        let root = self.root();
        names
            .iter()
            .try_fold(root, |bucket, name| bucket.bucket(name))
    }
}

impl Contents<'_> {
    fn bucket(&self, place: usize) -> Bucket<'_> {
        let extent = self.buckets.get(place).copied().unwrap_or_default();
        let end = extent.first.saturating_add(extent.count);
        Bucket {
            keys: self.keys.get(extent.first..end).unwrap_or_default(),
            sequence: extent.sequence,
            contents: self,
        }
    }
}

impl<'s> Bucket<'s> {
    /// The value of a key; `None` if there is no such key or it leads to a bucket.
    pub fn get(&self, key: &[u8]) -> Option<&'s [u8]> {
        match self.entry(key)? {
            Entry::Value(value) => Some(value),
            Entry::Bucket(_) => None,
        }
    }

    /// A bucket in this one; `None` if there is no such key or it leads to a value.
    pub fn bucket(&self, name: &[u8]) -> Option<Self> {
        match self.entry(name)? {
            Entry::Bucket(bucket) => Some(bucket),
            Entry::Value(_) => None,
        }
    }

    /// What a key leads to.
    pub fn entry(&self, key: &[u8]) -> Option<Entry<'s>> {
        let place = self.keys.binary_search_by(|(known, _)| (*known).cmp(key));
        let (_, target) = self.keys.get(place.ok()?)?;
        Some(self.resolve(*target))
    }

    /// All keys in ascending order, with what they lead to.
    pub fn iter(&self) -> impl Iterator<Item = (&'s [u8], Entry<'s>)> + use<'s> {
        let bucket = *self;
        let entries = self.keys.iter();
        entries.map(move |(key, target)| (*key, bucket.resolve(*target)))
    }

    /// The keys that lead to values, and these.
    pub fn values(&self) -> impl Iterator<Item = (&'s [u8], &'s [u8])> + use<'s> {
        self.iter().filter_map(|(key, entry)| match entry {
            Entry::Value(value) => Some((key, value)),
            Entry::Bucket(_) => None,
        })
    }

    /// The names of the buckets in this one, and these.
    pub fn buckets(&self) -> impl Iterator<Item = (&'s [u8], Self)> + use<'s> {
        self.iter().filter_map(|(key, entry)| match entry {
            Entry::Bucket(bucket) => Some((key, bucket)),
            Entry::Value(_) => None,
        })
    }

    /// How many keys there are.
    pub const fn len(&self) -> usize {
        self.keys.len()
    }

    /// Whether there is no key.
    pub const fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// The number that the bucket's writer counts up (`NextSequence`).
    pub const fn sequence(&self) -> u64 {
        self.sequence
    }

    fn resolve(&self, target: Target<'s>) -> Entry<'s> {
        match target {
            Target::Value(value) => Entry::Value(value),
            Target::Bucket(place) => Entry::Bucket(self.contents.bucket(place)),
        }
    }
}

impl fmt::Debug for Bucket<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let keys = self
            .keys
            .iter()
            .map(|(key, _)| key.escape_ascii().to_string());
        f.debug_list().entries(keys).finish()
    }
}

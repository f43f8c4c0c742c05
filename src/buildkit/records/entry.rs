//! What records are made of.

use super::interner::Text;
use crate::go_json::Timestamp;
use crate::prelude::*;

/// A result of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct CacheResult {
    pub time: Timestamp,
    /// Top of the layer chain; `NONE` for a chain without layers.
    pub node: u32,
    /// Whose it is: 0 for what was added, then the merged caches in their order. A
    /// smaller one outranks the others, whatever their times are.
    pub rank: u32,
}

/// One alternative of one input.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Link {
    pub input: u32,
    pub source: u32,
    pub selector: Text,
}

/// A record.
#[derive(Clone, Debug, Default)]
pub(crate) struct Entry {
    pub digest: Text,
    /// Number of inputs.
    pub arity: u32,
    /// In the order in which they were given.
    pub links: Vec<Link>,
    pub results: Vec<CacheResult>,
    /// The record this one was merged into, or itself.
    pub alias: u32,
    /// Greater than the level of every source (guarded merging only). It is never
    /// lowered, so that it can be greater than the number of records.
    pub level: u64,
    /// Number of links that start here.
    pub children: u32,
}

/// What a session noticed while records were added.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Note {
    /// A link to this source was dropped, since it would have closed a loop.
    Loop { record: u32, source: u32 },
    /// A result was dropped in favour of one of the same instant and length.
    Result { record: u32, time: Timestamp },
    /// This record was merged into another one.
    Merged { from: u32, into: u32 },
}

/// Records whose digest begins with this are never kept.
pub(crate) const RANDOM: &str = "random:";

/// One alternative of an input, as the caller gives it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Given {
    pub source: Origin,
    pub selector: Text,
}

/// What a link starts at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// A record of this session, by a handle.
    Record(u32),
    /// A record of another session, by its digest.
    Foreign(String),
    /// Nothing: the record was refused.
    Nothing,
}

/// Rank, instant in seconds and nanoseconds, and the chain's length or path.
pub(crate) type Key = (u32, i64, u32, u32);

/// The newest result of whoever comes first, of equal ones the first.
pub(crate) fn newest(results: &[CacheResult]) -> Option<&CacheResult> {
    let mut results = results.iter();
    let first = results.next()?;
    Some(results.fold(first, |best, next| {
        let later = next.time.instant() > best.time.instant();
        if next.rank < best.rank || (next.rank == best.rank && later) {
            next
        } else {
            best
        }
    }))
}

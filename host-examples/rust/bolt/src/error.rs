//! What can be wrong with a database.

use std::{fmt, io};

/// Why a database cannot be read. The caller knows its path and names it.
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// The file cannot be read.
    Io(io::Error),
    /// Neither meta page is valid.
    NotBolt,
    /// Transactions were committed during every attempt to read it.
    Unstable {
        /// How often it was read.
        attempts: u32,
    },
    /// A page is not what it should be.
    Damaged {
        /// The page; that of the bucket around it, for a bucket inside a value.
        page: u64,
        /// What is wrong with it.
        damage: Damage,
    },
    /// Larger than one of the caller's [`Limits`](crate::Limits).
    TooLarge {
        /// The name of the limit.
        limit: &'static str,
        /// Its value.
        value: u64,
    },
}

/// What is wrong with a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Damage {
    /// It lies outside the file, or where no page can be.
    Outside,
    /// It names another page as itself.
    Id,
    /// It is not of the kind that is expected here.
    Kind,
    /// It is used in two places, or is both used and free.
    Twice,
    /// A branch has no pages below it.
    Empty,
    /// Its elements leave gaps, overlap, or end outside.
    Bounds,
    /// The mark of an element is neither that of a value nor that of a bucket.
    Mark,
    /// A key is empty.
    Key,
    /// Its keys do not ascend, or belong to another page.
    Order,
    /// The value that describes a bucket is too short.
    Bucket,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(error) => write!(f, "cannot read the database: {error}"),
            Self::NotBolt => f.write_str("not a bolt database: neither meta page is valid"),
            Self::Unstable { attempts } => write!(
                f,
                "the database is not stable: it changed during each of {attempts} readings; \
                 try again when less is written to it"
            ),
            Self::Damaged { page, damage } => write!(
                f,
                "the database is not stable or damaged: page {page} {damage}; a copy must be \
                 made while nothing writes to the database"
            ),
            Self::TooLarge { limit, value } => {
                write!(f, "the database is above the limit of {value} {limit}")
            }
        }
    }
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Outside => "lies outside the file",
            Self::Id => "names another page as itself",
            Self::Kind => "is not of the kind expected there",
            Self::Twice => "is used twice",
            Self::Empty => "is a branch without pages below it",
            Self::Bounds => "has elements with gaps, overlaps or ends outside",
            Self::Mark => "has an element that is neither a value nor a bucket",
            Self::Key => "has an empty key",
            Self::Order => "has keys out of order",
            Self::Bucket => "has a bucket that is too short",
        })
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Io(error) => Some(error),
            _ => None,
        }
    }
}

impl From<io::Error> for Error {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

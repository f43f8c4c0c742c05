//! Directory trees as text: what the Go library go-mtree writes, reads and
//! compares with the keywords type, link, uid, gid, xattr, mode, sha256digest
//! (stacker spec, section 9).
//!
//! A [`Tree`] is made of what a host's walk answered. It can be written as text
//! ([`Tree::text`]) and compared with a recorded text ([`compare`]). Names are
//! bytes; in texts they are encoded with [`vis`].

pub mod base64;

mod compare;
mod parse;
mod text;
mod tree;
mod vis;

use core::fmt;

use crate::prelude::*;

pub use compare::{Change, ChangeKind, KeyChange, compare};
pub use parse::Spec;
pub use text::{Header, WallTime};
pub use tree::{InvalidTree, Tree};
pub use vis::{unvis, vis};

/// The keywords that are written and compared, in the order of the words of an
/// entry.
pub const KEYWORDS: [&str; 7] = [
    "type",
    "link",
    "uid",
    "gid",
    "xattr",
    "mode",
    "sha256digest",
];

/// Why a recorded text cannot be compared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SpecError {
    /// A line of 65,536 bytes or more.
    LineTooLong,
    /// A name that is not a valid encoding.
    BadName(String),
    /// Comparing it would take more steps than allowed.
    TooLarge,
}

impl fmt::Display for SpecError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::LineTooLong => f.write_str("a line of the recorded text is too long"),
            Self::BadName(name) => write!(f, "{name:?} is not an encoded name"),
            Self::TooLarge => f.write_str("the recorded text is too large to compare"),
        }
    }
}

impl core::error::Error for SpecError {}

//! Directory trees as text: what the Go library go-mtree writes, reads and
//! compares with the keywords type, link, uid, gid, xattr, mode, sha256digest
//! (stacker spec, section 9).
//!
//! A [`Tree`] is made of what a host's walk answered. It can be written as text
//! ([`Tree::text`]) and compared with a recorded text ([`compare`]). Names are
//! bytes; in texts they are encoded with [`vis`].

mod compare;
mod parse;
mod text;
mod tree;
mod vis;

pub use compare::{Change, ChangeKind, KeyChange, compare};
pub use parse::{Spec, SpecError};
pub use text::{Header, KEYWORDS, WallTime};
pub use tree::{InvalidTree, Tree};
pub use vis::{unvis, vis};

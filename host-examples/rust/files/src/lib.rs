//! The file system that a host lends: `layerwise::host::Filesystem` over opened
//! directories.
//!
//! | file | what it decides |
//! |---|---|
//! | `encoding` | how names of any bytes are written as text |
//! | `asked` | what a path that was asked for says |
//! | `roots` | which directories are open, and under which names |
//! | `resolve` | where a path leads, and that it never leads out |
//! | `place` | how the thing at a place is looked at and opened |
//! | `facts` | what an entry tells |
//! | `walk` | the order of a walk |
//! | `digest` | SHA-256 of a file |
//! | `team` | work on several threads |
//! | `write` | atomic replacement |
//! | `change` | renaming and removing |
//! | `lock` | one writer a directory |
//!
//! The contract is `wit/filesystem.wit`. No path of several parts is handed to
//! the system except through cap-std, which keeps it below the opened directory;
//! everything else is done to single names in directories that are open, without
//! following links. What links say is read and followed here, part by part.
//!
//! Unix only: elsewhere there are no modes, owners and attributes to tell, and
//! the crate is empty.
#![cfg(unix)]

mod asked;
mod cause;
mod change;
mod digest;
mod encoding;
mod facts;
mod files;
mod lock;
mod place;
mod progress;
mod read;
mod resolve;
mod roots;
mod team;
mod walk;
mod write;

pub use encoding::{Malformed, decode, encode};
pub use files::Files;
pub use roots::{Access, Root};
pub use walk::WalkLimits;

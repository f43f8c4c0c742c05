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
//! | `parallel` | work on several threads |
//! | `queue` | work that waits for a thread |
//! | `write` | atomic replacement |
//! | `reserved` | the names that writing uses itself |
//! | `change` | renaming and removing |
//! | `lock` | one writer a directory |
//! | `tree` | a directory in which no link is followed at all |
//! | `wasi` | the same over `wasi:filesystem` |
//! | `failure` | what an I/O error says |
//!
//! The contract is `wit/filesystem.wit`. No path of several parts is handed to
//! the system except through cap-std, which keeps it below the opened directory;
//! everything else is done to single names in directories that are open, without
//! following links. What links say is read and followed here, part by part.
//!
//! All that is Unix only, for elsewhere there are no modes, owners and attributes to
//! tell. [`Tree`], which stores keep their files in, is there on every system.

#[cfg(unix)]
mod asked;
#[cfg(unix)]
mod cause;
#[cfg(unix)]
mod change;
#[cfg(unix)]
mod digest;
#[cfg(unix)]
mod encoding;
#[cfg(unix)]
mod facts;
mod failure;
#[cfg(unix)]
mod files;
#[cfg(unix)]
mod lock;
pub mod parallel;
#[cfg(unix)]
mod place;
#[cfg(unix)]
mod progress;
#[cfg(unix)]
mod queue;
#[cfg(unix)]
mod read;
#[cfg(unix)]
mod reserved;
#[cfg(unix)]
mod resolve;
#[cfg(unix)]
mod roots;
mod tree;
#[cfg(unix)]
mod walk;
#[cfg(target_family = "wasm")]
mod wasi;
#[cfg(unix)]
mod write;

#[cfg(unix)]
pub use encoding::{Malformed, decode, encode};
pub use failure::failure;
#[cfg(unix)]
pub use files::Files;
#[cfg(unix)]
pub use roots::{Access, Root};
pub use tree::{Tree, too_large};
#[cfg(unix)]
pub use walk::WalkLimits;

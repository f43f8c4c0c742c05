//! The documents of a build: what a daemon, a file or a client keeps of it.
//!
//! | file | what it does |
//! |---|---|
//! | `assemble` | a build from all of its documents |
//! | `before` | which build it is compared with |
//! | `describe` | what is known of it as a whole |
//! | `parts` | which blobs belong to a build |
//! | `record` | the record of the history |
//! | `status` | the log, and `--progress=rawjson` |
//! | `predicate` | the definition of the steps, from provenance |
//! | `contents` | the digests of the files of a context |
//! | `daemon` | the keys of a daemon's own cache |
//! | `logged` | the steps of a build that has nothing but a log |
//! | `llb` | the definition of a build that was not made yet |
//! | `folder` | the files of a context |
//! | `wire` | the protobuf that four of them are written in |
//! | `bad` | why one of them cannot be read |

pub mod assemble;
pub mod bad;
pub mod before;
pub mod contents;
pub mod daemon;
pub mod describe;
pub mod folder;
pub mod llb;
mod logged;
pub mod metadata;
pub mod parts;
pub mod predicate;
pub mod record;
pub mod status;
mod wire;

//! Reads bolt databases (Go's `go.etcd.io/bbolt`), which containerd and BuildKit keep
//! their metadata in.
//!
//! The program that writes a database holds an exclusive lock on it for as long as it
//! runs, so a reader that asks for the lock waits for ever. Nothing here asks for it:
//! [`Database::read`] takes a copy of the file that is the state after one committed
//! transaction, whatever is written meanwhile, and [`Database::snapshot`] reads it.
//!
//! Why a copy can be exact without a lock: pages are never changed in place. Those that
//! transaction T can reach become free when T+1 commits and are used again by T+2 at the
//! earliest, and each transaction ends with the write of its meta page. So if the newest
//! meta page is T's before the file is read and still T's after it, nothing that T can
//! reach was overwritten in between. Otherwise the file is read again.
//!
//! Only meta pages have a checksum. All else is checked when a [`Snapshot`] is made, so
//! that using one cannot fail: each page is where it says it is, is of the kind that is
//! expected there, is used once and is not free; keys ascend and lie between those of
//! the branches above them; keys and values fill their page without gaps or overlaps.
//!
//! | file | what it does |
//! |---|---|
//! | `database` | takes an exact copy of a file that is being written |
//! | `meta` | finds the newest of the two meta pages |
//! | `page` | splits a page into its elements |
//! | `walk` | visits every page that can be reached |
//! | `snapshot` | buckets, keys and values |
//! | `error` | what can be wrong |

mod database;
mod error;
mod limits;
mod meta;
mod page;
mod snapshot;
mod walk;

pub use database::Database;
pub use error::{Damage, Error};
pub use limits::Limits;
pub use snapshot::{Bucket, Entry, Snapshot};

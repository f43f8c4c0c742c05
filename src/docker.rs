//! Docker's classic builder image cache: does an image exist that is the result
//! of this step? (Docker spec)
//!
//! `decide` is the lookup, one step after the other as the Docker spec, section 4,
//! tells it: `local` judges the children of the parent, `candidate` the sources, and a
//! `trace` is told every verdict. They stand on `store` (what is known of the host's
//! images, with `listing` for children and `dry_run` for changes that are not made),
//! on the predicates (`key`, `platform`, `history`, `lineage`), and on `restore`
//! (making an image out of a source's history). `explain` is the trace that makes a
//! finding of each verdict; `last` are the images that go first there. `images` compares
//! two images, `closest` finds that of an earlier build. `recorded` reads what a builder asked out of the images that it made. `config` is the table of a container config's fields, `version` holds
//! what changed between engine versions, as data.

mod answer;
mod base;
mod candidate;
mod child;
mod closest;
mod compare;
pub(crate) mod config;
mod containerd;
mod decide;
mod dry_run;
mod explain;
mod frames;
mod functions;
pub(crate) mod history;
pub(crate) mod image;
mod images;
pub(crate) mod instruction;
mod key;
mod last;
mod lineage;
mod listing;
mod local;
mod options;
pub(crate) mod platform;
mod read;
mod reason;
mod recorded;
mod request;
mod restore;
mod session;
mod source;
mod store;
pub mod testing;
mod text;
mod trace;
pub(crate) mod version;

#[doc = include_str!("docker/SPEC.md")]
pub mod spec {}

pub use answer::{Answer, Creation, Effect, Link, Outcome};
pub use closest::closest_history;
pub use compare::Comparison;
pub use containerd::Containerd;
pub use functions::{compare_parent, encode_image, normalize_platform, step_platform};
pub use images::{ImageComparison, Made, StepComparison, compare_images};
pub use options::{CacheFrom, LIMITS, Options, Policy, Step, StoreKind};
pub use reason::Reason;
pub use recorded::{Recorded, Recording, recorded_steps};
pub use session::Session;
pub use version::Order;

//! The layer metadata restorer (Buildpacks spec, section 5): which metadata
//! files a build finds again, taken from the application image and from the
//! cache.
//!
//! `group` and `directories` check what is given and what is there, `table` is
//! the decision about one layer, `plan` walks over a group and collects decisions
//! and files, `lines` says what upstream logs, `explain` turns a plan into an
//! explanation. `session` computes everything first and then writes.

mod context;
mod decision;
mod directories;
mod explain;
mod group;
mod lines;
mod plan;
mod request;
mod session;
mod table;

pub use decision::{Decision, Origin, PlannedFile, RecordedSha, RestorePlan};
pub use request::{GroupElement, RestoreOptions, RestorePolicy, RestoreRequest, ShaStore};
pub use session::Restorer;

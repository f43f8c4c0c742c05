//! Builds by BuildKit: what their steps did, the cache keys of their operations, and
//! why a step ran again (Builds spec).
//!
//! * `model` has what a build left behind, as values; the readers make them.

mod model;
pub mod read;
mod reason;
pub mod redact;

pub use reason::Reason;

pub use model::{
    Build, Definition, Dependency, Dockerfile, Input, Lines, Op, OpKind, Platform, Step, Vertex,
};

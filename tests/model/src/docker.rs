//! The image cache of Docker's classic builder, compatible reading, newest
//! rules. Section numbers are those of the Docker specification.
//!
//! From the bottom up: `json` and `time` read what Go reads, `document` gives
//! the members of a document meaning, `platform` and `predicates` compare,
//! `store` keeps images, `lookup` decides. `case` is one random question,
//! `generate` makes them up, `laws` says what must
//! hold for every one, and `vector` writes one as a conformance vector.

pub mod case;
pub mod document;
pub mod generate;
pub mod json;
pub mod laws;
pub mod lookup;
pub mod platform;
pub mod predicates;
pub mod store;
pub mod time;
pub mod vector;

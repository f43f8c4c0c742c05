//! Records, the links between them, and the layer chains of their results.
//!
//! Everything is numbered: records, texts, descriptors and chains of layers, so
//! that a hundred thousand of them fit and nothing recurses.

mod add;
pub mod blobs;
pub mod copy;
pub mod engine;
pub mod entry;
mod fewest;
pub mod graph;
pub mod index_vec;
pub mod interner;
pub mod lost_links;
pub mod names;
pub mod notes;
pub mod rules_2020;
pub mod source;
pub mod web;
mod xxh64;

//! Records, the links between them, and the layer chains of their results.
//!
//! Everything is numbered: records, texts, descriptors and chains of layers, so
//! that a hundred thousand of them fit and nothing recurses.

pub mod add;
pub mod blobs;
pub mod graph;
pub mod index_vec;
pub mod interner;
pub mod names;
pub mod rules_2020;
pub mod source;
pub mod web;
mod xxh64;

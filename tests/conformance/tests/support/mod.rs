//! What several test files of one system share, a file a system.

#![allow(
    dead_code,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::missing_panics_doc,
    reason = "each test binary uses its part, and a failing test is meant to panic"
)]

pub mod cache_image;
pub mod docker;
pub mod leaves;
pub mod stacker;

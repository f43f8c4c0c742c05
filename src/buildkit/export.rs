//! Records in, a cache out.

mod config;
pub mod document;
mod draft;
pub mod exporter;
pub mod layout;
mod manifest;
pub mod pick;
pub mod plan;
pub mod push;
pub mod record;
mod review;

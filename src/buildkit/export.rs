//! Records in, a cache out.

pub mod exporter;
pub mod layout;
pub mod plan;
pub mod push;
pub mod record;

//! The parts that other writers of layouts use; `crate::layout` exports them.

pub use super::blobs::{DIRECTORY as BLOBS, TEMPORARY};
pub use super::index::{Index, NAME as INDEX_NAME, read as read_index};
pub use super::lock::Lock;
pub use super::make::layout as create;
pub use super::schema::{Descriptor, REF_NAME, check_layout, open};
pub use super::update::is_name;

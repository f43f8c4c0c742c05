//! What every writer of an image layout directory shares: the lock, `index.json`
//! with the members of other tools kept, and replacing files at one stroke.

pub use crate::files::read;
pub use crate::oci_layout::parts::{
    BLOBS, Descriptor, INDEX_NAME, Index, Lock, REF_NAME, TEMPORARY, check_layout, create, is_name,
    open, read_index,
};

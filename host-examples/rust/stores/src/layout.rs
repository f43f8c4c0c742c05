//! What every writer of an image layout directory shares: the lock, `index.json`
//! with the members of other tools kept, and replacing files at one stroke.

pub use crate::files::{failure, read, replace};
pub use crate::oci_layout::parts::{
    Descriptor, Index, Lock, REF_NAME, TEMPORARY, check_layout, create, index_path, is_name,
    read_index,
};

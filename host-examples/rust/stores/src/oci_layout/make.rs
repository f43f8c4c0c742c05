//! Making an empty layout.

use layerwise::host::{Failure, FailureCode};
use layerwise_files::Tree;

use super::blobs::{DIRECTORY, TEMPORARY};
use super::index::{self, Index};
use super::lock::{LOCK_WAIT, Lock};
use super::schema::{LAYOUT_FILE, layout_file};

/// Makes an empty layout, unless there is one. `oci-layout` comes last: it is
/// what makes a directory a layout.
///
/// # Errors
/// `conflict` when other things are there; `denied`, `full`.
pub fn layout(root: &Tree) -> Result<(), Failure> {
    if root.kind(LAYOUT_FILE)?.is_some() {
        return Ok(());
    }
    for name in root.names()? {
        let name = name.to_string_lossy();
        if !matches!(&*name, "blobs" | index::NAME | LAYOUT_FILE)
            && !name.starts_with(".layerwise.")
        {
            let path = root.path();
            return Err(Failure::new(
                FailureCode::Conflict,
                format!("{path:?} is not an oci image layout and holds {name:?}"),
            ));
        }
    }
    let _lock = Lock::take(root, LOCK_WAIT)?;
    root.make(&[DIRECTORY, "sha256"])?;
    let write = |name, text: &[u8]| root.replace(root, name, TEMPORARY, text, || Ok(true));
    if root.kind(index::NAME)?.is_none() {
        write(index::NAME, &Index::empty().to_text()?)?;
    }
    write(LAYOUT_FILE, layout_file().as_bytes())?;
    Ok(())
}

//! Stores as people write them: opened, or answered with the words to write.

use std::path::Path;

use layerwise_stores::{DATA_ROOT, OpenError, Opened};

use crate::failed::Failed;

/// Opens a store.
pub fn open(spec: &str) -> Result<Opened, Failed> {
    layerwise_stores::open(spec).map_err(|error| match words(spec, &error) {
        Some(words) => {
            let lack = match error {
                OpenError::Path(_) => "has no path",
                _ => "does not say what kind of store it is",
            };
            Failed::usage(format!("{spec:?} {lack}: write --store {words}")).about(spec)
        }
        None => error.into(),
    })
}

/// What to write instead of a store that was given without its kind or its path.
fn words(spec: &str, error: &OpenError) -> Option<String> {
    match (error, spec) {
        (OpenError::Path(_), "containerd:") => Some(format!("containerd:{DATA_ROOT}")),
        (OpenError::Path(_), "oci:") => Some("oci:DIRECTORY, such as oci:./layout".to_owned()),
        (OpenError::Kind(_), "docker") => Some(format!("docker:{DATA_ROOT}")),
        (OpenError::Kind(_), "memory") => Some("memory:".to_owned()),
        (OpenError::Kind(_), path) => {
            let directory = Path::new(path);
            if directory.join("oci-layout").exists() || directory.join("index.json").exists() {
                Some(format!("oci:{path}"))
            } else if directory == Path::new(DATA_ROOT)
                || directory.join("image").exists()
                || directory.join("imagedb").exists()
                || directory.join("containerd").exists()
            {
                Some(format!("docker:{path}"))
            } else {
                None
            }
        }
        _ => None,
    }
}

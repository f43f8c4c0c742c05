//! Storing one layer in a volume cache, as a tar file that is not compressed.

use std::path::Path;

use layerwise::host::{Failure, FailureCode, Source, Stored, Transfer};
use layerwise::oci::Descriptor;
use layerwise_stores::place::Place;

use crate::content::Counted;
use crate::failures;
use crate::repositories::Repositories;

/// Stores one layer in what is being written.
pub fn one(all: &Repositories, path: &Path, layer: &Transfer) -> Result<Stored, Failure> {
    let staging = all.staging(path)?;
    let wanted = &layer.descriptor;
    let progress = &all.options.progress;
    let (digest, size, written) = match &layer.source {
        Source::Repository(from) => match Place::parse(from)? {
            Place::Volume(same) if same == path => {
                staging.reuse(&failures::digest(&wanted.digest)?)?
            }
            from => all.with_blob(&from, wanted, true, |blob| {
                staging.add(Counted::new(
                    blob.open()?,
                    progress,
                    &wanted.digest,
                    blob.size,
                ))
            })?,
        },
        Source::File(file) => {
            let paths = all.options.paths.as_ref();
            let paths = paths.ok_or_else(|| failures::unsupported("no files can be read"))?;
            staging.add(Counted::new(paths.file(file)?, progress, file, 0))?
        }
        Source::Provider(name) => {
            let provider = all.options.provider.as_ref();
            let provider = provider.ok_or_else(|| {
                failures::unsupported(&format!("nothing provides the layer {name:?}"))
            })?;
            staging.add(Counted::new(
                provider.open(name, wanted)?,
                progress,
                name,
                0,
            ))?
        }
    };
    if !wanted.digest.is_empty() && digest.as_str() != wanted.digest {
        let message = format!(
            "the layer has the digest {digest}, and {:?} is wanted",
            wanted.digest
        );
        return Err(failures::new(FailureCode::Conflict, message));
    }
    Ok(Stored {
        descriptor: Descriptor {
            digest: digest.to_string(),
            size,
            ..wanted.clone()
        },
        diff_id: Some(digest.to_string()),
        written,
    })
}

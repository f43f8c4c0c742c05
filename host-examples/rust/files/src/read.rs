//! Reading the text of a file.

use std::io::Read as _;

use layerwise::host::{Content, FailureCode};

use crate::cause::Cause;
use crate::digest::{of_bytes, size};
use crate::encoding::lossy;
use crate::place::Place;

/// Reads a regular file of at most `limit` bytes.
pub fn read(place: &Place, limit: u64) -> Result<Content, Cause> {
    let (file, stat) = place.open_file()?;
    let too_large = |size: u64| {
        let words = format!("it has {size} bytes, more than the limit of {limit}");
        Cause::new(FailureCode::TooLarge, words)
    };
    if size(&stat) > limit {
        return Err(too_large(size(&stat)));
    }
    let mut bytes = Vec::new();
    file.take(limit.saturating_add(1)).read_to_end(&mut bytes)?;
    let length = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
    if length > limit {
        return Err(too_large(length));
    }
    let digest = of_bytes(&bytes);
    let (text, lossy) = lossy(bytes);
    Ok(Content {
        text,
        lossy,
        digest,
    })
}

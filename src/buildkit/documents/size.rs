//! The size that importers accept of a document (BuildKit spec, section 7.1).

use super::descriptor::Descriptor;
use crate::buildkit::findings::Findings;
use crate::buildkit::reason::{Finding, Reason};
use crate::explain::Difference;
use crate::prelude::*;

/// What importers accept of a config or manifest, in bytes.
pub const IMPORT_LIMIT: u64 = 1_048_576;

/// Why importers refuse a document for the size it is said to have.
pub(crate) fn too_large(descriptor: &Descriptor) -> Option<String> {
    let Descriptor { digest, size, .. } = descriptor;
    let large = u64::try_from(*size).is_ok_and(|size| size > IMPORT_LIMIT);
    large.then(|| format!("blob {digest} is too large ({size} > {IMPORT_LIMIT})"))
}

/// What importers say to the size of a document.
pub(crate) fn size(what: &str, length: usize, findings: &mut Findings) {
    let length = length as u64;
    let facts = [Difference::new(
        "size",
        length.to_string(),
        format!("at most {IMPORT_LIMIT}"),
    )];
    if length > IMPORT_LIMIT {
        findings.push(Finding::new(Reason::TooLarge, what).with(facts));
    } else if length > IMPORT_LIMIT / 5 * 4 {
        findings.push(Finding::new(Reason::NearLimit, what).with(facts));
    }
}

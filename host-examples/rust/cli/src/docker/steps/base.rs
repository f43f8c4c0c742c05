//! The image that the steps of another one stand on.

use layerwise::docker::Reason;
use layerwise::error::Problem;
use layerwise::host::{Image, ImageStore, Provenance};
use layerwise::semantics::Semantics;
use layerwise_host::Error;
use layerwise_host::docker::Predicates;
use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};

use super::document::{BUILT, DOCUMENT, Document, document, one};

/// The operation of errors about the image that steps begin at.
pub const FIND_BASE: &str = "find base";

/// What the steps of an image stand on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Base {
    /// The image's id.
    pub image: String,
    /// How many history entries it has.
    pub entries: usize,
}

/// The base that was asked for, if the image continues it.
pub fn given_base(
    predicates: &mut Predicates,
    image: &Image,
    base: &Image,
    semantics: &Semantics,
) -> Result<Base, Error> {
    let entries = document(predicates, base, semantics)?.history.len();
    let text = image.document.as_deref().unwrap_or_default();
    let parent = base.document.as_deref();
    match predicates.compare_parent(text, parent, semantics)? {
        None => Ok(Base {
            image: base.id.clone(),
            entries,
        }),
        Some(finding) => {
            let problem = Problem::new(
                finding.code.clone(),
                FIND_BASE,
                &base.id,
                format!("the image does not continue it ({})", finding.code),
            );
            Err(layerwise::error::Error::Invalid(problem).into())
        }
    }
}

/// Whether an image was built here, as far as the store tells.
pub fn built_here(store: &dyn ImageStore, id: &str) -> bool {
    one(store, id, BUILT).is_ok_and(|image| image.built == Provenance::BuiltHere)
}

/// The base of an image without a recorded parent, as all are that were pulled or
/// loaded, or whose parent is gone: among the other images without one, and their
/// children, the longest that it continues by history and layers.
pub fn base_by_history(
    predicates: &mut Predicates,
    store: &dyn ImageStore,
    image: &Image,
    own: &Document,
    semantics: &Semantics,
) -> Result<Option<Base>, Error> {
    let document = image.document.as_deref().unwrap_or_default();
    let mut longest: Option<Base> = None;
    loop {
        let at = longest.as_ref().map(|base| base.image.as_str());
        let mut found = None;
        let mut most = longest.as_ref().map_or(0, |base| base.entries);
        for id in store.children(at).unwrap_or_default() {
            let Ok(other) = one(store, &id, DOCUMENT) else {
                continue;
            };
            let length = other.document.as_deref().and_then(entries);
            let Some(length) = length.filter(|n| (most + 1..own.history.len()).contains(n)) else {
                continue;
            };
            match predicates.compare_parent(document, other.document.as_deref(), semantics) {
                // Made from this image, or one like it, rather than the other way round.
                Ok(None) if is_restored(predicates, &other, length, semantics)? => {}
                Ok(None) => {
                    most = length;
                    found = Some(id);
                }
                Ok(Some(_)) | Err(Error::Refused(_)) => {}
                Err(stopped) => return Err(stopped),
            }
        }
        let Some(image) = found else { break };
        longest = Some(Base {
            image,
            entries: most,
        });
    }
    Ok(longest)
}

/// Whether the last step of an image was restored from a source.
fn is_restored(
    predicates: &mut Predicates,
    image: &Image,
    entries: usize,
    semantics: &Semantics,
) -> Result<bool, Error> {
    let Some(document) = &image.document else {
        return Ok(false);
    };
    let last = u32::try_from(entries.saturating_sub(1)).unwrap_or(u32::MAX);
    let made = [Some(document.clone())];
    let recording = predicates.recorded_steps(document, last, &made, semantics)?;
    let mut findings = recording.findings.iter();
    Ok(findings.any(|finding| finding.code == Reason::RestoredCommand))
}

/// How many history entries a document has.
fn entries(document: &str) -> Option<usize> {
    #[derive(Deserialize)]
    struct Counted {
        #[serde(default)]
        history: Vec<IgnoredAny>,
    }
    let counted: Counted = serde_json::from_str(document).ok()?;
    Some(counted.history.len())
}

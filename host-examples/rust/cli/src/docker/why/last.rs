//! Which image the last build made.

use layerwise::host::{FailureCode, Image, ImageStore as _};

use super::args::WhyArgs;
use crate::docker::opened::Opened;
use crate::failed::Failed;
use crate::io::LONGEST;

/// So many images are held against the Dockerfile at once.
const BATCH: usize = 32;

/// Its id. `commands` is what the history of the image would say that is built now; it
/// is asked for only if no name says which image is meant.
pub fn image(
    opened: &Opened<'_>,
    args: &WhyArgs,
    commands: impl FnOnce() -> Result<Vec<String>, Failed>,
) -> Result<Option<String>, Failed> {
    if let Some(tag) = &args.tag {
        return match opened
            .store
            .resolve(std::slice::from_ref(tag), LONGEST)
            .pop()
        {
            Some(Ok(image)) => Ok(Some(image.id)),
            Some(Err(failure)) if failure.code != FailureCode::NotFound => {
                Err(crate::lend::failed(failure))
            }
            _ => Ok(None),
        };
    }
    match args.last.as_deref() {
        None => Ok(None),
        Some("") => fitting(opened, &commands()?),
        Some(name) => {
            let image = opened.image("the image of the last build", name)?;
            Ok(image.map(|image| image.id))
        }
    }
}

/// The named image whose history has most of these commands; of these the newest.
fn fitting(opened: &Opened<'_>, commands: &[String]) -> Result<Option<String>, Failed> {
    let limits = opened.args.limits.of_session();
    let mut predicates = opened.engine.docker_predicates(limits)?;
    let mut best: Option<Image> = None;
    for names in opened.names.chunks(BATCH) {
        let images = opened.store.resolve(names, LONGEST).into_iter().flatten();
        let images: Vec<Image> = best.take().into_iter().chain(images).collect();
        let documents: Vec<String> = images
            .iter()
            .filter_map(|image| image.document.clone())
            .collect();
        let place = predicates.closest_history(&documents, commands, &opened.semantics)?;
        best = place.and_then(|place| images.into_iter().nth(place));
    }
    Ok(best.map(|image| image.id))
}

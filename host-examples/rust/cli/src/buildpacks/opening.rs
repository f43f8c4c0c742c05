//! How caches and directories are opened, by what the arguments say.

use layerwise::buildpacks::{ImageOptions, ImagePolicy};
use layerwise::semantics::{Reading, Semantics};
use layerwise_registry::{Options, Owners, SetId};

use super::args::{ScopeArgs, SessionArgs};
use crate::failed::Failed;
use crate::interrupt;

/// What references to volume caches begin with.
pub const VOLUME: &str = "volume:";

/// How layers are unpacked: the guarded reading drops set-id bits unless they are
/// asked for, the compatible one leaves files as the lifecycle does, which has no
/// rights of its own then.
pub fn unpacking(options: Options, keep_set_id: bool, session: &SessionArgs) -> Options {
    let compatible = session.reading.semantics().reading == Reading::Compatible;
    let options = options
        .cancelled(interrupt::flag())
        .set_id(match (keep_set_id, compatible) {
            (true, _) => SetId::Kept,
            (false, true) => SetId::AsWritten,
            (false, false) => SetId::Dropped,
        });
    if compatible {
        options.owners(Owners::Own)
    } else {
        options
    }
}

/// How a cache image is opened.
pub fn image_options(
    reference: &str,
    scope: &ScopeArgs,
    session: &SessionArgs,
    semantics: &Semantics,
) -> Result<ImageOptions, Failed> {
    let volume = reference.starts_with(VOLUME);
    if volume && (!scope.scope.is_empty() || scope.accept_unscoped) {
        return Err(Failed::usage(
            "a volume cache has no scope: leave --scope and --accept-unscoped out",
        ));
    }
    if semantics.reading == Reading::Guarded && !volume && scope.scope.is_empty() {
        return Err(Failed::usage(
            "the guarded reading needs --scope NAME, which says whose cache it is; --compatible \
             does without",
        ));
    }
    Ok(ImageOptions {
        semantics: semantics.clone(),
        reference: reference.to_owned(),
        scope: scope.scope.clone(),
        os: String::new(),
        policy: ImagePolicy {
            delete_original: false,
            accept_unscoped: scope.accept_unscoped,
            keep_integers: session.keep_integers,
        },
        limits: session.limits.named.clone(),
    })
}

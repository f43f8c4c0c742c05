//! Which stores are meant. The environment says it:
//!
//! | variable | what it is |
//! |---|---|
//! | `LAYERWISE_STORE` | the image store: `oci:DIR`, `docker:DIR`, `containerd:DIR[#NAMESPACE]`, `archive:FILE` or `memory:` |
//! | `LAYERWISE_PLATFORM` | what the engine of a `docker:` or `containerd:` store runs on, such as `linux/arm64/v8`: WASI does not tell it |
//! | `LAYERWISE_MARKS_KEY` | the file with the key that marks images of a layout as built here |
//! | `LAYERWISE_PLAIN_HTTP` | registries, with commas between them, that are spoken to without encryption |
//!
//! Directories are those that the runtime opened for the component. Credentials are found as the
//! native program finds them, in files that the runtime lends.

use std::env;

use layerwise::docker::StoreKind;
use layerwise::host::{Failure, FailureCode};
use layerwise_registry::{Options, Repositories};
use layerwise_stores::{Marks, Opened, open_with};

use crate::watch;

const STORE: &str = "LAYERWISE_STORE";
const PLATFORM: &str = "LAYERWISE_PLATFORM";
const PLAIN_HTTP: &str = "LAYERWISE_PLAIN_HTTP";

/// Opens the image store.
pub fn images() -> Result<Opened, Failure> {
    let Some(spec) = text(STORE)? else {
        let message = format!("no image store is lent: name one in {STORE}, such as oci:DIR");
        return Err(Failure::new(FailureCode::Unsupported, message));
    };
    let opened = open_with(&spec, Marks::of_user)
        .map_err(|error| Failure::new(code(&error), error.to_string()))?;
    if opened.kind == StoreKind::Containerd && text(PLATFORM)?.is_none() {
        let message = format!(
            "cannot open the store {spec:?}: WASI does not tell what its engine runs on: name it \
             in {PLATFORM}, such as linux/amd64"
        );
        return Err(Failure::new(FailureCode::Unsupported, message));
    }
    for passed in &opened.passed {
        watch::warn(&format!(
            "{spec:?}: {} is passed over: {}",
            passed.digest, passed.failure
        ));
    }
    for image in &opened.unproved {
        watch::warn(&format!(
            "{spec:?}: the mark that image {image} was built here does not hold"
        ));
    }
    Ok(opened)
}

/// Registries, layouts and volume caches.
pub fn repositories() -> Result<Repositories, Failure> {
    let hosts = text(PLAIN_HTTP)?.unwrap_or_default();
    let hosts = hosts.split(',').filter(|host| !host.is_empty());
    Repositories::new(hosts.fold(Options::default(), Options::plain_http))
}

/// The text of a variable that is set and not empty.
fn text(name: &str) -> Result<Option<String>, Failure> {
    match env::var(name) {
        Ok(text) => Ok(Some(text).filter(|text| !text.is_empty())),
        Err(env::VarError::NotPresent) => Ok(None),
        Err(env::VarError::NotUnicode(_)) => {
            let message = format!("{name} is not text");
            Err(Failure::new(FailureCode::Invalid, message))
        }
    }
}

fn code(error: &layerwise_stores::OpenError) -> FailureCode {
    match error {
        layerwise_stores::OpenError::Store(_, failure) => failure.code,
        _ => FailureCode::Invalid,
    }
}

//! Credentials: given, or from where the tools of this field keep them.
//!
//! | place | what it is |
//! |---|---|
//! | `CNB_REGISTRY_AUTH` | JSON of registries and `Authorization` headers, as platforms give it to the Buildpacks lifecycle |
//! | `REGISTRY_AUTH_FILE` | a file that Podman, Buildah and Skopeo were told of |
//! | `$DOCKER_CONFIG/config.json`, else `~/.docker/config.json` | what `docker login` writes |
//! | `$XDG_RUNTIME_DIR/containers/auth.json`, then `~/.config/containers/auth.json` | what `podman login` writes |
//!
//! The first that knows the registry counts. A helper that a file names runs only
//! when a registry asks for credentials, and once for each.

mod credentials;
mod environment;
mod file;
mod helper;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use layerwise::host::Failure;

pub use credentials::Credentials;

/// Where credentials come from.
#[derive(Clone, Debug)]
pub struct Keychain {
    given: BTreeMap<String, Credentials>,
    environment: bool,
    files: Vec<PathBuf>,
    found: Arc<Mutex<Found>>,
}

/// What files and helpers said, by the file and the key in it.
type Found = BTreeMap<(PathBuf, String), Option<Credentials>>;

impl Keychain {
    /// Nowhere.
    pub fn none() -> Self {
        Self {
            given: BTreeMap::new(),
            environment: false,
            files: Vec::new(),
            found: Arc::default(),
        }
    }

    /// The usual places.
    pub fn usual() -> Self {
        Self {
            environment: true,
            files: file::usual(),
            ..Self::none()
        }
    }

    /// This file of Docker or Podman.
    pub fn file(path: impl Into<PathBuf>) -> Self {
        Self {
            files: vec![path.into()],
            ..Self::none()
        }
    }

    /// These credentials for a registry (`host` or `host:port`), before any file.
    #[must_use]
    pub fn with(mut self, host: &str, credentials: Credentials) -> Self {
        self.given.insert(host.to_owned(), credentials);
        self
    }

    /// The credentials for a repository of a registry, if there are any.
    ///
    /// # Errors
    /// When a place that exists cannot be read, or a helper fails.
    pub(crate) fn find(
        &self,
        host: &str,
        path: &str,
        patience: Duration,
    ) -> Result<Option<Credentials>, Failure> {
        if let Some(credentials) = self.given.get(host) {
            return Ok(Some(credentials.clone()));
        }
        if self.environment
            && let Some(credentials) = environment::find(host)?
        {
            return Ok(Some(credentials));
        }
        // Held while a helper runs: several threads ask it once.
        let mut found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        for place in &self.files {
            let Some(file) = file::File::read(place)? else {
                continue;
            };
            for key in file.keys(host, path) {
                let name = (place.clone(), key);
                let known = match found.get(&name) {
                    Some(known) => known.clone(),
                    None => {
                        let answer = file.ask(&name.1, patience)?;
                        found.insert(name, answer.clone());
                        answer
                    }
                };
                if known.is_some() {
                    return Ok(known);
                }
            }
        }
        Ok(None)
    }
}

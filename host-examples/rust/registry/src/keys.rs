//! Credentials: from the Docker config file and its helpers, or given.
//!
//! The file is `config.json` in `$DOCKER_CONFIG`, else in `~/.docker`. For a
//! registry its `credHelpers` come first, then `credsStore`, then `auths`. A
//! helper runs only when a registry asks for credentials, and once for each.

mod file;
mod helper;

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use layerwise::host::Failure;

/// The registry whose credentials Docker keeps under the name of an old one.
const HUB: &str = "docker.io";
const HUB_KEY: &str = "https://index.docker.io/v1/";

/// What proves who is asking. `Debug` shows no secret.
#[derive(Clone, PartialEq, Eq)]
pub enum Credentials {
    /// A user name and a password.
    Password {
        /// The user's name.
        user: String,
        /// The password, or a token used as one.
        password: String,
    },
    /// A token that is exchanged for others.
    Identity(String),
    /// A token that the registry itself takes.
    Bearer(String),
}

/// Where credentials come from.
#[derive(Clone, Debug)]
pub struct Keys {
    given: BTreeMap<String, Credentials>,
    file: Option<PathBuf>,
    found: Arc<Mutex<BTreeMap<String, Option<Credentials>>>>,
}

impl Keys {
    /// Nowhere.
    pub fn none() -> Self {
        Self {
            given: BTreeMap::new(),
            file: None,
            found: Arc::default(),
        }
    }

    /// The usual Docker config file.
    pub fn docker() -> Self {
        Self {
            file: file::usual(),
            ..Self::none()
        }
    }

    /// This Docker config file.
    pub fn file(path: impl Into<PathBuf>) -> Self {
        Self {
            file: Some(path.into()),
            ..Self::none()
        }
    }

    /// These credentials for a registry (`host` or `host:port`), before any file.
    #[must_use]
    pub fn with(mut self, host: &str, credentials: Credentials) -> Self {
        self.given.insert(host.to_owned(), credentials);
        self
    }

    /// The credentials for a registry, if there are any.
    ///
    /// # Errors
    /// When the file or a helper named in it cannot be used.
    pub(crate) fn find(
        &self,
        host: &str,
        patience: Duration,
    ) -> Result<Option<Credentials>, Failure> {
        if let Some(credentials) = self.given.get(host) {
            return Ok(Some(credentials.clone()));
        }
        let Some(path) = &self.file else {
            return Ok(None);
        };
        // Held while a helper runs: several threads ask it once.
        let mut found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = found.get(host) {
            return Ok(known.clone());
        }
        let key = if host == HUB { HUB_KEY } else { host };
        let config = file::Config::read(path)?;
        let credentials = match config.helper(key) {
            Some(helper) => match helper::ask(helper, key, patience)? {
                Some(credentials) => Some(credentials),
                None => config.stored(host, key, path)?,
            },
            None => config.stored(host, key, path)?,
        };
        found.insert(host.to_owned(), credentials.clone());
        Ok(credentials)
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Password { .. } => "Password",
            Self::Identity(_) => "Identity",
            Self::Bearer(_) => "Bearer",
        })
    }
}

//! The Docker config file.

use std::collections::BTreeMap;
use std::env;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use layerwise::host::{Failure, FailureCode};
use layerwise_stores::layout;
use serde::Deserialize;

use super::Credentials;
use crate::failures;

const LONGEST: u64 = 1 << 20;

/// What is used of the file.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Config {
    auths: Option<BTreeMap<String, Auth>>,
    cred_helpers: Option<BTreeMap<String, String>>,
    creds_store: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Auth {
    auth: Option<String>,
    username: Option<String>,
    password: Option<String>,
    identitytoken: Option<String>,
    registrytoken: Option<String>,
}

/// Where the file usually is.
pub fn usual() -> Option<PathBuf> {
    let set = |name: &str| env::var_os(name).filter(|value| !value.is_empty());
    let directory = match set("DOCKER_CONFIG") {
        Some(directory) => PathBuf::from(directory),
        None => env::home_dir()?.join(".docker"),
    };
    Some(directory.join("config.json"))
}

impl Config {
    /// Reads the file; one that is not there says nothing.
    pub fn read(path: &Path) -> Result<Self, Failure> {
        let bytes = match layout::read(path, LONGEST) {
            Ok(bytes) => bytes,
            Err(failure) if failure.code == FailureCode::NotFound => return Ok(Self::default()),
            Err(failure) => return Err(failure),
        };
        serde_json::from_slice(&bytes).map_err(|error| {
            // The words of the parser could quote a secret.
            let message = format!(
                "{path:?} is not a docker config file: line {}, column {}",
                error.line(),
                error.column()
            );
            failures::new(FailureCode::Invalid, message)
        })
    }

    /// The helper for a registry.
    pub fn helper(&self, key: &str) -> Option<&str> {
        let own = self
            .cred_helpers
            .as_ref()
            .and_then(|helpers| helpers.get(key));
        let helper = own.or(self.creds_store.as_ref())?;
        Some(helper.as_str()).filter(|name| !name.is_empty())
    }

    /// The credentials in the file itself.
    pub fn stored(
        &self,
        host: &str,
        key: &str,
        path: &Path,
    ) -> Result<Option<Credentials>, Failure> {
        let Some(auths) = &self.auths else {
            return Ok(None);
        };
        let found = auths.get(key).or_else(|| {
            auths
                .iter()
                .find(|(name, _)| host_of(name) == host)
                .map(|(_, auth)| auth)
        });
        found.map_or(Ok(None), |auth| auth.credentials(host, path))
    }
}

impl Auth {
    fn credentials(&self, host: &str, path: &Path) -> Result<Option<Credentials>, Failure> {
        let given = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
        if let Some(token) = given(&self.registrytoken) {
            return Ok(Some(Credentials::Bearer(token)));
        }
        if let Some(token) = given(&self.identitytoken) {
            return Ok(Some(Credentials::Identity(token)));
        }
        if let Some(auth) = given(&self.auth) {
            let decoded = STANDARD.decode(auth.trim()).ok();
            let text = decoded.and_then(|bytes| String::from_utf8(bytes).ok());
            let pair = text.as_deref().and_then(|text| text.split_once(':'));
            let Some((user, password)) = pair else {
                let message = format!("{path:?} has no user and password in \"auth\" of {host:?}");
                return Err(failures::new(FailureCode::Invalid, message));
            };
            return Ok(Some(Credentials::Password {
                user: user.to_owned(),
                password: password.trim_end_matches('\0').to_owned(),
            }));
        }
        let user = given(&self.username);
        Ok(user.map(|user| Credentials::Password {
            user,
            password: self.password.clone().unwrap_or_default(),
        }))
    }
}

/// The host of a key such as `https://host:5000/v1/`.
fn host_of(key: &str) -> &str {
    let rest = key
        .strip_prefix("https://")
        .or_else(|| key.strip_prefix("http://"))
        .unwrap_or(key);
    rest.split('/').next().unwrap_or(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stored(config: &str, host: &str) -> Option<Credentials> {
        let config: Config = serde_json::from_str(config).unwrap();
        config.stored(host, host, Path::new("config.json")).unwrap()
    }

    fn password(user: &str, password: &str) -> Option<Credentials> {
        Some(Credentials::Password {
            user: user.to_owned(),
            password: password.to_owned(),
        })
    }

    #[test]
    fn every_form_is_read() {
        let config = r#"{"auths": {
            "a:5000": {"auth": "dXNlcjpwYTpzcw=="},
            "https://b/v1/": {"username": "u", "password": "p"},
            "c": {"auth": "dTpw", "identitytoken": "id"},
            "d": {"registrytoken": "reg"},
            "e": {}
        }, "unknown": 1}"#;
        assert_eq!(stored(config, "a:5000"), password("user", "pa:ss"));
        assert_eq!(stored(config, "b"), password("u", "p"));
        assert_eq!(
            stored(config, "c"),
            Some(Credentials::Identity("id".to_owned()))
        );
        assert_eq!(
            stored(config, "d"),
            Some(Credentials::Bearer("reg".to_owned()))
        );
        assert_eq!(stored(config, "e"), None);
        assert_eq!(stored(config, "a"), None);
        assert_eq!(stored("{}", "a"), None);
    }

    #[test]
    fn helpers_go_before_the_store() {
        let config: Config = serde_json::from_str(
            r#"{"credsStore": "store", "credHelpers": {"a": "own", "b": ""}}"#,
        )
        .unwrap();
        assert_eq!(config.helper("a"), Some("own"));
        assert_eq!(config.helper("b"), None);
        assert_eq!(config.helper("c"), Some("store"));
    }

    #[test]
    fn a_broken_file_shows_no_secret() {
        let path = env::temp_dir().join(format!("layerwise-keys-{}", std::process::id()));
        std::fs::write(&path, r#"{"auths": {"a": {"auth": ["secret"]}}}"#).unwrap();
        let failure = Config::read(&path).unwrap_err();
        std::fs::remove_file(&path).unwrap();
        assert_eq!(failure.code, FailureCode::Invalid);
        assert!(!failure.message.contains("secret"), "{failure}");
        assert!(!format!("{:?}", password("u", "secret")).contains("secret"));
    }
}

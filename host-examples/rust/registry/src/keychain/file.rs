//! The files of Docker and Podman. The crate `docker_credential` reads what is kept in
//! them; here is which of them there are, and which helper they name.

use std::collections::BTreeMap;
use std::env;
use std::path::{Path, PathBuf};
use std::time::Duration;

use docker_credential::{CredentialRetrievalError, DockerCredential, get_credential_from_reader};
use layerwise::host::{Failure, FailureCode};
use layerwise_stores::layout;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::credentials::{Credentials, host_of, is_hub};
use super::helper;
use crate::failures;

/// The name under which Docker keeps the credentials of its own registry.
const HUB: &str = "https://index.docker.io/v1/";
const LONGEST: u64 = 1 << 20;

/// Where the files usually are.
pub fn usual() -> Vec<PathBuf> {
    let set = |name: &str| {
        env::var_os(name)
            .filter(|value| !value.is_empty())
            .map(PathBuf::from)
    };
    let home = env::home_dir();
    let below = |directory: &str| home.as_ref().map(|home| home.join(directory));
    let docker = set("DOCKER_CONFIG").or_else(|| below(".docker"));
    let podman = set("XDG_CONFIG_HOME").or_else(|| below(".config"));
    let auth = |directory: PathBuf| directory.join("containers/auth.json");
    [
        set("REGISTRY_AUTH_FILE"),
        docker.map(|directory| directory.join("config.json")),
        set("XDG_RUNTIME_DIR").map(auth),
        podman.map(auth),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// A file that was read.
pub struct File {
    path: PathBuf,
    /// Its bytes without the names of helpers: `docker_credential` would wait for them
    /// as long as they like.
    kept: Vec<u8>,
    names: Names,
}

/// What `docker_credential` does not look at: keys of repositories, and tokens
/// that registries take as they are; and what it is not shown.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Names {
    auths: Option<BTreeMap<String, Token>>,
    cred_helpers: Option<BTreeMap<String, String>>,
    creds_store: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Token {
    registrytoken: Option<String>,
}

impl File {
    /// Reads a file; one that is not there says nothing.
    pub fn read(path: &Path) -> Result<Option<Self>, Failure> {
        let bytes = match layout::read(path, LONGEST) {
            Ok(bytes) => bytes,
            Err(failure) if failure.code == FailureCode::NotFound => return Ok(None),
            Err(failure) => return Err(failure),
        };
        Self::parse(path, &bytes).map(Some).map_err(|error| {
            // The words of the parser could quote a secret.
            let message = format!(
                "{path:?} is not a file of credentials: line {}, column {}",
                error.line(),
                error.column()
            );
            failures::new(FailureCode::Invalid, message)
        })
    }

    fn parse(path: &Path, bytes: &[u8]) -> serde_json::Result<Self> {
        let mut kept: Map<String, Value> = serde_json::from_slice(bytes)?;
        kept.remove("credHelpers");
        kept.remove("credsStore");
        Ok(Self {
            path: path.to_owned(),
            kept: serde_json::to_vec(&kept)?,
            names: serde_json::from_slice(bytes)?,
        })
    }

    /// The keys to ask for, best first: Podman keeps credentials of repositories
    /// too, such as `host/team`.
    pub fn keys(&self, host: &str, path: &str) -> Vec<String> {
        let whole = format!("{host}/{path}");
        let contains = |key: &&String| {
            key.contains('/')
                && whole
                    .strip_prefix(key.as_str())
                    .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        let names = self.names.auths.iter().flat_map(BTreeMap::keys);
        let longest = names.filter(contains).max_by_key(|key| key.len());
        let mut keys: Vec<String> = longest.into_iter().cloned().collect();
        if is_hub(host) {
            keys.push(HUB.to_owned());
            keys.push("docker.io".to_owned());
        } else {
            keys.push(host.to_owned());
        }
        keys
    }

    /// The credentials under a key.
    pub fn ask(&self, key: &str, patience: Duration) -> Result<Option<Credentials>, Failure> {
        let tokens = self.names.auths.iter().flatten();
        let token = tokens
            .filter(|(name, _)| name.as_str() == key || host_of(name) == key)
            .find_map(|(_, token)| token.registrytoken.clone());
        if let Some(token) = token.filter(|token| !token.is_empty()) {
            return Ok(Some(Credentials::Bearer(token)));
        }
        let failed = |why: String| {
            let message = format!(
                "cannot get credentials for {key:?} by {:?}: {why}",
                self.path
            );
            failures::new(FailureCode::Unauthorized, message)
        };
        let own = self.names.cred_helpers.as_ref();
        if let Some(name) = own.and_then(|own| own.get(key)).filter(|n| !n.is_empty()) {
            return helper::ask(name, key, patience).map_err(failed);
        }
        match get_credential_from_reader(self.kept.as_slice(), key) {
            Ok(DockerCredential::IdentityToken(token)) => {
                Ok((!token.is_empty()).then_some(Credentials::Identity(token)))
            }
            Ok(DockerCredential::UsernamePassword(user, password)) => {
                let nothing = user.is_empty() && password.is_empty();
                Ok((!nothing).then(|| Credentials::Password {
                    user,
                    password: password.trim_end_matches('\0').to_owned(),
                }))
            }
            Err(CredentialRetrievalError::NoCredentialConfigured) => {
                match self.names.creds_store.as_deref() {
                    Some(name) => helper::ask(name, key, patience).map_err(failed),
                    None => Ok(None),
                }
            }
            Err(other) => Err(failed(failures::lower(&other.to_string()))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(text: &str) -> File {
        File::parse(Path::new("config.json"), text.as_bytes()).unwrap()
    }

    fn found(text: &str, host: &str, path: &str) -> Option<Credentials> {
        let file = file(text);
        let mut keys = file.keys(host, path).into_iter();
        keys.find_map(|key| file.ask(&key, Duration::from_secs(60)).unwrap())
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
        assert_eq!(found(config, "a:5000", "x"), password("user", "pa:ss"));
        assert_eq!(found(config, "b", "x"), password("u", "p"));
        assert_eq!(
            found(config, "c", "x"),
            Some(Credentials::Identity("id".to_owned()))
        );
        assert_eq!(
            found(config, "d", "x"),
            Some(Credentials::Bearer("reg".to_owned()))
        );
        assert_eq!(found(config, "e", "x"), None);
        assert_eq!(found(config, "a", "x"), None);
        assert_eq!(found("{}", "a", "x"), None);
    }

    #[test]
    fn the_longest_name_of_a_repository_counts() {
        let config = r#"{"auths": {
            "a": {"auth": "dTpob3N0"},
            "a/team": {"auth": "dTp0ZWFt"},
            "a/team/app": {"auth": "dTphcHA="}
        }}"#;
        assert_eq!(found(config, "a", "team/app"), password("u", "app"));
        assert_eq!(found(config, "a", "team/other"), password("u", "team"));
        assert_eq!(found(config, "a", "teams"), password("u", "host"));
    }

    #[test]
    fn docker_hub_goes_by_several_names() {
        for key in ["https://index.docker.io/v1/", "docker.io"] {
            let config = format!(r#"{{"auths": {{"{key}": {{"auth": "dTpw"}}}}}}"#);
            let got = found(&config, "docker.io", "library/app");
            assert_eq!(got, password("u", "p"), "{key}");
        }
    }

    #[test]
    fn a_broken_file_shows_no_secret() {
        let path = env::temp_dir().join(format!("layerwise-keys-{}", std::process::id()));
        std::fs::write(&path, r#"{"auths": {"a": {"registrytoken": ["secret"]}}}"#).unwrap();
        let failure = File::read(&path).err().unwrap();
        std::fs::remove_file(&path).unwrap();
        assert_eq!(failure.code, FailureCode::Invalid);
        assert!(!failure.message.contains("secret"), "{failure}");
        assert!(!format!("{:?}", password("u", "secret")).contains("secret"));
    }
}

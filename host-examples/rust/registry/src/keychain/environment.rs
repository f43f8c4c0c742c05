//! `CNB_REGISTRY_AUTH`: registries and the `Authorization` headers for them.

use std::collections::BTreeMap;
use std::env;

use layerwise::base64;
use layerwise::host::{Failure, FailureCode};

use super::credentials::{Credentials, host_of, is_hub};
use crate::failures;

const VARIABLE: &str = "CNB_REGISTRY_AUTH";

/// The credentials for a registry.
pub fn find(host: &str) -> Result<Option<Credentials>, Failure> {
    match env::var(VARIABLE) {
        Ok(text) if !text.is_empty() => read(&text, host),
        Ok(_) | Err(env::VarError::NotPresent) => Ok(None),
        Err(env::VarError::NotUnicode(_)) => Err(invalid("it is not text")),
    }
}

fn read(text: &str, host: &str) -> Result<Option<Credentials>, Failure> {
    let all: BTreeMap<String, String> = serde_json::from_str(text)
        // The words of the parser could quote a secret.
        .map_err(|_| invalid("it is not a json object of registries and headers"))?;
    let same = |name: &str| name == host || (is_hub(name) && is_hub(host));
    let Some((_, header)) = all.iter().find(|(name, _)| same(host_of(name))) else {
        return Ok(None);
    };
    let (scheme, value) = header.trim().split_once(' ').unwrap_or((header, ""));
    let value = value.trim().to_owned();
    match scheme.to_ascii_lowercase().as_str() {
        "basic" => {
            let decoded = base64::decode(&value);
            let pair = decoded.and_then(|bytes| String::from_utf8(bytes).ok());
            let pair = pair.as_deref().and_then(|pair| pair.split_once(':'));
            let (user, password) = pair.ok_or_else(|| {
                invalid(&format!(
                    "the header for {host:?} has no user and password in it"
                ))
            })?;
            Ok(Some(Credentials::Password {
                user: user.to_owned(),
                password: password.to_owned(),
            }))
        }
        "bearer" => Ok(Some(Credentials::Bearer(value))),
        "x-identity" => Ok(Some(Credentials::Identity(value))),
        _ => Err(invalid(&format!(
            "the header for {host:?} begins with neither Basic, Bearer nor X-Identity"
        ))),
    }
}

fn invalid(why: &str) -> Failure {
    failures::new(
        FailureCode::Invalid,
        format!("cannot read the variable {VARIABLE}: {why}"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_are_credentials() {
        let text = r#"{
            "127.0.0.1:5072": "Basic bWU6c2VjcmV0",
            "https://b/v1/": "bearer token",
            "index.docker.io": "X-Identity id"
        }"#;
        let of = |host: &str| read(text, host).unwrap();
        let password = Credentials::Password {
            user: "me".to_owned(),
            password: "secret".to_owned(),
        };
        assert_eq!(of("127.0.0.1:5072"), Some(password));
        assert_eq!(of("b"), Some(Credentials::Bearer("token".to_owned())));
        assert_eq!(
            of("docker.io"),
            Some(Credentials::Identity("id".to_owned()))
        );
        assert_eq!(of("127.0.0.1"), None);
    }

    #[test]
    fn what_is_no_header_is_refused_without_its_secret() {
        for text in [
            r#"{"a": "secret"}"#,
            r#"{"a": "Basic secret"}"#,
            r#"{"a": ["secret"]}"#,
            "secret",
        ] {
            let failure = read(text, "a").unwrap_err();
            assert_eq!(failure.code, FailureCode::Invalid, "{text}");
            assert!(!failure.message.contains("secret"), "{failure}");
            assert!(failure.message.contains(VARIABLE), "{failure}");
        }
    }
}

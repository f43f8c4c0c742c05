//! What whoever runs the service decides, by variables of the environment.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Deserialize;

/// Everything that can be set. Nothing of it is ever part of a response.
#[derive(Clone)]
pub struct Settings {
    /// `LAYERWISE_REGISTRIES`: the registries that may be asked, `host` or `host:port`,
    /// separated by commas. None unless they are named.
    pub registries: Vec<String>,
    /// `LAYERWISE_PLAIN_HTTP`: those of them that speak plain HTTP.
    pub plain: Vec<String>,
    /// `LAYERWISE_AUTHS`: credentials as in Docker's config.json, `{"auths": {HOST:
    /// {"auth": BASE64}}}`.
    pub auths: BTreeMap<String, String>,
    /// `LAYERWISE_BODY_BYTES`: how large a request may be; 8 MiB.
    pub body_bytes: u64,
    /// `LAYERWISE_BODY_MILLISECONDS`: how long all of it may take to come; 10 s.
    pub body_time: Duration,
    /// `LAYERWISE_REGISTRY_MILLISECONDS`: how long a registry may take for one
    /// response; 10 s.
    pub registry_time: Duration,
}

#[derive(Deserialize)]
struct Config {
    auths: BTreeMap<String, Auth>,
}

#[derive(Deserialize)]
struct Auth {
    auth: String,
}

impl Settings {
    /// Reads them.
    ///
    /// # Errors
    /// The name of a variable that has no such value. The value is not told: it may be
    /// a secret.
    pub fn read(variable: impl Fn(&str) -> Option<String>) -> Result<Self, String> {
        let list = |name: &str| {
            let text = variable(name).unwrap_or_default();
            let items = text.split(',').map(str::trim);
            let items = items.filter(|item| !item.is_empty());
            items.map(str::to_owned).collect::<Vec<_>>()
        };
        let number = |name: &str, default: u64| match variable(name) {
            None => Ok(default),
            Some(text) => text
                .parse()
                .map_err(|_| format!("{name} is not a whole number")),
        };
        let auths = match variable("LAYERWISE_AUTHS").filter(|text| !text.is_empty()) {
            None => BTreeMap::new(),
            Some(text) => {
                let config: Config = serde_json::from_str(&text)
                    .map_err(|_| "LAYERWISE_AUTHS is not a config of docker".to_owned())?;
                let auths = config.auths.into_iter();
                auths.map(|(host, auth)| (host, auth.auth)).collect()
            }
        };
        Ok(Self {
            registries: list("LAYERWISE_REGISTRIES"),
            plain: list("LAYERWISE_PLAIN_HTTP"),
            auths,
            body_bytes: number("LAYERWISE_BODY_BYTES", 8 << 20)?,
            body_time: Duration::from_millis(number("LAYERWISE_BODY_MILLISECONDS", 10_000)?),
            registry_time: Duration::from_millis(number(
                "LAYERWISE_REGISTRY_MILLISECONDS",
                10_000,
            )?),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_are_read_and_bad_ones_are_named_without_their_value() {
        let of = |name: &str, value: &str| {
            let (name, value) = (name.to_owned(), value.to_owned());
            Settings::read(move |asked| (asked == name).then(|| value.clone()))
        };
        let read = of("LAYERWISE_REGISTRIES", " a.example, b:5000,,").unwrap();
        assert_eq!(read.registries, ["a.example", "b:5000"]);
        let auths = r#"{"auths":{"a.example":{"auth":"dTpw"}}}"#;
        assert_eq!(
            of("LAYERWISE_AUTHS", auths).unwrap().auths["a.example"],
            "dTpw"
        );
        for (name, value) in [
            ("LAYERWISE_AUTHS", "hunter2"),
            ("LAYERWISE_BODY_BYTES", "-7"),
        ] {
            let told = of(name, value).err().unwrap();
            assert!(told.contains(name) && !told.contains(value), "{told}");
        }
    }
}

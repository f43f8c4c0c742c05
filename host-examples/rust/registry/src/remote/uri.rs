//! Addresses: built from checked parts, or told by a registry.

use std::net::IpAddr;

use ::http::Uri;
use layerwise::host::{Failure, FailureCode};

use crate::failures;

/// Docker Hub answers under another name than the one in references.
const HUB: (&str, &str) = ("docker.io", "registry-1.docker.io");

/// An address at a registry.
///
/// # Errors
/// `invalid` when a host cannot be part of an address.
pub fn of(plain: bool, host: &str, path_and_query: &str) -> Result<Uri, Failure> {
    let scheme = if plain { "http" } else { "https" };
    let host = if host == HUB.0 { HUB.1 } else { host };
    parse(&format!("{scheme}://{host}{path_and_query}"))
}

/// An address as messages name it: credentials can be in its query, as in
/// addresses that storage services sign, or before its host.
pub fn shown(address: impl ToString) -> String {
    let mut text = address.to_string();
    text.truncate(text.find(['?', '#']).unwrap_or(text.len()));
    let Some(start) = text.find("//").map(|slashes| slashes + 2) else {
        return text;
    };
    let (before, rest) = text.split_at(start);
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    match authority.rsplit_once('@') {
        Some((_, host)) => format!("{before}{host}{path}"),
        None => text,
    }
}

/// Where a `Location` header of an answer from `base` leads.
///
/// # Errors
/// `other` when it is not an address, or leads from HTTPS to HTTP.
pub fn follow(base: &Uri, location: &str) -> Result<Uri, Failure> {
    let strange = |why: &str| {
        let (base, location) = (shown(base), shown(location));
        let message = format!("{base} leads to {location:?}: {why}");
        failures::new(FailureCode::Other, message)
    };
    let scheme = base.scheme_str().unwrap_or("https");
    let authority = base.authority().map_or("", |authority| authority.as_str());
    let text = if location.starts_with("//") {
        format!("{scheme}:{location}")
    } else if location.starts_with('/') {
        format!("{scheme}://{authority}{location}")
    } else if location.contains("://") {
        location.to_owned()
    } else {
        let directory = base
            .path()
            .rsplit_once('/')
            .map_or("", |(before, _)| before);
        format!("{scheme}://{authority}{directory}/{location}")
    };
    let uri: Uri = text
        .parse()
        .map_err(|_| strange("that is not an address"))?;
    match uri.scheme_str() {
        Some("https") => Ok(uri),
        Some("http") if scheme == "http" => Ok(uri),
        Some("http") => Err(strange("it would not be encrypted any more")),
        _ => Err(strange("neither http nor https")),
    }
}

/// The same address with one more parameter.
///
/// # Errors
/// `other` when it is not an address then.
pub fn with(uri: &Uri, name: &str, value: &str) -> Result<Uri, Failure> {
    let separator = if uri.query().is_some() { '&' } else { '?' };
    parse(&format!("{uri}{separator}{name}={}", encode(value)))
}

/// Any text as the value of a parameter.
pub fn encode(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}

/// Whether credentials for one may go to the other.
pub fn same_origin(one: &Uri, other: &Uri) -> bool {
    one.scheme() == other.scheme() && one.authority() == other.authority()
}

/// Whether a `host` or `host:port` is this machine.
pub fn is_loopback(host: &str) -> bool {
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or(rest),
        None => host.split(':').next().unwrap_or(host),
    };
    name == "localhost"
        || name
            .parse::<IpAddr>()
            .is_ok_and(|address| address.is_loopback())
}

/// An address from its text.
///
/// # Errors
/// `invalid` when it is not one.
pub fn parse(text: &str) -> Result<Uri, Failure> {
    text.parse()
        .map_err(|_| failures::new(FailureCode::Invalid, format!("{text:?} is not an address")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_secret_is_shown() {
        for (address, what) in [
            (
                "https://a.example:1/b?X-Signature=s#f",
                "https://a.example:1/b",
            ),
            ("https://user:pass@a.example/b@c", "https://a.example/b@c"),
            ("//user@a.example", "//a.example"),
            ("/b/c?token=s", "/b/c"),
            ("b", "b"),
        ] {
            assert_eq!(shown(address), what);
        }
    }

    #[test]
    fn locations_are_followed() {
        let base: Uri = "https://r.example:5000/v2/a/blobs/uploads/?mount=x"
            .parse()
            .unwrap();
        for (location, wanted) in [
            ("/v2/up?state=1", "https://r.example:5000/v2/up?state=1"),
            ("https://cdn.example/x", "https://cdn.example/x"),
            ("//cdn.example/x", "https://cdn.example/x"),
            ("id", "https://r.example:5000/v2/a/blobs/uploads/id"),
        ] {
            assert_eq!(follow(&base, location).unwrap().to_string(), wanted);
        }
        for location in [
            "http://r.example:5000/x",
            "ftp://x/y",
            "http://[",
            "file:///etc/passwd",
        ] {
            assert!(follow(&base, location).is_err(), "{location}");
        }
        let put = with(&follow(&base, "/up?a=b").unwrap(), "digest", "sha256:0a").unwrap();
        assert_eq!(
            put.to_string(),
            "https://r.example:5000/up?a=b&digest=sha256%3A0a"
        );
    }

    #[test]
    fn hosts_of_this_machine() {
        for host in [
            "localhost",
            "localhost:5000",
            "127.0.0.1:1",
            "127.8.8.8",
            "[::1]:5000",
        ] {
            assert!(is_loopback(host), "{host}");
        }
        for host in [
            "docker.io",
            "localhost.example",
            "10.0.0.1",
            "127.0.0.1.example:5000",
        ] {
            assert!(!is_loopback(host), "{host}");
        }
        assert_eq!(
            of(false, "docker.io", "/v2/").unwrap().host(),
            Some("registry-1.docker.io")
        );
    }
}

//! References, addresses and challenges, taken apart.

use layerwise::host::{Failure, FailureCode};

/// The repository and what is named in it: a digest, a tag, or `latest`.
pub fn parts(reference: &str) -> Result<(&str, &str), Failure> {
    let (named, digest) = match reference.split_once('@') {
        Some((named, digest)) => (named, Some(digest)),
        None => (reference, None),
    };
    let slash = named.rfind('/').unwrap_or_default();
    let (before, last) = named.split_at(slash);
    let (repository, tag) = match last.split_once(':') {
        Some((name, tag)) => (named.get(..before.len() + name.len()).unwrap_or(named), tag),
        None => (named, "latest"),
    };
    let name = digest.unwrap_or(tag);
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-:".contains(&byte);
    if slash == 0 || name.is_empty() || !name.bytes().all(plain) {
        let message = format!("{reference:?} is not a reference: expected HOST/NAME:TAG");
        return Err(Failure::new(FailureCode::Invalid, message));
    }
    Ok((repository, name))
}

/// The host and path of an address, which may leave out the host.
pub fn address(text: &str, host: &str) -> Result<(String, String), Failure> {
    let rest = text
        .strip_prefix("https://")
        .or_else(|| text.strip_prefix("http://"));
    let printable = text.bytes().all(|byte| byte.is_ascii_graphic());
    match rest {
        Some(rest) if printable => {
            let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
            Ok((host.to_owned(), format!("/{path}")))
        }
        None if printable && text.starts_with('/') => Ok((host.to_owned(), text.to_owned())),
        _ => Err(Failure::new(
            FailureCode::Other,
            format!("{host:?} names something that is no address"),
        )),
    }
}

/// `name="value"` of a challenge.
pub fn parameter<'a>(challenge: &'a str, name: &str) -> Option<&'a str> {
    let start = challenge.find(&format!("{name}=\""))?;
    let rest = challenge.get(start + name.len() + 2..)?;
    rest.split('"').next()
}

/// A text as the value of a parameter of an address.
pub fn encoded(text: &str) -> String {
    let mut encoded = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}

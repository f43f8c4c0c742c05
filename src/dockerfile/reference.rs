//! Whether a name can be that of an image (Dockerfile spec, section 5.1).

use super::refusal::{Stop, bad_value};
use crate::prelude::*;

/// Checks the name of a base.
///
/// # Errors
/// `dockerfile/value`.
pub fn check(name: &str) -> Result<(), Stop> {
    let hex = |text: &str| {
        text.bytes()
            .all(|b| b.is_ascii_digit() || matches!(b, b'a'..=b'f'))
    };
    let id = name.strip_prefix("sha256:").unwrap_or(name);
    if id.len() == 64 && hex(id) {
        return Ok(());
    }
    let (domain, rest) = split_domain(name);
    let repository = rest
        .split_once(':')
        .map_or(rest, |(repository, _)| repository);
    if repository.to_lowercase() != repository {
        let shown = if domain.is_none() && !name.contains('/') {
            format!("library/{repository}")
        } else {
            repository.to_owned()
        };
        return Err(bad_value(format!(
            "invalid reference format: repository name ({shown}) must be lowercase"
        )));
    }
    let (rest, digest) = match rest.split_once('@') {
        Some((rest, digest)) => (rest, Some(digest)),
        None => (rest, None),
    };
    let (path, tag) = match rest.split_once(':') {
        Some((path, tag)) => (path, Some(tag)),
        None => (rest, None),
    };
    let fits = path.split('/').all(is_component)
        && domain.is_none_or(is_domain)
        && tag.is_none_or(is_tag)
        && digest.is_none_or(is_digest);
    if fits && name.len() <= 255 + 1 + 128 + 1 + 200 {
        Ok(())
    } else {
        Err(bad_value("invalid reference format"))
    }
}

/// The registry in front of a name, if there is one.
fn split_domain(name: &str) -> (Option<&str>, &str) {
    match name.split_once('/') {
        Some((domain, rest))
            if domain == "localhost"
                || domain.contains(['.', ':'])
                || domain.to_lowercase() != domain =>
        {
            (Some(domain), rest)
        }
        _ => (None, name),
    }
}

/// Letters and digits, between which there may be `.`, `_`, `__` or dashes.
fn is_component(text: &str) -> bool {
    let word = |b: u8| b.is_ascii_digit() || b.is_ascii_lowercase();
    let mut before: &[u8] = &[];
    let mut rest = text.as_bytes();
    loop {
        let end = rest.iter().position(|b| !word(*b)).unwrap_or(rest.len());
        if end == 0 {
            return false;
        }
        rest = rest.get(end..).unwrap_or_default();
        if rest.is_empty() {
            return true;
        }
        let end = rest.iter().position(|b| word(*b)).unwrap_or(rest.len());
        (before, rest) = rest.split_at_checked(end).unwrap_or((before, &[]));
        let fits = matches!(before, b"." | b"_" | b"__") || before.iter().all(|b| *b == b'-');
        if !fits {
            return false;
        }
    }
}

fn is_domain(text: &str) -> bool {
    let (host, port) = match text.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
        _ => (text, None),
    };
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let label = |label: &str| {
        let edge = |b: Option<&u8>| b.is_some_and(u8::is_ascii_alphanumeric);
        let bytes = label.as_bytes();
        let inner = bytes
            .iter()
            .all(|b| b.is_ascii_alphanumeric() || *b == b'-');
        inner && edge(bytes.first()) && edge(bytes.last())
    };
    let host_fits = match host
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'))
    {
        Some(v6) => !v6.is_empty() && v6.bytes().all(|b| b.is_ascii_hexdigit() || b == b':'),
        None => host.split('.').all(label),
    };
    host_fits && port.is_none_or(digits)
}

fn is_tag(text: &str) -> bool {
    let word = |b: &u8| b.is_ascii_alphanumeric() || *b == b'_';
    let bytes = text.as_bytes();
    let all = bytes.iter().all(|b| word(b) || matches!(b, b'.' | b'-'));
    bytes.len() <= 128 && bytes.first().is_some_and(word) && all
}

fn is_digest(text: &str) -> bool {
    let Some((algorithm, hex)) = text.split_once(':') else {
        return false;
    };
    let part = |part: &str| {
        let alphanumeric = part.bytes().all(|b| b.is_ascii_alphanumeric());
        alphanumeric && part.starts_with(|c: char| c.is_ascii_alphabetic())
    };
    let known = match algorithm {
        "sha256" => hex.len() == 64,
        "sha384" => hex.len() == 96,
        "sha512" => hex.len() == 128,
        _ => false,
    };
    algorithm.split(['-', '_', '+', '.']).all(part)
        && known
        && hex
            .bytes()
            .all(|b| b.is_ascii_digit() || matches!(b, b'a'..=b'f'))
}

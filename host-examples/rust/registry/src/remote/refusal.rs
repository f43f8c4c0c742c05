//! Answers that say no.

use std::io::Read as _;

use ::http::StatusCode;
use layerwise::base64;
use layerwise::host::{Failure, FailureCode};
use serde::Deserialize;

use super::http::{self, Redirected, Response, Sent};
use crate::failures;

/// How much of the words of a registry is read, and how much is passed on.
const LONGEST: u64 = 16 << 10;
const LONGEST_WORDS: usize = 200;

#[derive(Deserialize)]
struct Errors {
    errors: Vec<Reason>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Reason {
    code: String,
    message: String,
}

/// The failure for a status that is no success, with the registry's words. What
/// it was asked with is not in them, even if the registry repeats it; nor are the words
/// of a server that the registry led to, who may repeat the signature in its address.
pub fn refused(what: &str, response: Response) -> Failure {
    let status = response.status();
    let redirected = response.extensions().get::<Redirected>().is_some();
    let secrets = response
        .extensions()
        .get::<Sent>()
        .map_or(Vec::new(), secrets);
    let mut body = Vec::new();
    let reader = http::body(response);
    let _ = reader.take(LONGEST).read_to_end(&mut body);
    let reason = serde_json::from_slice::<Errors>(&body)
        .ok()
        .and_then(|errors| errors.errors.into_iter().next())
        .unwrap_or_default();
    let mut message = format!("{what}: the registry returned {}", status.as_u16());
    for words in [&reason.code, &reason.message] {
        if !words.is_empty() && !redirected {
            let words = secrets
                .iter()
                .fold(words.clone(), |words, secret| words.replace(secret, "***"));
            let words: String = words.chars().take(LONGEST_WORDS).collect();
            message.push_str(&format!(", {words:?}"));
        }
    }
    failures::new(code(status, &reason.code), message)
}

/// The texts that prove who is asking.
fn secrets(sent: &Sent) -> Vec<String> {
    let secret = sent
        .0
        .split_once(' ')
        .map_or(&*sent.0, |(_, secret)| secret);
    let mut secrets = vec![secret.to_owned()];
    let plain = base64::decode(secret);
    let plain = plain.and_then(|plain| String::from_utf8(plain).ok());
    if let Some((_, password)) = plain.as_deref().and_then(|plain| plain.split_once(':')) {
        secrets.push(password.to_owned());
    }
    secrets.retain(|secret| !secret.is_empty());
    secrets
}

fn code(status: StatusCode, reason: &str) -> FailureCode {
    match status.as_u16() {
        400 if reason == "DIGEST_INVALID" || reason == "SIZE_INVALID" => FailureCode::Corrupt,
        400 if reason == "MANIFEST_BLOB_UNKNOWN" => FailureCode::NotFound,
        400 => FailureCode::Invalid,
        401 => FailureCode::Unauthorized,
        403 => FailureCode::Denied,
        404 => FailureCode::NotFound,
        405 | 501 => FailureCode::Unsupported,
        409 | 412 => FailureCode::Conflict,
        413 => FailureCode::TooLarge,
        507 => FailureCode::Full,
        408 | 429 | 500..=599 => FailureCode::Unavailable,
        _ => FailureCode::Other,
    }
}

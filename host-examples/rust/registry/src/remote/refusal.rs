//! Answers that say no.

use std::io::Read as _;

use layerwise::host::{Failure, FailureCode};
use serde::Deserialize;
use ureq::http::StatusCode;

use super::http::Response;
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

/// The failure for a status that is no success, with the registry's words.
pub fn refused(what: &str, response: Response) -> Failure {
    let status = response.status();
    let mut body = Vec::new();
    let reader = response.into_body().into_reader();
    let _ = reader.take(LONGEST).read_to_end(&mut body);
    let reason = serde_json::from_slice::<Errors>(&body)
        .ok()
        .and_then(|errors| errors.errors.into_iter().next())
        .unwrap_or_default();
    let mut message = format!("{what}: the registry answers {}", status.as_u16());
    for words in [&reason.code, &reason.message] {
        if !words.is_empty() {
            let words: String = words.chars().take(LONGEST_WORDS).collect();
            message.push_str(&format!(", {words:?}"));
        }
    }
    failures::new(code(status, &reason.code), message)
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

//! The shared types in both directions.

use layerwise::host::{Failure, FailureCode};
use layerwise::oci::Descriptor;

use crate::bindings::exports::layerwise::cache::types as wit;

/// Items of one side as those of the other.
pub fn convert<T, U: From<T>>(items: Vec<T>) -> Vec<U> {
    items.into_iter().map(Into::into).collect()
}

/// Results of one side as those of the other.
pub fn results<T, U: From<T>>(items: Vec<Result<T, Failure>>) -> Vec<Result<U, wit::Failure>> {
    items.into_iter().map(|item| Ok(item?.into())).collect()
}

/// As many failures as something was asked for.
pub fn failed<T, U>(asked: &[T], failure: &Failure) -> Vec<Result<U, wit::Failure>> {
    asked.iter().map(|_| Err(failure.clone().into())).collect()
}

pub fn pairs(annotations: Vec<wit::Annotation>) -> Vec<(String, String)> {
    let pairs = annotations.into_iter();
    pairs.map(|pair| (pair.key, pair.value)).collect()
}

pub fn annotations(pairs: Vec<(String, String)>) -> Vec<wit::Annotation> {
    let pairs = pairs.into_iter();
    pairs
        .map(|(key, value)| wit::Annotation { key, value })
        .collect()
}

impl From<Failure> for wit::Failure {
    fn from(failure: Failure) -> Self {
        use wit::FailureCode as W;
        let code = match failure.code {
            FailureCode::NotFound => W::NotFound,
            FailureCode::Unauthorized => W::Unauthorized,
            FailureCode::Denied => W::Denied,
            FailureCode::Unavailable => W::Unavailable,
            FailureCode::Corrupt => W::Corrupt,
            FailureCode::Truncated => W::Truncated,
            FailureCode::TooLarge => W::TooLarge,
            FailureCode::Conflict => W::Conflict,
            FailureCode::Unsupported => W::Unsupported,
            FailureCode::Invalid => W::Invalid,
            FailureCode::Full => W::Full,
            FailureCode::Cancelled => W::Cancelled,
            FailureCode::Deadline => W::Deadline,
            FailureCode::Other => W::Other,
        };
        Self {
            code,
            message: failure.message,
        }
    }
}

impl From<wit::Descriptor> for Descriptor {
    fn from(descriptor: wit::Descriptor) -> Self {
        Self {
            media_type: descriptor.media_type,
            digest: descriptor.digest,
            size: descriptor.size,
            annotations: pairs(descriptor.annotations),
        }
    }
}

impl From<Descriptor> for wit::Descriptor {
    fn from(descriptor: Descriptor) -> Self {
        Self {
            media_type: descriptor.media_type,
            digest: descriptor.digest,
            size: descriptor.size,
            annotations: annotations(descriptor.annotations),
        }
    }
}

//! The generated bindings, and the shared types in both directions.

#![allow(missing_docs, reason = "generated; wit/ holds the documentation")]

use ::layerwise::error::{Error, Excess, Problem};
use ::layerwise::explain::{Difference, Explanation, Finding};
use ::layerwise::host::{Failure, FailureCode};
use ::layerwise::oci::{Descriptor, Platform};
use ::layerwise::semantics::{Reading, Semantics};

wasmtime::component::bindgen!({
    path: "wit",
    world: "engine",
    // For transcripts.
    additional_derives: [serde::Serialize],
});

use self::layerwise::cache::types as wit;

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

impl From<&Platform> for wit::Platform {
    fn from(platform: &Platform) -> Self {
        Self {
            os: platform.os.clone(),
            architecture: platform.architecture.clone(),
            variant: platform.variant.clone(),
            os_version: platform.os_version.clone(),
            os_features: platform.os_features.clone(),
        }
    }
}

impl From<wit::Platform> for Platform {
    fn from(platform: wit::Platform) -> Self {
        Self {
            os: platform.os,
            architecture: platform.architecture,
            variant: platform.variant,
            os_version: platform.os_version,
            os_features: platform.os_features,
        }
    }
}

impl From<wit::Descriptor> for Descriptor {
    fn from(descriptor: wit::Descriptor) -> Self {
        let pairs = descriptor.annotations.into_iter();
        Self {
            media_type: descriptor.media_type,
            digest: descriptor.digest,
            size: descriptor.size,
            annotations: pairs.map(|pair| (pair.key, pair.value)).collect(),
        }
    }
}

impl From<Descriptor> for wit::Descriptor {
    fn from(descriptor: Descriptor) -> Self {
        let pairs = descriptor.annotations.into_iter();
        Self {
            media_type: descriptor.media_type,
            digest: descriptor.digest,
            size: descriptor.size,
            annotations: pairs
                .map(|(key, value)| wit::Annotation { key, value })
                .collect(),
        }
    }
}

impl From<&Semantics> for wit::Semantics {
    fn from(semantics: &Semantics) -> Self {
        Self {
            reading: match semantics.reading {
                Reading::Guarded => wit::Reading::Guarded,
                Reading::Compatible => wit::Reading::Compatible,
            },
            version: semantics.version.clone(),
        }
    }
}

impl From<wit::Problem> for Problem {
    fn from(problem: wit::Problem) -> Self {
        Self {
            code: problem.code,
            operation: problem.operation,
            subject: problem.subject,
            message: problem.message,
        }
    }
}

impl From<wit::Error> for Error {
    fn from(error: wit::Error) -> Self {
        match error {
            wit::Error::Invalid(problem) => Self::Invalid(problem.into()),
            wit::Error::NotFound(problem) => Self::NotFound(problem.into()),
            wit::Error::Corrupt(problem) => Self::Corrupt(problem.into()),
            wit::Error::Committed(problem) => Self::Committed(problem.into()),
            wit::Error::Conflict(problem) => Self::Conflict(problem.into()),
            wit::Error::LimitExceeded(excess) => Self::LimitExceeded(Excess {
                operation: excess.operation,
                limit: excess.limit,
                value: excess.value,
                subject: excess.subject,
            }),
            wit::Error::Denied(problem) => Self::Denied(problem.into()),
            wit::Error::Unsupported(problem) => Self::Unsupported(problem.into()),
            wit::Error::Host(problem) => Self::Host(problem.into()),
            wit::Error::Other(text) => Self::Other(text),
        }
    }
}

impl From<wit::Difference> for Difference {
    fn from(difference: wit::Difference) -> Self {
        Self {
            path: difference.path,
            have: difference.have,
            want: difference.want,
        }
    }
}

impl From<Difference> for wit::Difference {
    fn from(difference: Difference) -> Self {
        Self {
            path: difference.path,
            have: difference.have,
            want: difference.want,
        }
    }
}

impl From<wit::Finding> for Finding {
    fn from(finding: wit::Finding) -> Self {
        Self {
            code: finding.code.into(),
            subject: finding.subject,
            differences: convert(finding.differences),
            hint: finding.hint,
            cascade: finding.cascade,
        }
    }
}

impl From<Finding> for wit::Finding {
    fn from(finding: Finding) -> Self {
        Self {
            code: finding.code.into_owned(),
            subject: finding.subject,
            differences: convert(finding.differences),
            hint: finding.hint,
            cascade: finding.cascade,
        }
    }
}

impl From<wit::Explanation> for Explanation {
    fn from(explanation: wit::Explanation) -> Self {
        Self {
            summary: explanation.summary.into(),
            findings: convert(explanation.findings),
            nearest: explanation.nearest.map(Into::into),
            considered: explanation.considered,
        }
    }
}

/// A list in the other vocabulary.
pub fn convert<A, B: From<A>>(list: Vec<A>) -> Vec<B> {
    list.into_iter().map(B::from).collect()
}

/// Caps by name.
pub fn limits(list: Vec<(String, u64)>) -> Vec<wit::Limit> {
    list.into_iter()
        .map(|(name, value)| wit::Limit { name, value })
        .collect()
}

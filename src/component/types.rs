//! The shared types in both directions.

use super::bindings::layerwise::cache::types as wit;
use crate::error::{Error, Excess, Problem};
use crate::explain::{Difference, Explanation, Finding};
use crate::host::{Failure, FailureCode};
use crate::oci::{Descriptor, Platform};
use crate::prelude::*;
use crate::semantics::{Reading, Semantics};

impl From<wit::Failure> for Failure {
    #[inline(never)]
    fn from(failure: wit::Failure) -> Self {
        use wit::FailureCode as W;
        let code = match failure.code {
            W::NotFound => FailureCode::NotFound,
            W::Unauthorized => FailureCode::Unauthorized,
            W::Denied => FailureCode::Denied,
            W::Unavailable => FailureCode::Unavailable,
            W::Corrupt => FailureCode::Corrupt,
            W::Truncated => FailureCode::Truncated,
            W::TooLarge => FailureCode::TooLarge,
            W::Conflict => FailureCode::Conflict,
            W::Unsupported => FailureCode::Unsupported,
            W::Invalid => FailureCode::Invalid,
            W::Full => FailureCode::Full,
            W::Cancelled => FailureCode::Cancelled,
            W::Deadline => FailureCode::Deadline,
            W::Other => FailureCode::Other,
        };
        Self::new(code, failure.message)
    }
}

impl From<wit::Platform> for Platform {
    #[inline(never)]
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

impl From<Platform> for wit::Platform {
    #[inline(never)]
    fn from(platform: Platform) -> Self {
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
    #[inline(never)]
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
    #[inline(never)]
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

impl From<wit::Semantics> for Semantics {
    #[inline(never)]
    fn from(semantics: wit::Semantics) -> Self {
        Self {
            reading: match semantics.reading {
                wit::Reading::Guarded => Reading::Guarded,
                wit::Reading::Compatible => Reading::Compatible,
            },
            version: semantics.version,
        }
    }
}

impl From<Problem> for wit::Problem {
    #[inline(never)]
    fn from(problem: Problem) -> Self {
        Self {
            code: problem.code,
            operation: problem.operation,
            subject: problem.subject,
            message: problem.message,
        }
    }
}

impl From<Error> for wit::Error {
    #[inline(never)]
    fn from(error: Error) -> Self {
        match error {
            Error::Invalid(problem) => Self::Invalid(problem.into()),
            Error::NotFound(problem) => Self::NotFound(problem.into()),
            Error::Corrupt(problem) => Self::Corrupt(problem.into()),
            Error::Committed(problem) => Self::Committed(problem.into()),
            Error::Conflict(problem) => Self::Conflict(problem.into()),
            Error::LimitExceeded(Excess {
                operation,
                limit,
                value,
                subject,
            }) => Self::LimitExceeded(wit::Excess {
                operation,
                limit,
                value,
                subject,
            }),
            Error::Denied(problem) => Self::Denied(problem.into()),
            Error::Unsupported(problem) => Self::Unsupported(problem.into()),
            Error::Host(problem) => Self::Host(problem.into()),
            Error::Other(text) => Self::Other(text),
        }
    }
}

impl From<Difference> for wit::Difference {
    #[inline(never)]
    fn from(difference: Difference) -> Self {
        Self {
            path: difference.path,
            have: difference.have,
            want: difference.want,
        }
    }
}

impl From<wit::Difference> for Difference {
    #[inline(never)]
    fn from(difference: wit::Difference) -> Self {
        Self {
            path: difference.path,
            have: difference.have,
            want: difference.want,
        }
    }
}

impl From<Finding> for wit::Finding {
    #[inline(never)]
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

impl From<wit::Finding> for Finding {
    #[inline(never)]
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

impl From<Explanation> for wit::Explanation {
    #[inline(never)]
    fn from(explanation: Explanation) -> Self {
        Self {
            summary: explanation.summary.into(),
            findings: convert(explanation.findings),
            nearest: explanation.nearest.map(Into::into),
            considered: explanation.considered,
        }
    }
}

/// A list in the other vocabulary.
#[inline(never)]
pub fn convert<A, B: From<A>>(list: Vec<A>) -> Vec<B> {
    list.into_iter().map(B::from).collect()
}

/// Limits by name.
#[inline(never)]
pub fn limits(list: Vec<wit::Limit>) -> Vec<(String, u64)> {
    list.into_iter()
        .map(|limit| (limit.name, limit.value))
        .collect()
}

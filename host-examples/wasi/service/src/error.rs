//! Why a request was refused: the error document of the command line, with a status.

use layerwise::error::Error;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::http::Response;

/// A refusal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Refusal {
    /// The status of HTTP.
    #[serde(skip)]
    pub status: u16,
    /// What kind of error it is, as the command line has it.
    pub kind: &'static str,
    /// For people: lower case, one line.
    pub message: Box<str>,
    /// A code that `layerwise rule` explains, if there is one.
    pub code: Option<Box<str>>,
    /// What was being done.
    pub operation: Option<Box<str>>,
    /// The thing it was done to.
    pub subject: Option<Box<str>>,
    /// The limit that something is above.
    pub limit: Option<Box<str>>,
    /// Its value.
    pub value: Option<u64>,
}

impl Refusal {
    /// A refusal of one kind.
    pub fn new(status: u16, kind: &'static str, message: impl Into<String>) -> Self {
        Self {
            status,
            kind,
            message: message.into().into(),
            code: None,
            operation: None,
            subject: None,
            limit: None,
            value: None,
        }
    }

    /// A request that means nothing.
    pub fn usage(message: impl Into<String>) -> Self {
        Self::new(400, "usage", message)
    }

    /// Something above a limit of the service.
    pub fn too_large(limit: &str, value: u64) -> Self {
        Self {
            limit: Some(limit.into()),
            value: Some(value),
            ..Self::new(
                413,
                "limit-exceeded",
                format!("the request is above the limit {limit} of {value}"),
            )
        }
    }

    /// As a response.
    pub fn response(&self) -> Response {
        #[derive(Serialize)]
        struct Document<'a> {
            schema: &'static str,
            error: &'a Refusal,
        }
        Response::json(
            self.status,
            &Document {
                schema: "layerwise/error/1",
                error: self,
            },
        )
    }
}

/// Reads the body of a request; members that nobody knows are refused.
pub fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, Refusal> {
    serde_json::from_slice(body)
        .map_err(|error| Refusal::usage(format!("the request is not what it should be: {error}")))
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        let (status, kind) = match &error {
            Error::Invalid(_) => (422, "invalid"),
            Error::NotFound(_) => (404, "not-found"),
            Error::Corrupt(_) => (422, "corrupt"),
            Error::Committed(_) => (409, "committed"),
            Error::Conflict(_) => (409, "conflict"),
            Error::LimitExceeded(_) => (413, "limit-exceeded"),
            Error::Denied(_) => (403, "denied"),
            Error::Unsupported(_) => (422, "unsupported"),
            Error::Host(_) => (502, "host"),
            Error::Other(_) => (500, "other"),
        };
        let mut refusal = Self::new(status, kind, error.to_string());
        if let Some(problem) = error.problem() {
            refusal.code = Some(problem.code.as_str().into());
            refusal.operation = Some(problem.operation.as_str().into());
            refusal.subject = Some(problem.subject.as_str().into());
        }
        if let Error::LimitExceeded(excess) = error {
            refusal.operation = Some(excess.operation.into());
            refusal.subject = Some(excess.subject.into());
            refusal.limit = Some(excess.limit.into());
            refusal.value = Some(excess.value);
        }
        refusal
    }
}

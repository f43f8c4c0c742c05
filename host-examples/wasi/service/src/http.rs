//! Requests and responses, whatever server they come from and go to.

use serde::Serialize;

/// The media type of documents.
pub const JSON: &str = "application/json";

/// What came.
#[derive(Clone, Debug, Default)]
pub struct Request {
    /// Such as `POST`.
    pub method: String,
    /// The path, without a query.
    pub path: String,
    /// All of the body.
    pub body: Vec<u8>,
}

/// What goes back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    /// The status.
    pub status: u16,
    /// The media type of the body.
    pub content_type: &'static str,
    /// The body.
    pub body: String,
}

impl Response {
    /// A text.
    pub fn text(content_type: &'static str, text: &str) -> Self {
        Self {
            status: 200,
            content_type,
            body: text.to_owned(),
        }
    }

    /// A document.
    pub fn json<T: Serialize>(status: u16, document: &T) -> Self {
        match serde_json::to_string(document) {
            Ok(body) => Self {
                status,
                content_type: JSON,
                body: body + "\n",
            },
            Err(_) => Self {
                status: 500,
                content_type: JSON,
                body: "{\"schema\":\"layerwise/error/1\",\"error\":{\"kind\":\"other\",\
                       \"message\":\"cannot write json\"}}\n"
                    .to_owned(),
            },
        }
    }
}

//! JSON as Go reads and writes it, and the error for what it does not read.

use crate::buildkit::reason::{Reason, invalid};
use crate::error::Error;
use crate::go_json::{self, Escapes, Writer, is_plain};
use crate::prelude::*;

/// Nesting that Go's JSON package accepts.
pub(crate) const DEPTH: u32 = 10_000;

/// The error for a document that is not JSON of its form.
pub(crate) fn bad_json(operation: &str, subject: &str, error: &go_json::Error) -> Error {
    let code = match error.kind {
        go_json::ErrorKind::Text(_) => Reason::BadTime,
        go_json::ErrorKind::Number => Reason::NumberForm,
        _ => Reason::BadJson,
    };
    invalid(code, operation, subject, error.to_string())
}

/// Appends a JSON string.
pub(crate) fn quote(out: &mut String, text: &str) {
    if is_plain(text) {
        out.push('"');
        out.push_str(text);
        out.push('"');
    } else {
        let mut writer = Writer::new(Escapes::Short);
        writer.string(text);
        out.push_str(writer.as_str());
    }
}

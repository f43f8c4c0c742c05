//! Reads the documents of a question; what cannot be read is an error.

use serde::Deserialize;

use crate::builds::model::Definition;
use crate::builds::read::predicate;
use crate::builds::reason::Reason;
use crate::error::{Error, Problem};
use crate::limits::{Limit, Limits};
use crate::prelude::*;

pub const LIMITS: Limits<1> = Limits::new([(Limit::Entries, 1_000_000)]);

pub fn read<'a, T: Deserialize<'a>>(document: &'a str) -> Result<T, Error> {
    serde_json::from_str(document).map_err(|error| invalid(&error))
}

pub fn definition(predicate: &str) -> Result<Definition, Error> {
    predicate::of_text(predicate, &LIMITS).map_err(|bad| invalid(&bad))
}

pub fn invalid(message: &dyn core::fmt::Display) -> Error {
    Error::Invalid(Problem::new(
        Reason::Unreadable,
        "testing",
        "document",
        message.to_string(),
    ))
}

//! What is checked of the options of RUN before the builder says that it needs
//! BuildKit for them (Dockerfile spec, section 2.4).

use super::expand::{Lexer, Variables};
use super::go_text::quote;
use super::refusal::{Stop, bad_value, unparsed};
use crate::prelude::*;

/// The fields of comma-separated text, in which a field may be quoted.
fn fields(text: &str) -> Result<Vec<String>, Stop> {
    let refuse = || unparsed(format!("failed to parse csv mounts: {}", quote(text)));
    let mut fields = Vec::new();
    let mut rest = text;
    loop {
        if let Some(mut quoted) = rest.strip_prefix('"') {
            let mut field = String::new();
            loop {
                let (part, after) = quoted.split_once('"').ok_or_else(refuse)?;
                field.push_str(part);
                quoted = after;
                match after.strip_prefix('"') {
                    Some(after) => {
                        field.push('"');
                        quoted = after;
                    }
                    None => break,
                }
            }
            fields.push(field);
            match quoted.strip_prefix(',') {
                Some(after) => rest = after,
                None if quoted.is_empty() => return Ok(fields),
                None => return Err(refuse()),
            }
        } else {
            let (field, after) = match rest.split_once(',') {
                Some((field, after)) => (field, Some(after)),
                None => (rest, None),
            };
            if field.contains('"') {
                return Err(refuse());
            }
            fields.push(field.to_owned());
            match after {
                Some(after) => rest = after,
                None => return Ok(fields),
            }
        }
    }
}

/// Checks a `--device`.
///
/// # Errors
/// As the builder refuses.
pub fn device(text: &str) -> Result<(), Stop> {
    let mut name = None;
    for field in fields(text)? {
        let (key, value) = match field.split_once('=') {
            Some((key, value)) => (key.to_lowercase(), Some(value)),
            None => (field.to_lowercase(), None),
        };
        match (key.as_str(), value) {
            ("required", None) => {}
            ("required", Some(value)) => {
                if !is_boolean(value) {
                    return Err(unparsed(format!("invalid value for {key}: {value}")));
                }
            }
            ("name", Some(value)) => {
                if let Some(name) = name {
                    return Err(unparsed(format!("device name already set to {name}")));
                }
                name = Some(value.to_owned()).filter(|name| !name.is_empty());
            }
            _ if name.is_none() => name = Some(field),
            (_, None) => {
                return Err(unparsed(format!(
                    "invalid field '{field}' must be a key=value pair"
                )));
            }
            _ => {
                return Err(unparsed(format!("unexpected key '{key}' in '{field}'")));
            }
        }
    }
    Ok(())
}

/// Checks a `--mount` when the Dockerfile is read: its source stage has no variable.
///
/// # Errors
/// As the builder refuses.
pub fn first_look(text: &str) -> Result<(), Stop> {
    for field in fields(text)? {
        let Some((key, value)) = field.split_once('=') else {
            continue;
        };
        let variable = value.find('$').is_some_and(|at| at + 1 != value.len());
        if key.eq_ignore_ascii_case("from") && variable {
            return Err(unparsed(
                "'from' doesn't support variable expansion, define alias stage instead",
            ));
        }
    }
    Ok(())
}

/// Checks a `--mount` at its step, variables replaced.
///
/// # Errors
/// As the builder refuses; what it does not refuse here needs BuildKit.
pub fn second_look(text: &str, lexer: &Lexer<'_>, variables: &Variables) -> Result<(), Stop> {
    for field in fields(text)? {
        match field.split_once('=') {
            Some((_, value)) => {
                lexer.word(value, variables)?;
            }
            None => {
                let key = field.to_lowercase();
                let alone = ["readonly", "ro", "readwrite", "rw", "required"];
                if !alone.contains(&key.as_str()) {
                    return Err(bad_value(format!(
                        "invalid field '{field}' must be a key=value pair"
                    )));
                }
            }
        }
    }
    Ok(())
}

/// What Go reads as a boolean.
fn is_boolean(text: &str) -> bool {
    let known = "1 t T TRUE true True 0 f F FALSE false False";
    known.split(' ').any(|known| known == text)
}

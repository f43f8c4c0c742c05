//! Placeholders in the text of a stackerfile: `${{NAME}}` and `${{NAME:default}}`.

use std::str::FromStr;

use super::bad::Bad;
use crate::failed::BadArgument;

/// The longest text that substitutions may make.
const LONGEST: usize = 16 << 20;

/// A value for a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Substitution {
    name: String,
    value: String,
}

impl Substitution {
    /// A value for a name that is one.
    pub fn new(name: &str, value: &str) -> Self {
        Self {
            name: name.to_owned(),
            value: value.to_owned(),
        }
    }
}

impl FromStr for Substitution {
    type Err = BadArgument;

    fn from_str(text: &str) -> Result<Self, BadArgument> {
        let of_a_name = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
        match text.split_once('=') {
            Some((name, value)) if !name.is_empty() && name.chars().all(of_a_name) => {
                Ok(Self::new(name, value))
            }
            _ => Err(BadArgument(
                "expected NAME=VALUE, where NAME has letters, digits, _ and - only",
            )),
        }
    }
}

/// A text with every placeholder replaced.
pub fn apply(text: &str, values: &[Substitution], version: u32) -> Result<String, Bad> {
    let mut text = text.to_owned();
    for Substitution { name, value } in values {
        if version < 16 {
            text = text.replace(&format!("${name}"), value);
        } else {
            refuse_old_forms(&text, name)?;
        }
        text = given(&text, name, &literal(name, value)?)?;
        bounded(&text)?;
    }
    defaults(text)
}

/// Replaces what stands for a name, with or without a default.
fn given(text: &str, name: &str, value: &str) -> Result<String, Bad> {
    let open = format!("${{{{{name}");
    let mut made = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once(&open) {
        made.push_str(before);
        match end(after) {
            Some(after) => {
                made.push_str(value);
                rest = after;
            }
            // Another name, or no placeholder.
            None => {
                made.push_str(&open);
                rest = after;
            }
        }
        bounded(&made)?;
    }
    made.push_str(rest);
    Ok(made)
}

/// What follows `}}`, or `:` and a default without `}` before it.
fn end(after: &str) -> Option<&str> {
    if let Some(rest) = after.strip_prefix("}}") {
        return Some(rest);
    }
    let (_, rest) = after.strip_prefix(':')?.split_once('}')?;
    rest.strip_prefix('}')
}

/// What is left takes its default. A default may hold a placeholder in turn.
fn defaults(mut text: String) -> Result<String, Bad> {
    while let Some((start, inside, stop)) = first(&text) {
        let Some((_, default)) = inside.split_once(':') else {
            let line = text.get(..start).unwrap_or_default().matches('\n').count() + 1;
            let why = format!(
                "no value for the substitution {inside:?}; give it as --substitute {inside}=VALUE"
            );
            return Err(Bad::new(line, why));
        };
        let default = default.to_owned();
        text.replace_range(start..stop, &default);
    }
    Ok(text)
}

/// The first `${{…}}` without a `}` in it: where it starts, what is inside, where
/// it ends.
fn first(text: &str) -> Option<(usize, &str, usize)> {
    let mut from = 0;
    loop {
        let start = from + text.get(from..)?.find("${{")?;
        let (inside, rest) = text.get(start + 3..)?.split_once('}')?;
        if rest.starts_with('}') {
            return Some((start, inside, start + 3 + inside.len() + 2));
        }
        from = start + 3;
    }
}

/// Version 16 refuses the forms that older versions took or were said to take.
fn refuse_old_forms(text: &str, name: &str) -> Result<(), Bad> {
    for form in [format!("${name}"), format!("${{{name}}}")] {
        if let Some((before, _)) = text.split_once(&form) {
            return Err(old_form(before, &form, name));
        }
    }
    let open = format!("${{{name}:");
    for (at, _) in text.match_indices(&open) {
        let (before, from) = text.split_at_checked(at).unwrap_or_default();
        if let Some((form, _)) = from.split_once('}') {
            return Err(old_form(before, &format!("{form}}}"), name));
        }
    }
    Ok(())
}

fn old_form(before: &str, form: &str, name: &str) -> Bad {
    let line = before.matches('\n').count() + 1;
    let why = format!("{form:?} is no placeholder; write ${{{{{name}}}}}");
    Bad::new(line, why)
}

/// What a value puts in place of a placeholder. stacker takes `$1` and `$NAME` in
/// it as parts of what was matched and mangles the value; `$$` is a dollar sign.
fn literal(name: &str, value: &str) -> Result<String, Bad> {
    let mut made = String::with_capacity(value.len());
    let mut rest = value;
    while let Some((before, after)) = rest.split_once('$') {
        made.push_str(before);
        made.push('$');
        if is_group(after) {
            let why = format!(
                "stacker would take a part of the value of {name:?} as a name; write $$ for a \
                 dollar sign"
            );
            return Err(Bad::new(0, why));
        }
        rest = after.strip_prefix('$').unwrap_or(after);
    }
    made.push_str(rest);
    Ok(made)
}

/// Whether a text begins with a name, with or without braces.
fn is_group(text: &str) -> bool {
    let of_a_name = |c: char| c.is_alphanumeric() || c == '_';
    match text.strip_prefix('{') {
        None => text.starts_with(of_a_name),
        Some(inside) => inside
            .split_once('}')
            .is_some_and(|(name, _)| !name.is_empty() && name.chars().all(of_a_name)),
    }
}

fn bounded(text: &str) -> Result<(), Bad> {
    if text.len() > LONGEST {
        let why = format!("substitutions make it longer than {LONGEST} bytes");
        return Err(Bad::new(0, why));
    }
    Ok(())
}

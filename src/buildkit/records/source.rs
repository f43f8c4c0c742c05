//! Where the bytes of a layer are, as one text.

use super::interner::{EMPTY, Interner, Text};
use crate::host::Source;
use crate::prelude::*;

/// The text of a source; empty for none.
pub(crate) fn encode(source: Option<&Source>) -> String {
    match source {
        None => String::new(),
        Some(Source::Repository(name)) => format!("r{name}"),
        Some(Source::Provider(name)) => format!("p{name}"),
        Some(Source::File(path)) => format!("f{path}"),
    }
}

/// The source of a text.
pub(crate) fn decode(text: &str) -> Option<Source> {
    let mut rest = text.chars();
    let kind = rest.next()?;
    let name = rest.as_str().to_owned();
    Some(match kind {
        'r' => Source::Repository(name),
        'p' => Source::Provider(name),
        _ => Source::File(name),
    })
}

/// The name of a source.
pub(crate) fn name(source: &Source) -> &str {
    match source {
        Source::Repository(name) | Source::Provider(name) | Source::File(name) => name,
    }
}

/// The name under which a source is asked what it has. A file has no name, and
/// what has no source is not asked.
pub(crate) fn asked(texts: &Interner, source: Text) -> Option<&str> {
    if source == EMPTY {
        return None;
    }
    let text = texts.get(source);
    text.strip_prefix('r').or_else(|| text.strip_prefix('p'))
}

//! Heredocs, which this builder reads and does not understand: their lines are taken
//! off the Dockerfile (Dockerfile spec, section 2.3).

use super::expand::{Lexer, Raw};
use super::limits::SessionLimits;
use super::refusal::{Stop, unparsed};
use crate::prelude::*;

/// A heredoc.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Heredoc {
    /// Its terminator.
    pub name: String,
    /// `<<-`: tabs at the start of its lines do not count.
    pub chomp: bool,
    /// Its lines.
    pub content: String,
}

/// The heredocs that a line begins.
///
/// # Errors
/// As the builder refuses, and above a limit.
pub fn in_line(line: &str, limits: &SessionLimits) -> Result<Vec<Heredoc>, Stop> {
    let raw = Raw {
        quotes: true,
        escapes: true,
    };
    let words = lexer(limits).plain_words(line, raw)?;
    let mut heredocs = Vec::new();
    for word in words {
        heredocs.extend(parse(&word, limits)?);
    }
    Ok(heredocs)
}

/// Whether a word begins a heredoc; a malformed one does not.
///
/// # Errors
/// Above a limit.
pub fn is_one(word: &str, limits: &SessionLimits) -> Result<Option<Heredoc>, Stop> {
    match parse(word, limits) {
        Err(Stop::Refused(_)) => Ok(None),
        parsed => parsed,
    }
}

/// The heredoc that a word begins: digits, `<<`, `-`, and one word.
fn parse(word: &str, limits: &SessionLimits) -> Result<Option<Heredoc>, Stop> {
    let text = word.trim_start_matches(|c: char| c.is_ascii_digit());
    let Some(text) = text.strip_prefix("<<") else {
        return Ok(None);
    };
    let (chomp, text) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let text = text.trim_start_matches([' ', '\t', '\n', '\u{c}', '\r']);
    if text.is_empty() || text.contains('<') {
        return Ok(None);
    }
    let read = |quotes| {
        let raw = Raw {
            quotes,
            escapes: false,
        };
        lexer(limits).plain_words(text, raw)
    };
    let words = read(false)?;
    let [name] = words.as_slice() else {
        return Ok(None);
    };
    if read(true)?.len() != 1 {
        let message = format!("internal lexing of heredoc produced inconsistent results: {text}");
        return Err(unparsed(message));
    }
    Ok(Some(Heredoc {
        name: name.clone(),
        chomp,
        content: String::new(),
    }))
}

/// Always with the backslash, whatever the Dockerfile says.
fn lexer(limits: &SessionLimits) -> Lexer<'_> {
    Lexer {
        escape: '\\',
        all_modifiers: true,
        limits,
    }
}

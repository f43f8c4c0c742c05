//! Single rules as functions, which only tests call. `None` is a refusal.

use super::expand::{Lexer, Variables};
use super::ignore::Ignore;
use super::instruction;
use super::limits::SessionLimits;
use super::line;
use super::version::Rules;
use crate::prelude::*;
use crate::semantics::Semantics;

/// A word with its variables replaced.
pub fn expand(word: &str, escape: char, variables: &[(String, String)]) -> Option<String> {
    let limits = SessionLimits::new(&[]).ok()?;
    lexer(escape, &limits).word(word, &map(variables)).ok()
}

/// The words that a text is once its variables are replaced.
pub fn words(text: &str, escape: char, variables: &[(String, String)]) -> Option<Vec<String>> {
    let limits = SessionLimits::new(&[]).ok()?;
    lexer(escape, &limits).words(text, &map(variables)).ok()
}

/// The line and the text of every instruction.
pub fn parse(text: &str) -> Option<Vec<(u32, String)>> {
    let limits = SessionLimits::new(&[]).ok()?;
    let rules = Rules::of(&Semantics::compatible(None)).ok()?;
    let nodes = line::parse(text, &rules, &limits).ok()?.nodes;
    let mut instructions = Vec::new();
    for node in &nodes {
        instruction::parse(node, &rules, &limits).ok()?;
        instructions.push((node.line, node.text.trim().to_owned()));
    }
    Some(instructions)
}

/// Whether the text of a `.dockerignore` leaves out a path, all folders above it
/// looked at.
pub fn leaves_out(file: &str, path: &str) -> Option<bool> {
    Ignore::read(file, &[]).ok()?.removes(path).ok()
}

fn lexer(escape: char, limits: &SessionLimits) -> Lexer<'_> {
    Lexer {
        escape,
        all_modifiers: true,
        limits,
    }
}

fn map(variables: &[(String, String)]) -> Variables {
    variables.iter().cloned().collect()
}

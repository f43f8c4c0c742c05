//! From the text of a Dockerfile to its instructions: directives, comments,
//! continuations and heredocs (Dockerfile spec, section 2.1).

use super::heredoc::{self, Heredoc};
use super::limits::SessionLimits;
use super::node::{self, Node};
use super::refusal::{Stop, unparsed};
use super::version::Rules;
use crate::prelude::*;

/// The longest line that the builder reads, in bytes.
const LONGEST_LINE: usize = 65_535;

/// A Dockerfile taken apart.
#[derive(Debug)]
pub struct Parsed {
    /// Its instructions, in order.
    pub nodes: Vec<Node>,
    /// The character that escapes and continues lines.
    pub escape: char,
}

/// Takes a Dockerfile apart.
///
/// # Errors
/// As the builder refuses, and above the limit of steps.
pub fn parse(text: &str, rules: &Rules, limits: &SessionLimits) -> Result<Parsed, Stop> {
    let mut directives = Directives::default();
    let mut lines = Lines::new(text);
    let mut nodes: Vec<Node> = Vec::new();
    while let Some(raw) = lines.next() {
        let stripped = raw.trim_end_matches(['\r', '\n']).trim_start();
        let at = |stop: Stop| stop.at(lines.number);
        directives.read(stripped).map_err(at)?;
        let code = if is_comment(stripped) { "" } else { stripped };
        let start = lines.number;
        let escape = directives.escape;
        let (first, mut complete) = match continued(code, escape) {
            Some(rest) => (rest, false),
            None => (code, true),
        };
        if complete && first.is_empty() {
            continue;
        }
        let mut logical = first.to_owned();
        while !complete {
            let Some(raw) = lines.next() else { break };
            let line = raw.trim_end_matches(['\r', '\n']);
            directives
                .read(line)
                .map_err(|stop| stop.at(lines.number))?;
            if is_comment(line) || line.trim_start().is_empty() {
                continue;
            }
            match continued(line, escape) {
                Some(rest) => logical.push_str(rest),
                None => {
                    logical.push_str(line);
                    complete = true;
                }
            }
        }
        let at = |stop: Stop| stop.at(start);
        let mut node = node::parse(&logical, start, escape, rules).map_err(at)?;
        if rules.heredocs && node.takes_heredocs() && logical.contains("<<") {
            for found in heredoc::in_line(&logical, limits).map_err(at)? {
                node.heredocs
                    .push(read_heredoc(found, &mut lines).map_err(at)?);
            }
        }
        nodes.push(node);
        limits.steps(nodes.len())?;
    }
    if nodes.is_empty() {
        return Err(unparsed("file with no instructions").at(lines.number));
    }
    if lines.too_long {
        let message = format!("dockerfile line greater than max allowed size of {LONGEST_LINE}");
        return Err(unparsed(message).at(lines.number.saturating_add(1)));
    }
    Ok(Parsed {
        nodes,
        escape: directives.escape,
    })
}

/// Reads the lines of a heredoc, up to its terminator.
fn read_heredoc(mut heredoc: Heredoc, lines: &mut Lines<'_>) -> Result<Heredoc, Stop> {
    while let Some(raw) = lines.next() {
        let mut line = raw.trim_end_matches(['\r', '\n']);
        if heredoc.chomp {
            line = line.trim_start_matches('\t');
        }
        if line == heredoc.name {
            return Ok(heredoc);
        }
        heredoc.content.push_str(raw);
    }
    Err(unparsed("unterminated heredoc"))
}

/// The physical lines, with their ends.
struct Lines<'a> {
    rest: &'a str,
    /// The number of the line returned last.
    number: u32,
    too_long: bool,
}

impl<'a> Lines<'a> {
    fn new(text: &'a str) -> Self {
        Self {
            rest: text,
            number: 0,
            too_long: false,
        }
    }

    fn next(&mut self) -> Option<&'a str> {
        if self.rest.is_empty() || self.too_long {
            return None;
        }
        let end = self.rest.find('\n').map_or(self.rest.len(), |at| at + 1);
        let (line, rest) = self.rest.split_at_checked(end)?;
        if line.strip_suffix('\n').unwrap_or(line).len() > LONGEST_LINE {
            self.too_long = true;
            return None;
        }
        self.rest = rest;
        let first = self.number == 0;
        self.number = self.number.saturating_add(1);
        Some(if first {
            line.strip_prefix('\u{feff}').unwrap_or(line)
        } else {
            line
        })
    }
}

fn is_comment(line: &str) -> bool {
    line.trim_start().starts_with('#')
}

/// A line without the escape character at its end, if it goes on in the next: one
/// that stands alone or behind another character.
fn continued(line: &str, escape: char) -> Option<&str> {
    let head = line.trim_end_matches([' ', '\t']).strip_suffix(escape)?;
    (!head.ends_with(escape)).then_some(head)
}

/// The parser directives at the top of the file.
struct Directives {
    escape: char,
    done: bool,
    seen: Vec<&'static str>,
}

impl Default for Directives {
    fn default() -> Self {
        Self {
            escape: '\\',
            done: false,
            seen: Vec::new(),
        }
    }
}

impl Directives {
    /// Reads a line that may be a directive; the first that is none ends them.
    fn read(&mut self, line: &str) -> Result<(), Stop> {
        if self.done {
            return Ok(());
        }
        let Some((name, value)) = directive(line) else {
            self.done = true;
            return Ok(());
        };
        if self.seen.contains(&name) {
            let message = format!("only one {name} parser directive can be used");
            return Err(unparsed(message));
        }
        self.seen.push(name);
        if name == "escape" {
            self.escape = match value {
                "\\" => '\\',
                "`" => '`',
                _ => {
                    let message = format!("invalid escape token '{value}' does not match ` or \\");
                    return Err(unparsed(message));
                }
            };
        }
        Ok(())
    }
}

/// The name and value of a directive.
fn directive(line: &str) -> Option<(&'static str, &str)> {
    let (name, value) = line.strip_prefix('#')?.trim_start().split_once('=')?;
    let name = name.trim_end_matches(SPACES);
    let known = ["syntax", "escape", "check"];
    let name = known
        .into_iter()
        .find(|known| known.eq_ignore_ascii_case(name))?;
    let value = value.trim_matches(SPACES);
    (!value.is_empty()).then_some((name, value))
}

/// What `\s` is in the builder's expressions.
const SPACES: [char; 5] = [' ', '\t', '\n', '\u{c}', '\r'];

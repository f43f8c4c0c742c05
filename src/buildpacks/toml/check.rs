//! Whether a text is TOML: syntax, and no name given twice (Buildpacks spec,
//! section 5.2, step 3a). What upstream's parser allows is allowed: TOML 1.1,
//! and in a few places more or less than that. Nothing recurses.
//!
//! A library would be shorter and was tried (the crate `toml` 1.2, without `std`, for
//! reading only). It makes a component 41 KB larger than this check does. Of the
//! documents in the tests that upstream's parser takes it refuses six of 19:
//! tables that a dotted key made before (`a.b = 1` and then `[a]`), lists that are
//! extended, a backslash before closing quotes. It takes one of 44 that upstream refuses
//! (`1e999`), and nests no deeper than 80 whatever the limit is. A refusal here ends a
//! restore, so a stricter parser would stop builds that the lifecycle does not stop, in
//! both readings.

use core::fmt;

use super::names::{Ended, Names};
use super::scalar::is_scalar;
use crate::prelude::*;

/// Why a text is not TOML.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The line, from 1.
    pub line: usize,
    /// What was due there.
    pub what: &'static str,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.what)
    }
}

/// Checks a whole document that nests values no deeper than `depth`.
///
/// # Errors
/// The first thing that is wrong.
pub fn check(text: &str, depth: u64) -> Result<(), Refusal> {
    // Upstream passes over a byte order mark.
    let at = if text.starts_with('\u{feff}') { 3 } else { 0 };
    let mut scan = Scan {
        text,
        at,
        depth,
        names: Names::new(depth),
    };
    scan.document().map_err(|what| {
        let before = text.get(..scan.at).unwrap_or(text);
        Refusal {
            line: before
                .bytes()
                .filter(|b| *b == b'\n')
                .count()
                .saturating_add(1),
            what,
        }
    })
}

type Check<T = ()> = Result<T, &'static str>;

struct Scan<'a> {
    text: &'a str,
    at: usize,
    depth: u64,
    names: Names,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Open {
    List,
    Table,
}

impl<'a> Scan<'a> {
    fn document(&mut self) -> Check {
        loop {
            self.blank();
            match self.peek() {
                None => return Ok(()),
                Some(b'\n' | b'\r' | b'#') => {}
                Some(b'[') => {
                    self.at += 1;
                    let list = self.take("[");
                    let key = self.key()?;
                    self.expect(
                        if list { "]]" } else { "]" },
                        "expected the end of a header",
                    )?;
                    self.names.header(&key, list)?;
                }
                Some(_) => {
                    let key = self.key()?;
                    self.expect("=", "expected '=' after a key")?;
                    self.names.begin(&key)?;
                    self.value()?;
                }
            }
            self.blank();
            self.comment()?;
            if self.peek().is_some() && !self.newline() {
                return Err("expected the end of the line");
            }
        }
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn take(&mut self, word: &str) -> bool {
        let there = self.rest().starts_with(word);
        if there {
            self.at = self.at.saturating_add(word.len());
        }
        there
    }

    fn expect(&mut self, word: &str, what: &'static str) -> Check {
        self.blank();
        if self.take(word) { Ok(()) } else { Err(what) }
    }

    fn blank(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t')) {
            self.at += 1;
        }
    }

    fn newline(&mut self) -> bool {
        self.take("\n") || self.take("\r\n")
    }

    fn comment(&mut self) -> Check {
        if !self.take("#") {
            return Ok(());
        }
        let end = self.rest().find('\n').unwrap_or(self.rest().len());
        let comment = self.rest().get(..end).unwrap_or_default();
        let comment = comment.strip_suffix('\r').unwrap_or(comment);
        if comment.bytes().any(is_control) {
            return Err("control character in a comment");
        }
        self.at = self.at.saturating_add(comment.len());
        Ok(())
    }

    /// White space, newlines and comments inside brackets.
    fn filler(&mut self) -> Check {
        loop {
            self.blank();
            self.comment()?;
            if !self.newline() {
                return Ok(());
            }
        }
    }

    /// The parts of a dotted key.
    fn key(&mut self) -> Check<Vec<Cow<'a, str>>> {
        let mut parts = Vec::new();
        loop {
            self.blank();
            let part = match self.peek() {
                Some(b'"') => Cow::Owned(self.basic(false)?),
                Some(b'\'') => Cow::Borrowed(self.literal(false)?),
                _ => {
                    let bare = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-');
                    let length = self.rest().bytes().take_while(|b| bare(*b)).count();
                    if length == 0 {
                        return Err("expected a key");
                    }
                    let part = self.rest().get(..length).unwrap_or_default();
                    self.at = self.at.saturating_add(length);
                    Cow::Borrowed(part)
                }
            };
            parts.push(part);
            if u64::try_from(parts.len()).unwrap_or(u64::MAX) > self.depth {
                return Err("a key with too many parts");
            }
            self.blank();
            if !self.take(".") {
                return Ok(parts);
            }
        }
    }

    /// One value; lists and inline tables are kept on a pile.
    fn value(&mut self) -> Check {
        let mut open: Vec<Open> = Vec::new();
        loop {
            self.blank();
            // Exactly one value starts here.
            let mut ended = Ended::Scalar;
            match self.peek() {
                Some(b'[') => {
                    self.at += 1;
                    open.push(Open::List);
                    self.names.list();
                    self.filler()?;
                    if !self.take("]") {
                        self.nested(&open)?;
                        continue;
                    }
                    open.pop();
                    ended = Ended::List;
                }
                Some(b'{') => {
                    self.at += 1;
                    self.names.open(open.last() == Some(&Open::List))?;
                    open.push(Open::Table);
                    self.filler()?;
                    if !self.take("}") {
                        self.nested(&open)?;
                        self.member()?;
                        continue;
                    }
                    open.pop();
                    ended = self.names.close();
                }
                Some(b'"') => {
                    let multi = self.rest().starts_with("\"\"\"");
                    self.basic(multi)?;
                }
                Some(b'\'') => {
                    let multi = self.rest().starts_with("'''");
                    self.literal(multi)?;
                }
                _ => self.word()?,
            }
            // It ended; what it stood in goes on or ends too.
            loop {
                if open.last() != Some(&Open::List) {
                    self.names.end(ended)?;
                }
                let close = match open.last() {
                    None => return Ok(()),
                    Some(Open::List) => "]",
                    Some(Open::Table) => "}",
                };
                self.filler()?;
                let more = self.take(",");
                if more {
                    self.filler()?;
                }
                if self.take(close) {
                    ended = match open.pop() {
                        Some(Open::Table) => self.names.close(),
                        _ => Ended::List,
                    };
                } else if more {
                    if close == "}" {
                        self.member()?;
                    }
                    break;
                } else {
                    return Err("expected ',' or the end of a list or table");
                }
            }
        }
    }

    fn nested(&self, open: &[Open]) -> Check {
        if u64::try_from(open.len()).unwrap_or(u64::MAX) > self.depth {
            return Err("nested too deep");
        }
        Ok(())
    }

    /// A key and the sign after it, inside an inline table.
    fn member(&mut self) -> Check {
        let key = self.key()?;
        self.expect("=", "expected '=' after a key")?;
        self.names.begin(&key)
    }

    fn word(&mut self) -> Check {
        let part =
            |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'+' | b'.' | b':');
        let mut length = self.rest().bytes().take_while(|b| part(*b)).count();
        // A date and a time may have a space between them.
        let after = self.rest().get(length..).unwrap_or_default().as_bytes();
        if length == 10 && matches!(after, [b' ', b'0'..=b'9', ..]) {
            let time = after.iter().skip(1).take_while(|b| part(**b)).count();
            length = length.saturating_add(1).saturating_add(time);
        }
        let word = self.rest().get(..length).unwrap_or_default();
        if !is_scalar(word) {
            return Err("expected a value");
        }
        self.at = self.at.saturating_add(length);
        Ok(())
    }

    /// A string in single quotes, on one line or in three quotes.
    fn literal(&mut self, multi: bool) -> Check<&'a str> {
        let quote = if multi { "'''" } else { "'" };
        self.take(quote);
        let body = self.rest();
        let length = body.find(quote).ok_or("a string without an end")?;
        let text = body.get(..length).unwrap_or_default();
        let allowed = |b: u8| !is_control(b) || (multi && matches!(b, b'\n' | b'\r'));
        if !text.bytes().all(allowed) || has_bare_return(text) {
            return Err("control character in a string");
        }
        self.at = self.at.saturating_add(length).saturating_add(quote.len());
        if multi {
            self.closing_quotes("'");
        }
        Ok(text)
    }

    /// A string in double quotes; returns its text where it is one line.
    fn basic(&mut self, multi: bool) -> Check<String> {
        let quote = if multi { "\"\"\"" } else { "\"" };
        self.take(quote);
        let mut text = String::new();
        loop {
            let before = self.text.get(..self.at).unwrap_or_default();
            if self.take(quote) {
                if multi {
                    self.closing_quotes("\"");
                    // Upstream takes the backslash for one before a quote.
                    let _ = before.ends_with('\\') && self.take("\"");
                }
                return Ok(text);
            }
            let c = self
                .rest()
                .chars()
                .next()
                .ok_or("a string without an end")?;
            if c == '\\' {
                self.at += 1;
                text.extend(self.escape(multi)?);
                continue;
            }
            let line_end = multi && (c == '\n' || self.rest().starts_with("\r\n"));
            if u8::try_from(c).is_ok_and(is_control) && !line_end {
                return Err("control character in a string");
            }
            self.at = self.at.saturating_add(c.len_utf8());
            text.push(c);
        }
    }

    /// Up to two quotes may stand right before the closing ones.
    fn closing_quotes(&mut self, quote: &str) {
        let _ = self.take(quote) && self.take(quote);
    }

    fn escape(&mut self, multi: bool) -> Check<Option<char>> {
        const WHAT: &str = "invalid escape in a string";
        if multi {
            let start = self.at;
            self.blank();
            if self.newline() {
                while matches!(self.peek(), Some(b' ' | b'\t')) || self.newline() {
                    self.blank();
                }
                return Ok(None);
            }
            self.at = start;
        }
        let letter = self.peek().ok_or(WHAT)?;
        self.at += 1;
        let digits = match letter {
            b'b' => return Ok(Some('\u{8}')),
            b't' => return Ok(Some('\t')),
            b'n' => return Ok(Some('\n')),
            b'f' => return Ok(Some('\u{c}')),
            b'r' => return Ok(Some('\r')),
            b'e' => return Ok(Some('\u{1b}')),
            b'"' => return Ok(Some('"')),
            b'\\' => return Ok(Some('\\')),
            b'x' => 2,
            b'u' => 4,
            b'U' => 8,
            _ => return Err(WHAT),
        };
        let hex = self.rest().get(..digits).ok_or(WHAT)?;
        let all_hex = hex.bytes().all(|b| b.is_ascii_hexdigit());
        let code = u32::from_str_radix(hex, 16).ok().filter(|_| all_hex);
        self.at = self.at.saturating_add(digits);
        code.and_then(char::from_u32).map(Some).ok_or(WHAT)
    }
}

const fn is_control(byte: u8) -> bool {
    (byte < 0x20 && byte != b'\t') || byte == 0x7f
}

/// A carriage return that does not end a line.
fn has_bare_return(text: &str) -> bool {
    text.replace("\r\n", "").contains('\r')
}

#[cfg(test)]
mod tests;

//! Splitting a line into words, in the several ways of the builder (Dockerfile spec,
//! section 2.2).

use super::version::Rules;
use crate::prelude::*;

/// What separates words that have no quotes.
const BLANKS: [char; 5] = ['\t', '\u{b}', '\u{c}', '\r', ' '];

/// The text before the first run of blanks and the text after it.
pub fn split_once(text: &str) -> Option<(&str, &str)> {
    let (head, rest) = text.split_once(BLANKS)?;
    Some((head, rest.trim_start_matches(BLANKS)))
}

/// The words between runs of blanks; an empty text has none.
pub fn blanks(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut rest = text;
    if rest.is_empty() {
        return words;
    }
    while let Some((word, after)) = split_once(rest) {
        words.push(word.to_owned());
        rest = after;
    }
    words.push(rest.to_owned());
    words
}

/// The name of an instruction, its options, and the rest.
pub fn split<'a>(line: &'a str, escape: char, rules: &Rules) -> (&'a str, Vec<String>, String) {
    let line = line.trim();
    let Some((name, rest)) = split_once(line) else {
        return (line, Vec::new(), String::new());
    };
    let escape = if rules.late_options { escape } else { '\\' };
    let (options, rest) = options(rest, escape);
    (name, options, rest.trim().to_owned())
}

/// The words at the start of a line that begin with `--`, and what follows. The
/// builder reads them byte by byte, each byte being a character.
fn options(line: &str, escape: char) -> (Vec<String>, String) {
    let bytes: Vec<char> = line.bytes().map(char::from).collect();
    let rest_from = |at: usize| {
        let tail = line.as_bytes().get(at..).unwrap_or_default();
        String::from_utf8_lossy(tail).into_owned()
    };
    let mut options = Vec::new();
    let mut at = 0;
    loop {
        while bytes.get(at).is_some_and(|byte| byte.is_whitespace()) {
            at += 1;
        }
        if at >= bytes.len() {
            return (options, String::new());
        }
        if bytes.get(at..at + 2) != Some(&['-', '-']) {
            return (options, rest_from(at));
        }
        let (word, quoted, end) = option(&bytes, at, escape);
        at = end;
        if word == "--" {
            return (options, rest_from(at));
        }
        if quoted || !word.is_empty() {
            options.push(word);
        }
    }
}

/// One option from `at`: its text, whether it had quotes, and where it ends.
fn option(bytes: &[char], mut at: usize, escape: char) -> (String, bool, usize) {
    let mut word = String::new();
    let mut quote = None;
    let mut quoted = false;
    while let Some(&byte) = bytes.get(at) {
        match quote {
            None if byte.is_whitespace() => break,
            None if byte == '\'' || byte == '"' => {
                quote = Some(byte);
                quoted = true;
            }
            Some(open) if byte == open => quote = None,
            _ if byte == escape => match bytes.get(at + 1) {
                Some(&next) => {
                    word.push(next);
                    at += 1;
                }
                None => quote = None,
            },
            _ => word.push(byte),
        }
        at += 1;
    }
    (word, quoted, at)
}

/// Words between white space, where quotes and the escape character hold a word
/// together; they stay in it.
pub fn words(text: &str, escape: char) -> Vec<String> {
    let mut words = Vec::new();
    let mut word = String::new();
    let mut quote = None;
    let mut quoted = false;
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match quote {
            None if c.is_whitespace() => {
                if quoted || !word.is_empty() {
                    words.push(core::mem::take(&mut word));
                }
                quoted = false;
                continue;
            }
            None if c == '\'' || c == '"' => {
                quote = Some(c);
                quoted = true;
            }
            Some(open) if c == open => quote = None,
            _ => {}
        }
        // Nothing can be escaped between single quotes.
        if c == escape && quote != Some('\'') {
            // One at the end of the line is dropped.
            let Some(next) = chars.next() else { break };
            word.push(c);
            word.push(next);
        } else {
            word.push(c);
        }
    }
    if quoted || !word.is_empty() {
        words.push(word);
    }
    words
}

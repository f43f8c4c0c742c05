//! Wildcards as Go's `path/filepath.Match` and `path.Match` read them (Dockerfile spec,
//! section 7.2; Builds spec, section 4.3).

use core::iter::Peekable;
use core::str::Chars;

use super::bad::BadPattern;
use crate::prelude::*;

/// One character of a pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    /// Any character but `/`.
    Any,
    /// This character.
    One(char),
    /// A character between two of these, or, if `not`, between none of them.
    Class {
        not: bool,
        ranges: Vec<(char, char)>,
    },
}

/// Parts between stars.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Chunk {
    /// Any text without `/` may stand before it.
    star: bool,
    /// A malformed chunk is found out when it is reached.
    parts: Result<Vec<Part>, BadPattern>,
}

/// A pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Glob(Vec<Chunk>);

impl Glob {
    /// Reads a pattern as `filepath.Match` does: a fault shows when it is reached.
    pub fn new(pattern: &str) -> Self {
        let mut chunks = Vec::new();
        let mut chars = pattern.chars().peekable();
        while chars.peek().is_some() {
            let mut star = false;
            while chars.next_if_eq(&'*').is_some() {
                star = true;
            }
            let text = chunk(&mut chars);
            chunks.push(Chunk {
                star,
                parts: parts(&text),
            });
        }
        Self(chunks)
    }

    /// Reads a pattern as `path.Match` does, which finds every fault.
    ///
    /// # Errors
    /// When it is malformed.
    pub fn strict(pattern: &str) -> Result<Self, BadPattern> {
        let glob = Self::new(pattern);
        match glob.0.iter().all(|chunk| chunk.parts.is_ok()) {
            true => Ok(glob),
            false => Err(BadPattern::Malformed),
        }
    }

    /// Whether it matches the whole text.
    ///
    /// # Errors
    /// When it is malformed, as far as that is found out.
    pub fn matches(&self, text: &str) -> Result<bool, BadPattern> {
        let chars: Vec<char> = text.chars().collect();
        let mut rest = chars.as_slice();
        let last = self.0.len().saturating_sub(1);
        'chunks: for (place, chunk) in self.0.iter().enumerate() {
            let parts = chunk.parts.as_ref().map_err(|bad| *bad)?;
            if chunk.star && parts.is_empty() {
                return Ok(!rest.contains(&'/'));
            }
            // The last one has to take everything.
            let fits = |after: &[char]| place < last || after.is_empty();
            let mut start = rest;
            loop {
                if let Some(after) = take(parts, start).filter(|after| fits(after)) {
                    rest = after;
                    continue 'chunks;
                }
                match start {
                    [c, after @ ..] if chunk.star && *c != '/' => start = after,
                    _ => return Ok(false),
                }
            }
        }
        Ok(rest.is_empty())
    }
}

/// The text of a pattern up to the next star that stands outside of a class.
fn chunk(chars: &mut Peekable<Chars<'_>>) -> String {
    let mut text = String::new();
    let mut class = false;
    while let Some(c) = chars.next_if(|c| class || *c != '*') {
        text.push(c);
        match c {
            '\\' => text.extend(chars.next()),
            '[' => class = true,
            ']' => class = false,
            _ => {}
        }
    }
    text
}

fn parts(text: &str) -> Result<Vec<Part>, BadPattern> {
    let mut parts = Vec::new();
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        parts.push(match c {
            '?' => Part::Any,
            '\\' => Part::One(chars.next().ok_or(BadPattern::Malformed)?),
            '[' => {
                let not = chars.next_if_eq(&'^').is_some();
                let mut ranges = Vec::new();
                while ranges.is_empty() || chars.next_if_eq(&']').is_none() {
                    let low = class_char(&mut chars)?;
                    let high = match chars.next_if_eq(&'-') {
                        Some(_) => class_char(&mut chars)?,
                        None => low,
                    };
                    ranges.push((low, high));
                }
                Part::Class { not, ranges }
            }
            c => Part::One(c),
        });
    }
    Ok(parts)
}

/// What is left of a text behind the parts, if it begins with them.
fn take<'a>(parts: &[Part], text: &'a [char]) -> Option<&'a [char]> {
    let mut rest = text;
    for part in parts {
        let (c, after) = rest.split_first()?;
        let fits = match part {
            Part::Any => *c != '/',
            Part::One(want) => c == want,
            Part::Class { not, ranges } => {
                ranges.iter().any(|(low, high)| (low..=high).contains(&c)) != *not
            }
        };
        if !fits {
            return None;
        }
        rest = after;
    }
    Some(rest)
}

/// A character of a class.
fn class_char(chars: &mut Peekable<Chars<'_>>) -> Result<char, BadPattern> {
    let c = match chars.next() {
        None | Some('-' | ']') => return Err(BadPattern::Malformed),
        Some('\\') => chars.next().ok_or(BadPattern::Malformed)?,
        Some(c) => c,
    };
    // Something has to follow.
    chars.peek().map(|_| c).ok_or(BadPattern::Malformed)
}

/// Whether a path of COPY or ADD is a pattern.
pub fn has_wildcards(path: &str) -> bool {
    let mut chars = path.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => {
                chars.next();
            }
            '*' | '?' | '[' => return true,
            _ => {}
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_as_go_does() {
        for (pattern, text, matches) in [
            ("*", "a/b", false),
            ("a*c", "abc", true),
            ("a*c*", "aacb", true),
            ("?", "/", false),
            ("[a-c]x", "bx", true),
            ("[^a-c]x", "bx", false),
            ("[^a]", "/", true),
            ("\\*", "*", true),
            ("", "", true),
            ("*", "", true),
            ("a/*/c", "a/b/c", true),
            ("*a", "xaya", true),
            ("*a*b", "xab", true),
            ("b*[", "a", false),
        ] {
            let glob = Glob::new(pattern);
            assert_eq!(glob.matches(text), Ok(matches), "{pattern} {text}");
        }
        for pattern in ["[", "[]", "[a", "[-]", "a\\", "[a-]", "[^]"] {
            let glob = Glob::new(pattern);
            assert_eq!(glob.matches("a"), Err(BadPattern::Malformed), "{pattern}");
            assert_eq!(
                Glob::strict(pattern),
                Err(BadPattern::Malformed),
                "{pattern}"
            );
        }
        assert_eq!(Glob::strict("b*["), Err(BadPattern::Malformed));
        assert!(has_wildcards("a*") && !has_wildcards("a\\*"));
    }
}

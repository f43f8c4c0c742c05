//! Shell patterns as Go's `path.Match` reads them.

use crate::prelude::*;

/// A pattern that is not well formed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadPattern(pub String);

impl core::fmt::Display for BadPattern {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "pattern {:?} is not well formed", self.0)
    }
}

impl core::error::Error for BadPattern {}

/// Whether a name has a `*`, `?` or `[` that is not quoted.
pub(super) fn has_wildcards(name: &str) -> bool {
    let mut letters = name.bytes();
    while let Some(letter) = letters.next() {
        match letter {
            b'*' | b'?' | b'[' => return true,
            b'\\' => {
                letters.next();
            }
            _ => {}
        }
    }
    false
}

/// One part of a pattern.
enum Part {
    /// Any number of characters but `/`.
    Star,
    /// One character but `/`.
    One,
    Literal(char),
    Class {
        negated: bool,
        ranges: Vec<(char, char)>,
    },
}

/// A pattern, read once.
pub(super) struct Wildcard(Vec<Part>);

impl Wildcard {
    /// Reads a pattern.
    ///
    /// # Errors
    /// That it is not well formed.
    pub fn new(pattern: &str) -> Result<Self, BadPattern> {
        let bad = || BadPattern(pattern.to_owned());
        let mut parts = Vec::new();
        let mut rest = pattern.chars().peekable();
        while let Some(c) = rest.next() {
            parts.push(match c {
                '*' => Part::Star,
                '?' => Part::One,
                '\\' => Part::Literal(rest.next().ok_or_else(bad)?),
                '[' => {
                    let negated = rest.next_if_eq(&'^').is_some();
                    let mut ranges = Vec::new();
                    loop {
                        if !ranges.is_empty() && rest.next_if_eq(&']').is_some() {
                            break;
                        }
                        let low = class_letter(&mut rest).ok_or_else(bad)?;
                        let high = match rest.next_if_eq(&'-') {
                            Some(_) => class_letter(&mut rest).ok_or_else(bad)?,
                            None => low,
                        };
                        ranges.push((low, high));
                    }
                    Part::Class { negated, ranges }
                }
                c => Part::Literal(c),
            });
        }
        Ok(Self(parts))
    }

    /// Whether the pattern matches all of a path.
    pub fn matches(&self, path: &str) -> bool {
        let Self(parts) = self;
        // The parts that may come next.
        let mut states = vec![false; parts.len() + 1];
        if let Some(first) = states.first_mut() {
            *first = true;
        }
        self.pass_stars(&mut states);
        for c in path.chars() {
            let mut next = vec![false; parts.len() + 1];
            for (at, part) in parts.iter().enumerate() {
                if !states.get(at).copied().unwrap_or(false) || !part.accepts(c) {
                    continue;
                }
                let to = if matches!(part, Part::Star) {
                    at
                } else {
                    at + 1
                };
                if let Some(state) = next.get_mut(to) {
                    *state = true;
                }
            }
            self.pass_stars(&mut next);
            states = next;
        }
        states.last().copied().unwrap_or(false)
    }

    fn pass_stars(&self, states: &mut [bool]) {
        for (at, part) in self.0.iter().enumerate() {
            if matches!(part, Part::Star)
                && states.get(at).copied().unwrap_or(false)
                && let Some(state) = states.get_mut(at + 1)
            {
                *state = true;
            }
        }
    }
}

impl Part {
    fn accepts(&self, c: char) -> bool {
        match self {
            Self::Star | Self::One => c != '/',
            Self::Literal(letter) => c == *letter,
            Self::Class { negated, ranges } => {
                ranges.iter().any(|(low, high)| (*low..=*high).contains(&c)) != *negated
            }
        }
    }
}

fn class_letter(rest: &mut core::iter::Peekable<core::str::Chars<'_>>) -> Option<char> {
    match rest.next()? {
        '-' | ']' => None,
        '\\' => rest.next(),
        c => Some(c),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_go_matches() {
        for (pattern, path, matches) in [
            ("abc", "abc", true),
            ("*", "abc", true),
            ("*", "a/c", false),
            ("a*/b", "a/c/b", false),
            ("a*b?c*x", "abxbbxdbxebxczzx", true),
            ("a*b?c*x", "abxbbxdbxebxczzy", false),
            ("ab[^e-g]", "abc", true),
            ("ab[^c]", "abc", false),
            ("a\\*b", "a*b", true),
            ("a\\*b", "ab", false),
            ("[\\-x]", "-", true),
            ("a?b", "a/b", false),
            ("", "", true),
            ("*x", "xxx", true),
        ] {
            let wildcard = Wildcard::new(pattern).unwrap();
            assert_eq!(wildcard.matches(path), matches, "{pattern} {path}");
        }
        for pattern in ["[", "[]a]", "[-]", "[x-]", "a\\", "[^", "[a"] {
            assert!(Wildcard::new(pattern).is_err(), "{pattern}");
        }
    }
}

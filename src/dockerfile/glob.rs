//! Go's `path/filepath.Match`: wildcards of COPY and ADD, and the check of the
//! patterns of `.dockerignore` (Dockerfile spec, section 7.2).

use crate::prelude::*;

/// A pattern that is malformed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadPattern;

/// One part of a pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    /// Any text without `/`.
    Many,
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

/// A pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Glob(Vec<Part>);

impl Glob {
    /// Reads a pattern.
    ///
    /// # Errors
    /// When it is malformed.
    pub fn new(pattern: &str) -> Result<Self, BadPattern> {
        let mut parts = Vec::new();
        let mut chars = pattern.chars().peekable();
        while let Some(c) = chars.next() {
            parts.push(match c {
                '*' => Part::Many,
                '?' => Part::Any,
                '\\' => Part::One(chars.next().ok_or(BadPattern)?),
                '[' => {
                    let not = chars.next_if_eq(&'^').is_some();
                    let mut ranges = Vec::new();
                    loop {
                        if !ranges.is_empty() && chars.next_if_eq(&']').is_some() {
                            break;
                        }
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
        Ok(Self(parts))
    }

    /// Whether it matches the whole text.
    pub fn matches(&self, text: &str) -> bool {
        let chars: Vec<char> = text.chars().collect();
        // Which places of the text the parts so far can have reached.
        let mut reached: Vec<bool> = chars.iter().map(|_| false).collect();
        reached.insert(0, true);
        for part in &self.0 {
            let mut next = vec![false; reached.len()];
            let mut running = false;
            for (place, here) in reached.iter().enumerate() {
                let before = place.checked_sub(1).and_then(|at| chars.get(at).copied());
                let from = place
                    .checked_sub(1)
                    .and_then(|at| reached.get(at).copied())
                    .unwrap_or_default();
                let fits = match part {
                    Part::Many => {
                        running = *here || (running && before != Some('/'));
                        running
                    }
                    Part::Any => from && before.is_some_and(|c| c != '/'),
                    Part::One(want) => from && before == Some(*want),
                    Part::Class { not, ranges } => {
                        from && before.is_some_and(|c| c != '/' && contains(ranges, c) != *not)
                    }
                };
                if let Some(slot) = next.get_mut(place) {
                    *slot = fits;
                }
            }
            reached = next;
        }
        reached.last().copied().unwrap_or_default()
    }
}

fn contains(ranges: &[(char, char)], c: char) -> bool {
    ranges.iter().any(|(low, high)| (*low..=*high).contains(&c))
}

/// A character of a class.
fn class_char(chars: &mut core::iter::Peekable<core::str::Chars<'_>>) -> Result<char, BadPattern> {
    let c = match chars.next() {
        None | Some('-' | ']') => return Err(BadPattern),
        Some('\\') => chars.next().ok_or(BadPattern)?,
        Some(c) => c,
    };
    // Something has to follow.
    chars.peek().map(|_| c).ok_or(BadPattern)
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
            ("[^a]", "/", false),
            ("\\*", "*", true),
            ("", "", true),
            ("*", "", true),
            ("a/*/c", "a/b/c", true),
        ] {
            let glob = Glob::new(pattern).unwrap();
            assert_eq!(glob.matches(text), matches, "{pattern} {text}");
        }
        for pattern in ["[", "[]", "[a", "[-]", "a\\", "[a-]", "[^]"] {
            assert_eq!(Glob::new(pattern), Err(BadPattern), "{pattern}");
        }
        assert!(has_wildcards("a*") && !has_wildcards("a\\*"));
    }
}

//! One pattern of `.dockerignore`, which the client turns into a regular expression
//! with all that comes with it (Dockerfile spec, section 8.2).

use core::iter::Peekable;
use core::str::Chars;

use super::glob::BadPattern;
use crate::prelude::*;

/// How a pattern is matched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Matcher {
    /// The path is this text.
    Exact(String),
    /// `text**`: the path begins with the text.
    Prefix(String),
    /// `**text`: the path ends with the text, or is it without its `/`.
    Suffix(String),
    /// Alternatives between `|`: the first holds at the start of the path only, the
    /// last at its end.
    Parts(Vec<Vec<Part>>),
}

/// One part of a regular expression.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    /// This character.
    One(char),
    /// `?`: any character but `/`.
    Any,
    /// `*`: any text without `/`.
    Many,
    /// `**`: nothing, or any text on one line that ends with `/`.
    Folders,
    /// `**` at the end: any text on one line.
    Rest,
    /// `^`: the start of the path.
    Start,
    /// A class.
    Class {
        /// The characters that are not in it.
        not: bool,
        /// Ranges of characters.
        ranges: Vec<(char, char)>,
    },
}

impl Matcher {
    /// Reads a pattern.
    ///
    /// # Errors
    /// When the expression is malformed.
    pub fn new(pattern: &str) -> Result<Self, BadPattern> {
        let mut alternatives = Vec::new();
        let mut parts = Vec::new();
        // What the pattern is as long as nothing needs an expression.
        let mut simple = Some(Self::Exact(pattern.to_owned()));
        let mut chars = pattern.chars().peekable();
        let mut first = true;
        while let Some(c) = chars.next() {
            match c {
                '*' if chars.next_if_eq(&'*').is_some() => {
                    chars.next_if_eq(&'/');
                    if chars.peek().is_none() {
                        parts.push(Part::Rest);
                        simple = match simple {
                            Some(Self::Exact(_)) => pattern
                                .strip_suffix("**")
                                .map(|p| Self::Prefix(p.to_owned())),
                            _ => None,
                        };
                    } else {
                        parts.push(Part::Folders);
                        simple = None;
                    }
                    if first {
                        simple = pattern
                            .strip_prefix("**")
                            .map(|p| Self::Suffix(p.to_owned()));
                    }
                }
                '*' => {
                    parts.push(Part::Many);
                    simple = None;
                }
                '?' => {
                    parts.push(Part::Any);
                    simple = None;
                }
                '\\' => {
                    if let Some(next) = chars.next() {
                        parts.push(escaped(next)?);
                        simple = None;
                    } else {
                        parts.push(Part::One('\\'));
                    }
                }
                '[' => {
                    parts.push(class(&mut chars)?);
                    simple = None;
                }
                ']' => {
                    parts.push(Part::One(']'));
                    simple = None;
                }
                // The client forgets to escape these.
                '|' => alternatives.push(core::mem::take(&mut parts)),
                '^' => parts.push(Part::Start),
                c => parts.push(Part::One(c)),
            }
            first = false;
        }
        alternatives.push(parts);
        Ok(simple.unwrap_or(Self::Parts(alternatives)))
    }

    /// Whether a path matches.
    pub fn matches(&self, path: &str) -> bool {
        match self {
            Self::Exact(text) => path == text,
            Self::Prefix(text) => path.starts_with(text.as_str()),
            Self::Suffix(text) => {
                path.ends_with(text.as_str()) || text.strip_prefix('/') == Some(path)
            }
            Self::Parts(alternatives) => {
                let last = alternatives.len().saturating_sub(1);
                let chars: Vec<char> = path.chars().collect();
                let mut alternatives = alternatives.iter().enumerate();
                alternatives.any(|(place, parts)| run(parts, &chars, place == 0, place == last))
            }
        }
    }
}

/// Whether the parts match the text, from its start or anywhere, to its end or
/// anywhere.
fn run(parts: &[Part], text: &[char], at_start: bool, to_end: bool) -> bool {
    let mut reached: Vec<bool> = (0..=text.len()).map(|at| at == 0 || !at_start).collect();
    for part in parts {
        let mut next = vec![false; reached.len()];
        // Whether a part that takes any text has begun before.
        let mut running = false;
        let mut from = false;
        for (place, &here) in reached.iter().enumerate() {
            let before = place.checked_sub(1).and_then(|at| text.get(at).copied());
            let c = |fits: &dyn Fn(char) -> bool| from && before.is_some_and(fits);
            let fits = match part {
                Part::One(want) => c(&|c| c == *want),
                Part::Any => c(&|c| c != '/'),
                Part::Many => {
                    running = here || (running && before != Some('/'));
                    running
                }
                Part::Rest => {
                    running = here || (running && before != Some('\n'));
                    running
                }
                Part::Folders => {
                    // The `/` itself may be the first character taken.
                    running = (running && before != Some('\n')) || (from && before != Some('\n'));
                    here || (running && before == Some('/'))
                }
                Part::Start => here && place == 0,
                Part::Class { not, ranges } => {
                    c(&|c| ranges.iter().any(|(low, high)| (*low..=*high).contains(&c)) != *not)
                }
            };
            if let Some(slot) = next.get_mut(place) {
                *slot = fits;
            }
            from = here;
        }
        reached = next;
    }
    if to_end {
        reached.last().copied().unwrap_or_default()
    } else {
        reached.contains(&true)
    }
}

/// A character behind a backslash, as a regular expression reads it.
fn escaped(c: char) -> Result<Part, BadPattern> {
    if let Some(ranges) = shorthand(c.to_ascii_lowercase()) {
        return Ok(Part::Class {
            not: c.is_ascii_uppercase(),
            ranges,
        });
    }
    Ok(Part::One(escaped_char(c)?))
}

fn escaped_char(c: char) -> Result<char, BadPattern> {
    Ok(match c {
        'a' => '\u{7}',
        'f' => '\u{c}',
        'n' => '\n',
        'r' => '\r',
        't' => '\t',
        'v' => '\u{b}',
        c if c.is_ascii_punctuation() && c != '_' => c,
        _ => return Err(BadPattern),
    })
}

/// The classes that have a letter.
fn shorthand(letter: char) -> Option<Vec<(char, char)>> {
    Some(match letter {
        'd' => vec![('0', '9')],
        's' => vec![('\t', '\n'), ('\u{c}', '\r'), (' ', ' ')],
        'w' => vec![('0', '9'), ('A', 'Z'), ('_', '_'), ('a', 'z')],
        _ => return None,
    })
}

/// A class, from behind its `[`.
fn class(chars: &mut Peekable<Chars<'_>>) -> Result<Part, BadPattern> {
    let not = chars.next_if_eq(&'^').is_some();
    let mut ranges: Vec<(char, char)> = Vec::new();
    let mut first = true;
    loop {
        let c = chars.next().ok_or(BadPattern)?;
        if c == ']' && !first {
            return Ok(Part::Class { not, ranges });
        }
        first = false;
        let low = match c {
            '\\' => {
                let next = chars.next().ok_or(BadPattern)?;
                if let Some(more) = shorthand(next) {
                    ranges.extend(more);
                    continue;
                }
                escaped_char(next)?
            }
            c => c,
        };
        let mut ahead = chars.clone();
        let range = ahead.next() == Some('-') && ahead.peek().is_some_and(|c| *c != ']');
        let mut high = low;
        if range {
            *chars = ahead;
            high = match chars.next().ok_or(BadPattern)? {
                '\\' => escaped_char(chars.next().ok_or(BadPattern)?)?,
                c => c,
            };
            if high < low {
                return Err(BadPattern);
            }
        }
        ranges.push((low, high));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_as_the_client_matches_them() {
        for (pattern, path, matches) in [
            ("a", "a", true),
            ("a", "a/b", false),
            ("a/**", "a/b/c", true),
            ("a/**", "a", false),
            ("**", "x/y", true),
            ("**/c", "c", true),
            ("**/c", "d/sub/c", true),
            ("**/c", "d/xc", false),
            ("**c", "d/xc", true),
            ("*/c", "d/c", true),
            ("*/c", "d/e/c", false),
            ("a/**/c", "a/c", true),
            ("a/**/c", "a/x/y/c", true),
            ("a/**/c", "a/xc", false),
            ("**/*.go", "x.go", true),
            ("**/*.go", "a/b/x.go", true),
            ("a?c", "abc", true),
            ("a?c", "a/c", false),
            ("[a-c].t", "b.t", true),
            ("[a-c].t", "bxt", false),
            ("\\*", "*", true),
            ("*.{a,b}", "x.{a,b}", true),
            ("*.a|b", "x.ab", true),
            ("*.a|b", "b", true),
        ] {
            let matcher = Matcher::new(pattern).unwrap();
            assert_eq!(matcher.matches(path), matches, "{pattern} {path}");
        }
        assert!(Matcher::new("*\\q").is_err());
    }
}

//! One pattern of a list, which upstream turns into a regular expression with all that
//! comes with it (Dockerfile spec, section 8.2).

use core::iter::Peekable;
use core::str::Chars;

use super::bad::BadPattern;
use crate::prelude::*;

/// How a pattern of a list is matched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Expression {
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
    /// One character of a class.
    One(Class),
    /// Any number of them.
    Many(Class),
    /// `(.*/)?`: nothing, or any text on one line that ends with `/`.
    Folders,
    /// `^`: the start of the path.
    Start,
    /// `\b`, or `\B` if `not`: where a word begins or ends.
    Boundary { not: bool },
}

/// Characters between two of these, or, if `not`, between none of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Class {
    not: bool,
    ranges: Vec<(char, char)>,
}

impl Class {
    fn of(c: char) -> Self {
        Self {
            not: false,
            ranges: vec![(c, c)],
        }
    }

    fn any() -> Self {
        Self {
            not: true,
            ranges: Vec::new(),
        }
    }

    fn all_but(c: char) -> Self {
        Self {
            not: true,
            ranges: vec![(c, c)],
        }
    }

    fn has(&self, c: char) -> bool {
        let inside = self
            .ranges
            .iter()
            .any(|(low, high)| (*low..=*high).contains(&c));
        inside != self.not
    }
}

impl Expression {
    /// Reads a pattern.
    ///
    /// # Errors
    /// When the expression is malformed.
    pub fn new(pattern: &str) -> Result<Self, BadPattern> {
        let mut expression = String::new();
        // What the pattern is as long as nothing needs an expression.
        let mut simple = Some(Self::Exact(pattern.to_owned()));
        let mut chars = pattern.chars().peekable();
        let mut first = true;
        let mut open_end = false;
        while let Some(c) = chars.next() {
            match c {
                '*' if chars.next_if_eq(&'*').is_some() => {
                    chars.next_if_eq(&'/');
                    let end = chars.peek().is_none();
                    expression.push_str(if end { ".*" } else { "(.*/)?" });
                    simple = match simple {
                        Some(Self::Exact(_)) if end => {
                            let prefix = pattern.strip_suffix("**");
                            prefix.map(|prefix| Self::Prefix(prefix.to_owned()))
                        }
                        _ => None,
                    };
                    if first {
                        let suffix = pattern.strip_prefix("**");
                        simple = suffix.map(|suffix| Self::Suffix(suffix.to_owned()));
                    }
                }
                '*' | '?' | '[' | ']' => {
                    expression.push_str(match c {
                        '*' => "[^/]*",
                        '?' => "[^/]",
                        '[' => "[",
                        _ => "]",
                    });
                    simple = None;
                }
                '\\' => {
                    expression.push('\\');
                    match chars.next() {
                        Some(next) => {
                            expression.push(next);
                            simple = None;
                        }
                        // It escapes the `$` that the client puts at the end.
                        None => open_end = true,
                    }
                }
                // The client means to escape `|`, `{` and `}`, too.
                '.' | '+' | '(' | ')' | '$' => {
                    expression.push('\\');
                    expression.push(c);
                }
                c => expression.push(c),
            }
            first = false;
        }
        match simple {
            Some(simple) => Ok(simple),
            None if open_end => {
                expression.push('$');
                let mut alternatives = parse(&expression)?;
                if let Some(last) = alternatives.last_mut() {
                    last.push(Part::Many(Class::any()));
                }
                Ok(Self::Parts(alternatives))
            }
            None => Ok(Self::Parts(parse(&expression)?)),
        }
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
        // Whether a part that takes any number of characters has begun before.
        let mut running = false;
        let mut from = false;
        for (place, &here) in reached.iter().enumerate() {
            let before = place.checked_sub(1).and_then(|at| text.get(at).copied());
            let fits = match part {
                Part::One(class) => from && before.is_some_and(|c| class.has(c)),
                Part::Many(class) => {
                    running = here || (running && before.is_some_and(|c| class.has(c)));
                    running
                }
                Part::Folders => {
                    running = (running || from) && before.is_some_and(|c| c != '\n');
                    here || (running && before == Some('/'))
                }
                Part::Start => here && place == 0,
                Part::Boundary { not } => {
                    let word =
                        |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric() || c == '_');
                    let edge = word(before) != word(text.get(place).copied());
                    here && edge != *not
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

/// Reads an expression, of which a pattern can have only these parts.
fn parse(expression: &str) -> Result<Vec<Vec<Part>>, BadPattern> {
    let mut alternatives = Vec::new();
    let mut parts = Vec::new();
    let mut chars = expression.chars().peekable();
    while let Some(c) = chars.next() {
        let class = match c {
            '|' => {
                alternatives.push(core::mem::take(&mut parts));
                continue;
            }
            '^' => {
                parts.push(Part::Start);
                continue;
            }
            '(' => {
                // As it was written above.
                let rest = ")?".len() + ".*/".len();
                (0..rest).for_each(|_| {
                    chars.next();
                });
                parts.push(Part::Folders);
                continue;
            }
            '\\' => match chars.next().ok_or(BadPattern::Malformed)? {
                c @ ('b' | 'B') => {
                    parts.push(Part::Boundary { not: c == 'B' });
                    continue;
                }
                'A' => {
                    parts.push(Part::Start);
                    continue;
                }
                c => escaped(c)?,
            },
            '[' => class(&mut chars)?,
            '.' => Class::all_but('\n'),
            c => Class::of(c),
        };
        parts.push(if chars.next_if_eq(&'*').is_some() {
            Part::Many(class)
        } else {
            Part::One(class)
        });
    }
    alternatives.push(parts);
    Ok(alternatives)
}

/// A character behind a backslash.
fn escaped(c: char) -> Result<Class, BadPattern> {
    if let Some(ranges) = shorthand(c.to_ascii_lowercase()) {
        return Ok(Class {
            not: c.is_ascii_uppercase(),
            ranges,
        });
    }
    Ok(Class::of(escaped_char(c)?))
}

fn escaped_char(c: char) -> Result<char, BadPattern> {
    Ok(match c {
        'a' => '\u{7}',
        'f' => '\u{c}',
        'n' => '\n',
        'r' => '\r',
        't' => '\t',
        'v' => '\u{b}',
        c if c.is_ascii() && !c.is_ascii_alphanumeric() => c,
        _ => return Err(BadPattern::Malformed),
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
fn class(chars: &mut Peekable<Chars<'_>>) -> Result<Class, BadPattern> {
    let not = chars.next_if_eq(&'^').is_some();
    let mut ranges: Vec<(char, char)> = Vec::new();
    let mut first = true;
    loop {
        let c = chars.next().ok_or(BadPattern::Malformed)?;
        if c == ']' && !first {
            return Ok(Class { not, ranges });
        }
        first = false;
        let low = match c {
            '\\' => {
                let next = chars.next().ok_or(BadPattern::Malformed)?;
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
            high = match chars.next().ok_or(BadPattern::Malformed)? {
                '\\' => escaped_char(chars.next().ok_or(BadPattern::Malformed)?)?,
                c => c,
            };
            if high < low {
                return Err(BadPattern::Malformed);
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
            ("a\\ b", "a b", true),
            ("*.{a,b}", "x.{a,b}", true),
            ("*.a|b", "x.ab", true),
            ("*.a|b", "b", true),
            // The star becomes a class of its own, which ends there.
            ("[a*]", "aa]", true),
            ("a**/b", "ax/y/b", true),
            ("a/*/c", "a/b/d/c", false),
            ("*.md", "d/a.md", false),
            ("a.c", "abc", false),
            ("x*\\b", "xy", true),
        ] {
            let expression = Expression::new(pattern).unwrap();
            assert_eq!(expression.matches(path), matches, "{pattern} {path}");
        }
        assert!(Expression::new("*\\q").is_err());
    }
}

//! Lists of patterns as `.dockerignore` has them (Builds spec, section 4.3).

use super::wildcard::{BadPattern, Wildcard};
use crate::paths;
use crate::prelude::*;

/// A list of patterns. Later ones win; one with `!` in front takes back.
pub(super) struct Patterns(Vec<Pattern>);

struct Pattern {
    takes_back: bool,
    form: Form,
}

enum Form {
    Exact(String),
    Prefix(String),
    Suffix(String),
    Expression(Vec<Step>),
}

/// One step of an expression.
enum Step {
    One(Letters),
    /// Any number.
    Many(Letters),
    /// The next two steps may be left out.
    Optional,
    /// Nothing has been read yet.
    Start,
}

enum Letters {
    Is(char),
    /// All but the end of a line.
    Any,
    Class {
        negated: bool,
        ranges: Vec<(char, char)>,
    },
}

/// Which patterns matched a folder, for what is in it; empty if nothing is known.
pub(super) type Matched = Vec<bool>;

impl Patterns {
    /// Reads a list; patterns that are empty or spaces do not count.
    ///
    /// # Errors
    /// The first pattern that is not well formed.
    pub fn new<T: AsRef<str>>(patterns: &[T]) -> Result<Self, BadPattern> {
        let patterns = patterns.iter().map(|pattern| pattern.as_ref().trim());
        let read = |pattern: &str| {
            let clean = paths::clean(pattern);
            let (takes_back, text) = match clean.strip_prefix('!') {
                Some("") => return Err(BadPattern(pattern.to_owned())),
                Some(text) => (true, text),
                None => (false, clean.as_str()),
            };
            Wildcard::new(text)?;
            let form = Form::new(text).ok_or_else(|| BadPattern(pattern.to_owned()))?;
            Ok(Pattern { takes_back, form })
        };
        let patterns = patterns.filter(|pattern| !pattern.is_empty()).map(read);
        patterns.collect::<Result<_, _>>().map(Self)
    }

    /// Whether a path matches, and which patterns did. `parent` is the same of the
    /// folder it is in; if that is not known, the folders are tried, too.
    pub fn matches(&self, path: &str, parent: &Matched) -> (bool, Matched) {
        let mut matched = false;
        let mut each = vec![false; self.0.len()];
        for (at, pattern) in self.0.iter().enumerate() {
            let mut hit = parent.get(at).copied().unwrap_or(false);
            if !hit {
                // It could not change the outcome.
                if pattern.takes_back != matched {
                    continue;
                }
                hit = pattern.form.matches(path)
                    || parent.is_empty()
                        && folders(path).any(|folder| pattern.form.matches(folder));
            }
            if let Some(slot) = each.get_mut(at) {
                *slot = hit;
            }
            if hit {
                matched = !pattern.takes_back;
            }
        }
        (matched, each)
    }
}

/// The folders above a path, the outermost first.
fn folders(path: &str) -> impl Iterator<Item = &str> {
    path.match_indices('/')
        .filter_map(|(at, _)| path.get(..at))
        .filter(|folder| !folder.is_empty())
}

impl Form {
    fn new(pattern: &str) -> Option<Self> {
        let mut expression = String::from("^");
        let mut form = 'e';
        let mut letters = pattern.chars().peekable();
        let mut first = true;
        while let Some(c) = letters.next() {
            match c {
                '*' if letters.next_if_eq(&'*').is_some() => {
                    letters.next_if_eq(&'/');
                    if letters.peek().is_some() {
                        expression.push_str("(.*/)?");
                        form = 'x';
                    } else if form == 'e' {
                        form = 'p';
                    } else {
                        expression.push_str(".*");
                        form = 'x';
                    }
                    if first {
                        form = 's';
                    }
                }
                '*' => {
                    expression.push_str("[^/]*");
                    form = 'x';
                }
                '?' => {
                    expression.push_str("[^/]");
                    form = 'x';
                }
                '.' | '+' | '(' | ')' | '|' | '{' | '}' | '$' => {
                    expression.push('\\');
                    expression.push(c);
                }
                '\\' => {
                    expression.push('\\');
                    if let Some(quoted) = letters.next() {
                        expression.push(quoted);
                        form = 'x';
                    }
                }
                '[' | ']' => {
                    expression.push(c);
                    form = 'x';
                }
                c => expression.push(c),
            }
            first = false;
        }
        Some(match form {
            'e' => Self::Exact(pattern.to_owned()),
            'p' => Self::Prefix(pattern.get(..pattern.len() - 2)?.to_owned()),
            's' => Self::Suffix(pattern.get(2..)?.to_owned()),
            _ => Self::Expression(steps(&expression)?),
        })
    }

    fn matches(&self, path: &str) -> bool {
        match self {
            Self::Exact(text) => path == text,
            Self::Prefix(prefix) => path.starts_with(prefix.as_str()),
            Self::Suffix(suffix) => {
                path.ends_with(suffix.as_str()) || suffix.strip_prefix('/') == Some(path)
            }
            Self::Expression(steps) => run(steps, path),
        }
    }
}

/// Reads the expression that stands for a pattern: what upstream gives to Go's
/// `regexp`, where a `*` inside of a class ends as something else than it looks like.
fn steps(expression: &str) -> Option<Vec<Step>> {
    let mut steps = Vec::new();
    let mut rest = expression.chars().peekable();
    while let Some(c) = rest.next() {
        let letters = match c {
            '^' => {
                steps.push(Step::Start);
                continue;
            }
            '(' => {
                // Always `(.*/)?`.
                for _ in 0..5 {
                    rest.next();
                }
                steps.push(Step::Optional);
                steps.push(Step::Many(Letters::Any));
                steps.push(Step::One(Letters::Is('/')));
                continue;
            }
            '.' => Letters::Any,
            '[' => class(&mut rest)?,
            '\\' => Letters::Is(quoted(&mut rest)?),
            c => Letters::Is(c),
        };
        let many = rest.next_if_eq(&'*').is_some();
        steps.push(if many {
            Step::Many(letters)
        } else {
            Step::One(letters)
        });
    }
    Some(steps)
}

/// A quoted letter. Letters and digits are classes and other things there, which no
/// pattern means to say.
fn quoted(rest: &mut core::iter::Peekable<core::str::Chars<'_>>) -> Option<char> {
    rest.next().filter(|c| !c.is_ascii_alphanumeric())
}

fn class(rest: &mut core::iter::Peekable<core::str::Chars<'_>>) -> Option<Letters> {
    let negated = rest.next_if_eq(&'^').is_some();
    let mut ranges = Vec::new();
    loop {
        if !ranges.is_empty() && rest.next_if_eq(&']').is_some() {
            break;
        }
        let low = class_letter(rest)?;
        let mut after = rest.clone();
        let is_range = after.next() == Some('-') && after.next() != Some(']');
        let high = if is_range {
            rest.next();
            class_letter(rest)?
        } else {
            low
        };
        if high < low {
            return None;
        }
        ranges.push((low, high));
    }
    Some(Letters::Class { negated, ranges })
}

fn class_letter(rest: &mut core::iter::Peekable<core::str::Chars<'_>>) -> Option<char> {
    match rest.next()? {
        '\\' => quoted(rest),
        '[' if rest.peek() == Some(&':') => None,
        c => Some(c),
    }
}

fn run(steps: &[Step], path: &str) -> bool {
    let mut states = vec![false; steps.len() + 1];
    set(&mut states, 0);
    pass(steps, &mut states, true);
    for c in path.chars() {
        let mut next = vec![false; steps.len() + 1];
        for (at, step) in steps.iter().enumerate() {
            if !states.get(at).copied().unwrap_or(false) {
                continue;
            }
            match step {
                Step::One(letters) if letters.accept(c) => set(&mut next, at + 1),
                Step::Many(letters) if letters.accept(c) => set(&mut next, at),
                _ => {}
            }
        }
        pass(steps, &mut next, false);
        states = next;
    }
    states.last().copied().unwrap_or(false)
}

/// Adds the steps that can be reached without reading.
fn pass(steps: &[Step], states: &mut [bool], at_start: bool) {
    for (at, step) in steps.iter().enumerate() {
        if !states.get(at).copied().unwrap_or(false) {
            continue;
        }
        match step {
            Step::Many(_) => set(states, at + 1),
            Step::Start if at_start => set(states, at + 1),
            Step::Optional => {
                set(states, at + 1);
                set(states, at + 3);
            }
            Step::Start | Step::One(_) => {}
        }
    }
}

fn set(states: &mut [bool], at: usize) {
    if let Some(state) = states.get_mut(at) {
        *state = true;
    }
}

impl Letters {
    fn accept(&self, c: char) -> bool {
        match self {
            Self::Is(letter) => c == *letter,
            Self::Any => c != '\n',
            Self::Class { negated, ranges } => {
                ranges.iter().any(|(low, high)| (*low..=*high).contains(&c)) != *negated
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_dockerignore_matches() {
        for (pattern, path, matches) in [
            ("**", "a/b", true),
            ("**/", "a/b", true),
            ("**/x", "x", true),
            ("**/x", "a/b/x", true),
            ("**x", "a/ax", true),
            ("a/**", "a/b/c", true),
            ("a/**", "a", false),
            ("a**/b", "ax/y/b", true),
            ("a/*/c", "a/b/c", true),
            ("a/*/c", "a/b/d/c", false),
            ("*.md", "a.md", true),
            ("*.md", "d/a.md", false),
            ("d", "d/a.md", true),
            ("a.c", "abc", false),
            ("[a-c]x", "bx", true),
            ("**/*.go", "a/b.go", true),
            ("/a/", "a", false),
            ("a\\*", "a*", true),
        ] {
            let patterns = Patterns::new(&[pattern]).unwrap();
            let (matched, _) = patterns.matches(path, &Vec::new());
            assert_eq!(matched, matches, "{pattern} {path}");
        }
        let patterns = Patterns::new(&["*.md", "!KEEP.md", " "]).unwrap();
        assert!(patterns.matches("x.md", &Vec::new()).0);
        assert!(!patterns.matches("KEEP.md", &Vec::new()).0);
        assert!(Patterns::new(&["!"]).is_err());
        assert!(Patterns::new(&["[a"]).is_err());
    }
}

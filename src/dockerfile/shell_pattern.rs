//! The patterns of `${name#pattern}`, `${name%pattern}` and `${name/pattern/text}`:
//! `*` is any text and `?` any character, line ends excepted (Dockerfile spec,
//! section 3.2).

use super::limits::SessionLimits;
use super::refusal::{Stop, bad_value};
use crate::prelude::*;

/// A pattern.
#[derive(Clone, Debug)]
pub struct ShellPattern {
    parts: Vec<Part>,
    /// `*` takes as much as it can, otherwise as little.
    greedy: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    One(char),
    Any,
    Many,
}

impl ShellPattern {
    /// Reads a pattern.
    ///
    /// # Errors
    /// As the builder refuses.
    pub fn new(pattern: &str, greedy: bool) -> Result<Self, Stop> {
        let mut parts = Vec::new();
        let text = pattern.strip_prefix('\u{feff}').unwrap_or(pattern);
        let mut chars = text.chars().peekable();
        while let Some(c) = chars.next() {
            parts.push(match c {
                '*' => Part::Many,
                '?' => Part::Any,
                // These are escaped for the sake of the braces only.
                '\\' if matches!(chars.peek(), Some('}' | '/')) => continue,
                '\\' => match chars.next() {
                    Some(c @ ('*' | '?' | '\\')) => Part::One(c),
                    other => {
                        let c = other.unwrap_or(char::REPLACEMENT_CHARACTER);
                        return Err(bad_value(format!(
                            "invalid pattern ({pattern}) in substitution: invalid escape '\\{c}'"
                        )));
                    }
                },
                c => Part::One(c),
            });
        }
        Ok(Self { parts, greedy })
    }

    /// Reads a pattern that is compared from the end of a text.
    ///
    /// # Errors
    /// As [`ShellPattern::new`].
    pub fn reversed(pattern: &str, greedy: bool) -> Result<Self, Stop> {
        // The order is turned around before escapes are read, and they stay in front
        // of what they escape.
        let mut units: Vec<String> = Vec::new();
        let mut chars = pattern.chars();
        while let Some(c) = chars.next() {
            let mut unit = String::from(c);
            if c == '\\' {
                unit.extend(chars.next());
            }
            units.push(unit);
        }
        units.reverse();
        Self::new(&units.concat(), greedy)
    }

    /// The text without what the pattern matches at its start.
    ///
    /// # Errors
    /// Above a limit.
    pub fn without_prefix(&self, text: &str, limits: &SessionLimits) -> Result<String, Stop> {
        let chars: Vec<char> = text.chars().collect();
        Ok(Self::rest(
            &chars,
            self.ends(&chars, limits)?.first().copied().flatten(),
        ))
    }

    /// The text without what the pattern, which was read reversed, matches at its end.
    ///
    /// # Errors
    /// Above a limit.
    pub fn without_suffix(&self, text: &str, limits: &SessionLimits) -> Result<String, Stop> {
        let chars: Vec<char> = text.chars().rev().collect();
        let rest = Self::rest(
            &chars,
            self.ends(&chars, limits)?.first().copied().flatten(),
        );
        Ok(rest.chars().rev().collect())
    }

    fn rest(chars: &[char], end: Option<usize>) -> String {
        let rest = chars.get(end.unwrap_or(0)..).unwrap_or_default();
        rest.iter().collect()
    }

    /// The text with the first match replaced.
    ///
    /// # Errors
    /// Above a limit.
    pub fn replace_first(
        &self,
        text: &str,
        by: &str,
        limits: &SessionLimits,
    ) -> Result<String, Stop> {
        let chars: Vec<char> = text.chars().collect();
        let ends = self.ends(&chars, limits)?;
        let found = ends
            .iter()
            .enumerate()
            .find_map(|(start, end)| Some((start, (*end)?)));
        let Some((start, end)) = found else {
            return Ok(text.to_owned());
        };
        let mut result: String = chars.iter().take(start).collect();
        result.push_str(by);
        result.extend(chars.iter().skip(end));
        Ok(result)
    }

    /// The text with every match replaced. In the replacement `$0` is the match,
    /// `$$` a dollar, and every other `$name` nothing.
    ///
    /// # Errors
    /// Above a limit.
    pub fn replace_all(
        &self,
        text: &str,
        by: &str,
        limits: &SessionLimits,
    ) -> Result<String, Stop> {
        let chars: Vec<char> = text.chars().collect();
        let ends = self.ends(&chars, limits)?;
        let template = template(by);
        let mut result = String::new();
        let (mut copied, mut search) = (0, 0);
        while search <= chars.len() {
            let found = ends
                .iter()
                .enumerate()
                .skip(search)
                .find_map(|(start, end)| Some((start, (*end)?)));
            let Some((start, end)) = found else { break };
            result.extend(chars.get(copied..start).unwrap_or_default());
            // An empty match right behind another is not replaced.
            if end > copied || start == 0 {
                for piece in &template {
                    match piece {
                        Piece::Text(text) => result.push_str(text),
                        Piece::Match => {
                            result.extend(chars.get(start..end).unwrap_or_default());
                        }
                    }
                }
                limits.output(result.len(), "expanded word")?;
            }
            copied = end;
            search = end.max(search + 1);
        }
        result.extend(chars.get(copied..).unwrap_or_default());
        Ok(result)
    }

    /// Where a match that begins at each place of the text ends, the last place being
    /// the end of the text.
    fn ends(&self, chars: &[char], limits: &SessionLimits) -> Result<Vec<Option<usize>>, Stop> {
        let work = self.parts.len().saturating_mul(chars.len());
        limits.output(work, "pattern of a substitution")?;
        let mut ends: Vec<Option<usize>> = (0..=chars.len()).map(Some).collect();
        for part in self.parts.iter().rev() {
            // From the end of the text, so that `next` is what this part finds one
            // place further on.
            let mut here = vec![None; ends.len()];
            let mut next = None;
            for place in (0..=chars.len()).rev() {
                let c = chars.get(place).copied();
                let after = ends.get(place + 1).copied().flatten();
                let skip = ends.get(place).copied().flatten();
                let end = match part {
                    Part::One(want) => after.filter(|_| c == Some(*want)),
                    Part::Any => after.filter(|_| c.is_some_and(|c| c != '\n')),
                    Part::Many => {
                        let more = next.filter(|_| c.is_some_and(|c| c != '\n'));
                        if self.greedy {
                            more.or(skip)
                        } else {
                            skip.or(more)
                        }
                    }
                };
                if let Some(slot) = here.get_mut(place) {
                    *slot = end;
                }
                next = end;
            }
            ends = here;
        }
        Ok(ends)
    }
}

/// A piece of a replacement.
enum Piece {
    Text(String),
    Match,
}

/// Reads a replacement.
fn template(text: &str) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('$') {
        pieces.push(Piece::Text(before.to_owned()));
        if let Some(after) = after.strip_prefix('$') {
            pieces.push(Piece::Text("$".to_owned()));
            rest = after;
            continue;
        }
        let word = |c: char| c.is_alphanumeric() || c == '_';
        let (open, body) = match after.strip_prefix('{') {
            Some(body) => (true, body),
            None => (false, after),
        };
        let end = body.find(|c| !word(c)).unwrap_or(body.len());
        let (name, tail) = body.split_at_checked(end).unwrap_or((body, ""));
        let tail = if open {
            tail.strip_prefix('}')
        } else {
            Some(tail)
        };
        match tail {
            Some(tail) if !name.is_empty() => {
                if name == "0" {
                    pieces.push(Piece::Match);
                }
                rest = tail;
            }
            // Malformed: the dollar stands for itself.
            _ => {
                pieces.push(Piece::Text("$".to_owned()));
                rest = after;
            }
        }
    }
    pieces.push(Piece::Text(rest.to_owned()));
    pieces
}

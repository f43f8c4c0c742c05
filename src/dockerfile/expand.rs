//! Variables and quotes in a word, as the builder's shell lexer replaces them
//! (Dockerfile spec, section 3).

use core::iter::Peekable;
use core::str::Chars;

use super::limits::SessionLimits;
use super::refusal::{Stop, bad_value};
use super::shell_pattern::ShellPattern;
use crate::prelude::*;

/// What a name stands for.
pub type Variables = BTreeMap<String, String>;

/// How words are read.
#[derive(Clone, Copy, Debug)]
pub struct Lexer<'a> {
    /// The character that escapes another.
    pub escape: char,
    /// All modifiers exist, not only `${x:-y}`, `${x:+y}` and `${x?y}`.
    pub all_modifiers: bool,
    /// The limits of the session.
    pub limits: &'a SessionLimits,
}

impl Lexer<'_> {
    /// The word with its variables replaced and its quotes taken off.
    ///
    /// # Errors
    /// As the builder refuses, and above a limit.
    pub fn word(&self, word: &str, variables: &Variables) -> Result<String, Stop> {
        Ok(self.process(word, variables)?.0)
    }

    /// The words that the text is once its variables are replaced.
    ///
    /// # Errors
    /// As [`Lexer::word`].
    pub fn words(&self, text: &str, variables: &Variables) -> Result<Vec<String>, Stop> {
        Ok(self.process(text, variables)?.1)
    }

    /// The words of a text, variables left in place. With raw escapes a text that the
    /// lexer refuses has none.
    ///
    /// # Errors
    /// As [`Lexer::word`].
    pub fn plain_words(&self, text: &str, raw: Raw) -> Result<Vec<String>, Stop> {
        let mut run = Run::new(*self, text, None, raw);
        match run.until(None, raw.escapes) {
            Ok((_, words)) => Ok(words),
            Err(Stop::Refused(_)) if raw.escapes => Ok(Vec::new()),
            Err(stop) => Err(stop),
        }
    }

    fn process(&self, text: &str, variables: &Variables) -> Result<(String, Vec<String>), Stop> {
        Run::new(*self, text, Some(variables), Raw::default())
            .until(None, false)
            .map_err(|stop| match stop {
                Stop::Refused(mut refused) => {
                    let quoted = super::go_text::quote(text);
                    refused.message = format!("failed to process {quoted}: {}", refused.message);
                    Stop::Refused(refused)
                }
                failed @ Stop::Failed(_) => failed,
            })
    }
}

/// What stays in a word as it was written.
#[derive(Clone, Copy, Debug, Default)]
pub struct Raw {
    /// Quotes.
    pub quotes: bool,
    /// Escape characters.
    pub escapes: bool,
}

/// One text being read.
struct Run<'a> {
    lexer: Lexer<'a>,
    chars: Peekable<Chars<'a>>,
    /// `None` leaves variables as they are.
    variables: Option<&'a Variables>,
    raw: Raw,
    /// The word that is being read. A substitution reads into the same buffer, so
    /// what stood before it is lost to the list of words, as in the builder.
    buffer: String,
    depth: u32,
}

/// The words read so far.
#[derive(Default)]
struct Words {
    done: Vec<String>,
    inside: bool,
}

impl<'a> Run<'a> {
    fn new(lexer: Lexer<'a>, text: &'a str, variables: Option<&'a Variables>, raw: Raw) -> Self {
        Self {
            lexer,
            chars: text
                .strip_prefix('\u{feff}')
                .unwrap_or(text)
                .chars()
                .peekable(),
            variables,
            raw,
            buffer: String::new(),
            depth: 0,
        }
    }

    /// Reads up to `stop`, which is taken, or to the end.
    fn until(&mut self, stop: Option<char>, escapes: bool) -> Result<(String, Vec<String>), Stop> {
        self.lexer.limits.nesting(self.depth, "substitutions")?;
        self.depth += 1;
        let before = core::mem::replace(&mut self.raw.escapes, escapes);
        let read = self.read_until(stop);
        self.raw.escapes = before;
        self.depth -= 1;
        read
    }

    fn read_until(&mut self, stop: Option<char>) -> Result<(String, Vec<String>), Stop> {
        self.buffer.clear();
        let mut result = String::new();
        let mut words = Words::default();
        while let Some(&c) = self.chars.peek() {
            if Some(c) == stop {
                self.chars.next();
                return Ok((result, self.finish(words)));
            }
            match c {
                '\'' | '"' | '<' => {
                    let text = match c {
                        '\'' => self.single_quoted()?,
                        '"' => self.double_quoted()?,
                        _ => self.heredoc_mark(),
                    };
                    result.push_str(&text);
                    self.buffer.push_str(&text);
                    words.inside = true;
                }
                '$' => {
                    let text = self.dollar()?;
                    result.push_str(&text);
                    for c in text.chars() {
                        self.add(c, &mut words);
                    }
                }
                _ => {
                    self.chars.next();
                    if c == self.lexer.escape {
                        if self.raw.escapes {
                            self.add_as_is(c, &mut words);
                            result.push(c);
                        }
                        // One at the end is dropped.
                        let Some(next) = self.chars.next() else { break };
                        self.add_as_is(next, &mut words);
                        result.push(next);
                    } else {
                        self.add(c, &mut words);
                        result.push(c);
                    }
                }
            }
            self.lexer.limits.output(result.len(), "expanded word")?;
        }
        match stop {
            Some(stop) => Err(bad_value(format!(
                "unexpected end of statement while looking for matching {stop}"
            ))),
            None => Ok((result, self.finish(words))),
        }
    }

    fn add(&mut self, c: char, words: &mut Words) {
        if !c.is_whitespace() {
            self.add_as_is(c, words);
        } else if words.inside && !self.buffer.is_empty() {
            words.done.push(core::mem::take(&mut self.buffer));
            words.inside = false;
        }
    }

    fn add_as_is(&mut self, c: char, words: &mut Words) {
        self.buffer.push(c);
        words.inside = true;
    }

    fn finish(&mut self, mut words: Words) -> Vec<String> {
        if !self.buffer.is_empty() {
            words.done.push(core::mem::take(&mut self.buffer));
        }
        words.done
    }

    fn single_quoted(&mut self) -> Result<String, Stop> {
        let mut result = String::new();
        self.quote(&mut result);
        loop {
            match self.chars.peek() {
                None => {
                    return Err(bad_value(
                        "unexpected end of statement while looking for matching single-quote",
                    ));
                }
                Some('\'') => {
                    self.quote(&mut result);
                    return Ok(result);
                }
                Some(&c) => {
                    self.chars.next();
                    result.push(c);
                }
            }
        }
    }

    fn double_quoted(&mut self) -> Result<String, Stop> {
        let mut result = String::new();
        self.quote(&mut result);
        loop {
            match self.chars.peek().copied() {
                None => {
                    return Err(bad_value(
                        "unexpected end of statement while looking for matching double-quote",
                    ));
                }
                Some('"') => {
                    self.quote(&mut result);
                    return Ok(result);
                }
                Some('$') => result.push_str(&self.dollar()?),
                Some(mut c) => {
                    self.chars.next();
                    if c == self.lexer.escape {
                        if self.raw.escapes {
                            result.push(c);
                        }
                        match self.chars.peek().copied() {
                            // The end is found above.
                            None => continue,
                            Some(next) if ['"', '$', c].contains(&next) => {
                                self.chars.next();
                                c = next;
                            }
                            Some(_) => {}
                        }
                    }
                    result.push(c);
                }
            }
        }
    }

    /// Takes a quote, which stays if quotes do.
    fn quote(&mut self, result: &mut String) {
        if let Some(quote) = self.chars.next()
            && self.raw.quotes
        {
            result.push(quote);
        }
    }

    /// `<`, or `<<` with the blanks behind it.
    fn heredoc_mark(&mut self) -> String {
        self.chars.next();
        let mut mark = String::from("<");
        if self.chars.next_if_eq(&'<').is_some() {
            mark.push('<');
            while let Some(blank) = self.chars.next_if(|c| matches!(c, '\t' | '\r' | ' ')) {
                mark.push(blank);
            }
        }
        mark
    }

    /// What a `$` begins.
    fn dollar(&mut self) -> Result<String, Stop> {
        self.chars.next();
        if self.chars.next_if_eq(&'{').is_none() {
            let name = self.name();
            if name.is_empty() {
                return Ok("$".to_owned());
            }
            return Ok(match self.variables {
                Some(variables) => variables.get(&name).cloned().unwrap_or_default(),
                None => format!("${name}"),
            });
        }
        match self.chars.peek() {
            None => return Err(no_brace()),
            Some('{' | '}' | ':') => {
                return Err(bad_value("syntax error: bad substitution"));
            }
            Some(_) => {}
        }
        let name = self.name();
        let modifier = self.chars.next();
        match modifier {
            Some('}') => Ok(match self.variables {
                Some(variables) => variables.get(&name).cloned().unwrap_or_default(),
                None => format!("${{{name}}}"),
            }),
            Some(':') => {
                let modifier = self.chars.next();
                if self.lexer.all_modifiers && matches!(modifier, Some('#' | '%')) {
                    return Err(unsupported(&[Some(':'), modifier]));
                }
                self.modified(&name, modifier, true)
            }
            Some('?') => self.modified(&name, modifier, false),
            Some('+' | '-' | '#' | '%') if self.lexer.all_modifiers => {
                self.modified(&name, modifier, false)
            }
            Some('/') if self.lexer.all_modifiers => self.replaced(&name),
            _ if self.lexer.all_modifiers => Err(unsupported(&[modifier])),
            _ => Err(bad_value("missing ':' in substitution")),
        }
    }

    /// `${name-word}` and its kin, from the word on. With a colon an empty value
    /// counts as none.
    fn modified(
        &mut self,
        name: &str,
        modifier: Option<char>,
        colon: bool,
    ) -> Result<String, Stop> {
        let pattern = matches!(modifier, Some('#' | '%'));
        let word = self.argument('}', pattern)?;
        let Some(variables) = self.variables else {
            let colon = if colon { ":" } else { "" };
            let modifier = modifier.unwrap_or(char::REPLACEMENT_CHARACTER);
            return Ok(format!("${{{name}{colon}{modifier}{word}}}"));
        };
        let value = variables.get(name);
        let given = value.filter(|value| !(colon && value.is_empty()));
        match modifier {
            Some('-') => Ok(given.cloned().unwrap_or(word)),
            Some('+') => Ok(if given.is_some() { word } else { String::new() }),
            Some('?') => given.cloned().ok_or_else(|| {
                let message = match (word.is_empty(), value) {
                    (false, _) => &word,
                    (true, None) => "is not allowed to be unset",
                    (true, Some(_)) => "is not allowed to be empty",
                };
                bad_value(format!("{name}: {message}"))
            }),
            Some(end @ ('#' | '%')) => {
                let value = value.map_or("", String::as_str);
                let (greedy, pattern) = match word.strip_prefix(end) {
                    Some(rest) => (true, rest),
                    None => (false, word.as_str()),
                };
                let limits = self.lexer.limits;
                Ok(if end == '#' {
                    ShellPattern::new(pattern, greedy)?.without_prefix(value, limits)?
                } else {
                    ShellPattern::reversed(pattern, greedy)?.without_suffix(value, limits)?
                })
            }
            other if colon => Err(unsupported(&[Some(':'), other])),
            other => Err(unsupported(&[other])),
        }
    }

    /// `${name/pattern/replacement}`, from the pattern on.
    fn replaced(&mut self, name: &str) -> Result<String, Stop> {
        let all = self.chars.next_if_eq(&'/').is_some();
        let pattern = self.argument('/', true)?;
        let replacement = self.argument('}', true)?;
        let Some(variables) = self.variables else {
            return Ok(format!("${{{name}/{pattern}/{replacement}}}"));
        };
        let value = variables.get(name).map_or("", String::as_str);
        let limits = self.lexer.limits;
        let pattern = ShellPattern::new(&pattern, true)?;
        if all {
            pattern.replace_all(value, &replacement, limits)
        } else {
            pattern.replace_first(value, &replacement, limits)
        }
    }

    /// The word behind a modifier.
    fn argument(&mut self, stop: char, escapes: bool) -> Result<String, Stop> {
        match self.until(Some(stop), escapes) {
            Ok((word, _)) => Ok(word),
            Err(Stop::Refused(_)) if self.chars.peek().is_none() => Err(if stop == '/' {
                bad_value("syntax error: missing '/' in ${}")
            } else {
                no_brace()
            }),
            Err(stop) => Err(stop),
        }
    }

    /// The name of a variable: letters, digits and `_`; digits only if the first is
    /// one; or one special character.
    fn name(&mut self) -> String {
        let mut name = String::new();
        match self.chars.peek().copied() {
            Some(c) if c.is_numeric() => {
                while let Some(digit) = self.chars.next_if(|c| c.is_numeric()) {
                    name.push(digit);
                }
            }
            Some(c) if "@*#?-$!".contains(c) => {
                self.chars.next();
                name.push(c);
            }
            _ => {
                while let Some(c) = self.chars.next_if(|c| c.is_alphanumeric() || *c == '_') {
                    name.push(c);
                }
            }
        }
        name
    }
}

fn no_brace() -> Stop {
    bad_value("syntax error: missing '}'")
}

fn unsupported(modifier: &[Option<char>]) -> Stop {
    let modifier: String = modifier
        .iter()
        .map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER))
        .collect();
    bad_value(format!("unsupported modifier ({modifier}) in substitution"))
}

//! One logical line taken apart: name, options and arguments (Dockerfile spec,
//! section 2.2).

use super::heredoc::Heredoc;
use super::refusal::{Stop, unparsed};
use super::version::Rules;
use super::words::{blanks, split, split_once, words};
use crate::go_json::{Error as JsonError, Reader, Shape};
use crate::prelude::*;

/// An instruction before its arguments are looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// Its name as written.
    pub name: String,
    /// The logical line.
    pub text: String,
    /// The line on which it begins.
    pub line: u32,
    /// The options in front of the arguments, with their `--`.
    pub options: Vec<String>,
    /// The arguments; for ONBUILD the name of the trigger.
    pub words: Vec<String>,
    /// The names and values of ENV and LABEL.
    pub pairs: Vec<(String, String)>,
    /// The arguments were a JSON list.
    pub json: bool,
    /// The heredocs after the line.
    pub heredocs: Vec<Heredoc>,
    /// The trigger's name and whether it has a JSON list, for ONBUILD.
    trigger: Option<(String, bool)>,
}

impl Node {
    /// Whether heredocs may follow.
    pub fn takes_heredocs(&self) -> bool {
        let (name, json) = match &self.trigger {
            Some((name, json)) => (name.as_str(), *json),
            None => (self.name.as_str(), self.json),
        };
        let takes = ["add", "copy", "run"];
        !json && takes.iter().any(|taker| taker.eq_ignore_ascii_case(name))
    }
}

/// How the arguments of an instruction are read.
enum Form {
    /// One text.
    Text,
    /// Words between blanks.
    Words,
    /// A JSON list, or one text.
    JsonOrText,
    /// A JSON list, or words between blanks.
    JsonOrWords,
    /// Words with quotes.
    Quoted,
    /// `name=value` words, or a name and a value.
    Pairs(&'static str),
    /// A type, then as `JsonOrText`.
    Health,
    /// Another instruction.
    Trigger,
    /// Nothing is read: no builder knows the instruction.
    Unknown,
}

fn form(name: &str) -> Form {
    match name.to_ascii_lowercase().as_str() {
        "add" | "copy" | "volume" => Form::JsonOrWords,
        "arg" => Form::Quoted,
        "cmd" | "entrypoint" | "run" | "shell" => Form::JsonOrText,
        "env" => Form::Pairs("ENV"),
        "label" => Form::Pairs("LABEL"),
        "expose" | "from" => Form::Words,
        "healthcheck" => Form::Health,
        "maintainer" | "stopsignal" | "user" | "workdir" => Form::Text,
        "onbuild" => Form::Trigger,
        _ => Form::Unknown,
    }
}

/// Takes a logical line apart.
///
/// # Errors
/// As the builder refuses.
pub fn parse(text: &str, line: u32, escape: char, rules: &Rules) -> Result<Node, Stop> {
    let mut node = read(text, line, escape, rules)?;
    if node.name.eq_ignore_ascii_case("onbuild")
        && let Some(inner) = node.words.pop()
    {
        // A trigger that is an ONBUILD is refused later, so this goes no deeper.
        let trigger = read(&inner, line, escape, rules)?;
        node.trigger = Some((trigger.name.clone(), trigger.json));
        node.words.push(trigger.name);
    }
    Ok(node)
}

fn read(text: &str, line: u32, escape: char, rules: &Rules) -> Result<Node, Stop> {
    let (name, options, rest) = split(text, escape, rules);
    let mut node = Node {
        name: name.to_owned(),
        text: text.to_owned(),
        line,
        options,
        words: Vec::new(),
        pairs: Vec::new(),
        json: false,
        heredocs: Vec::new(),
        trigger: None,
    };
    let rest = rest.as_str();
    match form(name) {
        Form::Text | Form::Trigger if !rest.is_empty() => node.words.push(rest.to_owned()),
        Form::Text | Form::Trigger | Form::Unknown => {}
        Form::Words => node.words = blanks(rest),
        Form::Quoted => node.words = words(rest, escape),
        Form::JsonOrText => node.read_list(rest, rules, one_text)?,
        Form::JsonOrWords => node.read_list(rest, rules, blanks)?,
        Form::Pairs(name) => node.pairs = pairs(rest, name, escape)?,
        Form::Health => {
            // Byte by byte, so that a byte of a longer character may be a blank.
            let blank = |byte: u8| char::from(byte).is_whitespace();
            let bytes = rest.as_bytes();
            let end = bytes.iter().position(|byte| blank(*byte));
            let (kind, rest) = bytes.split_at(end.unwrap_or(bytes.len()));
            let skip = rest.iter().position(|byte| !blank(*byte));
            let rest = rest.split_at(skip.unwrap_or(rest.len())).1;
            if !kind.is_empty() {
                node.read_list(&String::from_utf8_lossy(rest), rules, one_text)?;
                node.words
                    .insert(0, String::from_utf8_lossy(kind).into_owned());
            }
        }
    }
    Ok(node)
}

fn one_text(rest: &str) -> Vec<String> {
    if rest.is_empty() {
        Vec::new()
    } else {
        vec![rest.to_owned()]
    }
}

impl Node {
    /// A JSON list, or else what `otherwise` makes of the text.
    fn read_list(
        &mut self,
        rest: &str,
        rules: &Rules,
        otherwise: fn(&str) -> Vec<String>,
    ) -> Result<(), Stop> {
        match json_list(rest, rules) {
            Ok(Some(words)) => {
                self.json = true;
                self.words = words;
            }
            Ok(None) => {
                return Err(unparsed(
                    "when using JSON array syntax, arrays must be comprised of strings only",
                ));
            }
            Err(_) => self.words = otherwise(rest),
        }
        Ok(())
    }
}

/// The words of a JSON list; `None` if one is no text.
fn json_list(text: &str, rules: &Rules) -> Result<Option<Vec<String>>, JsonError> {
    /// How deep Go reads.
    const DEPTH: u32 = 10_000;
    let mut reader = Reader::new(text.trim_start(), DEPTH);
    if reader.peek()? != Shape::List {
        return Err(reader.mismatch("a list"));
    }
    let mut words = Some(Vec::new());
    reader.list(|reader| {
        if reader.peek()? == Shape::String {
            let word = reader.string()?.into_owned();
            if let Some(words) = &mut words {
                words.push(word);
            }
        } else {
            reader.skip()?;
            words = None;
        }
        Ok::<(), JsonError>(())
    })?;
    if rules.strict_json {
        reader.end()?;
    }
    Ok(words)
}

fn pairs(rest: &str, name: &str, escape: char) -> Result<Vec<(String, String)>, Stop> {
    let words = words(rest, escape);
    let Some(first) = words.first() else {
        return Ok(Vec::new());
    };
    if !first.contains('=') {
        let (name, value) =
            split_once(rest).ok_or_else(|| unparsed(format!("{name} must have two arguments")))?;
        return Ok(vec![(name.to_owned(), value.to_owned())]);
    }
    let pairs = words.iter().map(|word| match word.split_once('=') {
        Some((name, value)) => Ok((name.to_owned(), value.to_owned())),
        None => {
            let quoted = super::go_text::quote(word);
            let message =
                format!("Syntax error - can't find = in {quoted}. Must be of the form: name=value");
            Err(unparsed(message))
        }
    });
    pairs.collect()
}

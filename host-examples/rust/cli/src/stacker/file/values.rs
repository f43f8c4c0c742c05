//! What directives hold: texts, lists of them, flags, and places with two ends.

use serde_json::{Map, Value, json};

use super::bad::Bad;
use super::node::{Item, Node};
use super::words::{self, Unfinished};

/// A line, or a list of lines.
pub fn lines(what: &str, item: &Item) -> Result<Vec<String>, Bad> {
    match &*item.node {
        Node::Text(line) => Ok(vec![line.clone()]),
        Node::List(items) => {
            let what = format!("an element of {what}");
            let lines = items.iter().map(|item| item.text(&what).map(str::to_owned));
            lines.collect()
        }
        _ => Err(item.bad(what, "a text or a list of texts")),
    }
}

/// A line that is split as a shell splits it, or a list of words.
pub fn command(what: &str, item: &Item) -> Result<Vec<String>, Bad> {
    let Node::Text(line) = &*item.node else {
        return lines(what, item);
    };
    words::split(line).map_err(|unfinished| {
        let what = match unfinished {
            Unfinished::Quotation => format!("a quotation in {what} does not end"),
            Unfinished::Escape => format!("{what} ends in a backslash"),
        };
        Bad::new(item.line, what)
    })
}

/// Names with texts.
pub fn texts(what: &str, item: &Item) -> Result<Map<String, Value>, Bad> {
    let mut texts = Map::new();
    for (key, value) in item.pairs(what)? {
        let name = key.written(&format!("a name in {what}"))?;
        let value = value.written(&format!("{name:?} in {what}"))?;
        texts.insert(name, json!(value));
    }
    Ok(texts)
}

/// True or false; nothing is false.
pub fn flag(what: &str, item: &Item) -> Result<bool, Bad> {
    match *item.node {
        Node::Bool(value) => Ok(value),
        Node::Null => Ok(false),
        _ => Err(item.bad(what, "true or false")),
    }
}

/// `source` and `dest` of a map.
pub fn ends(item: &Item, what: &str) -> Result<(String, String), Bad> {
    let (mut source, mut dest) = (String::new(), String::new());
    for (key, value) in item.pairs(what)? {
        match key.written("a key")?.as_str() {
            "source" => source = value.written("source")?,
            "dest" => dest = value.written("dest")?,
            _ => {}
        }
    }
    Ok((source, dest))
}

/// A bind of version 16.
pub fn new_bind(item: &Item) -> Result<(String, String), Bad> {
    let Node::Text(text) = &*item.node else {
        let (source, dest) = ends(item, "a bind")?;
        if source.is_empty() {
            return Err(Bad::new(item.line, "a bind has no source"));
        }
        let dest = if dest.is_empty() {
            source.clone()
        } else {
            dest
        };
        return Ok((source, dest));
    };
    let words: Vec<&str> = text.split_whitespace().collect();
    match words.as_slice() {
        [both] => Ok(((*both).to_owned(), (*both).to_owned())),
        [source, "->", dest] => Ok(((*source).to_owned(), (*dest).to_owned())),
        _ => Err(item.bad("a bind", "SOURCE or SOURCE -> DEST")),
    }
}

/// A bind of version 12.
pub fn old_bind(item: &Item) -> Result<(String, String), Bad> {
    let text = item.text("a bind")?;
    let parts: Vec<&str> = text.split("->").map(str::trim).collect();
    match parts.as_slice() {
        [both] => Ok(((*both).to_owned(), (*both).to_owned())),
        [source, dest] => Ok(((*source).to_owned(), (*dest).to_owned())),
        _ => Err(item.bad("a bind", "SOURCE or SOURCE -> DEST")),
    }
}

//! The values of directives, each read as stacker reads it.

use serde_json::{Map, Value, json};

use super::bad::Bad;
use super::node::{Item, Node};
use super::words::{self, Unfinished};

/// A path below a directory, unless it is absolute or an address.
pub fn absolute(directory: &str, path: &str) -> String {
    if path.contains("://") && !path.starts_with("://") || path.starts_with('/') {
        return path.to_owned();
    }
    let mut names: Vec<&str> = Vec::new();
    for name in directory.split('/').chain(path.split('/')) {
        match name {
            "" | "." => {}
            ".." => {
                names.pop();
            }
            name => names.push(name),
        }
    }
    format!("/{}", names.join("/"))
}

/// The layer that an address means whose scheme is `stacker`.
pub fn layer_of(address: &str) -> Option<String> {
    let rest = address.strip_prefix("stacker://")?;
    rest.split('/').next().map(str::to_owned)
}

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

pub fn texts(what: &str, item: &Item) -> Result<Map<String, Value>, Bad> {
    let mut texts = Map::new();
    for (key, value) in item.pairs(what)? {
        let name = key.written(&format!("a name in {what}"))?;
        let value = value.written(&format!("{name:?} in {what}"))?;
        texts.insert(name, json!(value));
    }
    Ok(texts)
}

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

pub fn old_bind(item: &Item) -> Result<(String, String), Bad> {
    let text = item.text("a bind")?;
    let parts: Vec<&str> = text.split("->").map(str::trim).collect();
    match parts.as_slice() {
        [both] => Ok(((*both).to_owned(), (*both).to_owned())),
        [source, dest] => Ok(((*source).to_owned(), (*dest).to_owned())),
        _ => Err(item.bad("a bind", "SOURCE or SOURCE -> DEST")),
    }
}

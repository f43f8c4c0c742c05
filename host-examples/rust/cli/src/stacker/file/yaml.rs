//! YAML as a tree of values. The syntax is read by saphyr; what plain values are
//! is decided in `scalar`, by the rules of the library that stacker reads with.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use saphyr_parser::{Event, Parser, ScalarStyle, Tag};

use super::bad::Bad;
use super::node::{Item, Node};
use super::scalar;

/// Values in values.
const DEPTH: usize = 100;

/// Values of a document, each alias counted with all that it stands for.
const VALUES: usize = 400_000;

/// The first document of a text.
pub fn parse(text: &str) -> Result<Item, Bad> {
    let mut tree = Tree::default();
    for event in Parser::new_from_str(text) {
        let (event, span) = event.map_err(|error| {
            let why = format!("it is no yaml: {}", error.info());
            Bad::new(error.marker().line(), why)
        })?;
        if tree.event(event, span.start.line())? {
            break;
        }
    }
    tree.root.ok_or_else(|| Bad::new(0, "it is empty"))
}

#[derive(Default)]
struct Tree {
    root: Option<Item>,
    open: Vec<Open>,
    anchors: BTreeMap<usize, Item>,
    /// Values so far, aliases counted with what they stand for.
    values: usize,
}

/// A list or a map that has not ended.
struct Open {
    line: usize,
    anchor: usize,
    is_map: bool,
    items: Vec<Item>,
}

impl Tree {
    /// Takes an event; whether the document is complete.
    fn event(&mut self, event: Event<'_>, line: usize) -> Result<bool, Bad> {
        match event {
            Event::Scalar(value, style, anchor, tag) => {
                let plain = style == ScalarStyle::Plain;
                let node = scalar(&value, plain, tag.as_deref(), line)?;
                self.values = self.values.saturating_add(1);
                self.add(Item::new(line, node, 1), anchor)?;
            }
            Event::Alias(anchor) => {
                let named = self.anchors.get(&anchor);
                let named = named.ok_or_else(|| Bad::new(line, "an alias is part of itself"))?;
                let item = Item {
                    line,
                    ..named.clone()
                };
                self.values = self.values.saturating_add(item.values);
                self.add(item, 0)?;
            }
            Event::SequenceStart(anchor, tag) => self.start(line, anchor, false, tag.as_deref())?,
            Event::MappingStart(anchor, tag) => self.start(line, anchor, true, tag.as_deref())?,
            Event::SequenceEnd | Event::MappingEnd => self.end()?,
            Event::DocumentEnd => return Ok(true),
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentStart(_) => {}
        }
        Ok(false)
    }

    fn start(
        &mut self,
        line: usize,
        anchor: usize,
        is_map: bool,
        tag: Option<&Tag>,
    ) -> Result<(), Bad> {
        let meant = if is_map { "map" } else { "seq" };
        if tag.is_some_and(|tag| !tag.is_yaml_core_schema() || tag.suffix != meant) {
            return Err(unknown_tag(line));
        }
        if self.open.len() >= DEPTH {
            let why = format!("more than {DEPTH} values are in each other");
            return Err(Bad::new(line, why));
        }
        self.open.push(Open {
            line,
            anchor,
            is_map,
            items: Vec::new(),
        });
        Ok(())
    }

    fn end(&mut self) -> Result<(), Bad> {
        let Some(open) = self.open.pop() else {
            return Ok(());
        };
        self.values = self.values.saturating_add(1);
        let values = open.items.iter().map(|item| item.values);
        let values = values.fold(1_usize, usize::saturating_add);
        let node = if open.is_map {
            Node::Map(pairs(open.items)?)
        } else {
            Node::List(open.items)
        };
        self.add(Item::new(open.line, node, values), open.anchor)
    }

    fn add(&mut self, item: Item, anchor: usize) -> Result<(), Bad> {
        if self.values > VALUES {
            let why = format!("its aliases stand for more than {VALUES} values");
            return Err(Bad::new(item.line, why));
        }
        if anchor != 0 {
            self.anchors.insert(anchor, item.clone());
        }
        match self.open.last_mut() {
            Some(open) => open.items.push(item),
            None => self.root = Some(item),
        }
        Ok(())
    }
}

/// Keys and values of a map. Keys are compared as they are written back.
fn pairs(items: Vec<Item>) -> Result<Vec<(Item, Item)>, Bad> {
    let mut pairs = Vec::new();
    let mut seen = BTreeSet::new();
    let mut items = items.into_iter();
    while let (Some(key), Some(value)) = (items.next(), items.next()) {
        let name = key.written("a key")?;
        if name == "<<" {
            let why = "stacker drops what a merge key (<<) brings in; write the members out";
            return Err(Bad::new(key.line, why));
        }
        if !seen.insert(name.clone()) {
            return Err(Bad::new(key.line, format!("the key {name:?} comes twice")));
        }
        pairs.push((key, value));
    }
    Ok(pairs)
}

fn scalar(value: &str, plain: bool, tag: Option<&Tag>, line: usize) -> Result<Node, Bad> {
    match tag {
        None if plain => Ok(scalar::resolve(value)),
        None => Ok(Node::Text(value.to_owned())),
        Some(tag) if tag.is_yaml_core_schema() && tag.suffix == "str" => {
            Ok(Node::Text(value.to_owned()))
        }
        Some(_) => Err(unknown_tag(line)),
    }
}

fn unknown_tag(line: usize) -> Bad {
    Bad::new(
        line,
        "a value has a tag; only !!str, !!map and !!seq are known",
    )
}

impl PartialEq for Item {
    fn eq(&self, other: &Self) -> bool {
        self.node == other.node
    }
}

impl Item {
    fn new(line: usize, node: Node, values: usize) -> Self {
        let node = Rc::new(node);
        Self { line, node, values }
    }

    /// What is wrong with this value.
    pub fn bad(&self, what: &str, wanted: &str) -> Bad {
        let is = match &*self.node {
            Node::Null => "nothing".to_owned(),
            Node::Bool(value) => format!("the truth value {value}"),
            Node::Number(number, _) => format!("the number {number}"),
            Node::Text(text) => format!("the text {text:?}"),
            Node::List(_) => "a list".to_owned(),
            Node::Map(_) => "a map".to_owned(),
        };
        Bad::new(self.line, format!("{what} is {is} and not {wanted}"))
    }

    /// The pairs of a map.
    pub fn pairs(&self, what: &str) -> Result<&[(Item, Item)], Bad> {
        match &*self.node {
            Node::Map(pairs) => Ok(pairs),
            _ => Err(self.bad(what, "a map")),
        }
    }

    /// A text; nothing else is taken for one.
    pub fn text(&self, what: &str) -> Result<&str, Bad> {
        match &*self.node {
            Node::Text(text) => Ok(text),
            _ => Err(self.bad(what, "a text")),
        }
    }

    /// The text of any value that is not made of others; nothing is empty.
    pub fn written(&self, what: &str) -> Result<String, Bad> {
        match &*self.node {
            Node::Null => Ok(String::new()),
            Node::Bool(value) => Ok(value.to_string()),
            Node::Number(text, _) | Node::Text(text) => Ok(text.clone()),
            Node::List(_) | Node::Map(_) => Err(self.bad(what, "a text")),
        }
    }

    /// A list of values that are not made of others; nothing is none.
    pub fn strings(&self, what: &str) -> Result<Option<Vec<String>>, Bad> {
        match &*self.node {
            Node::Null => Ok(None),
            Node::List(items) => {
                let element = format!("an element of {what}");
                let texts = items.iter().map(|item| item.written(&element));
                texts.collect::<Result<_, _>>().map(Some)
            }
            _ => Err(self.bad(what, "a list")),
        }
    }
}

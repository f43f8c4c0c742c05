//! A value of a stackerfile, and where it is.

use std::rc::Rc;

use super::bad::Bad;

/// A value and where it is.
#[derive(Clone, Debug)]
pub struct Item {
    /// Counted from 1.
    pub line: usize,
    /// What an anchor names is shared by its aliases.
    pub node: Rc<Node>,
    /// How many values it is made of, itself included.
    pub values: usize,
}

/// A value.
#[derive(Debug, PartialEq)]
pub enum Node {
    Null,
    Bool(bool),
    /// As it is written back, and its value if it is a whole one.
    Number(String, Option<i64>),
    Text(String),
    List(Vec<Item>),
    Map(Vec<(Item, Item)>),
}

impl PartialEq for Item {
    fn eq(&self, other: &Self) -> bool {
        self.node == other.node
    }
}

impl Item {
    /// A value on a line.
    pub fn new(line: usize, node: Node, values: usize) -> Self {
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

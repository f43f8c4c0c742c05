//! A tree of values, as a document holds them.

use std::rc::Rc;

/// A value and where it is.
#[derive(Clone, Debug)]
pub struct Item {
    /// Counted from 1.
    pub line: usize,
    /// What an anchor names is shared by its aliases.
    pub node: Rc<Node>,
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

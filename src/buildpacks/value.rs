//! A JSON value inside a label, kept flat so that neither reading, writing nor
//! dropping it recurses, however deep it is nested (Buildpacks spec, section
//! 2.3).

use crate::go_json::{Error, ErrorKind, Reader, Shape, Writer, write_float};
use crate::prelude::*;

/// One value; children are positions in the same [`Value`].
#[derive(Clone, Debug, PartialEq)]
pub enum Node {
    /// `null`
    Null,
    /// `true` or `false`
    Bool(bool),
    /// An integer, where integers are kept.
    Integer(i64),
    /// Any other number.
    Float(f64),
    /// A string.
    Text(String),
    /// A list.
    List(Vec<usize>),
    /// An object: names in the order of their bytes, each once.
    Map(Vec<(String, usize)>),
}

/// A value; the first node is its root, no node at all is null.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Value {
    nodes: Vec<Node>,
}

/// Why a value was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ValueError {
    /// The text is not acceptable.
    Json(Error),
    /// More values than there may be.
    TooMany,
}

impl From<Error> for ValueError {
    fn from(error: Error) -> Self {
        Self::Json(error)
    }
}

/// A list or object that is being read.
enum Open {
    List(Vec<usize>),
    Map(Vec<(String, usize)>, Option<String>),
}

impl Value {
    /// Reads one value. Numbers become floats, or stay integers where they are
    /// written as such and `integers` asks for it. `budget` is what is left of
    /// the number of values.
    ///
    /// # Errors
    /// On invalid text, a number outside the range of floats, nesting deeper
    /// than the reader's limit, or more values than the budget.
    pub fn read(
        reader: &mut Reader<'_>,
        integers: bool,
        budget: &mut u64,
    ) -> Result<Self, ValueError> {
        // White space first, so that offsets are those of the document.
        reader.peek()?;
        let start = reader.offset();
        reader.skip()?;
        let text = reader.slice(start, reader.offset());
        Self::build(text, integers, budget).map_err(|error| match error {
            ValueError::Json(error) => ValueError::Json(Error {
                offset: start.saturating_add(error.offset),
                ..error
            }),
            ValueError::TooMany => ValueError::TooMany,
        })
    }

    /// Builds the nodes of a text that is known to be valid.
    fn build(text: &str, integers: bool, budget: &mut u64) -> Result<Self, ValueError> {
        let mut nodes = Vec::new();
        let mut open: Vec<(usize, Open)> = Vec::new();
        let mut at = 0;
        while let Some(&byte) = text.as_bytes().get(at) {
            if matches!(byte, b' ' | b'\t' | b'\n' | b'\r' | b',' | b':') {
                at += 1;
                continue;
            }
            if matches!(byte, b']' | b'}') {
                at += 1;
                if let Some((id, container)) = open.pop()
                    && let Some(node) = nodes.get_mut(id)
                {
                    *node = container.close();
                }
                continue;
            }
            let mut rest = Reader::new(text.get(at..).unwrap_or_default(), u32::MAX);
            if let Some((_, Open::Map(_, name @ None))) = open.last_mut() {
                *name = Some(rest.string()?.into_owned());
                at = at.saturating_add(rest.offset());
                continue;
            }
            *budget = budget.checked_sub(1).ok_or(ValueError::TooMany)?;
            let id = nodes.len();
            match open.last_mut() {
                Some((_, Open::List(items))) => items.push(id),
                Some((_, Open::Map(members, name))) => {
                    members.push((name.take().unwrap_or_default(), id));
                }
                None => {}
            }
            let node = match rest.peek()? {
                Shape::List => {
                    open.push((id, Open::List(Vec::new())));
                    at += 1;
                    Node::Null
                }
                Shape::Object => {
                    open.push((id, Open::Map(Vec::new(), None)));
                    at += 1;
                    Node::Null
                }
                scalar => {
                    let node = read_scalar(&mut rest, scalar, integers).map_err(|error| Error {
                        offset: at.saturating_add(error.offset),
                        ..error
                    })?;
                    at = at.saturating_add(rest.offset());
                    node
                }
            };
            nodes.push(node);
        }
        Ok(Self { nodes })
    }

    /// A node by its position; null for one that is not there.
    pub fn node(&self, id: usize) -> &Node {
        self.nodes.get(id).unwrap_or(&Node::Null)
    }

    /// The root.
    pub fn root(&self) -> &Node {
        self.node(0)
    }

    /// Adds the members of other objects to this one; members of the same name
    /// are replaced.
    pub fn overlay(&mut self, others: Vec<Self>) {
        let Node::Map(mut members) = self.root().clone() else {
            return;
        };
        for other in others {
            let base = self.nodes.len();
            let Node::Map(added) = other.root().clone() else {
                continue;
            };
            members.extend(
                added
                    .into_iter()
                    .map(|(name, id)| (name, id.saturating_add(base))),
            );
            self.nodes
                .extend(other.nodes.into_iter().map(|node| node.moved(base)));
        }
        if let Some(root) = self.nodes.first_mut() {
            *root = Open::Map(members, None).close();
        }
    }

    /// Writes the value as Go does. All numbers in a value are finite.
    pub fn write(&self, writer: &mut Writer) {
        let mut open: Vec<(usize, usize)> = Vec::new();
        let mut next = Some(0);
        loop {
            if let Some(id) = next.take() {
                match self.node(id) {
                    Node::Null => writer.null(),
                    Node::Bool(value) => writer.bool(*value),
                    Node::Integer(value) => writer.integer(*value),
                    Node::Float(value) => {
                        let mut text = String::new();
                        write_float(&mut text, *value);
                        writer.raw(&text);
                    }
                    Node::Text(text) => writer.string(text),
                    Node::List(_) => {
                        writer.raw("[");
                        open.push((id, 0));
                    }
                    Node::Map(_) => {
                        writer.raw("{");
                        open.push((id, 0));
                    }
                }
            }
            let Some((id, index)) = open.last_mut() else {
                return;
            };
            let (child, close) = match self.node(*id) {
                Node::List(items) => {
                    let item = items.get(*index).copied();
                    if item.is_some() && *index > 0 {
                        writer.raw(",");
                    }
                    (item, "]")
                }
                Node::Map(members) => {
                    let member = members.get(*index);
                    if let Some((name, _)) = member {
                        writer.member(name);
                    }
                    (member.map(|(_, id)| *id), "}")
                }
                _ => (None, ""),
            };
            *index += 1;
            if child.is_none() {
                writer.raw(close);
                open.pop();
            }
            next = child;
        }
    }
}

impl Open {
    /// The node of what was read. The last of several members of one name
    /// counts.
    fn close(self) -> Node {
        match self {
            Self::List(items) => Node::List(items),
            Self::Map(mut members, _) => {
                sort_by(&mut members, |(a, _), (b, _)| a.cmp(b));
                let mut last: Vec<(String, usize)> = Vec::with_capacity(members.len());
                for member in members {
                    match last.last_mut() {
                        Some(before) if before.0 == member.0 => *before = member,
                        _ => last.push(member),
                    }
                }
                Node::Map(last)
            }
        }
    }
}

impl Node {
    /// The node with the positions of its children moved up.
    fn moved(self, by: usize) -> Self {
        let up = |id: usize| id.saturating_add(by);
        match self {
            Self::List(items) => Self::List(items.into_iter().map(up).collect()),
            Self::Map(members) => Self::Map(
                members
                    .into_iter()
                    .map(|(name, id)| (name, up(id)))
                    .collect(),
            ),
            scalar => scalar,
        }
    }
}

fn read_scalar(reader: &mut Reader<'_>, shape: Shape, integers: bool) -> Result<Node, Error> {
    match shape {
        Shape::Null => reader.null().map(|_| Node::Null),
        Shape::Bool => reader.bool().map(Node::Bool),
        Shape::String => Ok(Node::Text(reader.string()?.into_owned())),
        Shape::Number | Shape::List | Shape::Object => {
            let start = reader.offset();
            let text = reader.number()?;
            if integers
                && text != "-0"
                && let Ok(value) = text.parse()
            {
                return Ok(Node::Integer(value));
            }
            text.parse()
                .ok()
                .filter(|value: &f64| value.is_finite())
                .map(Node::Float)
                .ok_or(Error {
                    offset: start,
                    kind: ErrorKind::Number,
                })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Value, ValueError> {
        let mut reader = Reader::new(text, u32::MAX);
        Value::read(&mut reader, false, &mut u64::MAX.clone())
    }

    fn rewrite(text: &str) -> String {
        let mut writer = Writer::default();
        read(text).unwrap().write(&mut writer);
        writer.finish()
    }

    #[test]
    fn rewrites_canonically() {
        for (text, want) in [
            ("null", "null"),
            (" [ ] ", "[]"),
            (
                r#"{"b":[1,{"y":{},"x":[[]]}],"a":"<"}"#,
                r#"{"a":"\u003c","b":[1,{"x":[[]],"y":{}}]}"#,
            ),
            (r#"{"a":{"x":1},"a":{"y":2}}"#, r#"{"a":{"y":2}}"#),
            (
                "[9007199254740993,-0,1E21,0.0000001,1e2]",
                "[9007199254740992,-0,1e+21,1e-7,100]",
            ),
            (
                r#"{"":null,"é":true,"z":false}"#,
                r#"{"":null,"z":false,"é":true}"#,
            ),
        ] {
            assert_eq!(rewrite(text), want);
            assert_eq!(rewrite(want), want);
        }
    }

    #[test]
    fn integers_can_be_kept() {
        let mut reader = Reader::new("[9007199254740993,1.0,-0,99999999999999999999]", 9);
        let value = Value::read(&mut reader, true, &mut 9).unwrap();
        let mut writer = Writer::default();
        value.write(&mut writer);
        assert_eq!(
            writer.finish(),
            "[9007199254740993,1,-0,100000000000000000000]"
        );
    }

    #[test]
    fn refuses_what_is_out_of_range() {
        let error = read(r#" {"a":[1, 1e400]}"#).unwrap_err();
        let ValueError::Json(error) = error else {
            panic!("{error:?}")
        };
        assert_eq!((error.kind, error.offset), (ErrorKind::Number, 10));
        let mut reader = Reader::new("[1,2,3]", 9);
        let refused = Value::read(&mut reader, false, &mut 3);
        assert_eq!(refused, Err(ValueError::TooMany));
    }

    #[test]
    fn depth_costs_no_stack() {
        let deep = format!("{}{}", "[".repeat(300_000), "]".repeat(300_000));
        assert_eq!(rewrite(&deep), deep);
    }

    #[test]
    fn overlay_merges_objects() {
        let mut value = read(r#"{"a":[1],"c":{"x":1}}"#).unwrap();
        let others = [r#"{"b":[2,[3]],"a":[4]}"#, r#"{"d":{"y":[5]},"b":[6]}"#];
        value.overlay(others.map(|text| read(text).unwrap()).into());
        let mut writer = Writer::default();
        value.write(&mut writer);
        assert_eq!(
            writer.finish(),
            r#"{"a":[4],"b":[6],"c":{"x":1},"d":{"y":[5]}}"#
        );
    }
}

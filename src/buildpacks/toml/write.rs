//! Writing metadata files, byte for byte as upstream's encoder does
//! (Buildpacks spec, section 5.4). Nothing here recurses; the size of the output is
//! bounded, because a header repeats the names of all tables around it.

use core::fmt::Write as _;

use super::text::{write_float, write_text};
use crate::buildpacks::metadata::{Flags, Layer, Store};
use crate::buildpacks::value::{Node, Value};
use crate::buildpacks::version::Floats;
use crate::prelude::*;

/// What differs between encoders.
#[derive(Clone, Copy, Debug)]
pub struct Style {
    /// How floats are written.
    pub floats: Floats,
    /// A list may mix tables and other values.
    pub mixed_lists: bool,
    /// The largest file, in bytes.
    pub limit: u64,
}

/// Why a value cannot be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refused {
    /// A null inside a list, at this path.
    NullInList(String),
    /// Another value in a list of tables, at this path.
    MixedList(String),
    /// The file would be larger than the limit.
    TooLarge,
}

/// A layer's metadata file; with its flags where the buildpack reads them there.
///
/// # Errors
/// When the layer's data cannot be written.
pub fn layer_file(layer: &Layer, with_flags: bool, style: Style) -> Result<String, Refused> {
    let flags = with_flags.then_some(layer.flags);
    Encoder::new(&layer.data, style).file(flags)
}

/// The text of `store.toml`.
///
/// # Errors
/// When the store's metadata cannot be written.
pub fn store_file(store: &Store, style: Style) -> Result<String, Refused> {
    match &store.metadata {
        None => Ok(String::new()),
        Some(value) => Encoder::new(value, style).file(None),
    }
}

struct Encoder<'a> {
    value: &'a Value,
    style: Style,
    out: String,
    /// Which lists are written as tables, by position.
    table_lists: Vec<bool>,
}

/// A value on a line, with its name inside a table.
type Named<'a> = (Option<&'a str>, usize);

/// What is still to be written, the next one last.
enum Block<'a> {
    /// A table with its header; an element of a list of tables has `[[…]]`.
    Table {
        id: usize,
        path: Rc<Path<'a>>,
        element: bool,
    },
    /// The elements of a list of tables from `next` on.
    List {
        id: usize,
        path: Rc<Path<'a>>,
        next: usize,
    },
}

/// The names around a table.
struct Path<'a> {
    above: Option<Rc<Path<'a>>>,
    name: &'a str,
    depth: usize,
}

impl Drop for Path<'_> {
    /// Without recursion.
    fn drop(&mut self) {
        let mut above = self.above.take();
        while let Some(path) = above {
            above = Rc::try_unwrap(path)
                .ok()
                .and_then(|mut path| path.above.take());
        }
    }
}

impl<'a> Encoder<'a> {
    const fn new(value: &'a Value, style: Style) -> Self {
        Self {
            value,
            style,
            out: String::new(),
            table_lists: Vec::new(),
        }
    }

    /// The member `metadata`, and the flags: after it where it is one line,
    /// before it where it is a table.
    fn file(mut self, flags: Option<Flags>) -> Result<String, Refused> {
        self.check_lists()?;
        let root = Rc::new(Path {
            above: None,
            name: "metadata",
            depth: 1,
        });
        let block = match self.value.root() {
            Node::Null => None,
            Node::Map(_) => Some(Block::Table {
                id: 0,
                path: root,
                element: false,
            }),
            Node::List(_) if self.is_table_list(0) => Some(Block::List {
                id: 0,
                path: root,
                next: 0,
            }),
            _ => {
                self.out.push_str("metadata = ");
                self.inline(0)?;
                self.out.push('\n');
                None
            }
        };
        if let Some(Flags {
            build,
            launch,
            cache,
        }) = flags
        {
            let _ = write!(
                self.out,
                "build = {build}\nlaunch = {launch}\ncache = {cache}\n"
            );
        }
        self.blocks(block)?;
        Ok(self.out)
    }

    fn blocks(&mut self, first: Option<Block<'a>>) -> Result<(), Refused> {
        let mut blocks: Vec<Block<'a>> = first.into_iter().collect();
        while let Some(block) = blocks.pop() {
            self.within_limit()?;
            match block {
                Block::List { id, path, next } => {
                    let value = self.value;
                    let Node::List(items) = value.node(id) else {
                        continue;
                    };
                    let Some(item) = items.get(next) else {
                        continue;
                    };
                    if !matches!(value.node(*item), Node::Map(_)) {
                        return Err(Refused::MixedList(short(format!("{}[{next}]", path.name))));
                    }
                    blocks.push(Block::List {
                        id,
                        path: Rc::clone(&path),
                        next: next.saturating_add(1),
                    });
                    blocks.push(Block::Table {
                        id: *item,
                        path,
                        element: true,
                    });
                }
                Block::Table { id, path, element } => {
                    if (element || path.depth == 1) && !self.out.is_empty() {
                        self.out.push('\n');
                    }
                    self.header(&path, element)?;
                    self.members(id, &path, &mut blocks)?;
                }
            }
        }
        self.within_limit()
    }

    fn header(&mut self, path: &Rc<Path<'a>>, element: bool) -> Result<(), Refused> {
        self.indent(path.depth.saturating_sub(1));
        self.out.push_str(if element { "[[" } else { "[" });
        let mut names = Vec::with_capacity(path.depth);
        let mut at = Some(path);
        while let Some(path) = at {
            names.push(path.name);
            at = path.above.as_ref();
        }
        for (index, name) in names.iter().rev().enumerate() {
            if index > 0 {
                self.out.push('.');
            }
            self.key(name);
            self.within_limit()?;
        }
        self.out.push_str(if element { "]]\n" } else { "]\n" });
        Ok(())
    }

    /// Writes the members that are lines, and puts the tables on the pile.
    fn members(
        &mut self,
        id: usize,
        path: &Rc<Path<'a>>,
        blocks: &mut Vec<Block<'a>>,
    ) -> Result<(), Refused> {
        let value = self.value;
        let Node::Map(members) = value.node(id) else {
            return Ok(());
        };
        let below = |name: &'a String| {
            Rc::new(Path {
                above: Some(Rc::clone(path)),
                name,
                depth: path.depth.saturating_add(1),
            })
        };
        let mut tables = Vec::new();
        for (name, id) in members {
            match value.node(*id) {
                Node::Null => {}
                Node::Map(_) => tables.push(Block::Table {
                    id: *id,
                    path: below(name),
                    element: false,
                }),
                Node::List(_) if self.is_table_list(*id) => tables.push(Block::List {
                    id: *id,
                    path: below(name),
                    next: 0,
                }),
                _ => {
                    self.indent(path.depth);
                    self.key(name);
                    self.out.push_str(" = ");
                    self.inline(*id)?;
                    self.out.push('\n');
                    self.within_limit()?;
                }
            }
        }
        blocks.extend(tables.into_iter().rev());
        Ok(())
    }

    /// Writes a value on one line.
    fn inline(&mut self, id: usize) -> Result<(), Refused> {
        let mut open: Vec<(&'static str, Vec<Named<'a>>)> = Vec::new();
        let mut next = Some(id);
        loop {
            if let Some(id) = next.take() {
                self.within_limit()?;
                let value = self.value;
                match value.node(id) {
                    Node::Null => {}
                    Node::Bool(value) => {
                        let _ = write!(self.out, "{value}");
                    }
                    Node::Integer(value) => {
                        let _ = write!(self.out, "{value}");
                    }
                    Node::Float(value) => write_float(&mut self.out, *value, self.style.floats),
                    Node::Text(text) => write_text(&mut self.out, text),
                    Node::List(items) => {
                        self.out.push('[');
                        open.push(("]", items.iter().rev().map(|id| (None, *id)).collect()));
                        next = self.first(&mut open);
                        continue;
                    }
                    Node::Map(members) => {
                        self.out.push('{');
                        open.push(self.inline_members(members));
                        next = self.first(&mut open);
                        continue;
                    }
                }
            }
            let Some((close, rest)) = open.last_mut() else {
                return Ok(());
            };
            match rest.pop() {
                Some((name, id)) => {
                    self.out.push_str(", ");
                    self.named(name);
                    next = Some(id);
                }
                None => {
                    self.out.push_str(close);
                    open.pop();
                }
            }
        }
    }

    /// The first child of what was just opened.
    fn first(&mut self, open: &mut [(&'static str, Vec<Named<'a>>)]) -> Option<usize> {
        let (name, id) = open.last_mut()?.1.pop()?;
        self.named(name);
        Some(id)
    }

    fn named(&mut self, name: Option<&str>) {
        if let Some(name) = name {
            self.key(name);
            self.out.push_str(" = ");
        }
    }

    /// The end of an inline table and its members, last first: those that are
    /// not null, tables after the others. The comma before a null that would be
    /// the last line is written all the same.
    fn inline_members(&self, members: &'a [(String, usize)]) -> (&'static str, Vec<Named<'a>>) {
        let is_null = |id: usize| matches!(self.value.node(id), Node::Null);
        let is_table = |id: usize| match self.value.node(id) {
            Node::Map(_) => true,
            _ => self.is_table_list(id),
        };
        let (tables, mut lines): (Vec<_>, Vec<_>) =
            members.iter().partition(|(_, id)| is_table(*id));
        let null_last = tables.is_empty() && lines.last().is_some_and(|(_, id)| is_null(*id));
        lines.retain(|(_, id)| !is_null(*id));
        let comma = null_last && !lines.is_empty();
        let present = lines.into_iter().chain(tables).rev();
        (
            if comma { ", }" } else { "}" },
            present
                .map(|(name, id)| (Some(name.as_str()), *id))
                .collect(),
        )
    }

    /// Looks at every list once.
    fn check_lists(&mut self) -> Result<(), Refused> {
        let mut open = vec![(0, String::new())];
        while let Some((id, path)) = open.pop() {
            match self.value.node(id) {
                Node::List(items) => {
                    let is = |wanted: fn(&Node) -> bool| {
                        items.iter().position(|id| wanted(self.value.node(*id)))
                    };
                    if let Some(index) = is(|node| matches!(node, Node::Null)) {
                        return Err(Refused::NullInList(format!("{path}[{index}]")));
                    }
                    let table = is(|node| matches!(node, Node::Map(_)));
                    let other = is(|node| !matches!(node, Node::Map(_)));
                    let as_tables = if self.style.mixed_lists {
                        table.is_some() && other.is_none()
                    } else {
                        table == Some(0)
                    };
                    if self.table_lists.len() <= id {
                        self.table_lists.resize(id.saturating_add(1), false);
                    }
                    if let Some(flag) = self.table_lists.get_mut(id) {
                        *flag = as_tables;
                    }
                    for (index, id) in items.iter().enumerate().rev() {
                        if self.nests(*id) {
                            open.push((*id, short(format!("{path}[{index}]"))));
                        }
                    }
                }
                Node::Map(members) => {
                    for (name, id) in members.iter().rev() {
                        if self.nests(*id) {
                            let dot = if path.is_empty() { "" } else { "." };
                            open.push((*id, short(format!("{path}{dot}{name}"))));
                        }
                    }
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn nests(&self, id: usize) -> bool {
        matches!(self.value.node(id), Node::List(_) | Node::Map(_))
    }

    fn is_table_list(&self, id: usize) -> bool {
        self.table_lists.get(id).copied().unwrap_or(false)
    }

    fn within_limit(&self) -> Result<(), Refused> {
        if u64::try_from(self.out.len()).unwrap_or(u64::MAX) > self.style.limit {
            return Err(Refused::TooLarge);
        }
        Ok(())
    }

    fn indent(&mut self, levels: usize) {
        for _ in 0..levels {
            self.out.push_str("  ");
        }
    }

    fn key(&mut self, key: &str) {
        let bare = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-');
        if !key.is_empty() && key.bytes().all(bare) {
            self.out.push_str(key);
        } else {
            write_text(&mut self.out, key);
        }
    }
}

/// Evidence that stays small however long names are.
fn short(mut path: String) -> String {
    const LONGEST: usize = 200;
    if path.len() > LONGEST {
        let cut = (0..=LONGEST).rev().find(|at| path.is_char_boundary(*at));
        path.truncate(cut.unwrap_or(0));
        path.push('\u{2026}');
    }
    path
}

#[cfg(test)]
mod tests;

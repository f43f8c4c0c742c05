//! Which names a document has defined, so that none is defined twice.
//!
//! Upstream's parser is more patient than TOML: a table that a dotted key has
//! made may get a header, and a list may be extended. What it accepts must not
//! stop a build here, so this keeps the same books: what each name stands for,
//! and by path, no matter in which element of a list of tables, whether a table
//! is only implied and whether the value is a list.

use crate::prelude::*;

/// What a name stands for; also what just ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Name {
    /// A scalar or a list.
    Value,
    /// A list of tables, and its last element.
    Tables(usize),
    /// A table.
    Table,
}

/// The value of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// A scalar.
    Scalar,
    /// A list.
    List,
    /// An inline table, as [`Names::close`] answered it.
    Table(usize),
}

/// Every name that was defined.
pub struct Names {
    nodes: Vec<Name>,
    children: BTreeMap<(usize, String), usize>,
    paths: BTreeMap<(usize, String), usize>,
    marks: Vec<Mark>,
    /// Where the next line belongs.
    context: Vec<String>,
    /// The lines that have begun, around one another.
    lines: Vec<Line>,
    /// What is in each open inline table by itself.
    inline: Vec<usize>,
    depth: usize,
}

#[derive(Clone, Copy, Default)]
struct Mark {
    implied: bool,
    list: bool,
}

struct Line {
    key: String,
    /// How many parts of the key are above the last.
    above: usize,
}

type Check<T = ()> = Result<T, &'static str>;

const TWICE: &str = "a name that is defined already";
const NO_TABLE: &str = "a key that is not a table";

impl Names {
    /// None; no more than `depth` names stand around a line.
    pub fn new(depth: u64) -> Self {
        Self {
            nodes: vec![Name::Table],
            children: BTreeMap::new(),
            paths: BTreeMap::new(),
            marks: vec![Mark::default()],
            context: Vec::new(),
            lines: Vec::new(),
            inline: Vec::new(),
            depth: usize::try_from(depth).unwrap_or(usize::MAX),
        }
    }

    /// A header; `list` for one of a list of tables.
    ///
    /// # Errors
    /// When it defines a table that is defined already.
    pub fn header(&mut self, key: &[Cow<'_, str>], list: bool) -> Check {
        self.context = key.iter().map(|part| part.clone().into_owned()).collect();
        self.enter(list)?;
        self.mark("", |mark| mark.list = false);
        Ok(())
    }

    /// The key of a line; its value comes next.
    ///
    /// # Errors
    /// When it stands for something that is no table.
    pub fn begin(&mut self, key: &[Cow<'_, str>]) -> Check {
        let Some((last, above)) = key.split_last() else {
            return Ok(());
        };
        for part in above {
            self.imply(part)?;
            self.enter(false)?;
        }
        self.lines.push(Line {
            key: last.clone().into_owned(),
            above: above.len(),
        });
        Ok(())
    }

    /// The value of the line, or a part of it, is a list.
    pub fn list(&mut self) {
        self.mark_line(true);
    }

    /// The value of the line, or an element of its list, is an inline table.
    ///
    /// # Errors
    /// When the name is defined already.
    pub fn open(&mut self, in_list: bool) -> Check {
        let key = self.lines.last().map(|line| line.key.clone());
        self.imply(&key.unwrap_or_default())?;
        self.enter(in_list)?;
        let table = self.make(Name::Table);
        self.inline.push(table);
        Ok(())
    }

    /// The inline table has ended.
    pub fn close(&mut self) -> Ended {
        self.context.pop();
        self.inline.pop().map_or(Ended::Scalar, Ended::Table)
    }

    /// The line has ended.
    ///
    /// # Errors
    /// When its name is defined already.
    pub fn end(&mut self, value: Ended) -> Check {
        let node = match value {
            Ended::Table(node) => node,
            Ended::Scalar | Ended::List => self.make(Name::Value),
        };
        let key = self.lines.last().map(|line| line.key.clone());
        let key = key.unwrap_or_default();
        self.set(self.context.len(), &key, node)?;
        self.mark_line(value == Ended::List);
        let above = self.lines.pop().map_or(0, |line| line.above);
        let outer = self.context.len().saturating_sub(above);
        if let Some(mut table) = self.inline.last().copied() {
            for part in self.context.split_off(outer) {
                (table, _) = self.below(table, part);
                if self.nodes.get(table) != Some(&Name::Table) {
                    return Err(NO_TABLE);
                }
            }
            self.children.insert((table, key), node);
        }
        self.context.truncate(outer);
        Ok(())
    }

    /// Goes into a table that may be implied only.
    fn imply(&mut self, name: &str) -> Check {
        if self.context.len() >= self.depth {
            return Err("nested too deep");
        }
        self.context.push(name.to_owned());
        self.mark("", |mark| mark.implied = true);
        Ok(())
    }

    /// Defines the table of the context, or an element of its list, and those
    /// above it where they are not there.
    fn enter(&mut self, list: bool) -> Check {
        let above = self.context.len().saturating_sub(1);
        let mut at = 0;
        let mut path = 0;
        for index in 0..above {
            let part = self.context.get(index).cloned().unwrap_or_default();
            path = self.step(path, &part);
            let (node, new) = self.below(at, part);
            if let Some(mark) = self.marks.get_mut(path).filter(|_| new) {
                mark.implied = true;
            }
            at = self.table(node).ok_or(NO_TABLE)?;
        }
        let name = self.context.last().cloned().unwrap_or_default();
        let element = self.make(Name::Table);
        if !list {
            return self.set(above, &name, element);
        }
        let place = (at, name);
        match self
            .children
            .get(&place)
            .and_then(|node| self.nodes.get_mut(*node))
        {
            Some(Name::Tables(last)) => *last = element,
            Some(_) => return Err(TWICE),
            None => {
                let node = self.make(Name::Tables(element));
                self.children.insert(place, node);
            }
        }
        Ok(())
    }

    /// Gives a name in the first `depth` tables of the context a value.
    fn set(&mut self, depth: usize, name: &str, value: usize) -> Check {
        let mut at = 0;
        let mut path = 0;
        for index in 0..depth {
            let part = self.context.get(index).cloned().unwrap_or_default();
            path = self.step(path, &part);
            let node = self.children.get(&(at, part)).copied();
            at = node.and_then(|node| self.table(node)).ok_or(NO_TABLE)?;
        }
        path = self.step(path, name);
        let place = (at, name.to_owned());
        let Some(node) = self.children.get_mut(&place) else {
            self.children.insert(place, value);
            return Ok(());
        };
        let mark = self.marks.get_mut(path).filter(|mark| mark.implied);
        let mark = mark.ok_or(TWICE)?;
        mark.implied = false;
        if mark.list {
            *node = value;
        }
        Ok(())
    }

    /// The table that a node is: itself, or the last of its list.
    fn table(&self, node: usize) -> Option<usize> {
        match self.nodes.get(node)? {
            Name::Table => Some(node),
            Name::Tables(last) => Some(*last),
            Name::Value => None,
        }
    }

    /// The node of a name in a table, a new table where it has none.
    fn below(&mut self, table: usize, name: String) -> (usize, bool) {
        let place = (table, name);
        if let Some(node) = self.children.get(&place) {
            return (*node, false);
        }
        let node = self.make(Name::Table);
        self.children.insert(place, node);
        (node, true)
    }

    /// Whether the value of the line is a list.
    fn mark_line(&mut self, list: bool) {
        let key = self.lines.last().map(|line| line.key.clone());
        self.mark(&key.unwrap_or_default(), |mark| mark.list = list);
    }

    /// Changes what is known about a name in the context. The empty name stands
    /// for the context itself, unless there is none.
    fn mark(&mut self, name: &str, change: impl FnOnce(&mut Mark)) {
        let mut path = 0;
        for index in 0..self.context.len() {
            let part = self.context.get(index).cloned().unwrap_or_default();
            path = self.step(path, &part);
        }
        if path == 0 || !name.is_empty() {
            path = self.step(path, name);
        }
        if let Some(mark) = self.marks.get_mut(path) {
            change(mark);
        }
    }

    /// The path one name further.
    fn step(&mut self, path: usize, name: &str) -> usize {
        let marks = &mut self.marks;
        *self
            .paths
            .entry((path, name.to_owned()))
            .or_insert_with(|| {
                marks.push(Mark::default());
                marks.len().saturating_sub(1)
            })
    }

    fn make(&mut self, name: Name) -> usize {
        self.nodes.push(name);
        self.nodes.len().saturating_sub(1)
    }
}

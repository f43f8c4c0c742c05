//! Which names a document has defined, so that none is defined twice.

use crate::prelude::*;

/// Every name that was defined, as a tree: each part of a key is kept once.
pub struct Names {
    nodes: Vec<Named>,
    children: BTreeMap<(usize, String), usize>,
    /// The table that lines belong to.
    table: usize,
}

impl Names {
    /// None.
    pub fn new() -> Self {
        let mut names = Self {
            nodes: Vec::new(),
            children: BTreeMap::new(),
            table: 0,
        };
        names.make(Name::Table);
        names
    }

    /// A header; `list` for one of a list of tables.
    ///
    /// # Errors
    /// When it defines a table that is defined already.
    pub fn header(&mut self, key: &[Cow<'_, str>], list: bool) -> Result<(), &'static str> {
        const TWICE: &str = "a table that is defined already";
        let Some((last, above)) = key.split_last() else {
            return Ok(());
        };
        let mut at = 0;
        for part in above {
            let (id, _) = self.child(at, part, Name::Implied);
            at = match self.nodes.get(id) {
                Some(Named {
                    name: Name::List,
                    element,
                }) => *element,
                Some(Named {
                    name: Name::Value, ..
                }) => return Err("a key that is not a table"),
                _ => id,
            };
        }
        let (id, new) = self.child(at, last, if list { Name::List } else { Name::Table });
        let name = self.nodes.get(id).map(|node| node.name);
        self.table = match (list, name) {
            (true, Some(Name::List)) => {
                let element = self.make(Name::Table);
                self.set(
                    id,
                    Named {
                        name: Name::List,
                        element,
                    },
                );
                element
            }
            (false, Some(Name::Implied)) => {
                self.set(
                    id,
                    Named {
                        name: Name::Table,
                        element: 0,
                    },
                );
                id
            }
            (false, _) if new => id,
            _ => return Err(TWICE),
        };
        Ok(())
    }

    /// A key of a line.
    ///
    /// # Errors
    /// When it is defined already, or stands for something that is no table.
    pub fn line(&mut self, key: &[Cow<'_, str>]) -> Result<(), &'static str> {
        let Some((last, above)) = key.split_last() else {
            return Ok(());
        };
        let mut at = self.table;
        for part in above {
            (at, _) = self.child(at, part, Name::Dotted);
            let name = self.nodes.get(at).map(|node| node.name);
            if !matches!(name, Some(Name::Dotted | Name::Implied)) {
                return Err("a key that cannot be extended");
            }
        }
        match self.child(at, last, Name::Value) {
            (_, true) => Ok(()),
            _ => Err("a key that is defined already"),
        }
    }

    /// The node of a part below another, made as `name` when it is new.
    fn child(&mut self, above: usize, part: &str, name: Name) -> (usize, bool) {
        let key = (above, part.to_owned());
        if let Some(id) = self.children.get(&key) {
            return (*id, false);
        }
        let id = self.make(name);
        self.children.insert(key, id);
        (id, true)
    }

    fn make(&mut self, name: Name) -> usize {
        self.nodes.push(Named { name, element: 0 });
        self.nodes.len().saturating_sub(1)
    }

    fn set(&mut self, id: usize, named: Named) {
        if let Some(node) = self.nodes.get_mut(id) {
            *node = named;
        }
    }
}

struct Named {
    name: Name,
    /// The current element of a list of tables.
    element: usize,
}

/// What a name stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Name {
    /// A value, or an inline table: closed.
    Value,
    /// A table that only a longer header or dotted key implies.
    Implied,
    /// A table that dotted keys made; no header may open it.
    Dotted,
    /// A table with its own header.
    Table,
    /// A list of tables.
    List,
}

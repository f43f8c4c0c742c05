//! Imports, as version 12 and version 16 read them.

use layerwise::stacker::layer_of;
use serde_json::{Map, Value, json};

use super::Reader;
use crate::stacker::file::bad::Bad;
use crate::stacker::file::node::{Item, Node};

impl Reader<'_> {
    pub(super) fn imports(&mut self, member: &str, item: &Item) -> Result<(), Bad> {
        let one = std::slice::from_ref(item);
        let items = match &*item.node {
            Node::List(items) => items,
            Node::Text(_) => one,
            Node::Map(_) if !self.new => one,
            _ => return Err(item.bad("imports", "a list")),
        };
        let mut imports = Vec::new();
        for item in items {
            let import = match (&*item.node, self.new) {
                (Node::Text(path), true) => self.import(item, path, Map::new())?,
                (Node::Text(path), false) => json!({"Path": self.path(path)}),
                (_, true) => self.whole_import(item)?,
                (_, false) => self.old_import(item)?,
            };
            let path = import.get("path").or(import.get("Path"));
            if let Some(path) = path.and_then(Value::as_str) {
                self.needs.extend(layer_of(path).map(str::to_owned));
                self.source(path);
            }
            imports.push(import);
        }
        if !imports.is_empty() {
            self.set(member, Value::Array(imports));
        }
        Ok(())
    }

    /// An import of version 12 that is a map; stacker does not look at members it
    /// does not know.
    fn old_import(&self, item: &Item) -> Result<Value, Bad> {
        let (mut path, mut hash) = (None, "");
        for (key, value) in item.pairs("an import")? {
            match key.text("a member of an import")? {
                "path" => path = Some(value.text("path")?),
                "hash" if matches!(*value.node, Node::Null) => {}
                "hash" => hash = value.text("hash")?,
                _ => {}
            }
        }
        let path = path.ok_or_else(|| Bad::new(item.line, "an import has no path"))?;
        Ok(json!({"Path": self.path(path), "Hash": hash}))
    }

    /// The same for version 16.
    fn whole_import(&self, item: &Item) -> Result<Value, Bad> {
        let mut path = "";
        let mut members = Map::new();
        for (key, value) in item.pairs("an import")? {
            let name = key.text("a member of an import")?;
            match name {
                "path" => path = value.text(name)?,
                "hash" => {
                    members.insert(name.to_owned(), json!(value.text(name)?));
                }
                "dest" => {
                    let dest = value.text(name)?;
                    if !dest.is_empty() && !dest.starts_with('/') {
                        return Err(value.bad(name, "an absolute path"));
                    }
                    members.insert(name.to_owned(), json!(dest));
                }
                "mode" | "uid" | "gid" => {
                    let number = match *value.node {
                        Node::Number(_, Some(number)) => number,
                        _ => return Err(value.bad(name, "a whole number")),
                    };
                    if number == -1 && name == "mode" {
                        continue;
                    }
                    // The mode is cut to its type, and -1 is an owner not given.
                    let number = match name {
                        "mode" => number & 0xffff_ffff,
                        _ if number < -1 => return Err(value.bad(name, "0 or more")),
                        _ => number,
                    };
                    members.insert(name.to_owned(), json!(number));
                }
                _ => {}
            }
        }
        self.import(item, path, members)
    }

    fn import(
        &self,
        item: &Item,
        path: &str,
        mut members: Map<String, Value>,
    ) -> Result<Value, Bad> {
        if path.is_empty() {
            return Err(Bad::new(item.line, "an import has no path"));
        }
        for owner in ["uid", "gid"] {
            members.entry(owner).or_insert_with(|| json!(-1));
        }
        let mut whole = self.path(path);
        if path.ends_with('/') {
            whole.push('/');
        }
        members.insert("path".to_owned(), json!(whole));
        Ok(Value::Object(members))
    }
}

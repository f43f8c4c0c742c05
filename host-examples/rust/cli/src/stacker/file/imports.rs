//! The imports of a layer.

use serde_json::{Map, Value, json};

use super::bad::Bad;
use super::node::{Item, Node};
use super::values::absolute;

/// An import of version 12 that is a map; stacker does not look at members it
/// does not know.
pub fn old(directory: &str, item: &Item) -> Result<Value, Bad> {
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
    Ok(json!({"Path": absolute(directory, path), "Hash": hash}))
}

/// An import of version 16 that is a map.
pub fn whole(directory: &str, item: &Item) -> Result<Value, Bad> {
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
    new(directory, item, path, members)
}

/// An import of version 16 with these members, and owners that are not given.
pub fn new(
    directory: &str,
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
    let mut whole = absolute(directory, path);
    if path.ends_with('/') {
        whole.push('/');
    }
    members.insert("path".to_owned(), json!(whole));
    Ok(Value::Object(members))
}

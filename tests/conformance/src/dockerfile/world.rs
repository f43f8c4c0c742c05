//! What a case lends: the images by their names, and the files on disk.

use std::collections::BTreeMap;
use std::sync::Arc;

use layerwise::base64;
use layerwise::host::{Facts, Failure, FailureCode, Image, ImageStore};
use serde_json::Value;

use super::format::{Case, Entry, File, Step};
use crate::memory_fs::{Body, MemoryFs, Object};

/// Where the context is.
pub const CONTEXT: &str = "/context";
/// Where the files of the bases are.
pub const BASE: &str = "/base";

/// The images of a case.
#[derive(Debug)]
pub struct Images {
    names: BTreeMap<String, String>,
    documents: BTreeMap<String, String>,
}

impl Images {
    /// Those of a case.
    pub fn of(file: &File, case: &Case) -> Self {
        let mut names = case.images.clone();
        for step in &case.steps {
            // What is not among them was pulled.
            if let Step::Stage(from) = step
                && let Some(image) = &from.image
            {
                names
                    .entry(from.base.clone())
                    .or_insert_with(|| image.clone());
            }
        }
        Self {
            names,
            documents: file.docs.clone(),
        }
    }

    fn document(&self, id: &str) -> Result<Image, Failure> {
        let document = self.documents.get(id).cloned();
        let document = document
            .ok_or_else(|| Failure::new(FailureCode::NotFound, format!("no image {id}")))?;
        Ok(Image {
            id: id.to_owned(),
            document: Some(document),
            ..Image::default()
        })
    }

    fn named(&self, name: &str) -> Result<Image, Failure> {
        let full = full_name(name);
        let known = [name, &full]
            .into_iter()
            .find_map(|name| self.names.get(name));
        // An id, or the begin of one.
        let hex = name.strip_prefix("sha256:").unwrap_or(name);
        let mut ids = self.documents.keys();
        let by_id = || {
            ids.find(|id| {
                let id = id.strip_prefix("sha256:").unwrap_or(id);
                hex.len() >= 4 && id.starts_with(hex)
            })
        };
        match known.or_else(by_id) {
            Some(id) => self.document(id),
            None => Err(Failure::new(
                FailureCode::NotFound,
                format!("no image {name}"),
            )),
        }
    }
}

/// A name as the engine writes it out.
fn full_name(name: &str) -> String {
    let (first, rest) = name.split_once('/').unwrap_or(("", name));
    let domain = first.contains(['.', ':']) || first == "localhost";
    let name = match (domain, first.is_empty(), rest) {
        (true, ..) => name.to_owned(),
        (false, true, _) => format!("docker.io/library/{name}"),
        (false, false, _) => format!("docker.io/{name}"),
    };
    let last = name.rsplit('/').next().unwrap_or_default();
    if last.contains([':', '@']) {
        name
    } else {
        format!("{name}:latest")
    }
}

impl ImageStore for Images {
    fn get(&self, ids: &[String], _: Facts, _: u64) -> Vec<Result<Image, Failure>> {
        ids.iter().map(|id| self.document(id)).collect()
    }

    fn resolve(&self, references: &[String], _: u64) -> Vec<Result<Image, Failure>> {
        references.iter().map(|name| self.named(name)).collect()
    }

    fn children(&self, _: Option<&str>) -> Result<Vec<String>, Failure> {
        Err(unused())
    }

    fn set_parent(&self, _: &str, _: &str) -> Result<(), Failure> {
        Err(unused())
    }

    fn create(&self, _: Option<&str>, _: &str, _: Option<&str>) -> Result<String, Failure> {
        Err(unused())
    }
}

fn unused() -> Failure {
    Failure::new(FailureCode::Unsupported, "nothing of it is asked here")
}

/// The files of a case.
///
/// # Errors
/// What is wrong with an entry.
pub fn files(file: &File, case: &Case) -> Result<Arc<MemoryFs>, String> {
    let fs = MemoryFs::default();
    for (root, entries) in [(CONTEXT, &case.context), (BASE, &file.base_tree.entries)] {
        let root_entry = Object::new(Body::Directory, 0o755);
        put(&fs, root, root_entry)?;
        let target_of = |entry: &Entry| entry.hardlink.clone();
        for entry in entries {
            let mut object = object(entry)?;
            let several = entries
                .iter()
                .any(|other| target_of(other) == Some(entry.path.clone()));
            if let Some(first) = entry.hardlink.as_deref() {
                let first = entries.iter().find(|other| other.path == first);
                let first = first.ok_or_else(|| format!("{} is a name of nothing", entry.path))?;
                object = self::object(first)?;
                object.identity = Some(first.path.clone());
            } else if several {
                object.identity = Some(entry.path.clone());
            }
            put(&fs, &format!("{root}/{}", entry.path), object)?;
        }
    }
    for (number, served) in case.urls.values().enumerate() {
        let bytes = served_bytes(served)?;
        put(
            &fs,
            &format!("/url{number}"),
            Object::new(Body::File(bytes), 0o600),
        )?;
    }
    Ok(Arc::new(fs))
}

fn put(fs: &MemoryFs, path: &str, object: Object) -> Result<(), String> {
    fs.put(path.as_bytes(), object)
        .map_err(|failure| failure.message)
}

fn object(entry: &Entry) -> Result<Object, String> {
    let mode = u32::from_str_radix(&entry.mode, 8).unwrap_or(0o644);
    let body = match entry.kind.as_str() {
        "dir" => Body::Directory,
        "symlink" => Body::Link(entry.target.clone().unwrap_or_default().into_bytes()),
        "file" => Body::File(match (&entry.text, &entry.base64) {
            (Some(text), _) => text.clone().into_bytes(),
            (None, Some(encoded)) => {
                base64::decode(encoded).ok_or_else(|| format!("not base64: {encoded}"))?
            }
            (None, None) => Vec::new(),
        }),
        other => return Err(format!("an entry of type {other}")),
    };
    let mut object = Object::new(body, mode);
    object.uid = entry.uid;
    object.gid = entry.gid;
    Ok(object)
}

/// The bytes that an address served: a text, or an object with one.
fn served_bytes(served: &Value) -> Result<Vec<u8>, String> {
    let text = |value: &Value| value.as_str().map(|text| text.as_bytes().to_vec());
    let encoded = || {
        let encoded = served.get("base64").and_then(Value::as_str)?;
        base64::decode(encoded)
    };
    let found = text(served)
        .or_else(|| served.get("text").and_then(text))
        .or_else(encoded);
    found.ok_or_else(|| format!("not what an address serves: {served}"))
}

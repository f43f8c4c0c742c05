//! What a case lends: the images by their names, and the files on disk.

use std::collections::BTreeMap;
use std::sync::Arc;

use layerwise::base64;
use layerwise::docker::{Containerd, StoreKind};
use layerwise::host::{
    ContentStore, Document, Facts, Failure, FailureCode, Image, ImageStore, Record, Selector,
};
use layerwise::oci::{Descriptor, Platform, sha256};
use serde_json::{Value, json};

use super::format::{Case, Entry, File, Step};
use crate::memory_fs::{Body, MemoryFs, Object};

/// Where the context is.
pub const CONTEXT: &str = "/context";
/// Where the files of the bases are.
pub const BASE: &str = "/base";

/// The images of a case, as one of the engine's stores has them.
#[derive(Debug)]
pub struct Images {
    /// The id behind each name.
    names: BTreeMap<String, String>,
    /// The ids of images by the digests of their documents: in containerd's store other
    /// ones.
    ids: BTreeMap<String, String>,
    documents: BTreeMap<String, String>,
    /// In containerd's store, the manifests and indexes by their digests.
    manifests: Option<BTreeMap<String, String>>,
    /// What every other name stands for.
    other: Option<String>,
    host: Platform,
}

impl Images {
    /// Those of a case.
    pub fn of(file: &File, case: &Case, store: StoreKind) -> Self {
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
        let same = |id: &String| (id.clone(), id.clone());
        let mut images = Self {
            names,
            ids: file.docs.keys().map(same).collect(),
            documents: file.docs.clone(),
            manifests: None,
            other: None,
            host: (&file.engine.host).into(),
        };
        if store == StoreKind::Containerd {
            images.pack(case.ok_containerd == Some(true));
        }
        images
    }

    /// Gives each document a manifest. What the recording leaves out, because only this
    /// store found it, is an index of all of them.
    fn pack(&mut self, with_others: bool) {
        let mut manifests = BTreeMap::new();
        let mut put = |value: Value| {
            let text = value.to_string();
            let digest = sha256(text.as_bytes()).to_string();
            let size = text.len();
            manifests.insert(digest.clone(), text);
            (digest, size)
        };
        let mut listed = Vec::new();
        for (id, document) in &self.documents {
            let config = json!({"digest": id, "size": document.len()});
            let (digest, size) = put(json!({"config": config, "layers": []}));
            listed.push(json!({"digest": digest, "size": size}));
            self.ids.insert(id.clone(), digest);
        }
        if with_others {
            let (index, _) = put(json!({"manifests": listed}));
            self.other = Some(index);
        }
        for id in self.names.values_mut() {
            *id = self.ids.get(id).unwrap_or(id).clone();
        }
        self.manifests = Some(manifests);
    }

    /// The id of the image with this document.
    pub fn id(&self, document: &str) -> String {
        self.ids.get(document).map_or(document, |id| id).to_owned()
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

    /// The image with a name, an id or the beginning of one.
    fn named(&self, name: &str) -> Result<String, Failure> {
        let full = full_name(name);
        let known = [name, &full]
            .into_iter()
            .find_map(|name| self.names.get(name));
        let hex = name.strip_prefix("sha256:").unwrap_or(name);
        let begins = |(id, _): &(&String, &String)| {
            let id = id.strip_prefix("sha256:").unwrap_or(id);
            hex.len() >= 4 && id.starts_with(hex)
        };
        let by_id = || self.ids.iter().find(begins).map(|(_, id)| id);
        match known.or_else(by_id).or(self.other.as_ref()) {
            Some(id) => Ok(id.clone()),
            None => Err(Failure::new(
                FailureCode::NotFound,
                format!("no image {name}"),
            )),
        }
    }

    /// The images, as the rules read containerd's store.
    fn packed(&self) -> Containerd<&Self> {
        Containerd::of(self, &self.host)
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
    fn get(&self, ids: &[String], want: Facts, limit: u64) -> Vec<Result<Image, Failure>> {
        if self.manifests.is_some() {
            return self.packed().get(ids, want, limit);
        }
        ids.iter().map(|id| self.document(id)).collect()
    }

    fn resolve(&self, references: &[String], limit: u64) -> Vec<Result<Image, Failure>> {
        let want = Facts {
            document: true,
            ..Facts::default()
        };
        let found = references.iter().map(|name| {
            let id = self.named(name)?;
            let none = || Failure::new(FailureCode::NotFound, format!("no image {name}"));
            self.get(&[id], want, limit)
                .pop()
                .unwrap_or_else(|| Err(none()))
        });
        found.collect()
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

    fn contents(&self) -> Option<&dyn ContentStore> {
        self.manifests.as_ref().map(|_| self as &dyn ContentStore)
    }
}

impl ContentStore for Images {
    fn records(&self, wanted: &[Selector]) -> Vec<Result<Vec<Record>, Failure>> {
        let known = |id: &String| {
            self.manifests
                .as_ref()
                .is_some_and(|all| all.contains_key(id))
        };
        let record = |selector: &Selector| match selector {
            Selector::Target(digest) if known(digest) => Ok(vec![Record {
                name: format!("docker.io/library/image@{digest}"),
                target: Descriptor {
                    digest: digest.clone(),
                    ..Descriptor::default()
                },
                labels: Vec::new(),
            }]),
            Selector::Target(_) => Ok(Vec::new()),
            Selector::Name(_) | Selector::Label(..) => Err(unused()),
        };
        wanted.iter().map(record).collect()
    }

    fn documents(&self, digests: &[String], _: u64) -> Vec<Result<Document, Failure>> {
        let read = |digest: &String| {
            let manifest = self.manifests.as_ref().and_then(|all| all.get(digest));
            let text = manifest.or_else(|| self.documents.get(digest)).cloned();
            let none = || Failure::new(FailureCode::NotFound, format!("no content {digest}"));
            Ok(Document {
                text: text.ok_or_else(none)?,
                labels: Vec::new(),
            })
        };
        digests.iter().map(read).collect()
    }

    fn labelled(&self, labels: &[(String, String)]) -> Vec<Result<Option<Descriptor>, Failure>> {
        labels.iter().map(|_| Err(unused())).collect()
    }

    fn put(&self, _: &[Document], _: &[Record]) -> Result<(), Failure> {
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

//! A host that makes its answers up from the input, and writes down what it was
//! asked and what it said.
//!
//! Documents it was given beforehand are answered faithfully most of the time;
//! all else is drawn.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::{Mutex, MutexGuard, PoisonError};

use layerwise::host::{
    Attribute, Change, Content, ContentStore, Document, Entry, Facts, Failure, FailureCode,
    Filesystem, FsFacts, Hashing, Image, ImageStore, Kind, Level, Observer, Presence, Provenance,
    Record, Registry, Retrieval, Retrieved, Selector, Shelf, Stored, Transfer,
};
use layerwise::oci::{Descriptor, sha256};

use crate::draw::Draw;

/// What a host has to say.
#[derive(Clone, Debug, Default)]
pub struct Material {
    /// Image ids and their documents.
    pub images: Vec<(String, String)>,
    /// Descriptors that references resolve to.
    pub references: Vec<Descriptor>,
    /// Content of registries by digest.
    pub content: BTreeMap<String, String>,
    /// Texts of files.
    pub files: Vec<String>,
    /// Names of files.
    pub names: Vec<String>,
}

impl Material {
    /// Puts a document into the registry.
    pub fn document(&mut self, media_type: &str, text: String) -> Descriptor {
        let digest = sha256(text.as_bytes()).to_string();
        let descriptor = Descriptor {
            media_type: media_type.to_owned(),
            digest: digest.clone(),
            size: text.len() as u64,
            ..Descriptor::default()
        };
        self.content.insert(digest, text);
        descriptor
    }
}

/// The host.
#[derive(Debug)]
pub struct Improvised {
    draw: Mutex<Draw>,
    material: Material,
    said: Mutex<Vec<String>>,
}

impl Improvised {
    /// A host with this material and these bytes for everything else.
    pub fn new(draw: Draw, material: Material) -> Self {
        Self {
            draw: Mutex::new(draw),
            material,
            said: Mutex::default(),
        }
    }

    /// Every call and its answer.
    pub fn said(&self) -> Vec<String> {
        lock(&self.said).clone()
    }

    fn say<T: Debug>(
        &self,
        call: &str,
        asked: impl Debug,
        answer: impl FnOnce(&mut Draw) -> T,
    ) -> T {
        let answer = answer(&mut lock(&self.draw));
        lock(&self.said).push(format!("{call} {asked:?} -> {answer:?}"));
        answer
    }

    fn image(&self, draw: &mut Draw, asked: Option<&str>) -> Image {
        let known = asked.and_then(|id| self.material.images.iter().find(|(have, _)| have == id));
        let known = match known {
            Some(known) => Some(known),
            None if self.material.images.is_empty() => None,
            None => Some(draw.one(&self.material.images)),
        };
        let (id, document) = known.cloned().unwrap_or_default();
        Image {
            id,
            document: draw.perhaps(|draw| draw.perhaps_spoiled(document)),
            parent: draw.perhaps(|draw| self.id(draw)),
            built: *draw.one(&[
                Provenance::BuiltHere,
                Provenance::Unknown,
                Provenance::Elsewhere,
            ]),
        }
    }

    fn id(&self, draw: &mut Draw) -> String {
        if self.material.images.is_empty() || draw.rarely(24) {
            return draw.anything();
        }
        draw.one(&self.material.images).0.clone()
    }

    fn entry(&self, draw: &mut Draw, path: String) -> Entry {
        let kinds = [
            Kind::File,
            Kind::Directory,
            Kind::Link,
            Kind::Fifo,
            Kind::Socket,
            Kind::CharacterDevice,
            Kind::BlockDevice,
            Kind::Other,
        ];
        Entry {
            path,
            kind: *draw.one(&kinds),
            mode: *draw.one(&[0o644, 0o755, 0o4755, 0, u32::MAX]),
            uid: draw.below(3).try_into().unwrap_or(0),
            gid: draw.below(3).try_into().unwrap_or(0),
            size: *draw.one(&[5, 0, 1, u64::MAX]),
            target: draw.perhaps(|draw| draw.text(&["a", "../b", "/"])),
            attributes: draw.several(2, |draw| Attribute {
                name: draw.text(&["user.a", "security.capability"]),
                value: draw.text(&["AA==", "YQ==", ""]),
            }),
            content: draw.perhaps(|draw| {
                let text = self.file(draw);
                sha256(text.as_bytes()).to_string()
            }),
            identity: draw.perhaps(|draw| draw.text(&["1:2", "1:3", ""])),
        }
    }

    fn file(&self, draw: &mut Draw) -> String {
        if self.material.files.is_empty() {
            return draw.anything();
        }
        let text = draw.one(&self.material.files).clone();
        draw.perhaps_spoiled(text)
    }

    /// Mostly a tree: its root first, and each path below a directory before it.
    fn tree(&self, draw: &mut Draw) -> Vec<Entry> {
        let mut root = self.entry(draw, ".".to_owned());
        if !draw.rarely(24) {
            root.kind = Kind::Directory;
        }
        let mut above = vec![String::new()];
        let mut entries = vec![root];
        for _ in 0..draw.below(6) {
            let path = match draw.rarely(24) {
                true => draw.anything(),
                false => {
                    let name = self.name(draw).replace('/', "_");
                    format!("{}{name}", draw.one(&above))
                }
            };
            let entry = self.entry(draw, path);
            if entry.kind == Kind::Directory {
                above.push(format!("{}/", entry.path));
            }
            entries.push(entry);
        }
        entries
    }

    fn name(&self, draw: &mut Draw) -> String {
        if self.material.names.is_empty() || draw.rarely(24) {
            return draw.anything();
        }
        draw.one(&self.material.names).clone()
    }

    fn digest(&self, draw: &mut Draw) -> String {
        let known: Vec<&String> = self.material.content.keys().collect();
        if known.is_empty() || draw.rarely(24) {
            return draw.text(&["sha256:00", ""]);
        }
        (*draw.one(&known)).clone()
    }
}

impl ImageStore for Improvised {
    fn get(&self, ids: &[String], want: Facts, limit: u64) -> Vec<Result<Image, Failure>> {
        self.say("get", (ids, want, limit), |draw| {
            draw.batch(ids.len(), |draw, at| {
                let id = ids.get(at).map(String::as_str);
                draw.answer(|draw| self.image(draw, id))
            })
        })
    }

    fn resolve(&self, references: &[String], limit: u64) -> Vec<Result<Image, Failure>> {
        self.say("resolve", (references, limit), |draw| {
            draw.batch(references.len(), |draw, _| {
                draw.answer(|draw| self.image(draw, None))
            })
        })
    }

    fn children(&self, parent: Option<&str>) -> Result<Vec<String>, Failure> {
        self.say("children", parent, |draw| {
            draw.answer(|draw| draw.several(6, |draw| self.id(draw)))
        })
    }

    fn set_parent(&self, target: &str, parent: &str) -> Result<(), Failure> {
        self.say("set-parent", (target, parent), |draw| draw.answer(|_| ()))
    }

    fn create(
        &self,
        parent: Option<&str>,
        document: &str,
        layer: Option<&str>,
    ) -> Result<String, Failure> {
        self.say("create", (parent, document, layer), |draw| {
            draw.answer(|draw| {
                if draw.rarely(8) {
                    self.id(draw)
                } else {
                    sha256(document.as_bytes()).to_string()
                }
            })
        })
    }

    fn contents(&self) -> Option<&dyn ContentStore> {
        Some(self)
    }
}

impl Improvised {
    fn labels(&self, draw: &mut Draw) -> Vec<(String, String)> {
        draw.several(3, |draw| {
            let key = draw.text(&[
                "org.mobyproject.image.parent",
                "org.mobyproject.image.containerconfig",
                "org.mobyproject.image.fromscratch",
                "containerd.io/gc.ref.content.moby/container.config",
            ]);
            (key, self.id(draw))
        })
    }
}

impl ContentStore for Improvised {
    fn records(&self, wanted: &[Selector]) -> Vec<Result<Vec<Record>, Failure>> {
        self.say("records", wanted, |draw| {
            draw.batch(wanted.len(), |draw, at| {
                let target = wanted.get(at).and_then(|selector| match selector {
                    Selector::Target(digest) => Some(digest),
                    Selector::Name(_) | Selector::Label(..) => None,
                });
                draw.answer(|draw| {
                    draw.several(4, |draw| Record {
                        name: draw.text(&["docker.io/library/app:1", "moby-dangling@x"]),
                        target: Descriptor {
                            digest: target.cloned().unwrap_or_else(|| self.id(draw)),
                            ..Descriptor::default()
                        },
                        labels: self.labels(draw),
                    })
                })
            })
        })
    }

    fn documents(&self, digests: &[String], limit: u64) -> Vec<Result<Document, Failure>> {
        self.say("documents", (digests, limit), |draw| {
            draw.batch(digests.len(), |draw, at| {
                let known = digests.get(at).and_then(|id| self.material.content.get(id));
                draw.answer(|draw| Document {
                    text: draw.perhaps_spoiled(known.cloned().unwrap_or_default()),
                    labels: self.labels(draw),
                })
            })
        })
    }

    fn labelled(&self, labels: &[(String, String)]) -> Vec<Result<Option<Descriptor>, Failure>> {
        self.say("labelled", labels, |draw| {
            draw.batch(labels.len(), |draw, _| {
                draw.answer(|draw| {
                    draw.perhaps(|draw| Descriptor {
                        digest: self.digest(draw),
                        size: *draw.one(&[7, 0, u64::MAX]),
                        ..Descriptor::default()
                    })
                })
            })
        })
    }

    fn put(&self, documents: &[Document], records: &[Record]) -> Result<(), Failure> {
        self.say("put", (documents, records), |draw| draw.answer(|_| ()))
    }
}

impl Registry for Improvised {
    fn locate(&self, reference: &str) -> Result<String, Failure> {
        self.say("locate", reference, |draw| {
            draw.answer(|draw| draw.text(&["r.example/cache", "r.example/other", ""]))
        })
    }

    fn resolve(&self, references: &[String]) -> Vec<Result<Vec<Descriptor>, Failure>> {
        self.say("resolve", references, |draw| {
            draw.batch(references.len(), |draw, _| {
                draw.answer(|draw| {
                    if self.material.references.is_empty() {
                        return Vec::new();
                    }
                    draw.several(2, |draw| draw.one(&self.material.references).clone())
                })
            })
        })
    }

    fn read(
        &self,
        repository: &str,
        wanted: &[Descriptor],
        limit: u64,
    ) -> Vec<Result<String, Failure>> {
        self.say("read", (repository, wanted, limit), |draw| {
            draw.batch(wanted.len(), |draw, at| {
                let text = wanted
                    .get(at)
                    .and_then(|wanted| self.material.content.get(&wanted.digest));
                match text {
                    Some(text) => draw.answer(|draw| draw.perhaps_spoiled(text.clone())),
                    None if draw.rarely(8) => Ok(draw.anything()),
                    None => Err(Failure::new(FailureCode::NotFound, "no such content")),
                }
            })
        })
    }

    fn has(&self, repository: &str, digests: &[String]) -> Result<Vec<Presence>, Failure> {
        self.say("has", (repository, digests), |draw| {
            draw.answer(|draw| {
                draw.batch(digests.len(), |draw, _| {
                    *draw.one(&[Presence::Present, Presence::Absent, Presence::Unknown])
                })
            })
        })
    }

    fn write(
        &self,
        repository: &str,
        shelf: Shelf,
        media_type: &str,
        document: &str,
    ) -> Result<Descriptor, Failure> {
        let asked = (repository, shelf, media_type, document);
        self.say("write", asked, |draw| {
            draw.answer(|draw| Descriptor {
                media_type: media_type.to_owned(),
                digest: if draw.rarely(8) {
                    self.digest(draw)
                } else {
                    sha256(document.as_bytes()).to_string()
                },
                size: document.len() as u64,
                ..Descriptor::default()
            })
        })
    }

    fn store(&self, repository: &str, layers: &[Transfer]) -> Vec<Result<Stored, Failure>> {
        self.say("store", (repository, layers), |draw| {
            draw.batch(layers.len(), |draw, at| {
                let asked = layers.get(at);
                draw.answer(|draw| Stored {
                    descriptor: asked
                        .map(|layer| layer.descriptor.clone())
                        .unwrap_or_default(),
                    diff_id: match draw.below(4) {
                        0 => Some(self.digest(draw)),
                        1 => None,
                        _ => asked.and_then(|layer| layer.diff_id.clone()),
                    },
                    written: draw.rarely(2),
                })
            })
        })
    }

    fn retrieve(&self, repository: &str, layers: &[Retrieval]) -> Vec<Result<Retrieved, Failure>> {
        self.say("retrieve", (repository, layers), |draw| {
            draw.batch(layers.len(), |draw, at| {
                let asked = layers.get(at).and_then(|layer| layer.diff_id.clone());
                draw.answer(|draw| Retrieved {
                    diff_id: match asked {
                        Some(asked) if !draw.rarely(4) => asked,
                        _ => self.digest(draw),
                    },
                    size: *draw.one(&[10, 0, u64::MAX]),
                })
            })
        })
    }

    fn tag(&self, reference: &str, digest: &str) -> Result<(), Failure> {
        self.say("tag", (reference, digest), |draw| draw.answer(|_| ()))
    }

    fn delete(&self, repository: &str, digest: &str) -> Result<(), Failure> {
        self.say("delete", (repository, digest), |draw| draw.answer(|_| ()))
    }
}

impl Filesystem for Improvised {
    fn stat(&self, paths: &[String], follow: bool, want: FsFacts) -> Vec<Result<Entry, Failure>> {
        self.say("stat", (paths, follow, want), |draw| {
            draw.batch(paths.len(), |draw, at| {
                let path = paths.get(at).cloned().unwrap_or_default();
                draw.answer(|draw| self.entry(draw, path))
            })
        })
    }

    fn list_names(&self, directory: &str) -> Result<Vec<String>, Failure> {
        self.say("list-names", directory, |draw| {
            draw.answer(|draw| draw.several(4, |draw| self.name(draw)))
        })
    }

    fn read(&self, paths: &[String], limit: u64) -> Vec<Result<Content, Failure>> {
        self.say("read", (paths, limit), |draw| {
            draw.batch(paths.len(), |draw, _| {
                draw.answer(|draw| {
                    let text = self.file(draw);
                    let digest = sha256(text.as_bytes()).to_string();
                    Content {
                        text,
                        lossy: draw.rarely(16),
                        digest,
                    }
                })
            })
        })
    }

    fn walk(&self, root: &str, want: FsFacts, limit: u64) -> Result<Vec<Entry>, Failure> {
        self.say("walk", (root, want, limit), |draw| {
            draw.answer(|draw| self.tree(draw))
        })
    }

    fn hash(&self, files: &[Hashing]) -> Vec<Result<String, Failure>> {
        self.say("hash", files, |draw| {
            draw.batch(files.len(), |draw, _| {
                draw.answer(|draw| {
                    let text = self.file(draw);
                    sha256(text.as_bytes()).to_string()
                })
            })
        })
    }

    fn write(&self, changes: &[Change]) -> Vec<Result<(), Failure>> {
        self.say("write", changes, |draw| {
            draw.batch(changes.len(), |draw, _| draw.answer(|_| ()))
        })
    }

    fn rename(&self, old: &str, new: &str) -> Result<(), Failure> {
        self.say("rename", (old, new), |draw| draw.answer(|_| ()))
    }

    fn remove(&self, paths: &[String]) -> Vec<Result<(), Failure>> {
        self.say("remove", paths, |draw| {
            draw.batch(paths.len(), |draw, _| draw.answer(|_| ()))
        })
    }
}

impl Observer for Improvised {
    fn log(&self, level: Level, message: &str, fields: &[(&str, &str)]) {
        self.say("log", (level, message, fields), |_| ());
    }

    fn progress(&self, operation: &str, item: &str, done: u64, total: u64) {
        self.say("progress", (operation, item, done, total), |_| ());
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

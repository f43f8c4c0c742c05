//! The sources of COPY and ADD and their checksums (Dockerfile spec, section 7).

use sha2::{Digest as _, Sha256};

use super::reason::Reason;
use super::refusal::{Stop, refused};
use super::tree::{Key, Kind, Packed, Tree, path_bytes, shown};
use crate::error::Problem;
use crate::host::{Filesystem, Hashing, complete};
use crate::paths;
use crate::patterns::{Glob, has_wildcards};
use crate::prelude::*;

/// A source, its checksum, and everything in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// Its path as the builder tells it.
    pub path: String,
    /// Its checksum, such as `file:` and 64 hex digits.
    pub sum: String,
}

/// One thing that is copied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Copied {
    /// Its path in the context or image.
    pub path: String,
    /// Its checksum; its path if the engine has none of it.
    pub sum: String,
}

/// Files that can be copied, and the checksums that are known of them.
#[derive(Debug, Default)]
pub struct Files {
    tree: Tree,
    /// They are those of an image, not of the context.
    image: bool,
    known: BTreeMap<Key, String>,
}

/// What is hashed for a source.
enum Selected {
    /// A file: where it is, all links followed.
    File(Item),
    /// A directory: what is in it.
    Directory(Vec<Item>),
}

/// One thing whose checksum is wanted.
struct Item {
    /// Its path.
    path: Vec<u8>,
    /// Where the checksum is found.
    place: Key,
    /// What stands for it if there is none.
    otherwise: Vec<u8>,
}

impl Files {
    /// The files of a tree.
    pub fn new(tree: Tree, image: bool) -> Self {
        Self {
            tree,
            image,
            known: BTreeMap::new(),
        }
    }

    /// The sources of one instruction, and what they consist of.
    ///
    /// # Errors
    /// As the builder refuses, and what the host answers.
    pub fn find<F: Filesystem>(
        &mut self,
        source: &str,
        files: &F,
    ) -> Result<(Vec<Source>, Vec<Copied>), Stop> {
        let path = source.strip_prefix('/').unwrap_or(source);
        let path = path.strip_prefix("./").unwrap_or(path);
        let mut selected: Vec<(Vec<u8>, Selected)> = Vec::new();
        if has_wildcards(path) {
            let glob = Glob::new(path);
            // A malformed pattern matches nothing.
            let fits = |text: &str| glob.matches(text) == Ok(true);
            let all = self.tree.below(&[]);
            let found = all.filter(|node| fits(&shown(&node.key)));
            for path in found.map(|node| path_bytes(&node.key)) {
                let one = self.select(&path)?;
                selected.push((path, one));
            }
        } else {
            let path = path.as_bytes().to_vec();
            let one = self.select(&path)?;
            selected.push((path, one));
        }
        self.hash(
            selected.iter().flat_map(|(_, selected)| selected.items()),
            files,
        )?;
        let mut sources = Vec::new();
        let mut copied = Vec::new();
        for (path, selected) in &selected {
            let mut sums: Vec<Vec<u8>> = Vec::new();
            for item in selected.items() {
                let sum = match self.known.get(&item.place) {
                    Some(sum) => sum.as_bytes().to_vec(),
                    None => item.otherwise.clone(),
                };
                copied.push(Copied {
                    path: paths::lossy(&item.path),
                    sum: paths::lossy(&sum),
                });
                sums.push(sum);
            }
            let sum = match selected {
                Selected::File(_) => format!("file:{}", paths::lossy(&sums.concat())),
                Selected::Directory(_) => {
                    sort(&mut sums);
                    format!("dir:{}", digest(&sums.join(&b',')))
                }
            };
            sources.push(Source {
                path: paths::lossy(path),
                sum,
            });
        }
        Ok((sources, copied))
    }

    /// What a path without wildcards stands for.
    fn select(&self, path: &[u8]) -> Result<Selected, Stop> {
        let text = paths::lossy(path);
        let missing = || {
            let place = if self.image {
                ""
            } else {
                "file not found in build context or excluded by .dockerignore: "
            };
            copy_source(format!("{place}stat {text}: file does not exist"))
        };
        let place = self.tree.follow(path).map_err(|_| {
            copy_source(format!(
                "forbidden path outside the build context: {text} ()"
            ))
        })?;
        let node = self.tree.get(&place);
        if !place.is_empty() && node.is_none() {
            return Err(missing());
        }
        if node.is_some_and(|node| node.kind != Kind::Directory) {
            return Ok(Selected::File(Item {
                path: path_bytes(&place),
                otherwise: path.to_vec(),
                place,
            }));
        }
        let mut items = Vec::new();
        for node in self.tree.below(&place) {
            let path = path_bytes(&node.key);
            // A link that cannot be followed does not count.
            let Ok(place) = self.tree.follow(&path) else {
                continue;
            };
            let otherwise = if self.image {
                path_bytes(&place)
            } else {
                path.clone()
            };
            items.push(Item {
                path,
                place,
                otherwise,
            });
        }
        Ok(Selected::Directory(items))
    }

    /// Has the files hashed whose checksums are not known.
    fn hash<'a, F: Filesystem>(
        &mut self,
        items: impl Iterator<Item = &'a Item>,
        files: &F,
    ) -> Result<(), Stop> {
        let mut wanted = BTreeSet::new();
        let mut places = Vec::new();
        let mut hashings = Vec::new();
        for item in items {
            let place = &item.place;
            if self.known.contains_key(place) || !wanted.insert(place.clone()) {
                continue;
            }
            let Some(packed) = self
                .tree
                .packed(place)
                .and_then(|node| node.packed.as_ref())
            else {
                continue;
            };
            match hashing(packed) {
                Some(hashing) => {
                    places.push(place.clone());
                    hashings.push(hashing);
                }
                None => {
                    let sum = digest(&paths::decode(&packed.header));
                    self.known.insert(place.clone(), sum);
                }
            }
        }
        if hashings.is_empty() {
            return Ok(());
        }
        let sums = complete(files.hash(&hashings), hashings.len());
        for ((place, hashing), sum) in places.into_iter().zip(&hashings).zip(sums) {
            let sum = sum.map_err(|failure| failed("hash", &hashing.path, &failure))?;
            self.known.insert(place, bare(&sum).to_owned());
        }
        Ok(())
    }
}

impl Selected {
    fn items(&self) -> &[Item] {
        match self {
            Self::File(item) => core::slice::from_ref(item),
            Self::Directory(items) => items,
        }
    }
}

/// The checksum of a file that ADD downloaded.
///
/// # Errors
/// What the host answers.
pub fn download<F: Filesystem>(packed: &Packed, files: &F) -> Result<String, Stop> {
    let Some(hashing) = hashing(packed) else {
        return Ok(digest(&paths::decode(&packed.header)));
    };
    let path = hashing.path.clone();
    let mut sums = complete(files.hash(&[hashing]), 1).into_iter();
    match sums.next() {
        Some(Ok(sum)) => Ok(bare(&sum).to_owned()),
        Some(Err(failure)) => Err(failed("hash", &path, &failure)),
        None => Err(failed("hash", &path, &crate::host::no_result())),
    }
}

/// The checksum of all sources together.
pub fn together(sources: &[Source]) -> String {
    match sources {
        [one] => one.sum.clone(),
        several => {
            let sums: Vec<&str> = several.iter().map(|source| source.sum.as_str()).collect();
            format!("multi:{}", digest(sums.join(",").as_bytes()))
        }
    }
}

/// What the host hashes; `None` if there is no content.
fn hashing(packed: &Packed) -> Option<Hashing> {
    Some(Hashing {
        prefix: packed.header.clone(),
        path: packed.content.clone()?,
        suffix: String::new(),
    })
}

/// A host's failure.
pub fn failed(operation: &str, path: &str, failure: &crate::host::Failure) -> Stop {
    let problem = Problem::new(Reason::HostFailed, operation, path, failure.to_string());
    Stop::Failed(problem.from_failure(failure))
}

/// A source that is not there.
pub fn copy_source(message: impl Into<String>) -> Stop {
    refused(Reason::CopySource, message)
}

fn digest(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

/// A digest without its algorithm.
fn bare(digest: &str) -> &str {
    digest.strip_prefix("sha256:").unwrap_or(digest)
}

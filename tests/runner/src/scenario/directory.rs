//! The directory a scenario runs in. It is fresh and its owner's only, and what a
//! scenario names is below it: nothing is reached through a link, whoever made it.

use std::collections::BTreeMap;
use std::env;
use std::ffi::OsString;
use std::fs::Permissions;
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Component, Path, PathBuf};

use layerwise::base64;
use layerwise::host::{Failure, FailureCode};
use layerwise::oci::sha256;
use layerwise_files::{Tree, failure};
use serde::Deserialize;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tempfile::TempDir;

/// What hosts keep beside the things of others begins so.
const OURS: &str = ".layerwise";
/// Its bytes depend on who writes it.
const INDEX: &str = "index.json";
/// The longest one that is compared by what it says.
const LONGEST_INDEX: u64 = 64 << 20;
/// The most files, links and directories that a scenario makes.
const MOST: usize = 10_000;
/// The most directories in one another, with the name in the last one.
const DEEPEST: usize = 64;

/// Something that is there from the beginning.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub enum File {
    Text(String),
    Other(Other),
}

/// Something that is not a file of text with the usual mode.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Other {
    text: Option<String>,
    base64: Option<String>,
    link: Option<String>,
    directory: bool,
    mode: Option<String>,
}

/// A directory that is removed when this is dropped.
pub struct Directory {
    tree: Tree,
    made: usize,
    _owned: TempDir,
}

impl Directory {
    /// Makes a directory with these files.
    pub fn make(files: &BTreeMap<String, File>) -> Result<Self, Failure> {
        let parent = env::temp_dir();
        let failed = |error: io::Error| failure("create a directory in", &parent, &error);
        let parent = parent.canonicalize().map_err(failed)?;
        let owned = tempfile::Builder::new()
            .prefix("layerwise-scenario-")
            .permissions(Permissions::from_mode(0o700))
            .tempdir_in(parent)
            .map_err(failed)?;
        let mut directory = Self {
            tree: Tree::open(owned.path())?,
            made: 0,
            _owned: owned,
        };
        for (name, file) in files {
            directory.put(name, Some(file))?;
        }
        Ok(directory)
    }

    /// Makes or replaces files; removes those that stand for nothing.
    pub fn change(&mut self, files: &BTreeMap<String, Option<File>>) -> Result<(), Failure> {
        let mut files = files.iter();
        files.try_for_each(|(name, file)| self.put(name, file.as_ref()))
    }

    /// Its path.
    pub fn path(&self) -> &Path {
        self.tree.path()
    }

    /// The path of a directory in it.
    pub fn below(&self, path: &Path) -> Result<PathBuf, Failure> {
        let tree = self.tree.descend(&names(path)?)?;
        Ok(tree.path().to_owned())
    }

    fn put(&mut self, name: &str, file: Option<&File>) -> Result<(), Failure> {
        let done = self.put_one(name, file);
        done.map_err(|failure| {
            let place = self.path().to_string_lossy().into_owned();
            let message = failure.message.replace(&format!("{place}/"), "");
            Failure::new(failure.code, format!("{name:?}: {message}"))
        })
    }

    fn put_one(&mut self, path: &str, file: Option<&File>) -> Result<(), Failure> {
        let mut names = names(Path::new(path))?;
        let name = names.pop().unwrap_or_default();
        let mut tree = self.tree.again()?;
        for parent in names {
            self.directory(&tree, parent, 0o755)?;
            tree = tree.enter(parent)?;
        }
        let there = tree.kind(name)?;
        let Some(file) = file else {
            return match there {
                Some(_) => tree.remove(name),
                None => Err(Failure::new(FailureCode::NotFound, "it is not there")),
            };
        };
        let content = Content::of(file)?;
        if let Content::Directory(mode) = content {
            return self.directory(&tree, name, mode);
        }
        match there {
            Some(kind) if kind.is_file() => tree.remove(name)?,
            Some(_) => return Err(invalid("something else than a file is there")),
            None => self.count()?,
        }
        let place = tree.path().join(name);
        let failed = |error: io::Error| failure("write", &place, &error);
        match content {
            Content::Link(target) => tree.dir().symlink_contents(target, name).map_err(failed),
            Content::File(bytes, mode) => {
                let mut file = tree.create_new(name, 0o600)?;
                file.write_all(&bytes).map_err(failed)?;
                file.set_permissions(Permissions::from_mode(mode))
                    .map_err(failed)
            }
            Content::Directory(_) => Ok(()),
        }
    }

    /// Makes a directory, unless there is one.
    fn directory(&mut self, tree: &Tree, name: &str, mode: u32) -> Result<(), Failure> {
        if tree.kind(name)?.is_some() {
            return tree.enter(name).map(drop);
        }
        self.count()?;
        let place = tree.path().join(name);
        let failed = |error: io::Error| failure("create", &place, &error);
        tree.dir().create_dir(name).map_err(failed)?;
        tree.set_mode(name, mode)
    }

    fn count(&mut self) -> Result<(), Failure> {
        self.made = self.made.saturating_add(1);
        if self.made > MOST {
            let message = format!("the scenario makes more than {MOST} files and directories");
            return Err(Failure::new(FailureCode::TooLarge, message));
        }
        Ok(())
    }

    /// Everything that is below the directory now, by path.
    pub fn list(&self) -> Result<BTreeMap<String, Value>, Failure> {
        let mut found = BTreeMap::new();
        // As names: so many directories could not be open at once.
        let mut directories = vec![Vec::<OsString>::new()];
        while let Some(names) = directories.pop() {
            let directory = self.tree.descend(&names)?;
            for name in directory.names()? {
                let text = name.to_string_lossy();
                if text.starts_with(OURS) {
                    continue;
                }
                let what = match directory.kind(&name)? {
                    Some(kind) if kind.is_dir() => {
                        directories.push([&names[..], std::slice::from_ref(&name)].concat());
                        json!({ "directory": true })
                    }
                    Some(kind) if kind.is_symlink() => {
                        let place = directory.path().join(&name);
                        let target = directory.dir().read_link_contents(&name);
                        let target = target.map_err(|error| failure("read", &place, &error))?;
                        json!({ "link": target.to_string_lossy() })
                    }
                    Some(kind) if kind.is_file() => content(&directory, &text)?,
                    _ => json!({ "special": true }),
                };
                let path: PathBuf = names.iter().chain([&name]).collect();
                found.insert(path.to_string_lossy().into_owned(), what);
            }
        }
        Ok(found)
    }
}

/// What a file of a scenario is to become.
enum Content<'a> {
    File(Vec<u8>, u32),
    Link(&'a str),
    Directory(u32),
}

impl<'a> Content<'a> {
    fn of(file: &'a File) -> Result<Self, Failure> {
        let other = match file {
            File::Text(text) => return Ok(Self::File(text.clone().into_bytes(), 0o644)),
            File::Other(other) => other,
        };
        let mode = |usual| match &other.mode {
            Some(digits) => u32::from_str_radix(digits, 8)
                .ok()
                .filter(|mode| *mode <= 0o7777)
                .ok_or_else(|| invalid("its mode is not octal digits")),
            None => Ok(usual),
        };
        let Other {
            text,
            base64,
            link,
            directory,
            mode: given,
        } = other;
        Ok(match (text, base64, link, directory) {
            (Some(text), None, None, false) => Self::File(text.clone().into_bytes(), mode(0o644)?),
            (None, Some(text), None, false) => {
                let bytes = base64::decode(text);
                Self::File(
                    bytes.ok_or_else(|| invalid("it is not base64"))?,
                    mode(0o644)?,
                )
            }
            (None, None, Some(target), false) if given.is_none() => Self::Link(target),
            (None, None, None, true) => Self::Directory(mode(0o755)?),
            _ => return Err(invalid("it is not one kind of thing")),
        })
    }
}

/// The names of a path that stays below the directory that it is relative to.
fn names(path: &Path) -> Result<Vec<&str>, Failure> {
    let parts = path.components().map(|part| match part {
        Component::Normal(name) => name.to_str(),
        _ => None,
    });
    let names: Option<Vec<&str>> = parts.collect();
    let names = names.filter(|names| !names.is_empty());
    let names = names.ok_or_else(|| invalid("it does not lie below the directory"))?;
    if names.len() > DEEPEST {
        let message = format!("it has more than {DEEPEST} names");
        return Err(Failure::new(FailureCode::TooLarge, message));
    }
    Ok(names)
}

fn invalid(why: &str) -> Failure {
    Failure::new(FailureCode::Invalid, why)
}

fn content(directory: &Tree, name: &str) -> Result<Value, Failure> {
    let (mut file, size) = directory.file(name)?;
    if name == INDEX && size <= LONGEST_INDEX {
        let bytes = directory.read(name, LONGEST_INDEX)?;
        return Ok(match serde_json::from_slice::<Value>(&bytes) {
            Ok(value) => json!({ "json": value }),
            Err(_) => json!(sha256(&bytes).to_string()),
        });
    }
    let place = directory.path().join(name);
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 64 << 10];
    loop {
        let count = file
            .read(&mut buffer)
            .map_err(|error| failure("read", &place, &error))?;
        let bytes = buffer.get(..count).unwrap_or_default();
        if bytes.is_empty() {
            break;
        }
        hash.update(bytes);
    }
    let hex = hash
        .finalize()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect::<String>();
    Ok(json!(format!("sha256:{hex}")))
}

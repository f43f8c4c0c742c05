//! The directory a scenario runs in.

use std::collections::BTreeMap;
use std::fs::{self, DirBuilder, Permissions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _, symlink};
use std::path::{Component, Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::{env, process};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use layerwise::oci::sha256;
use serde::Deserialize;
use serde_json::{Value, json};

/// What hosts keep beside the things of others begins so.
const OURS: &str = ".layerwise";
/// Its bytes depend on who writes it.
const INDEX: &str = "index.json";

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
pub struct Directory(PathBuf);

impl Directory {
    /// Makes a directory with these files.
    pub fn make(files: &BTreeMap<String, File>) -> io::Result<Self> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("layerwise-scenario-{}-{count}", process::id());
        let path = env::temp_dir().canonicalize()?.join(name);
        DirBuilder::new().mode(0o700).create(&path)?;
        let directory = Self(path);
        files
            .iter()
            .try_for_each(|(name, file)| directory.put(name, Some(file)))?;
        Ok(directory)
    }

    /// Makes or replaces files; removes those that stand for nothing.
    pub fn change(&self, files: &BTreeMap<String, Option<File>>) -> io::Result<()> {
        files
            .iter()
            .try_for_each(|(name, file)| self.put(name, file.as_ref()))
    }

    pub fn path(&self) -> &Path {
        &self.0
    }

    fn put(&self, name: &str, file: Option<&File>) -> io::Result<()> {
        let done = self.put_one(name, file);
        done.map_err(|error| io::Error::new(error.kind(), format!("{name:?}: {error}")))
    }

    fn put_one(&self, name: &str, file: Option<&File>) -> io::Result<()> {
        let invalid = |why: &str| io::Error::new(ErrorKind::InvalidInput, why);
        let path = Path::new(name);
        if !is_below(path) {
            return Err(invalid("it does not lie below the directory"));
        }
        let place = self.0.join(path);
        let parents: Vec<&Path> = path.ancestors().skip(1).collect();
        for parent in parents.into_iter().rev() {
            self.directory(parent, 0o755)?;
        }
        let Some(file) = file else {
            return fs::remove_file(&place);
        };
        match file {
            File::Text(text) => write(&place, text.as_bytes(), 0o644),
            File::Other(other) => {
                let mode = |usual| match &other.mode {
                    Some(digits) => u32::from_str_radix(digits, 8)
                        .map_err(|_| invalid("its mode is not octal digits")),
                    None => Ok(usual),
                };
                match other {
                    Other {
                        text: Some(text),
                        base64: None,
                        link: None,
                        directory: false,
                        ..
                    } => write(&place, text.as_bytes(), mode(0o644)?),
                    Other {
                        base64: Some(text),
                        text: None,
                        link: None,
                        directory: false,
                        ..
                    } => {
                        let bytes = BASE64_STANDARD.decode(text);
                        let bytes = bytes.map_err(|_| invalid("it is not base64"))?;
                        write(&place, &bytes, mode(0o644)?)
                    }
                    Other {
                        link: Some(target),
                        text: None,
                        base64: None,
                        directory: false,
                        mode: None,
                    } => symlink(target, &place),
                    Other {
                        directory: true,
                        text: None,
                        base64: None,
                        link: None,
                        ..
                    } => self.directory(path, mode(0o755)?),
                    _ => Err(invalid("it is not one kind of thing")),
                }
            }
        }
    }

    fn directory(&self, below: &Path, mode: u32) -> io::Result<()> {
        let place = self.0.join(below);
        if below.as_os_str().is_empty() || place.symlink_metadata().is_ok_and(|it| it.is_dir()) {
            return Ok(());
        }
        fs::create_dir(&place)?;
        fs::set_permissions(&place, Permissions::from_mode(mode))
    }

    /// Everything that is below the directory now, by path.
    pub fn list(&self) -> io::Result<BTreeMap<String, Value>> {
        let mut found = BTreeMap::new();
        let mut directories = vec![PathBuf::new()];
        while let Some(directory) = directories.pop() {
            for entry in fs::read_dir(self.0.join(&directory))? {
                let entry = entry?;
                let name = entry.file_name().to_string_lossy().into_owned();
                if name.starts_with(OURS) {
                    continue;
                }
                let below = directory.join(&name);
                let kind = entry.file_type()?;
                let what = if kind.is_dir() {
                    directories.push(below.clone());
                    json!({ "directory": true })
                } else if kind.is_symlink() {
                    json!({ "link": fs::read_link(entry.path())?.to_string_lossy() })
                } else if kind.is_file() {
                    content(&name, &fs::read(entry.path())?)
                } else {
                    json!({ "special": true })
                };
                found.insert(below.to_string_lossy().into_owned(), what);
            }
        }
        Ok(found)
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        // What cannot be removed stays behind.
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Whether a path stays below the directory that it is relative to.
pub fn is_below(path: &Path) -> bool {
    let inside = |part: Component<'_>| matches!(part, Component::Normal(_));
    !path.as_os_str().is_empty() && path.components().all(inside)
}

fn write(place: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
    fs::write(place, bytes)?;
    fs::set_permissions(place, Permissions::from_mode(mode))
}

fn content(name: &str, bytes: &[u8]) -> Value {
    let parsed = (name == INDEX).then(|| serde_json::from_slice::<Value>(bytes));
    match parsed {
        Some(Ok(value)) => json!({ "json": value }),
        _ => json!(sha256(bytes).to_string()),
    }
}

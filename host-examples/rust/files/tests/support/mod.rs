//! Directories that go away, and short ways to ask.

#![allow(dead_code, reason = "each test uses its part")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process;
use std::sync::atomic::{AtomicU32, Ordering};

use layerwise::host::{
    Change, Content, Entry, FailureCode, Filesystem, FsFacts, Hashing, Precondition,
};
use layerwise::oci::sha256;
use layerwise_files::{Access, Files, Root, encode};

pub const NOTHING: FsFacts = FsFacts {
    target: false,
    attributes: false,
    content: false,
    identity: false,
};
pub const ALL: FsFacts = FsFacts {
    target: true,
    attributes: true,
    content: true,
    identity: true,
};

/// A directory of its own for one test, removed at the end.
pub struct Scratch(PathBuf);

impl Scratch {
    pub fn new() -> Self {
        Self::below(Path::new(env!("CARGO_TARGET_TMPDIR")))
    }

    pub fn below(parent: &Path) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!(
            "layerwise-files-{}-{}",
            process::id(),
            COUNT.fetch_add(1, Ordering::Relaxed)
        );
        let path = parent.join(name);
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    pub fn path(&self) -> &Path {
        &self.0
    }

    pub fn join(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// The text of a path in it.
    pub fn text(&self, name: &str) -> String {
        format!("{}/{name}", encode(self.0.as_os_str().as_encoded_bytes()))
    }

    /// Writes a file and the directories it needs.
    pub fn put(&self, name: &str, bytes: impl AsRef<[u8]>) {
        let path = self.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }

    pub fn dir(&self, name: &str) {
        fs::create_dir_all(self.join(name)).unwrap();
    }

    pub fn link(&self, name: &str, target: impl AsRef<Path>) {
        std::os::unix::fs::symlink(target, self.join(name)).unwrap();
    }

    pub fn read(&self, name: &str) -> String {
        fs::read_to_string(self.join(name)).unwrap()
    }

    /// Its names, sorted.
    pub fn names(&self, name: &str) -> Vec<String> {
        let entries = fs::read_dir(self.join(name)).unwrap();
        let mut names: Vec<_> = entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    /// Opens it, writable, under its own name.
    pub fn open(&self) -> Files {
        self.open_as(Access::Writable)
    }

    pub fn open_as(&self, access: Access) -> Files {
        Files::open([Root::new(&self.0, access)]).unwrap()
    }

    /// Opens one of its directories, writable, for paths without a slash in
    /// front.
    pub fn open_at(&self, name: &str) -> Files {
        Files::open([Root::new(self.join(name), Access::Writable).named(".")]).unwrap()
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

pub type Answer<T> = Result<T, FailureCode>;

pub fn stat(files: &Files, path: &str, follow: bool, want: FsFacts) -> Answer<Entry> {
    let mut answers = files.stat(&[path.to_owned()], follow, want);
    assert_eq!(answers.len(), 1);
    answers.remove(0).map_err(|failure| failure.code)
}

pub fn read(files: &Files, path: &str) -> Answer<Content> {
    let mut answers = files.read(&[path.to_owned()], 1 << 20);
    assert_eq!(answers.len(), 1);
    answers.remove(0).map_err(|failure| failure.code)
}

pub fn hash(files: &Files, path: &str, suffix: &str) -> Answer<String> {
    let mut answers = files.hash(&[Hashing {
        prefix: String::new(),
        path: path.to_owned(),
        suffix: suffix.to_owned(),
    }]);
    assert_eq!(answers.len(), 1);
    answers.remove(0).map_err(|failure| failure.code)
}

pub fn change(path: &str, text: &str, precondition: Precondition) -> Change {
    Change {
        path: path.to_owned(),
        text: text.to_owned(),
        mode: 0o666,
        parents: false,
        precondition,
    }
}

pub fn write(files: &Files, path: &str, text: &str) -> Answer<()> {
    write_if(files, path, text, Precondition::Any)
}

pub fn write_if(files: &Files, path: &str, text: &str, precondition: Precondition) -> Answer<()> {
    write_all(files, &[change(path, text, precondition)]).remove(0)
}

pub fn write_all(files: &Files, changes: &[Change]) -> Vec<Answer<()>> {
    let answers = files.write(changes).into_iter();
    answers
        .map(|answer| answer.map_err(|failure| failure.code))
        .collect()
}

pub fn remove(files: &Files, path: &str) -> Answer<()> {
    let answer = files.remove(&[path.to_owned()]).remove(0);
    answer.map_err(|failure| failure.code)
}

pub fn rename(files: &Files, old: &str, new: &str) -> Answer<()> {
    files.rename(old, new).map_err(|failure| failure.code)
}

pub fn walk(files: &Files, root: &str, want: FsFacts) -> Answer<Vec<Entry>> {
    files
        .walk(root, want, 100_000)
        .map_err(|failure| failure.code)
}

pub fn paths(entries: &[Entry]) -> Vec<&str> {
    entries.iter().map(|entry| entry.path.as_str()).collect()
}

pub fn digest(bytes: impl AsRef<[u8]>) -> String {
    sha256(bytes.as_ref()).to_string()
}

//! The few calls of a file system that the restorer makes, in memory.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use layerwise::host::{Change, Content, Entry, Failure, FailureCode, Filesystem, FsFacts, Hashing};
use layerwise::oci::sha256;

/// Files by path, without their encoding: `%25` is `%` here.
#[derive(Debug, Default)]
pub struct MemoryFiles {
    files: Mutex<BTreeMap<String, String>>,
    allowed: Mutex<Option<usize>>,
    faults: Mutex<BTreeMap<String, FailureCode>>,
}

impl MemoryFiles {
    /// These files, below a directory.
    pub fn with(directory: &str, files: &BTreeMap<String, String>) -> Self {
        let files = files
            .iter()
            .map(|(path, text)| (format!("{directory}/{path}"), text.clone()))
            .collect();
        Self {
            files: Mutex::new(files),
            ..Self::default()
        }
    }

    /// Everything, below a directory.
    pub fn below(&self, directory: &str) -> BTreeMap<String, String> {
        let prefix = format!("{directory}/");
        let name = |path: &String| path.strip_prefix(&prefix).unwrap_or(path).to_owned();
        self.lock()
            .iter()
            .map(|(path, text)| (name(path), text.clone()))
            .collect()
    }

    /// Lets so many files be written and fails every one after them.
    pub fn allow_writes(&self, count: Option<usize>) {
        *self.allowed.lock().unwrap_or_else(PoisonError::into_inner) = count;
    }

    /// Makes listing or reading a path fail.
    pub fn fail(&self, path: &str, code: FailureCode) {
        let mut faults = self.faults.lock().unwrap_or_else(PoisonError::into_inner);
        faults.insert(path.to_owned(), code);
    }

    fn check(&self, path: &str) -> Result<(), Failure> {
        let faults = self.faults.lock().unwrap_or_else(PoisonError::into_inner);
        let failure = |code: &FailureCode| Failure::new(*code, "a fault");
        faults.get(path).map_or(Ok(()), |code| Err(failure(code)))
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, String>> {
        self.files.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Filesystem for MemoryFiles {
    fn stat(&self, paths: &[String], _: bool, _: FsFacts) -> Vec<Result<Entry, Failure>> {
        vec![Err(unsupported()); paths.len()]
    }

    fn list_names(&self, directory: &str) -> Result<Vec<String>, Failure> {
        let directory = plain(directory);
        self.check(&directory)?;
        let files = self.lock();
        if files.contains_key(&directory) {
            return Err(Failure::new(FailureCode::Invalid, "not a directory"));
        }
        let prefix = format!("{directory}/");
        let mut names: Vec<String> = files
            .keys()
            .filter_map(|path| path.strip_prefix(&prefix))
            .filter_map(|rest| rest.split('/').next())
            .map(|name| name.replace('%', "%25"))
            .collect();
        names.dedup();
        if names.is_empty() {
            return Err(Failure::new(FailureCode::NotFound, "no such directory"));
        }
        Ok(names)
    }

    fn read(&self, paths: &[String], limit: u64) -> Vec<Result<Content, Failure>> {
        let files = self.lock();
        let read = |path: &String| {
            self.check(&plain(path))?;
            let missing = || Failure::new(FailureCode::NotFound, "no such file");
            let text = files.get(&plain(path)).ok_or_else(missing)?;
            if u64::try_from(text.len()).unwrap_or(u64::MAX) > limit {
                return Err(Failure::new(FailureCode::TooLarge, "larger than the limit"));
            }
            Ok(Content {
                text: text.clone(),
                lossy: false,
                digest: sha256(text.as_bytes()).to_string(),
            })
        };
        paths.iter().map(read).collect()
    }

    fn walk(&self, _: &str, _: FsFacts, _: u64) -> Result<Vec<Entry>, Failure> {
        Err(unsupported())
    }

    fn hash(&self, files: &[Hashing]) -> Vec<Result<String, Failure>> {
        vec![Err(unsupported()); files.len()]
    }

    fn write(&self, changes: &[Change]) -> Vec<Result<(), Failure>> {
        let mut answers = Vec::new();
        for change in changes {
            let mut allowed = self.allowed.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(left) = allowed.as_mut() {
                let Some(less) = left.checked_sub(1) else {
                    answers.push(Err(Failure::new(FailureCode::Full, "no space left")));
                    break;
                };
                *left = less;
            }
            self.lock().insert(plain(&change.path), change.text.clone());
            answers.push(Ok(()));
        }
        answers
    }

    fn rename(&self, _: &str, _: &str) -> Result<(), Failure> {
        Err(unsupported())
    }

    fn remove(&self, paths: &[String]) -> Vec<Result<(), Failure>> {
        vec![Err(unsupported()); paths.len()]
    }
}

fn plain(path: &str) -> String {
    path.replace("%25", "%")
}

fn unsupported() -> Failure {
    Failure::new(FailureCode::Unsupported, "not part of this host")
}

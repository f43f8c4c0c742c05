//! The files of a request, as a file system: texts by their paths.

use std::collections::{BTreeMap, BTreeSet};

use layerwise::host::{Change, Content, Entry, Failure, FailureCode, Filesystem, FsFacts, Hashing};
use layerwise::oci::sha256;

/// Texts by their paths.
#[derive(Debug, Default)]
pub struct Files(pub BTreeMap<String, String>);

impl Filesystem for Files {
    fn list_names(&self, directory: &str) -> Result<Vec<String>, Failure> {
        let start = format!("{}/", directory.trim_end_matches('/'));
        let below = self.0.keys().filter_map(|path| path.strip_prefix(&start));
        let names = below.filter_map(|rest| rest.split('/').next());
        let names: BTreeSet<&str> = names.collect();
        match names.is_empty() {
            true => Err(none(directory)),
            false => Ok(names.into_iter().map(str::to_owned).collect()),
        }
    }

    fn read(&self, paths: &[String], limit: u64) -> Vec<Result<Content, Failure>> {
        let one = |path: &String| {
            let text = self.0.get(path).ok_or_else(|| none(path))?;
            if u64::try_from(text.len()).is_ok_and(|size| size > limit) {
                let message = format!("{path:?} is above the limit of {limit} bytes");
                return Err(Failure::new(FailureCode::TooLarge, message));
            }
            Ok(Content {
                text: text.clone(),
                lossy: false,
                digest: sha256(text.as_bytes()).to_string(),
            })
        };
        paths.iter().map(one).collect()
    }

    fn stat(&self, paths: &[String], _: bool, _: FsFacts) -> Vec<Result<Entry, Failure>> {
        paths.iter().map(|_| Err(texts_only())).collect()
    }

    fn walk(&self, _: &str, _: FsFacts, _: u64) -> Result<Vec<Entry>, Failure> {
        Err(texts_only())
    }

    fn hash(&self, files: &[Hashing]) -> Vec<Result<String, Failure>> {
        files.iter().map(|_| Err(texts_only())).collect()
    }

    fn write(&self, changes: &[Change]) -> Vec<Result<(), Failure>> {
        changes.iter().map(|_| Err(texts_only())).collect()
    }

    fn rename(&self, _: &str, _: &str) -> Result<(), Failure> {
        Err(texts_only())
    }

    fn remove(&self, paths: &[String]) -> Vec<Result<(), Failure>> {
        paths.iter().map(|_| Err(texts_only())).collect()
    }
}

fn none(path: &str) -> Failure {
    Failure::new(
        FailureCode::NotFound,
        format!("no {path:?} is in the request"),
    )
}

fn texts_only() -> Failure {
    let message = "of the files of a request only the texts are known, and none is written";
    Failure::new(FailureCode::Unsupported, message)
}

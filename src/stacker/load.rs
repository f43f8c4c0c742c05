//! Reading the cache file, and the file of digests beside it (stacker spec, section 4).

use super::document;
use super::guard::Guard;
use super::reason::{Fault, Reason};
use super::state::Session;
use crate::host::{Content, Failure, FailureCode, Filesystem, Observer, only};
use crate::limits::Limit;
use crate::prelude::*;

/// A cache file that could be read.
pub(super) enum Loaded {
    Absent,
    /// The version it has.
    OtherVersion(i64, Content),
    Document(document::Document, Content),
    /// It is there, but it is no cache file.
    Unreadable(Fault, Option<Content>),
}

impl<F: Filesystem, O: Observer> Session<F, O> {
    /// Reads and parses the cache file.
    pub(super) fn read_cache(&self) -> Result<Loaded, Fault> {
        let path = self.places.cache_file();
        let limit = self.limits.get(Limit::CacheBytes);
        let content = match only(self.fs.read(core::slice::from_ref(&path), limit)) {
            Ok(content) => content,
            Err(failure) => return self.read_failed(&path, &failure),
        };
        let number = match document::version(&content.text, self.depth()) {
            Ok(number) => number,
            Err(error) => {
                let fault = Fault::new(Reason::ParseVersion, path, error.to_string());
                return Ok(Loaded::Unreadable(fault, Some(content)));
            }
        };
        if number != i64::from(self.version.number()) {
            return Ok(Loaded::OtherVersion(number, content));
        }
        match document::read(&content.text, self.version.schema(), self.depth()) {
            Ok(document) => {
                let count = u64::try_from(document.entries.len()).unwrap_or(u64::MAX);
                self.limits.check(Limit::Layers, count, "open", &path)?;
                Ok(Loaded::Document(document, content))
            }
            Err(error) => {
                let fault = Fault::new(Reason::ParseCache, path, error.to_string());
                Ok(Loaded::Unreadable(fault, Some(content)))
            }
        }
    }

    /// What a failed read of the cache file means. Bytes that the host calls
    /// corrupt are an unreadable file; a file that cannot be reached now is not.
    fn read_failed(&self, path: &str, failure: &Failure) -> Result<Loaded, Fault> {
        let fault = Fault::host(Reason::ReadCache, path, failure);
        match failure.code {
            FailureCode::NotFound => Ok(Loaded::Absent),
            FailureCode::TooLarge => Err(self.limits.excess(Limit::CacheBytes, "", path).into()),
            FailureCode::Corrupt | FailureCode::Truncated => Ok(Loaded::Unreadable(fault, None)),
            _ => Err(fault),
        }
    }

    /// The guard file, its digest, and whether it is one or absent.
    pub(super) fn read_guard(&self) -> (Guard, Option<String>, bool) {
        let path = self.places.guard_file();
        let limit = self.limits.get(Limit::CacheBytes);
        match only(self.fs.read(&[path], limit)) {
            Ok(content) => match Guard::read(&content.text) {
                Some(guard) => (guard, Some(content.digest), true),
                None => (Guard::default(), Some(content.digest), false),
            },
            Err(failure) => (
                Guard::default(),
                None,
                failure.code == FailureCode::NotFound,
            ),
        }
    }
}

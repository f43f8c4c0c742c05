//! Limits on what a session reads or does, by the names the opener uses.

use crate::error::{Error, Excess, Problem};
use crate::prelude::*;

macro_rules! limits {
    ($( $(#[$doc:meta])* $case:ident = $name:literal, )+) => {
        /// What can be limited. Each system lists those it has, with defaults;
        /// `wit/` says what they are there.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Limit {
            $( $(#[$doc])* $case, )+
        }

        impl Limit {
            /// The name that openers and errors use.
            pub const fn name(self) -> &'static str {
                match self { $( Self::$case => $name, )+ }
            }
        }
    };
}

limits! {
    /// Parents between two images.
    Ancestors = "ancestors",
    /// Bytes of the documents of one import call.
    AnswerBytes = "answer-bytes",
    /// Tries to save a file that others write, too.
    Attempts = "attempts",
    /// Buildpacks in a label.
    Buildpacks = "buildpacks",
    /// Bytes of a cache file.
    CacheBytes = "cache-bytes",
    /// Children of an image.
    Children = "children",
    /// Nesting of a document.
    Depth = "depth",
    /// Bytes of a document.
    DocumentBytes = "document-bytes",
    /// Documents that one question reads.
    Documents = "documents",
    /// History entries, layers, or entries of a directory tree.
    Entries = "entries",
    /// Bytes of a file.
    FileBytes = "file-bytes",
    /// Keys that the comparison of a directory tree looks at.
    Keys = "keys",
    /// Bytes of a label.
    LabelBytes = "label-bytes",
    /// Layers.
    Layers = "layers",
    /// Links between records.
    Links = "links",
    /// Manifests of a cache file.
    Manifests = "manifests",
    /// Bytes of all files that are written.
    OutputBytes = "output-bytes",
    /// Records.
    Records = "records",
    /// Bytes that a session holds.
    SessionBytes = "session-bytes",
    /// Images named as cache sources.
    Sources = "sources",
    /// Records looked at to keep loops out.
    Steps = "steps",
    /// Values in a document.
    Values = "values",
}

/// The limits of a system.
///
/// A system lists its limits and their defaults once; the opener overrides them by
/// name, and an error reports one under the same name.
#[derive(Clone, Debug)]
pub struct Limits<const N: usize> {
    values: [(Limit, u64); N],
}

impl<const N: usize> Limits<N> {
    /// The defaults.
    pub const fn new(values: [(Limit, u64); N]) -> Self {
        Self { values }
    }

    /// The defaults with the opener's values.
    ///
    /// # Errors
    /// `invalid` for a name that the system does not list.
    pub fn with(mut self, given: &[(String, u64)]) -> Result<Self, Error> {
        for (name, value) in given {
            match self
                .values
                .iter_mut()
                .find(|(limit, _)| limit.name() == name)
            {
                Some(listed) => listed.1 = *value,
                None => {
                    let known: Vec<_> = self.values.iter().map(|(limit, _)| limit.name()).collect();
                    return Err(Error::Invalid(Problem::new(
                        "limits/unknown",
                        "open",
                        name.clone(),
                        format!("no such limit; known are {}", known.join(", ")),
                    )));
                }
            }
        }
        Ok(self)
    }

    /// The value of a limit; 0 for one that the system does not list.
    pub fn get(&self, limit: Limit) -> u64 {
        let listed = self.values.iter().find(|(listed, _)| *listed == limit);
        listed.map_or(0, |(_, value)| *value)
    }

    /// The deepest nesting of a document.
    pub fn depth(&self) -> u32 {
        u32::try_from(self.get(Limit::Depth)).unwrap_or(u32::MAX)
    }

    /// Refuses `amount` above the limit.
    ///
    /// # Errors
    /// `limit-exceeded` with the limit's name and value.
    pub fn check(
        &self,
        limit: Limit,
        amount: u64,
        operation: &str,
        subject: &str,
    ) -> Result<(), Error> {
        if amount > self.get(limit) {
            return Err(self.excess(limit, operation, subject));
        }
        Ok(())
    }

    /// The error about something above the limit.
    pub fn excess(&self, limit: Limit, operation: &str, subject: &str) -> Error {
        Error::LimitExceeded(Excess {
            operation: operation.to_owned(),
            limit: limit.name().to_owned(),
            value: self.get(limit),
            subject: subject.to_owned(),
        })
    }
}

//! What sessions answered, in words that are the same natively and through the
//! component.

use std::fmt::Debug;

use layerwise::buildkit::Description;
use layerwise::buildpacks::{RecordedSha, Retrieval, State};
use layerwise::error::Error;
use layerwise::explain::{Explanation, Finding};
use layerwise_host::Stop;

/// The answers of one session, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Log {
    lines: Vec<String>,
    /// The session met a limit of its host, which the native library has not.
    cut: bool,
}

impl Log {
    /// Writes an answer down. Returns whether the session goes on.
    pub fn note(&mut self, call: &str, answer: impl Told) -> bool {
        match answer.told() {
            Some(words) => self.lines.push(format!("{call}: {words}")),
            None => self.cut = true,
        }
        !self.cut
    }

    /// Demands that both say the same, up to where one was cut.
    pub fn same(&self, other: &Self, what: &str) {
        for (at, (one, two)) in self.lines.iter().zip(&other.lines).enumerate() {
            assert_eq!(one, two, "{what}: answer {at}");
        }
        if !self.cut && !other.cut {
            assert_eq!(self.lines.len(), other.lines.len(), "{what}");
        }
    }

    /// Whether a limit of the host ended it.
    pub const fn is_cut(&self) -> bool {
        self.cut
    }
}

/// Something that can be written down; `None` if the host stopped the session.
pub trait Told {
    /// Its words.
    fn told(self) -> Option<String>;
}

/// Why there is no answer.
pub trait Refused {
    /// Its words; `None` if the host stopped the session.
    fn words(self) -> Option<String>;
}

impl Refused for Error {
    fn words(self) -> Option<String> {
        Some(format!("{self:?}"))
    }
}

impl Refused for layerwise_host::Error {
    /// # Panics
    /// After a trap: on no input may there be one.
    fn words(self) -> Option<String> {
        match self {
            Self::Refused(error) => error.words(),
            Self::Stopped {
                stop: Stop::Fuel | Stop::Memory | Stop::Deadline,
                ..
            } => None,
            Self::Stopped { .. } | Self::Dead | Self::Engine(_) => panic!("{self}"),
        }
    }
}

impl<T: Debug, E: Refused> Told for Result<T, E> {
    fn told(self) -> Option<String> {
        match self {
            Ok(answer) => Some(format!("{answer:?}")),
            Err(error) => error.words().map(|words| format!("refused: {words}")),
        }
    }
}

/// Answers that are not refused natively.
macro_rules! told {
    ($($kind:ty),*) => {
        $(impl Told for $kind {
            fn told(self) -> Option<String> {
                Some(format!("{self:?}"))
            }
        })*
    };
}

told!(
    (),
    &[Finding],
    Vec<Finding>,
    Description,
    &str,
    Explanation,
    Option<&str>,
    Retrieval,
    State,
    Vec<RecordedSha>,
    Vec<String>,
    bool
);

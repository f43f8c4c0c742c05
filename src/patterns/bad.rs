//! The fault of a pattern.

use core::fmt;

/// Why a pattern cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BadPattern {
    /// It is malformed.
    Malformed,
    /// It is `!` alone.
    NoException,
}

impl fmt::Display for BadPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Malformed => "a pattern is malformed",
            Self::NoException => "the pattern \"!\" names no exception",
        })
    }
}

impl core::error::Error for BadPattern {}

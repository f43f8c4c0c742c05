//! Why a stackerfile cannot be read.

/// A place in a stackerfile where it cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bad {
    /// Counted from 1; 0 is none in particular.
    pub line: usize,
    /// What is wrong, in lower case.
    pub why: String,
}

impl Bad {
    /// What is wrong on a line.
    pub fn new(line: usize, why: impl Into<String>) -> Self {
        let why = why.into();
        Self { line, why }
    }
}

//! How a command ended, as the process reports it.

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Exit {
    /// A hit, or done.
    Done,
    /// A miss, or a vector that failed.
    Miss,
    /// Arguments that mean nothing.
    Usage,
    /// An error.
    Error,
}

impl Exit {
    /// As the process reports it.
    pub const fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Miss => 1,
            Self::Usage => 2,
            Self::Error => 3,
        }
    }
}

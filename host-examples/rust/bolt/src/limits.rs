//! What is read at most.

/// What is read at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// Bytes of the pages in use; 512 MiB.
    pub bytes: u64,
    /// Keys of all buckets together; 8,388,608.
    pub keys: usize,
    /// Levels of pages and buckets one in the other; 64.
    pub depth: u32,
    /// How often a database is read that changes meanwhile; 100.
    pub attempts: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            bytes: 512 << 20,
            keys: 1 << 23,
            depth: 64,
            attempts: 100,
        }
    }
}

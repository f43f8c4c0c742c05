//! Bytes with a known digest and size that can be read more than once.

use std::hash::{BuildHasher as _, RandomState};
use std::io::Read;

use layerwise::host::Failure;
use layerwise::oci::Digest;

use crate::digests::Verified;
use crate::failures;
use crate::options::Progress;

/// The progress callback is called after so many bytes.
const STEP: u64 = 1 << 20;

/// A stream of bytes.
pub type Stream<'a> = Box<dyn Read + Send + 'a>;
type Open<'a> = Box<dyn Fn() -> Result<Stream<'a>, Failure> + Send + Sync + 'a>;

/// Something to be read or stored.
pub struct Content<'a> {
    pub digest: Digest,
    pub size: u64,
    open: Open<'a>,
}

impl<'a> Content<'a> {
    pub fn new(
        digest: Digest,
        size: u64,
        open: impl Fn() -> Result<Stream<'a>, Failure> + Send + Sync + 'a,
    ) -> Self {
        Self {
            digest,
            size,
            open: Box::new(open),
        }
    }

    /// A document in memory.
    pub fn of_bytes(digest: Digest, bytes: &'a [u8]) -> Self {
        let size = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        Self::new(digest, size, move || Ok(Box::new(bytes)))
    }

    /// The bytes from their beginning, checked.
    pub fn open(&self) -> Result<Verified<Stream<'a>>, Failure> {
        Ok(Verified::new((self.open)()?, &self.digest, self.size))
    }

    /// All bytes, at once.
    pub fn bytes(&self) -> Result<Vec<u8>, Failure> {
        let mut bytes = Vec::new();
        self.open()?
            .read_to_end(&mut bytes)
            .map_err(|error| failures::of(&self.digest, &error))?;
        Ok(bytes)
    }
}

/// What is sent: bytes that can be read again when sending failed.
pub trait Sendable: Sync {
    fn digest(&self) -> &Digest;
    fn size(&self) -> u64;
    fn input(&self) -> Result<Box<dyn Read + '_>, Failure>;
}

impl Sendable for Content<'_> {
    fn digest(&self) -> &Digest {
        &self.digest
    }

    fn size(&self) -> u64 {
        self.size
    }

    fn input(&self) -> Result<Box<dyn Read + '_>, Failure> {
        Ok(Box::new(self.open()?))
    }
}

/// Tells a callback how far a reader is.
pub struct Counted<'a, R> {
    input: R,
    progress: &'a Progress,
    item: String,
    done: u64,
    told: u64,
    total: u64,
}

impl<'a, R: Read> Counted<'a, R> {
    pub fn new(input: R, progress: &'a Progress, item: &str, total: u64) -> Self {
        progress.tell(item, 0, total);
        Self {
            input,
            progress,
            item: item.to_owned(),
            done: 0,
            told: 0,
            total,
        }
    }
}

impl<R> Counted<'_, R> {
    /// How many bytes were read.
    pub const fn done(&self) -> u64 {
        self.done
    }
}

impl<R: Read> Read for Counted<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let count = self.input.read(buffer)?;
        let bytes = u64::try_from(count).unwrap_or(u64::MAX);
        self.done = self.done.saturating_add(bytes);
        let at_end = count == 0 || (self.total > 0 && self.done >= self.total);
        if self.done != self.told && (at_end || self.done.saturating_sub(self.told) >= STEP) {
            self.progress.tell(&self.item, self.done, self.total);
            self.told = self.done;
        }
        Ok(count)
    }
}

/// A name that nobody else has or can foresee.
pub fn unique() -> String {
    // Its keys are random, those of every state differ.
    let random = || RandomState::new().hash_one(0_u8);
    format!("{:016x}{:016x}", random(), random())
}

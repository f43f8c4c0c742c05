//! Hashing while bytes stream by, and refusing those that are not what was
//! asked for.

use std::io::{self, Read};

use layerwise::host::{Failure, FailureCode};
use layerwise::oci::Digest;
use sha2::Digest as _;

use crate::failures;

/// Any algorithm that a digest can name.
#[derive(Clone)]
pub enum Hasher {
    Sha256(sha2::Sha256),
    Sha384(sha2::Sha384),
    Sha512(sha2::Sha512),
}

impl Hasher {
    /// SHA-256.
    pub fn new() -> Self {
        Self::Sha256(sha2::Sha256::new())
    }

    /// The algorithm of a digest.
    pub fn of(digest: &Digest) -> Self {
        match digest.algorithm() {
            "sha384" => Self::Sha384(sha2::Sha384::new()),
            "sha512" => Self::Sha512(sha2::Sha512::new()),
            _ => Self::new(),
        }
    }

    pub fn update(&mut self, bytes: &[u8]) {
        match self {
            Self::Sha256(hasher) => hasher.update(bytes),
            Self::Sha384(hasher) => hasher.update(bytes),
            Self::Sha512(hasher) => hasher.update(bytes),
        }
    }

    /// The digest of what went in, as text.
    pub fn finish(self) -> String {
        match self {
            Self::Sha256(hasher) => format!("sha256:{}", hex(&hasher.finalize())),
            Self::Sha384(hasher) => format!("sha384:{}", hex(&hasher.finalize())),
            Self::Sha512(hasher) => format!("sha512:{}", hex(&hasher.finalize())),
        }
    }
}

/// Whether some bytes have this digest.
pub fn verifies(digest: &Digest, bytes: &[u8]) -> bool {
    let mut hasher = Hasher::of(digest);
    hasher.update(bytes);
    hasher.finish() == digest.as_str()
}

/// Reads exactly the bytes that have this digest and size.
///
/// The last of them are handed over only when the digest was right, so that
/// nobody who reads to the end ever has the wrong bytes. Errors carry a
/// [`Failure`], see [`failures::carried`].
pub struct Verified<R> {
    input: R,
    expected: Digest,
    size: u64,
    seen: u64,
    hasher: Option<Hasher>,
    /// Once failed, always failed.
    failure: Option<Failure>,
}

impl<R: Read> Verified<R> {
    pub fn new(input: R, expected: &Digest, size: u64) -> Self {
        Self {
            input,
            expected: expected.clone(),
            size,
            seen: 0,
            hasher: Some(Hasher::of(expected)),
            failure: None,
        }
    }

    fn check(&mut self) -> Result<(), Failure> {
        let Some(hasher) = self.hasher.take() else {
            return Ok(());
        };
        let corrupt = |why: String| Failure::new(FailureCode::Corrupt, why);
        let expected = &self.expected;
        if self
            .input
            .read(&mut [0])
            .map_err(|error| failures::of(expected, &error))?
            > 0
        {
            return Err(corrupt(format!(
                "{expected} has more than the {} bytes that were expected",
                self.size
            )));
        }
        let found = hasher.finish();
        if found == expected.as_str() {
            Ok(())
        } else {
            // Which digest they have is not told: nobody asked for that.
            Err(corrupt(format!(
                "the bytes of {expected} have another digest"
            )))
        }
    }
}

impl<R: Read> Verified<R> {
    fn next(&mut self, buffer: &mut [u8]) -> Result<usize, Failure> {
        let left = usize::try_from(self.size.saturating_sub(self.seen)).unwrap_or(usize::MAX);
        if left == 0 {
            self.check()?;
            return Ok(0);
        }
        let wanted = left.min(buffer.len());
        let Some(room) = buffer.get_mut(..wanted).filter(|room| !room.is_empty()) else {
            return Ok(0);
        };
        let count = loop {
            match self.input.read(room) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                other => break other.map_err(|error| failures::of(&self.expected, &error))?,
            }
        };
        if count == 0 {
            let message = format!(
                "{} ends after {} of {} bytes",
                self.expected, self.seen, self.size
            );
            return Err(Failure::new(FailureCode::Truncated, message));
        }
        if let (Some(hasher), Some(bytes)) = (&mut self.hasher, room.get(..count)) {
            hasher.update(bytes);
        }
        self.seen = self
            .seen
            .saturating_add(u64::try_from(count).unwrap_or(u64::MAX));
        if self.seen >= self.size {
            self.check()?;
        }
        Ok(count)
    }
}

impl<R: Read> Read for Verified<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if let Some(failure) = &self.failure {
            return Err(io::Error::other(failure.clone()));
        }
        self.next(buffer).map_err(|failure| {
            self.failure = Some(failure.clone());
            io::Error::other(failure)
        })
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use layerwise::oci::sha256;

    fn read(bytes: &[u8], digest: &Digest, size: u64) -> Result<Vec<u8>, FailureCode> {
        let mut out = Vec::new();
        match Verified::new(bytes, digest, size).read_to_end(&mut out) {
            Ok(_) => Ok(out),
            Err(error) => {
                let kept_back = u64::try_from(out.len()).unwrap() < size.max(1);
                assert!(kept_back, "nobody has all bytes");
                Err(failures::carried(&error).unwrap().code)
            }
        }
    }

    #[test]
    fn only_the_right_bytes_pass() {
        for text in [
            sha256(b"abc").to_string(),
            "sha384:cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed8086072ba1e7cc2358baeca134c825a7".to_owned(),
            "sha512:ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f".to_owned(),
        ] {
            let digest: Digest = text.parse().unwrap();
            assert_eq!(read(b"abc", &digest, 3), Ok(b"abc".to_vec()));
            assert_eq!(read(b"abd", &digest, 3), Err(FailureCode::Corrupt));
            assert_eq!(read(b"ab", &digest, 3), Err(FailureCode::Truncated));
            assert_eq!(read(b"abcd", &digest, 3), Err(FailureCode::Corrupt));
            assert_eq!(read(b"", &digest, 0), Err(FailureCode::Corrupt));
        }
        assert_eq!(read(b"", &sha256(b""), 0), Ok(Vec::new()));
        assert_eq!(read(b"x", &sha256(b""), 0), Err(FailureCode::Corrupt));
    }
}

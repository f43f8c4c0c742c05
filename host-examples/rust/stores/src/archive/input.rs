//! The bytes of an archive, which may be compressed with gzip.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek as _, Write as _};
use std::path::Path;

use flate2::read::MultiGzDecoder;
use layerwise::host::{Failure, FailureCode};
use layerwise_files::failure;

const GZIP: [u8; 2] = [0x1f, 0x8b];
const BUFFER: usize = 64 << 10;
/// So many uncompressed bytes an archive may have, and so many for each compressed one
/// beyond the free ones, as a layer that is unpacked.
const MOST: u64 = 64 << 30;
const RATIO: u64 = 1_000;
const FREE: u64 = 256 << 20;

/// An archive that is read from its start, uncompressed.
pub enum Input {
    Plain(BufReader<File>),
    Gzip(Box<Gzip>),
}

/// A compressed one, with the bytes that came out.
pub struct Gzip {
    decoder: MultiGzDecoder<Counting>,
    size: u64,
    /// So many bytes may come out of few compressed ones.
    free: u64,
}

/// The compressed bytes that were taken.
struct Counting {
    file: BufReader<File>,
    taken: u64,
}

impl Input {
    /// Opens an archive.
    ///
    /// # Errors
    /// `not-found`, `denied`, and `corrupt` for something else than a file.
    pub fn open(path: &Path) -> Result<Self, Failure> {
        let (file, is_gzip) = open(path)?;
        let file = BufReader::with_capacity(BUFFER, file);
        if !is_gzip {
            return Ok(Self::Plain(file));
        }
        let decoder = MultiGzDecoder::new(Counting { file, taken: 0 });
        Ok(Self::Gzip(Box::new(Gzip {
            decoder,
            size: 0,
            free: FREE,
        })))
    }
}

/// The archive as a file that is not compressed, which may be a temporary one.
///
/// # Errors
/// As [`Input::open`]; `too-large`, and `full` if there is no room for it.
pub fn plain(path: &Path) -> Result<File, Failure> {
    let failed = |error: io::Error| match carried(&error) {
        Some(failure) => failure.clone(),
        None => failure("uncompress", path, &error),
    };
    let (file, is_gzip) = open(path)?;
    if !is_gzip {
        return Ok(file);
    }
    drop(file);
    let mut input = Input::open(path)?;
    let mut plain = temporary().map_err(failed)?;
    io::copy(&mut input, &mut plain).map_err(failed)?;
    plain.flush().map_err(failed)?;
    Ok(plain)
}

/// A file that nobody else sees.
#[cfg(not(target_family = "wasm"))]
fn temporary() -> io::Result<File> {
    tempfile::tempfile()
}

/// WASI has no place for one.
#[cfg(target_family = "wasm")]
fn temporary() -> io::Result<File> {
    Err(io::ErrorKind::Unsupported.into())
}

/// The failure that reading ended with, if it is one of ours.
pub fn carried(error: &io::Error) -> Option<&Failure> {
    error.get_ref()?.downcast_ref()
}

/// How the first bytes of a file say that it is compressed.
pub fn compression(path: &Path) -> Option<&'static str> {
    const KINDS: [(&[u8], &str); 6] = [
        (&GZIP, "gzip"),
        (&[0x28, 0xb5, 0x2f, 0xfd], "zstd"),
        (&[0xfd, b'7', b'z', b'X', b'Z', 0], "xz"),
        (b"BZh", "bzip2"),
        (&[0x04, 0x22, 0x4d, 0x18], "lz4"),
        (b"PK\x03\x04", "zip"),
    ];
    let mut start = Vec::new();
    let file = File::open(path).ok()?;
    file.take(6).read_to_end(&mut start).ok()?;
    let kind = KINDS.iter().find(|(magic, _)| start.starts_with(magic));
    kind.map(|(_, name)| *name)
}

fn open(path: &Path) -> Result<(File, bool), Failure> {
    let failed = |error: io::Error| failure("read", path, &error);
    // Opening a pipe would wait for its writer.
    if !path.metadata().map_err(failed)?.is_file() {
        let message = format!("{path:?} is not a regular file");
        return Err(Failure::new(FailureCode::Corrupt, message));
    }
    let mut file = File::open(path).map_err(failed)?;
    let mut start = Vec::new();
    let beginning = (&file).take(2).read_to_end(&mut start);
    beginning.map_err(failed)?;
    file.rewind().map_err(failed)?;
    Ok((file, start == GZIP))
}

impl Read for Input {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(file) => file.read(buffer),
            Self::Gzip(gzip) => gzip.read(buffer),
        }
    }
}

impl Read for Gzip {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.decoder.read(buffer)?;
        self.size = self.size.saturating_add(count as u64);
        let taken = self.decoder.get_ref().taken;
        let most = taken
            .saturating_mul(RATIO)
            .saturating_add(self.free)
            .min(MOST);
        if self.size > most {
            let message = format!(
                "the archive has more than {most} bytes for {taken} compressed ones: uncompress it \
                 if you trust it"
            );
            return Err(io::Error::other(Failure::new(
                FailureCode::TooLarge,
                message,
            )));
        }
        Ok(count)
    }
}

impl Read for Counting {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.file.read(buffer)?;
        self.taken = self.taken.saturating_add(count as u64);
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::Compression;
    use flate2::write::GzEncoder;

    #[test]
    fn much_out_of_little_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("bomb.gz");
        let mut gzip = GzEncoder::new(Vec::new(), Compression::best());
        gzip.write_all(&vec![0; 8 << 20]).unwrap();
        std::fs::write(&path, gzip.finish().unwrap()).unwrap();
        let read = |free: u64| {
            let mut input = Input::open(&path).unwrap();
            let Input::Gzip(gzip) = &mut input else {
                panic!("it is compressed")
            };
            gzip.free = free;
            io::copy(&mut input, &mut io::sink())
        };
        assert_eq!(read(FREE).unwrap(), 8 << 20);
        let error = read(0).unwrap_err();
        assert_eq!(carried(&error).unwrap().code, FailureCode::TooLarge);
    }
}

//! A tar file as the blob that is stored.

mod gzip;

use std::io::{self, BufWriter, Read, Write};
use std::path::Path;

use layerwise::host::{Failure, FailureCode};
use layerwise::oci::Digest;

use crate::content::Content;
use crate::digests::Hasher;
use crate::failures;
use crate::scratch::Scratch;
use gzip::Broken;

const BUFFER: usize = 64 << 10;

/// How the blobs of a media type are compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compressed {
    No,
    Gzip,
}

/// A layer, compressed.
#[derive(Debug)]
pub struct Packed {
    file: Scratch,
    pub digest: Digest,
    pub size: u64,
    /// Digest of the uncompressed bytes.
    pub diff_id: String,
}

/// What a media type says of compression.
///
/// # Errors
/// `unsupported` for one that cannot be made here.
pub fn wanted(media_type: &str) -> Result<Compressed, Failure> {
    let kind = media_type.rsplit(['+', '.']).next().unwrap_or(media_type);
    match kind {
        "gzip" => Ok(Compressed::Gzip),
        "tar" | "" => Ok(Compressed::No),
        _ => Err(failures::new(
            FailureCode::Unsupported,
            format!("no layer of the media type {media_type:?} can be made from a tar file"),
        )),
    }
}

/// Reads a tar file to its end into a temporary file, compressed.
pub fn pack(mut tar: impl Read, how: Compressed, directory: &Path) -> Result<Packed, Failure> {
    let file = Scratch::new(directory)?;
    let mut plain = Hasher::new();
    let (digest, size) = fill(&mut tar, how, &mut plain, file.writer())?;
    Ok(Packed {
        file,
        digest: failures::digest(&digest)?,
        size,
        diff_id: plain.finish(),
    })
}

/// The digest and size of what was written.
fn fill(
    tar: &mut impl Read,
    how: Compressed,
    plain: &mut Hasher,
    file: impl Write + Send,
) -> Result<(String, u64), Failure> {
    let full = |error: io::Error| failures::of("cannot compress the layer", &error);
    let mut sink = Sink {
        output: BufWriter::with_capacity(BUFFER, file),
        hasher: Hasher::new(),
        size: 0,
    };
    match how {
        Compressed::No => pour(tar, plain, &mut sink)?,
        Compressed::Gzip => {
            gzip::gzip(tar, |piece| plain.update(piece), &mut sink).map_err(
                |broken| match broken {
                    Broken::Reading(error) => failures::of("cannot read the layer", &error),
                    Broken::Writing(error) => full(error),
                },
            )?;
        }
    }
    sink.output.flush().map_err(full)?;
    Ok((sink.hasher.finish(), sink.size))
}

impl Packed {
    /// The blob.
    pub fn content(&self) -> Content<'_> {
        Content::new(self.digest.clone(), self.size, || {
            Ok(Box::new(self.file.reader()))
        })
    }
}

/// Copies and hashes.
pub fn pour(from: &mut impl Read, hasher: &mut Hasher, to: &mut impl Write) -> Result<(), Failure> {
    let mut buffer = vec![0; BUFFER];
    loop {
        let count = match from.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(failures::of("cannot read the layer", &error)),
        };
        let bytes = buffer.get(..count).unwrap_or_default();
        hasher.update(bytes);
        to.write_all(bytes)
            .map_err(|error| failures::of("cannot write the layer", &error))?;
    }
}

struct Sink<W> {
    output: W,
    hasher: Hasher,
    size: u64,
}

impl<W: Write> Write for Sink<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.output.write(bytes)?;
        self.hasher.update(bytes.get(..count).unwrap_or_default());
        self.size = self
            .size
            .saturating_add(u64::try_from(count).unwrap_or(u64::MAX));
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.output.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use layerwise::oci::sha256;

    #[test]
    fn the_same_tar_is_the_same_blob() {
        let tar: Vec<u8> = (0..200_000_u32)
            .flat_map(|n| (n / 7).to_le_bytes())
            .collect();
        let directory = std::env::temp_dir();
        let one = pack(tar.as_slice(), Compressed::Gzip, &directory).unwrap();
        let two = pack(tar.as_slice(), Compressed::Gzip, &directory).unwrap();
        assert_eq!(one.digest, two.digest);
        assert_eq!(one.diff_id, sha256(&tar).to_string());
        let bytes = one.content().bytes().unwrap();
        assert_eq!(bytes[..10], [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255]);
        assert!(bytes.len() < tar.len() / 2);
        let mut back = Vec::new();
        flate2::read::GzDecoder::new(bytes.as_slice())
            .read_to_end(&mut back)
            .unwrap();
        assert!(back == tar);
        let plain = pack(tar.as_slice(), Compressed::No, &directory).unwrap();
        assert_eq!(plain.digest.as_str(), plain.diff_id);
        assert!(plain.content().bytes().unwrap() == tar);
    }

    #[test]
    fn media_types_say_how() {
        for (media_type, how) in [
            (
                "application/vnd.oci.image.layer.v1.tar+gzip",
                Some(Compressed::Gzip),
            ),
            (
                "application/vnd.docker.image.rootfs.diff.tar.gzip",
                Some(Compressed::Gzip),
            ),
            (
                "application/vnd.oci.image.layer.v1.tar",
                Some(Compressed::No),
            ),
            (
                "application/vnd.docker.image.rootfs.diff.tar",
                Some(Compressed::No),
            ),
            ("", Some(Compressed::No)),
            ("application/vnd.oci.image.layer.v1.tar+zstd", None),
            ("application/octet-stream", None),
        ] {
            assert_eq!(wanted(media_type).ok(), how, "{media_type}");
        }
    }
}

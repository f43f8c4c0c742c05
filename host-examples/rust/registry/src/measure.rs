//! What a layer in a file is: its digests, its size, its compression.

use std::io::{self, Read};

use crate::content::Counted;
use crate::decompress::Decompressed;
use crate::digests::Hasher;
use crate::failures;
use crate::options::Progress;
use layerwise::host::Failure;

const BUFFER: usize = 64 << 10;

/// A layer that was read once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Measured {
    /// The media type of OCI that goes with its compression.
    pub media_type: &'static str,
    /// Digest of the bytes.
    pub digest: String,
    /// Number of bytes.
    pub size: u64,
    /// Digest of the uncompressed bytes.
    pub diff_id: String,
    /// Number of uncompressed bytes.
    pub plain_size: u64,
}

/// Reads a layer to its end. `name` is what the progress callback hears.
///
/// # Errors
/// What reading or decompressing fails with.
pub fn measure(
    layer: impl Read,
    name: &str,
    total: u64,
    heard: impl Fn(&str, u64, u64) + Send + Sync + 'static,
) -> Result<Measured, Failure> {
    let failed = |error: io::Error| failures::of(format!("cannot read {name:?}"), &error);
    let progress = Progress::of(heard);
    let input = Counted::new(layer, &progress, name, total);
    let mut compressed = Tap::new(input);
    // Without a media type the first bytes tell the compression.
    let mut plain = Decompressed::new(&mut compressed, "").map_err(failed)?;
    let media_type = match plain {
        Decompressed::Plain(_) => "application/vnd.oci.image.layer.v1.tar",
        Decompressed::Gzip(_) => "application/vnd.oci.image.layer.v1.tar+gzip",
        Decompressed::Zstd(_) => "application/vnd.oci.image.layer.v1.tar+zstd",
    };
    let mut diff_id = Tap::new(&mut plain);
    drain(&mut diff_id).map_err(failed)?;
    let (plain_size, diff_id) = (diff_id.size, diff_id.hasher.finish());
    drain(&mut plain.into_blob()).map_err(failed)?;
    Ok(Measured {
        media_type,
        size: compressed.size,
        digest: compressed.hasher.finish(),
        diff_id,
        plain_size,
    })
}

fn drain(input: &mut impl Read) -> io::Result<()> {
    let mut buffer = vec![0; BUFFER];
    while input.read(&mut buffer)? > 0 {}
    Ok(())
}

/// Hashes and counts what is read.
struct Tap<R> {
    input: R,
    hasher: Hasher,
    size: u64,
}

impl<R> Tap<R> {
    fn new(input: R) -> Self {
        Self {
            input,
            hasher: Hasher::new(),
            size: 0,
        }
    }
}

impl<R: Read> Read for Tap<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.input.read(buffer)?;
        self.hasher.update(buffer.get(..count).unwrap_or_default());
        self.size = self.size.saturating_add(count as u64);
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use flate2::Compression;
    use flate2::write::GzEncoder;
    use layerwise::oci::sha256;

    use super::*;

    #[test]
    fn compression_is_told_by_the_first_bytes() {
        let text = b"a layer";
        let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
        gzip.write_all(text).unwrap();
        let gzip = gzip.finish().unwrap();
        for (bytes, kind) in [(&text[..], "tar"), (&gzip, "tar+gzip")] {
            let found = measure(bytes, "layer", 0, |_, _, _| {}).unwrap();
            assert_eq!(found.digest, sha256(bytes).to_string());
            assert_eq!(found.diff_id, sha256(text).to_string());
            assert_eq!(found.size, bytes.len() as u64);
            assert_eq!(found.plain_size, text.len() as u64);
            assert!(found.media_type.ends_with(&format!(".{kind}")));
        }
        let cut = &gzip[..gzip.len() - 4];
        let failure = measure(cut, "cut.tgz", 0, |_, _, _| {}).unwrap_err();
        assert!(failure.message.starts_with("cannot read \"cut.tgz\""));
    }
}

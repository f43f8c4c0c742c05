//! The uncompressed bytes of a layer.
//!
//! A media type that says "not compressed" rules. Otherwise the first bytes do,
//! as in other tools: what is called gzip but is not is read as it is. A wrong
//! guess ends in another diff id.

use std::io::{self, BufRead, BufReader, Read};

use flate2::bufread::MultiGzDecoder;
use ruzstd::decoding::errors::{FrameDecoderError, ReadFrameHeaderError};
use ruzstd::decoding::{BlockDecodingStrategy, FrameDecoder};

const BUFFER: usize = 64 << 10;
const GZIP: [u8; 2] = [0x1f, 0x8b];
const ZSTD: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];
/// Window sizes above this are refused; it is what `zstd -d` accepts.
const LARGEST_WINDOW: u64 = 128 << 20;

/// The uncompressed bytes of a layer.
///
/// # Errors
/// When its first bytes cannot be read.
pub fn decompressed<R: Read>(blob: R, media_type: &str) -> io::Result<impl Read + use<R>> {
    Decompressed::new(blob, media_type)
}

/// A layer while it is decompressed.
pub enum Decompressed<R: Read> {
    Plain(BufReader<R>),
    Gzip(Box<MultiGzDecoder<BufReader<R>>>),
    Zstd(Box<Frames<BufReader<R>>>),
}

impl<R: Read> Decompressed<R> {
    pub fn new(blob: R, media_type: &str) -> io::Result<Self> {
        let mut blob = BufReader::with_capacity(BUFFER, blob);
        let kind = media_type.rsplit(['+', '.']).next().unwrap_or_default();
        if kind == "tar" {
            return Ok(Self::Plain(blob));
        }
        let start = blob.fill_buf()?;
        Ok(if start.starts_with(&GZIP) {
            Self::Gzip(Box::new(MultiGzDecoder::new(blob)))
        } else if start.starts_with(&ZSTD) || is_skippable(start) {
            Self::Zstd(Box::new(Frames::new(blob)))
        } else {
            Self::Plain(blob)
        })
    }

    /// Where the compressed bytes come from.
    pub fn blob(&self) -> &R {
        match self {
            Self::Plain(blob) => blob.get_ref(),
            Self::Gzip(gzip) => gzip.get_ref().get_ref(),
            Self::Zstd(zstd) => zstd.blob.get_ref(),
        }
    }

    /// The compressed bytes that are left.
    pub fn into_blob(self) -> BufReader<R> {
        match self {
            Self::Plain(blob) => blob,
            Self::Gzip(gzip) => gzip.into_inner(),
            Self::Zstd(zstd) => zstd.blob,
        }
    }
}

impl<R: Read> Read for Decompressed<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(blob) => blob.read(buffer),
            Self::Gzip(gzip) => gzip.read(buffer),
            Self::Zstd(zstd) => zstd.read(buffer),
        }
    }
}

/// Zstandard frames one after the other, some of which may hold no data.
pub struct Frames<B> {
    blob: B,
    decoder: FrameDecoder,
    inside: bool,
}

impl<B: BufRead> Frames<B> {
    fn new(blob: B) -> Self {
        let mut decoder = FrameDecoder::new();
        decoder.set_max_window_size(LARGEST_WINDOW);
        Self {
            blob,
            decoder,
            inside: false,
        }
    }

    /// Goes to the next frame with data; false at the end.
    fn advance(&mut self) -> io::Result<bool> {
        self.inside = false;
        while !self.blob.fill_buf()?.is_empty() {
            match self.decoder.init(&mut self.blob) {
                Ok(()) => {
                    self.inside = true;
                    return Ok(true);
                }
                Err(FrameDecoderError::ReadFrameHeaderError(ReadFrameHeaderError::SkipFrame {
                    length,
                    ..
                })) => {
                    let mut frame = (&mut self.blob).take(u64::from(length));
                    io::copy(&mut frame, &mut io::sink())?;
                }
                Err(error) => return Err(invalid(&error)),
            }
        }
        Ok(false)
    }

    fn decode(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.decoder.can_collect() == 0 && !self.decoder.is_finished() {
            self.decoder
                .decode_blocks(&mut self.blob, BlockDecodingStrategy::UptoBlocks(1))
                .map_err(|error| invalid(&error))?;
        }
        self.decoder.read(buffer)
    }
}

impl<B: BufRead> Read for Frames<B> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        loop {
            if self.inside {
                let count = self.decode(buffer)?;
                if count > 0 {
                    return Ok(count);
                }
            }
            if !self.advance()? {
                return Ok(0);
            }
        }
    }
}

fn invalid(error: &FrameDecoderError) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error.to_string())
}

fn is_skippable(start: &[u8]) -> bool {
    matches!(start, [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..])
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write as _;

    const TEXT: &[u8] = b"some text, some text, some text";

    fn read(blob: &[u8], media_type: &str) -> io::Result<Vec<u8>> {
        let mut out = Vec::new();
        Decompressed::new(blob, media_type)?.read_to_end(&mut out)?;
        Ok(out)
    }

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        gzip.write_all(bytes).unwrap();
        gzip.finish().unwrap()
    }

    fn zstd(bytes: &[u8]) -> Vec<u8> {
        ruzstd::encoding::compress_to_vec(bytes, ruzstd::encoding::CompressionLevel::Fastest)
    }

    #[test]
    fn bytes_and_media_types_tell_the_compression() {
        let oci = |kind: &str| format!("application/vnd.oci.image.layer.v1.tar{kind}");
        for (blob, kind) in [
            (gzip(TEXT), "+gzip"),
            (gzip(TEXT), "+zstd"),
            (zstd(TEXT), "+zstd"),
            (TEXT.to_vec(), "+gzip"),
            (TEXT.to_vec(), ""),
        ] {
            assert_eq!(read(&blob, &oci(kind)).unwrap(), TEXT, "{kind}");
        }
        assert_eq!(read(&gzip(TEXT), "").unwrap(), TEXT);
        assert_eq!(
            read(&gzip(TEXT), &oci("")).unwrap(),
            gzip(TEXT),
            "it says so"
        );
        assert_eq!(read(b"", "").unwrap(), b"");
    }

    #[test]
    fn members_and_frames_are_joined() {
        let twice = [TEXT, TEXT].concat();
        assert_eq!(read(&[gzip(TEXT), gzip(TEXT)].concat(), "").unwrap(), twice);
        let skip = b"\x50\x2a\x4d\x18\x03\0\0\0abc".to_vec();
        let frames = [skip.clone(), zstd(TEXT), skip.clone(), zstd(TEXT), skip].concat();
        assert_eq!(read(&frames, "").unwrap(), twice);
    }

    #[test]
    fn what_ends_early_is_an_error() {
        for blob in [gzip(TEXT), zstd(TEXT)] {
            for end in 5..blob.len() {
                assert!(read(&blob[..end], "").is_err(), "{end} of {}", blob.len());
            }
        }
        assert!(read(&[gzip(TEXT), b"x".to_vec()].concat(), "").is_err());
    }
}

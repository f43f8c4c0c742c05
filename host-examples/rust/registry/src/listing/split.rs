//! What an engine keeps of the archive of a layer, read as the archive it was: where
//! contents were there are zeros. The format is told at `Stored::Split`.

use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Read};

use flate2::read::MultiGzDecoder;
use layerwise::base64;
use layerwise::host::{Failure, FailureCode};
use serde::Deserialize;

use crate::failures;
use crate::limits::{Limit, Limits};
use crate::unpack::Source;

/// The kinds of lines.
const CONTENT: u8 = 1;
const PIECE: u8 = 2;

/// An archive with zeros for contents.
pub struct Split {
    lines: io::Take<BufReader<MultiGzDecoder<Counting>>>,
    limits: Limits,
    /// The rest of the current piece.
    piece: io::Cursor<Vec<u8>>,
    /// Zeros that are left of the current content.
    zeros: u64,
    current: Option<Content>,
    /// Contents that were read, and those that somebody asked for.
    contents: u64,
    asked: u64,
}

struct Counting {
    file: File,
    taken: u64,
}

/// The content of a file.
struct Content {
    size: u64,
    checksum: String,
}

#[derive(Deserialize)]
struct Line {
    #[serde(rename = "type")]
    kind: u8,
    #[serde(default)]
    size: u64,
    #[serde(default)]
    payload: Option<String>,
}

impl Split {
    pub fn new(file: File, limits: Limits) -> Self {
        let counting = Counting { file, taken: 0 };
        Self {
            lines: BufReader::new(MultiGzDecoder::new(counting)).take(0),
            limits,
            piece: io::Cursor::default(),
            zeros: 0,
            current: None,
            contents: 0,
            asked: 0,
        }
    }

    /// The checksum of the content that is being read, which must have this size.
    ///
    /// # Errors
    /// `corrupt` if another one is.
    pub fn checksum(&mut self, size: u64) -> Result<String, Failure> {
        self.asked = self.asked.saturating_add(1);
        match self.current.take() {
            Some(content) if content.size == size => Ok(content.checksum),
            _ => Err(corrupt("a file has no content of its size")),
        }
    }

    /// Checks at the end that no content was left over.
    ///
    /// # Errors
    /// `corrupt` if one was.
    pub fn finish(&mut self) -> Result<(), Failure> {
        while self.advance()? {}
        if self.asked == self.contents {
            Ok(())
        } else {
            Err(corrupt("a content belongs to no file"))
        }
    }

    /// Goes to the next line; false at the end.
    fn advance(&mut self) -> Result<bool, Failure> {
        // A line holds a piece as base64, and a little more.
        let most = self.limits.of(Limit::HeaderBytes).saturating_mul(2);
        self.lines.set_limit(most);
        let mut line = Vec::new();
        let read = self.lines.read_until(b'\n', &mut line);
        let read = read.map_err(|error| corrupt(&failures::lower(&error.to_string())))?;
        if read == 0 {
            return Ok(false);
        }
        if self.lines.limit() == 0 {
            let what = "the size of a piece of the archive of the layer";
            self.limits.check(Limit::HeaderBytes, most, what)?;
        }
        let line: Line = serde_json::from_slice(&line)
            .map_err(|_| corrupt("a line is not a json document of this format"))?;
        let payload = line.payload.unwrap_or_default();
        let payload = base64::decode(&payload).ok_or_else(|| corrupt("a payload is not base64"))?;
        match line.kind {
            PIECE => self.piece = io::Cursor::new(payload),
            CONTENT if line.size == 0 => {}
            CONTENT if payload.len() == 8 => {
                let what = "the size of a file of the layer";
                self.limits.check(Limit::LayerBytes, line.size, what)?;
                let digits: String = payload.iter().map(|byte| format!("{byte:02x}")).collect();
                self.zeros = line.size;
                self.contents = self.contents.saturating_add(1);
                self.current = Some(Content {
                    size: line.size,
                    checksum: format!("crc64:{digits}"),
                });
            }
            CONTENT => return Err(corrupt("a content has no checksum")),
            _ => return Err(corrupt("a line is of an unknown type")),
        }
        Ok(true)
    }
}

impl Read for Split {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let count = self.piece.read(buffer)?;
            if count > 0 || buffer.is_empty() {
                return Ok(count);
            }
            if self.zeros > 0 {
                let left = usize::try_from(self.zeros).unwrap_or(usize::MAX);
                let room = left.min(buffer.len());
                buffer.iter_mut().take(room).for_each(|byte| *byte = 0);
                self.zeros = self.zeros.saturating_sub(room as u64);
                return Ok(room);
            }
            if !self.advance().map_err(io::Error::other)? {
                return Ok(0);
            }
        }
    }
}

impl Source for Split {
    fn taken(&self) -> u64 {
        self.lines.get_ref().get_ref().get_ref().taken
    }
}

impl Read for Counting {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.file.read(buffer)?;
        self.taken = self.taken.saturating_add(count as u64);
        Ok(count)
    }
}

fn corrupt(why: &str) -> Failure {
    let message = format!("what is kept of the archive of the layer is damaged: {why}");
    failures::new(FailureCode::Corrupt, message)
}

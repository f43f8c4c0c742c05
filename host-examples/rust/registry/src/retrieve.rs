//! Reading one layer: the blob is checked, decompressed, hashed and, where
//! there is a destination, unpacked, all in one pass.

use std::io::{self, Read};
use std::sync::atomic::Ordering;

use layerwise::host::{Failure, FailureCode, Retrieval, Retrieved};
use layerwise::oci::Digest;
use layerwise_stores::place::Place;

use crate::content::{Content, Counted};
use crate::decompress::Decompressed;
use crate::digests::Hasher;
use crate::failures;
use crate::limits::{FREE_BYTES, Limit, over};
use crate::repositories::Repositories;
use crate::unpack::{self, Source, Stage};

const BUFFER: usize = 64 << 10;

/// Reads one layer. What was unpacked takes its place at the end, when all of its
/// bytes were right.
pub fn one(all: &Repositories, from: &Place, layer: &Retrieval) -> Result<Retrieved, Failure> {
    all.check_cancelled()?;
    let wanted = layer.diff_id.as_deref().map(failures::digest).transpose()?;
    let mut stage = match &layer.into {
        Some(destination) => {
            let paths = all.options.paths.as_ref().ok_or_else(|| {
                failures::new(
                    FailureCode::Unsupported,
                    "no directory can be unpacked into",
                )
            })?;
            let root = paths.directory(&destination.root)?;
            Some(Stage::new(&root, &destination.prefix, &all.options)?)
        }
        None => None,
    };
    let retrieved = all.with_blob(from, &layer.descriptor, wanted.is_some(), |blob| {
        let media_type = &layer.descriptor.media_type;
        read(all, blob, media_type, wanted.as_ref(), stage.as_mut())
    })?;
    if let Some(wanted) = &wanted
        && retrieved.diff_id != wanted.as_str()
    {
        let message = format!(
            "the uncompressed bytes of {} have the digest {}, expected {wanted}",
            layer.descriptor.digest, retrieved.diff_id
        );
        return Err(failures::new(FailureCode::Corrupt, message));
    }
    if let Some(stage) = stage {
        all.check_cancelled()?;
        stage.finish()?;
    }
    Ok(retrieved)
}

fn read(
    all: &Repositories,
    blob: &Content<'_>,
    media_type: &str,
    wanted: Option<&Digest>,
    stage: Option<&mut Stage>,
) -> Result<Retrieved, Failure> {
    let digest = blob.digest.as_str();
    let counted = Counted::new(blob.open()?, &all.options.progress, digest, blob.size);
    let unreadable = |error: &io::Error| corrupt(digest, error);
    let input = Decompressed::new(counted, media_type).map_err(|error| unreadable(&error))?;
    let mut layer = Layer {
        all,
        input,
        hasher: wanted.map_or_else(Hasher::new, Hasher::of),
        size: 0,
    };
    let unpacked = match stage {
        Some(stage) => unpack::read(&mut layer, stage),
        None => Ok(()),
    };
    // Bytes after the end of the archive belong to the layer too.
    let result = unpacked.and_then(|()| drain(&mut layer).map_err(|error| unreadable(&error)));
    let Layer {
        input,
        hasher,
        size,
        ..
    } = layer;
    all.check_cancelled()?;
    // All of the blob is checked. When its bytes are wrong, then that is why
    // anything else went wrong.
    drain(&mut input.into_blob()).map_err(|error| failures::of(digest, &error))?;
    result?;
    Ok(Retrieved {
        diff_id: hasher.finish(),
        size,
    })
}

fn drain(input: &mut impl Read) -> io::Result<()> {
    let mut buffer = vec![0; BUFFER];
    loop {
        match input.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Err(error) if error.kind() != io::ErrorKind::Interrupted => return Err(error),
            _ => {}
        }
    }
}

/// An error of the decompressor is one of the data.
fn corrupt(digest: &str, error: &io::Error) -> Failure {
    match failures::carried(error) {
        Some(failure) => failure.clone(),
        None => {
            let why = failures::lower(&error.to_string());
            failures::new(
                FailureCode::Corrupt,
                format!("cannot decompress {digest}: {why}"),
            )
        }
    }
}

/// Uncompressed bytes on their way, counted and hashed.
struct Layer<'a, R: Read> {
    all: &'a Repositories,
    input: Decompressed<Counted<'a, R>>,
    hasher: Hasher,
    size: u64,
}

impl<R: Read> Layer<'_, R> {
    fn next(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.all.check_cancelled().map_err(io::Error::other)?;
        let count = self.input.read(buffer)?;
        self.hasher.update(buffer.get(..count).unwrap_or_default());
        let bytes = u64::try_from(count).unwrap_or(u64::MAX);
        self.size = self.size.saturating_add(bytes);
        self.check(bytes).map_err(io::Error::other)?;
        Ok(count)
    }

    fn check(&self, more: u64) -> Result<(), Failure> {
        let limits = &self.all.options.limits;
        let what = "the uncompressed size of the layer";
        limits.check(Limit::LayerBytes, self.size, what)?;
        let ratio = limits.of(Limit::LayerRatio);
        let most = self.taken().saturating_mul(ratio);
        if self.size.saturating_sub(FREE_BYTES) > most {
            let what = "the uncompressed size of so few compressed bytes of the layer";
            return Err(over(Limit::LayerRatio, ratio, what));
        }
        let before = self.all.unpacked.fetch_add(more, Ordering::Relaxed);
        let what = "the uncompressed size of all layers of the session";
        limits.check(Limit::SessionLayerBytes, before.saturating_add(more), what)
    }
}

impl<R: Read> Read for Layer<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.next(buffer)
    }
}

impl<R: Read> Source for Layer<'_, R> {
    fn taken(&self) -> u64 {
        self.input.blob().done()
    }
}

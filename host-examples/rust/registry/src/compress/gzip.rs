//! Gzip by all processors: pieces of the input are compressed by themselves and joined to
//! one stream, so that the bytes are the same however many there are.
//!
//! Each piece ends with a flush, at a whole byte, and refers to nothing before it; the
//! stream is their blocks in order. Any reader of gzip takes it for what one compressor
//! would have written.

use std::io::{self, Read, Write};
use std::num::NonZero;
use std::sync::mpsc::{self, Receiver, SyncSender};
use std::sync::{Mutex, PoisonError};
use std::thread;

use flate2::{Compress, Compression, Crc, FlushCompress, Status};

/// What begins the stream: deflate, no name, no time. The last byte is "unknown" in RFC
/// 1952: where a layer was compressed does not change its digest.
const HEADER: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];
/// A last block without anything in it.
const LAST: [u8; 2] = [3, 0];
/// Bytes of a piece: what a compressor has to learn anew is 32 KiB.
const PIECE: usize = 1 << 20;
/// More processors would wait for the input.
const MOST: usize = 8;

/// A piece that has to be compressed, and where it goes then.
struct Work {
    plain: Vec<u8>,
    done: SyncSender<io::Result<Vec<u8>>>,
}

/// Compresses everything that is read, and shows each piece to `seen` before.
///
/// # Errors
/// What reading and writing fail with: told apart by [`Broken`].
pub fn gzip(
    from: &mut impl Read,
    seen: impl FnMut(&[u8]),
    to: &mut (impl Write + Send),
) -> Result<(), Broken> {
    let processors = thread::available_parallelism().map_or(1, NonZero::get);
    compress(from, seen, to, processors.min(MOST))
}

/// What did not work.
#[derive(Debug)]
pub enum Broken {
    /// The input could not be read.
    Reading(io::Error),
    /// The output could not be written.
    Writing(io::Error),
}

fn compress(
    from: &mut impl Read,
    mut seen: impl FnMut(&[u8]),
    to: &mut (impl Write + Send),
    workers: usize,
) -> Result<(), Broken> {
    let (give, take) = mpsc::sync_channel::<Work>(workers);
    let (queue, ordered) = mpsc::sync_channel(workers.saturating_mul(2));
    let take = Mutex::new(take);
    thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| work(&take));
        }
        let writer = scope.spawn(move || write(ordered, to));
        let mut checksum = Crc::new();
        let read = loop {
            let plain = match piece(from) {
                Ok(plain) if plain.is_empty() => break Ok(()),
                Ok(plain) => plain,
                Err(error) => break Err(Broken::Reading(error)),
            };
            seen(&plain);
            checksum.update(&plain);
            let (done, result) = mpsc::sync_channel(1);
            // The writer is gone when it failed, which it tells below.
            if queue.send(result).is_err() || give.send(Work { plain, done }).is_err() {
                break Ok(());
            }
        };
        drop((queue, give));
        let written = writer.join().unwrap_or_else(|_| Err(ended()));
        read?;
        let to = written.map_err(Broken::Writing)?;
        let end = [
            checksum.sum().to_le_bytes(),
            checksum.amount().to_le_bytes(),
        ];
        to.write_all(&LAST)
            .and_then(|()| to.write_all(end.as_flattened()))
            .map_err(Broken::Writing)
    })
}

/// The next bytes, as many as a piece has unless they end.
fn piece(from: &mut impl Read) -> io::Result<Vec<u8>> {
    let mut plain = Vec::with_capacity(PIECE);
    from.take(PIECE as u64).read_to_end(&mut plain)?;
    Ok(plain)
}

/// Compresses pieces until there are no more.
fn work(take: &Mutex<Receiver<Work>>) {
    loop {
        let next = take.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(Work { plain, done }) = next else {
            return;
        };
        // Nobody waits for it when the writer failed.
        let _ = done.send(deflate(&plain));
    }
}

/// The blocks of one piece.
fn deflate(plain: &[u8]) -> io::Result<Vec<u8>> {
    let mut compressor = Compress::new(Compression::default(), false);
    let mut blocks = Vec::with_capacity(plain.len() / 2 + 64);
    let mut rest = plain;
    loop {
        let before = compressor.total_in();
        let status = compressor.compress_vec(rest, &mut blocks, FlushCompress::Sync)?;
        let read = usize::try_from(compressor.total_in() - before).unwrap_or(usize::MAX);
        rest = rest.get(read..).unwrap_or_default();
        // Everything was flushed when there was room for more.
        if rest.is_empty() && blocks.len() < blocks.capacity() {
            return Ok(blocks);
        }
        if status == Status::BufError && blocks.len() < blocks.capacity() {
            return Err(io::Error::other("the compressor stands still"));
        }
        blocks.reserve(blocks.capacity().max(64));
    }
}

/// Writes what becomes ready, in the order in which it was read.
fn write<W: Write>(
    ordered: Receiver<Receiver<io::Result<Vec<u8>>>>,
    to: &mut W,
) -> io::Result<&mut W> {
    to.write_all(&HEADER)?;
    for result in ordered {
        let blocks = result.recv().unwrap_or_else(|_| Err(ended()))?;
        to.write_all(&blocks)?;
    }
    Ok(to)
}

fn ended() -> io::Error {
    io::Error::other("a thread that compresses ended early")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The stream with so many threads, and the pieces that were shown.
    fn packed(plain: &[u8], workers: usize) -> Vec<u8> {
        let (mut seen, mut out) = (Vec::new(), Vec::new());
        compress(
            &mut &*plain,
            |piece| seen.extend_from_slice(piece),
            &mut out,
            workers,
        )
        .unwrap();
        assert!(seen == plain);
        out
    }

    #[test]
    fn any_number_of_threads_writes_the_same_stream() {
        let numbers = (0..900_000_u32).map(|n| n.wrapping_mul(2_654_435_761) >> (n % 29));
        let plain: Vec<u8> = numbers.flat_map(u32::to_le_bytes).collect();
        for length in [0, 1, PIECE - 1, PIECE, PIECE + 1, plain.len()] {
            let plain = plain.get(..length).unwrap();
            let one = packed(plain, 1);
            assert!(one == packed(plain, 5));
            let mut back = Vec::new();
            flate2::read::GzDecoder::new(one.as_slice())
                .read_to_end(&mut back)
                .unwrap();
            assert!(back == plain, "{length} bytes");
        }
    }

    /// Gives some bytes, or takes them, and then fails.
    struct Failing(usize);

    impl Read for Failing {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let count = buffer.len().min(self.0);
            self.0 -= count;
            match count {
                0 => Err(io::Error::other("no more")),
                count => Ok(count),
            }
        }
    }

    impl Write for Failing {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0 = self
                .0
                .checked_sub(bytes.len())
                .ok_or_else(|| io::Error::other("full"))?;
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn what_fails_is_told_and_nothing_waits_for_ever() {
        for bytes in [0, PIECE, 5 * PIECE] {
            let read = compress(&mut Failing(bytes), |_| {}, &mut io::sink(), 2);
            assert!(matches!(read, Err(Broken::Reading(_))), "{read:?}");
        }
        for bytes in [0, HEADER.len(), 5_000] {
            let written = compress(
                &mut io::repeat(7).take(64 << 20),
                |_| {},
                &mut Failing(bytes),
                2,
            );
            assert!(matches!(written, Err(Broken::Writing(_))), "{written:?}");
        }
    }
}

//! A directory as the tar file of a layer: the same directory gives the same
//! bytes. Entries are sorted, named by their path below the root of the build,
//! and dated as the lifecycle dates them; modes and owners are kept.

use std::fs::{self, File, Metadata};
use std::io::{self, BufWriter, Read};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::thread::{self, JoinHandle};

use layerwise::host::{Failure, FailureCode};
use layerwise::oci::Descriptor;
use layerwise_registry::Provider;
use sha2::{Digest as _, Sha256};
use tar::{Builder, EntryType, Header};

/// 1980-01-01T00:00:01Z, the date of everything the lifecycle writes.
const DATE: u64 = 315_532_801;

/// Tar files and directories, by the path they were given as.
pub struct Archives {
    /// The directory that is `/` in layers.
    pub root: PathBuf,
}

impl Archives {
    /// Opens a tar file, or a directory as one.
    pub fn open(&self, path: &Path) -> io::Result<Box<dyn Read + Send>> {
        let path = std::path::absolute(path)?;
        if fs::metadata(&path)?.is_file() {
            return Ok(Box::new(File::open(path)?));
        }
        let inside = path.strip_prefix(&self.root).map_err(|_| {
            let why = format!("it is not inside the root {:?}", self.root);
            io::Error::new(io::ErrorKind::InvalidInput, why)
        })?;
        if inside.as_os_str().is_empty() {
            let why = "it is the root, and a layer is a directory in it";
            return Err(io::Error::new(io::ErrorKind::InvalidInput, why));
        }
        let name = inside.to_owned();
        let (read, write) = io::pipe()?;
        let writer = thread::spawn(move || {
            let mut archive = Builder::new(BufWriter::new(write));
            append(&mut archive, &path, &name)?;
            archive
                .into_inner()?
                .into_inner()
                .map_err(|error| error.into_error())?;
            Ok(())
        });
        Ok(Box::new(Stream {
            read,
            writer: Some(writer),
        }))
    }

    /// The diff id of a tar file or directory.
    pub fn diff_id(&self, path: &Path) -> io::Result<String> {
        let mut hasher = Sha256::new();
        let mut stream = self.open(path)?;
        let mut buffer = vec![0; 64 << 10];
        loop {
            match stream.read(&mut buffer) {
                Ok(0) => break,
                Ok(count) => hasher.update(buffer.get(..count).unwrap_or_default()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        let hex: String = hasher
            .finalize()
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        Ok(format!("sha256:{hex}"))
    }
}

impl Provider for Archives {
    fn open(&self, name: &str, _: &Descriptor) -> Result<Box<dyn Read + Send>, Failure> {
        Self::open(self, Path::new(name)).map_err(|error| {
            let code = match error.kind() {
                io::ErrorKind::NotFound => FailureCode::NotFound,
                io::ErrorKind::PermissionDenied => FailureCode::Denied,
                io::ErrorKind::InvalidInput => FailureCode::Invalid,
                _ => FailureCode::Other,
            };
            Failure::new(code, format!("cannot read the layer {name:?}: {error}"))
        })
    }
}

/// The archive while another thread writes it. It ends when the writer has
/// written all; a writer that failed is an error, not an end.
struct Stream {
    read: io::PipeReader,
    writer: Option<JoinHandle<io::Result<()>>>,
}

impl Read for Stream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.read.read(buffer)?;
        if count == 0
            && !buffer.is_empty()
            && let Some(writer) = self.writer.take()
        {
            let stopped = || io::Error::other("the archive was not written to its end");
            writer.join().map_err(|_| stopped())??;
        }
        Ok(count)
    }
}

fn append(archive: &mut Builder<impl io::Write>, path: &Path, name: &Path) -> io::Result<()> {
    // A list of what is left instead of recursion: directories can be deep.
    let mut left = vec![(path.to_owned(), name.to_owned())];
    while let Some((path, name)) = left.pop() {
        let about = |error: io::Error| io::Error::new(error.kind(), format!("{path:?}: {error}"));
        let facts = fs::symlink_metadata(&path).map_err(about)?;
        let kind = facts.file_type();
        if kind.is_dir() {
            let mut header = header(&facts, EntryType::Directory, 0);
            archive.append_data(&mut header, &name, io::empty())?;
            let mut names = fs::read_dir(&path)
                .map_err(about)?
                .map(|entry| Ok(entry?.file_name()))
                .collect::<io::Result<Vec<_>>>()
                .map_err(about)?;
            names.sort_unstable();
            left.extend(
                names
                    .iter()
                    .rev()
                    .map(|child| (path.join(child), name.join(child))),
            );
        } else if kind.is_symlink() {
            let target = fs::read_link(&path).map_err(about)?;
            let mut header = header(&facts, EntryType::Symlink, 0);
            archive.append_link(&mut header, &name, target)?;
        } else if kind.is_file() {
            let file = File::open(&path).map_err(about)?;
            let mut header = header(&facts, EntryType::Regular, facts.len());
            let mut bytes = Exactly {
                file: file.take(facts.len()),
                left: facts.len(),
            };
            archive
                .append_data(&mut header, &name, &mut bytes)
                .map_err(about)?;
        } else {
            let why = format!("{path:?}: it is neither a file nor a directory nor a link");
            return Err(io::Error::new(io::ErrorKind::InvalidInput, why));
        }
    }
    Ok(())
}

fn header(facts: &Metadata, kind: EntryType, size: u64) -> Header {
    let mut header = Header::new_gnu();
    header.set_entry_type(kind);
    header.set_size(size);
    header.set_mode(facts.mode() & 0o7777);
    header.set_uid(facts.uid().into());
    header.set_gid(facts.gid().into());
    header.set_mtime(DATE);
    header
}

/// A file that must have the size in its header.
struct Exactly {
    file: io::Take<File>,
    left: u64,
}

impl Read for Exactly {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.file.read(buffer)?;
        self.left = self
            .left
            .saturating_sub(u64::try_from(count).unwrap_or(u64::MAX));
        if count == 0 && !buffer.is_empty() && self.left > 0 {
            return Err(io::Error::other("it became shorter while it was read"));
        }
        Ok(count)
    }
}

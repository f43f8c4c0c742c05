//! Code that was compiled for another component, and kept on disk.
//!
//! Whoever can write such a file runs code as its reader. So only files of this user
//! count, in a directory of this user, which nobody else can write to, nor to what they
//! are in. Links are not followed. A file begins with the SHA-256 of its code, against
//! damage. Whatever is not as it should be is compiled again and replaced; a directory
//! that is not is not used at all.
//!
//! A file belongs to one component, one wasmtime and one set of engine settings, which
//! are in its name.

use std::fs::{DirBuilder, File, Metadata};
use std::hash::{Hash as _, Hasher};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};

use layerwise::oci::sha256;
use rustix::fs::{Mode, OFlags};
use tempfile::NamedTempFile;
use wasmtime::Engine;
use wasmtime::component::Component;

use crate::code::compile;
use crate::error::Error;

/// The longest file that is read; the code of our component has 5 MB.
const LONGEST: u64 = 256 << 20;

/// The digits of a SHA-256, with which a file begins.
const DIGEST: usize = 64;

/// Loads the code of a component out of a directory, or compiles it and keeps it there.
/// A directory that cannot be used costs time, never an error.
pub fn load_or_compile(engine: &Engine, wasm: &[u8], directory: &Path) -> Result<Component, Error> {
    let Some(directory) = own(directory) else {
        return compile(engine, wasm);
    };
    let path = directory.join(name(engine, wasm));
    if let Some(component) = load(engine, &path) {
        return Ok(component);
    }
    let component = compile(engine, wasm)?;
    // It is there the next time or it is not.
    let _ = keep(&component, &directory, &path);
    Ok(component)
}

/// The directory, made if it is missing, by a path without links, if nobody else can
/// change what is in it or where it is.
fn own(directory: &Path) -> Option<PathBuf> {
    let directory = std::path::absolute(directory).ok()?;
    // Nothing is made at the end of somebody else's link.
    if directory
        .ancestors()
        .filter_map(|path| path.symlink_metadata().ok())
        .any(|found| found.is_symlink() && !mine(&found) && found.uid() != 0)
    {
        return None;
    }
    let there = directory.ancestors().find(|path| path.exists())?;
    let missing = directory.strip_prefix(there).ok()?;
    let there = there.canonicalize().ok()?;
    if !there.ancestors().all(|path| {
        path.symlink_metadata()
            .is_ok_and(|found| kept_from_others(&found))
    }) {
        return None;
    }
    let directory = there.join(missing);
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(&directory)
        .ok()?;
    let found = directory.symlink_metadata().ok()?;
    (found.is_dir() && mine(&found) && !others_write(&found)).then_some(directory)
}

/// Whether others can neither rename nor remove what this user has in a directory.
fn kept_from_others(directory: &Metadata) -> bool {
    const STICKY: u32 = 0o1000;
    (mine(directory) || directory.uid() == 0)
        && (!others_write(directory) || directory.mode() & STICKY != 0)
}

fn mine(found: &Metadata) -> bool {
    found.uid() == rustix::process::geteuid().as_raw()
}

fn others_write(found: &Metadata) -> bool {
    found.mode() & 0o022 != 0
}

fn name(engine: &Engine, wasm: &[u8]) -> String {
    let mut settings = Settings(Vec::new());
    engine.precompile_compatibility_hash().hash(&mut settings);
    let (component, settings) = (sha256(wasm), sha256(&settings.0));
    let short = |hex: &str| hex.chars().take(32).collect::<String>();
    format!("{}-{}.cwasm", short(component.hex()), short(settings.hex()))
}

/// Collects what wasmtime hashes of its settings, for a stable digest.
struct Settings(Vec<u8>);

impl Hasher for Settings {
    fn finish(&self) -> u64 {
        0
    }

    fn write(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }
}

#[expect(
    unsafe_code,
    reason = "the code is trusted as all that this user wrote is"
)]
fn load(engine: &Engine, path: &Path) -> Option<Component> {
    let bytes = read(path).ok()?;
    let (digest, code) = bytes.split_at_checked(DIGEST)?;
    if digest != sha256(code).hex().as_bytes() {
        return None;
    }
    // SAFETY: the opened file belongs to this user, as the directory it was found in,
    // and nobody else can write to either; its bytes are whole by their digest; wasmtime
    // checks that its version, its settings and the processor fit.
    unsafe { Component::deserialize(engine, code) }.ok()
}

/// The bytes of a file of this user, which nobody else can write to.
fn read(path: &Path) -> io::Result<Vec<u8>> {
    // A pipe that nobody writes to must not stop the program.
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = File::from(rustix::fs::open(path, flags, Mode::empty())?);
    let found = file.metadata()?;
    if !found.is_file() || !mine(&found) || others_write(&found) {
        return Err(io::ErrorKind::PermissionDenied.into());
    }
    let mut bytes = Vec::new();
    file.take(LONGEST).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Writes a file whole, under a random name that nothing had before, and gives it its
/// place then.
fn keep(component: &Component, directory: &Path, path: &Path) -> io::Result<()> {
    let code = component.serialize().map_err(io::Error::other)?;
    let mut file = NamedTempFile::new_in(directory)?;
    file.write_all(sha256(&code).hex().as_bytes())?;
    file.write_all(&code)?;
    file.persist(path)?;
    Ok(())
}

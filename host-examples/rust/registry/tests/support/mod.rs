//! Directories that go away, tar files byte by byte, the real registry, and a
//! registry that lies.

#![allow(dead_code, reason = "each test uses its part")]

pub mod faulty;
pub mod live;

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use layerwise::host::{
    Destination, Failure, FailureCode, Registry as _, Retrieval, Retrieved, Source, Stored,
    Transfer,
};
use layerwise::oci::{Descriptor, sha256};
use layerwise_registry::{Keychain, Options, Repositories, Retry, Rooted, Timeouts};

pub const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
pub const INDEX: &str = "application/vnd.oci.image.index.v1+json";
pub const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
pub const DOCKER_LIST: &str = "application/vnd.docker.distribution.manifest.list.v2+json";
pub const TAR: &str = "application/vnd.oci.image.layer.v1.tar";
pub const TAR_GZIP: &str = "application/vnd.oci.image.layer.v1.tar+gzip";

/// A directory of its own for one test, removed at the end.
pub struct Dir(PathBuf);

impl Dir {
    pub fn new() -> Self {
        Self::below(Path::new(env!("CARGO_TARGET_TMPDIR")))
    }

    /// In memory where that can be, for what is measured: a disk takes its own
    /// time.
    pub fn in_memory() -> Self {
        let memory = Path::new("/dev/shm");
        if memory.is_dir() {
            Self::below(memory)
        } else {
            Self::new()
        }
    }

    fn below(directory: &Path) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("registry-{}-{count}", process::id());
        let path = directory.join(name);
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    pub fn path(&self) -> &Path {
        &self.0
    }

    /// `oci:` and a path in here.
    pub fn layout(&self, name: &str) -> String {
        format!("oci:{}", self.0.join(name).display())
    }
}

impl Drop for Dir {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Options that wait for nothing long and know no credentials.
pub fn options() -> Options {
    Options::default()
        .keychain(Keychain::none())
        .retry(Retry {
            attempts: 3,
            first_pause: Duration::from_millis(1),
            longest_pause: Duration::from_millis(20),
        })
        .timeouts(Timeouts {
            connect: Duration::from_secs(5),
            idle: Duration::from_secs(5),
            helper: Duration::from_secs(2),
            lock: Duration::from_secs(10),
        })
}

/// Repositories that read files from, and unpack into, one directory.
pub fn repositories(dir: &Dir) -> Repositories {
    with(dir, options())
}

pub fn with(dir: &Dir, options: Options) -> Repositories {
    let paths = Arc::new(Rooted::open(dir.path()).unwrap());
    Repositories::new(options.paths(paths).scratch(dir.path())).unwrap()
}

pub fn write(path: &Path, bytes: impl AsRef<[u8]>) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, bytes).unwrap();
}

/// A failure of this code whose message is one line and holds all of these.
#[track_caller]
pub fn fails<T: std::fmt::Debug>(answer: Result<T, Failure>, code: FailureCode, says: &[&str]) {
    let failure = answer.unwrap_err();
    assert_eq!(failure.code, code, "{failure}");
    assert!(!failure.message.contains('\n'), "{failure}");
    for text in says {
        assert!(
            failure.message.contains(text),
            "{failure:?} does not say {text:?}"
        );
    }
}

pub fn descriptor(media_type: &str, bytes: &[u8]) -> Descriptor {
    Descriptor {
        media_type: media_type.to_owned(),
        digest: sha256(bytes).to_string(),
        size: bytes.len() as u64,
        annotations: Vec::new(),
    }
}

pub fn resolve(all: &Repositories, reference: &str) -> Result<Vec<Descriptor>, Failure> {
    let mut answer = all.resolve(&[reference.to_owned()]);
    assert_eq!(answer.len(), 1);
    answer.remove(0)
}

pub fn read(all: &Repositories, at: &str, wanted: &Descriptor) -> Result<String, Failure> {
    let mut answer = all.read(at, std::slice::from_ref(wanted), 1 << 20);
    assert_eq!(answer.len(), 1);
    answer.remove(0)
}

pub fn store(
    all: &Repositories,
    at: &str,
    wanted: Descriptor,
    source: Source,
) -> Result<Stored, Failure> {
    let mut answer = all.store(
        at,
        &[Transfer {
            descriptor: wanted,
            diff_id: None,
            source,
        }],
    );
    assert_eq!(answer.len(), 1);
    answer.remove(0)
}

/// Stores a tar file of the directory of the repositories.
pub fn store_file(all: &Repositories, at: &str, media_type: &str, file: &str) -> Stored {
    let wanted = Descriptor {
        media_type: media_type.to_owned(),
        ..Descriptor::default()
    };
    store(all, at, wanted, Source::File(file.to_owned())).unwrap()
}

pub fn retrieve(
    all: &Repositories,
    at: &str,
    wanted: &Descriptor,
    diff_id: Option<&str>,
    into: Option<(&str, &str)>,
) -> Result<Retrieved, Failure> {
    let retrieval = Retrieval {
        descriptor: wanted.clone(),
        into: into.map(|(root, prefix)| Destination {
            root: root.to_owned(),
            prefix: prefix.to_owned(),
        }),
        diff_id: diff_id.map(ToOwned::to_owned),
    };
    let mut answer = all.retrieve(at, &[retrieval]);
    assert_eq!(answer.len(), 1);
    answer.remove(0)
}

pub fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(bytes).unwrap();
    gzip.finish().unwrap()
}

/// One entry of a tar file, with any name.
pub struct Item<'a> {
    pub kind: u8,
    pub name: &'a str,
    pub link: &'a str,
    pub mode: u32,
    pub bytes: &'a [u8],
}

pub fn file<'a>(name: &'a str, text: &'a str) -> Item<'a> {
    Item {
        kind: b'0',
        name,
        link: "",
        mode: 0o644,
        bytes: text.as_bytes(),
    }
}

pub fn folder(name: &str, mode: u32) -> Item<'_> {
    Item {
        kind: b'5',
        mode,
        ..file(name, "")
    }
}

pub fn link<'a>(kind: u8, name: &'a str, target: &'a str) -> Item<'a> {
    Item {
        kind,
        link: target,
        ..file(name, "")
    }
}

pub fn tar(items: &[Item<'_>]) -> Vec<u8> {
    let mut out = Vec::new();
    for item in items {
        header(
            &mut out,
            item.kind,
            item.name,
            item.link,
            item.mode,
            item.bytes.len() as u64,
        );
        out.extend_from_slice(item.bytes);
        out.resize(out.len().next_multiple_of(512), 0);
    }
    out.resize(out.len() + 1024, 0);
    out
}

/// A header block, made by hand: names of any kind, sizes of any size.
pub fn header(out: &mut Vec<u8>, kind: u8, name: &str, link: &str, mode: u32, size: u64) {
    let mut block = [0_u8; 512];
    let mut put = |at: usize, bytes: &[u8]| block[at..at + bytes.len()].copy_from_slice(bytes);
    put(0, name.as_bytes());
    put(100, format!("{mode:07o}\0").as_bytes());
    put(108, b"0000000\x000000000\x00");
    put(124, format!("{size:011o}\0").as_bytes());
    put(136, b"14000000000\0        ");
    put(156, &[kind]);
    put(157, link.as_bytes());
    put(257, b"ustar\x0000");
    let sum: u32 = block.iter().map(|byte| u32::from(*byte)).sum();
    block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    out.extend_from_slice(&block);
}

/// Everything below a directory, with what is in the files.
pub fn tree(path: &Path) -> Vec<String> {
    let mut found = Vec::new();
    let mut left = vec![path.to_owned()];
    while let Some(directory) = left.pop() {
        for entry in fs::read_dir(&directory).unwrap() {
            let entry = entry.unwrap().path();
            let name = entry.strip_prefix(path).unwrap().display().to_string();
            let metadata = fs::symlink_metadata(&entry).unwrap();
            if metadata.is_symlink() {
                found.push(format!(
                    "{name} -> {}",
                    fs::read_link(&entry).unwrap().display()
                ));
            } else if metadata.is_dir() {
                found.push(format!("{name}/"));
                left.push(entry);
            } else {
                let text = String::from_utf8_lossy(&fs::read(&entry).unwrap()).into_owned();
                found.push(format!("{name} = {text}"));
            }
        }
    }
    found.sort();
    found
}

//! A fresh directory for each input, with something beside it that nobody may
//! touch or tell of.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use layerwise_registry::{Keychain, Options, Repositories, Retry, Rooted, Timeouts};

/// What is outside; its digest and size are nobody's business either.
pub const SECRET: &str = "a secret that is in no layer";

/// The directory: `root`, where layers go, `layout`, and `outside`.
pub struct Ground(PathBuf);

impl Ground {
    pub fn new() -> Self {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let memory = Path::new("/dev/shm");
        let base = if memory.is_dir() {
            memory.to_owned()
        } else {
            std::env::temp_dir()
        };
        let ground = Self(base.join(format!("layerwise-fuzz-{}-{count}", process::id())));
        let _ = fs::remove_dir_all(&ground.0);
        ground.write("outside/secret", SECRET.as_bytes());
        ground.write("layout/oci-layout", br#"{"imageLayoutVersion":"1.0.0"}"#);
        fs::create_dir_all(ground.path("layout/blobs/sha256")).expect("a directory");
        fs::create_dir(ground.path("root")).expect("a directory");
        ground
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    pub fn write(&self, name: &str, bytes: &[u8]) {
        let path = self.path(name);
        let parent = path.parent().expect("a parent");
        fs::create_dir_all(parent).expect("a directory");
        fs::write(path, bytes).expect("a file");
    }

    pub fn layout(&self) -> String {
        format!("oci:{}", self.path("layout").display())
    }

    pub fn open(&self, change: impl FnOnce(Options) -> Options) -> Repositories {
        let paths = Arc::new(Rooted::open(&self.0).expect("the ground"));
        let quick = Options::default()
            .keychain(Keychain::none())
            .paths(paths)
            .scratch(&self.0)
            .retry(Retry {
                attempts: 2,
                first_pause: Duration::from_millis(1),
                longest_pause: Duration::from_millis(1),
            })
            .timeouts(Timeouts {
                connect: Duration::from_secs(2),
                idle: Duration::from_millis(100),
                helper: Duration::from_millis(100),
                lock: Duration::from_secs(5),
            });
        Repositories::new(change(quick)).expect("repositories")
    }

    /// Everything that is there, by its path; the bytes of files and links.
    pub fn tree(&self) -> BTreeMap<String, Vec<u8>> {
        let mut found = BTreeMap::new();
        let mut left = vec![self.0.clone()];
        while let Some(path) = left.pop() {
            for entry in fs::read_dir(&path).expect("a directory").flatten() {
                let path = entry.path();
                let kind = entry.file_type().expect("its kind");
                let name = path.strip_prefix(&self.0).expect("below");
                let name = format!("{}", name.display());
                let bytes = if kind.is_dir() {
                    left.push(path);
                    b"directory".to_vec()
                } else if kind.is_symlink() {
                    let target = fs::read_link(&path).expect("its target");
                    target.as_os_str().as_encoded_bytes().to_vec()
                } else if kind.is_file() {
                    fs::read(&path).unwrap_or_default()
                } else {
                    b"something else".to_vec()
                };
                found.insert(name, bytes);
            }
        }
        found
    }
}

impl Drop for Ground {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

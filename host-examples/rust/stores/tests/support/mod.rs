//! Directories that go away, and stores written by hand: what the stores under
//! test read is never made by their own code.

#![allow(dead_code, reason = "each test uses its part")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process;
use std::sync::atomic::{AtomicU32, Ordering};

use layerwise::host::{Facts, Failure, FailureCode, Image, ImageStore};
use layerwise::oci::sha256;
use layerwise_stores::{Marks, OciLayout};
use ring::hmac;
use serde_json::{Value, json};

pub const ALL: Facts = Facts {
    document: true,
    parent: true,
    built: true,
};
pub const DOCUMENT: Facts = Facts {
    document: true,
    parent: false,
    built: false,
};
pub const PARENT: Facts = Facts {
    document: false,
    parent: true,
    built: false,
};
pub const BUILT: Facts = Facts {
    document: false,
    parent: false,
    built: true,
};

pub const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
pub const INDEX: &str = "application/vnd.oci.image.index.v1+json";
pub const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
pub const TAR: &str = "application/vnd.oci.image.layer.v1.tar";
pub const TAR_GZIP: &str = "application/vnd.oci.image.layer.v1.tar+gzip";
pub const REF_NAME: &str = "org.opencontainers.image.ref.name";

/// A directory of its own for one test, removed at the end.
pub struct Dir(PathBuf);

impl Dir {
    pub fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!(
            "{}-{}",
            process::id(),
            COUNT.fetch_add(1, Ordering::Relaxed)
        );
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Dir {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// The store on a host with the key below.
pub fn keyed(store: OciLayout) -> OciLayout {
    store.with_marks(Marks::open(&key_file()).unwrap())
}

/// The mark of the host with the key below, as `MARKS.md` says.
pub fn mark(image: &str, parent: &str) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, &[7; 32]);
    let message = format!("layerwise built-here 1\n{image}\n{parent}\n");
    let tag = hmac::sign(&key, message.as_bytes());
    let hex = tag.as_ref().iter().map(|byte| format!("{byte:02x}"));
    format!("hmac-sha256:{}", hex.collect::<String>())
}

/// A key file that all tests share; every one of them writes the same.
fn key_file() -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("marks.key");
    if !path.exists() {
        let dir = Dir::new();
        let new = dir.path().join("new");
        write(&new, format!("{}\n", "07".repeat(32)));
        only_ours(&new, 0o600);
        fs::rename(&new, &path).unwrap();
    }
    path
}

pub fn only_ours(path: &Path, mode: u32) {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }
}

pub fn write(path: &Path, bytes: impl AsRef<[u8]>) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, bytes).unwrap();
}

/// Everything below a directory, by path.
pub fn tree(path: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut waiting = vec![path.to_owned()];
    while let Some(next) = waiting.pop() {
        if next.symlink_metadata().unwrap().is_dir() {
            waiting.extend(
                fs::read_dir(&next)
                    .unwrap()
                    .map(|entry| entry.unwrap().path()),
            );
        }
        found.push(next);
    }
    found.sort_unstable();
    found
}

pub fn pipe(path: &Path) {
    let made = process::Command::new("mkfifo").arg(path).status().unwrap();
    assert!(made.success());
}

/// Takes all permissions of a directory away while `look` runs; for a user whom
/// that does not keep out, nothing is run.
#[cfg(unix)]
pub fn while_denied(directory: &Path, look: impl FnOnce()) {
    use std::os::unix::fs::PermissionsExt as _;
    fs::set_permissions(directory, fs::Permissions::from_mode(0o000)).unwrap();
    if fs::read_dir(directory).is_ok() {
        println!("part skipped: this user may read everywhere");
    } else {
        look();
    }
    fs::set_permissions(directory, fs::Permissions::from_mode(0o755)).unwrap();
}

pub fn one(store: &dyn ImageStore, id: &str, want: Facts) -> Result<Image, Failure> {
    let mut answer = store.get(&[id.to_owned()], want, 1 << 20);
    assert_eq!(answer.len(), 1);
    answer.remove(0)
}

pub fn resolve(store: &dyn ImageStore, reference: &str) -> Result<Image, Failure> {
    let mut answer = store.resolve(&[reference.to_owned()], 1 << 20);
    assert_eq!(answer.len(), 1);
    answer.remove(0)
}

pub fn parent(store: &dyn ImageStore, id: &str) -> Option<String> {
    one(store, id, PARENT).unwrap().parent
}

/// A failure of this code whose message holds all of these.
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

/// An image config with these layers; `text` makes it differ from others.
pub fn document(text: &str, diff_ids: &[String]) -> String {
    json!({
        "created": "2024-01-01T00:00:00Z",
        "architecture": "amd64",
        "os": "linux",
        "config": {"Cmd": [text]},
        "rootfs": {"type": "layers", "diff_ids": diff_ids},
        "history": diff_ids.iter().map(|_| json!({"created_by": text})).collect::<Vec<_>>(),
    })
    .to_string()
}

/// A Docker data root.
pub struct DataRoot {
    pub dir: Dir,
    driver: &'static str,
}

impl DataRoot {
    pub fn new(driver: &'static str) -> Self {
        let root = Self {
            dir: Dir::new(),
            driver,
        };
        for part in ["imagedb/content/sha256", "imagedb/metadata/sha256"] {
            fs::create_dir_all(root.images().join(part)).unwrap();
        }
        root
    }

    pub fn path(&self) -> &Path {
        self.dir.path()
    }

    pub fn images(&self) -> PathBuf {
        self.path().join("image").join(self.driver)
    }

    pub fn content(&self, id: &str) -> PathBuf {
        self.images().join("imagedb/content/sha256").join(hex(id))
    }

    pub fn fact(&self, id: &str, name: &str) -> PathBuf {
        self.images()
            .join("imagedb/metadata/sha256")
            .join(hex(id))
            .join(name)
    }

    pub fn add(&self, document: &str) -> String {
        let id = sha256(document.as_bytes()).to_string();
        write(&self.content(&id), document);
        write(&self.fact(&id, "lastUpdated"), "2024-01-01T00:00:00.5Z");
        id
    }

    pub fn names(&self, names: Value) {
        let text = json!({ "Repositories": names }).to_string();
        write(&self.images().join("repositories.json"), text);
    }
}

/// An image layout.
pub struct Layout {
    pub dir: Dir,
    entries: Vec<Value>,
}

impl Layout {
    pub fn new() -> Self {
        let layout = Self {
            dir: Dir::new(),
            entries: Vec::new(),
        };
        write(
            &layout.path().join("oci-layout"),
            r#"{"imageLayoutVersion": "1.0.0"}"#,
        );
        layout.write_index();
        layout
    }

    pub fn path(&self) -> &Path {
        self.dir.path()
    }

    pub fn blob_path(&self, digest: &str) -> PathBuf {
        self.path().join("blobs/sha256").join(hex(digest))
    }

    pub fn blob(&self, media_type: &str, bytes: &[u8]) -> Value {
        let digest = sha256(bytes).to_string();
        write(&self.blob_path(&digest), bytes);
        json!({"mediaType": media_type, "digest": digest, "size": bytes.len()})
    }

    /// An image with uncompressed layers; returns its id and descriptor.
    pub fn image(&self, text: &str, layers: &[&str]) -> (String, Value) {
        let layers: Vec<Value> = layers
            .iter()
            .map(|layer| self.blob(TAR, layer.as_bytes()))
            .collect();
        let diff_ids: Vec<String> = layers.iter().map(digest).collect();
        self.image_of(&document(text, &diff_ids), &layers)
    }

    pub fn image_of(&self, document: &str, layers: &[Value]) -> (String, Value) {
        let config = self.blob(CONFIG, document.as_bytes());
        let id = digest(&config);
        let manifest =
            json!({"schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": layers});
        (id, self.blob(MANIFEST, manifest.to_string().as_bytes()))
    }

    /// Puts an image with uncompressed layers into the index, under a name
    /// unless it is empty.
    pub fn add(&mut self, name: &str, text: &str, layers: &[&str]) -> String {
        let (id, descriptor) = self.image(text, layers);
        self.enter(descriptor, name);
        id
    }

    pub fn enter(&mut self, mut descriptor: Value, name: &str) {
        if !name.is_empty() {
            descriptor["annotations"][REF_NAME] = json!(name);
        }
        self.entries.push(descriptor);
        self.write_index();
    }

    pub fn index(&self) -> Value {
        serde_json::from_slice(&fs::read(self.path().join("index.json")).unwrap()).unwrap()
    }

    fn write_index(&self) {
        let index = json!({"schemaVersion": 2, "manifests": self.entries, "com.example.kept": [1]});
        write(&self.path().join("index.json"), index.to_string());
    }
}

pub fn digest(descriptor: &Value) -> String {
    descriptor["digest"].as_str().unwrap().to_owned()
}

pub fn hex(id: &str) -> &str {
    id.strip_prefix("sha256:").unwrap()
}

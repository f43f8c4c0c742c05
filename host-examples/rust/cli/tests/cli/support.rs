//! The program under test, directories that go away, and stores in them.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{self, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use layerwise::oci::sha256;
use layerwise_stores::{Marks, OciLayout};
use serde_json::{Value, json};

#[path = "schema.rs"]
pub mod schema;

/// A directory of its own for one test, removed at the end.
pub struct Dir(PathBuf);

impl Dir {
    pub fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("cli-{}-{count}", process::id());
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    pub fn path(&self) -> &Path {
        &self.0
    }

    pub fn text(&self) -> &str {
        self.0.to_str().unwrap()
    }

    /// Writes a file and returns its path.
    pub fn file(&self, name: &str, bytes: impl AsRef<[u8]>) -> String {
        let path = self.0.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, bytes).unwrap();
        path.to_str().unwrap().to_owned()
    }

    /// Every file below with its bytes, to see that nothing was changed.
    pub fn snapshot(&self) -> Vec<(PathBuf, Vec<u8>)> {
        let mut files = Vec::new();
        let mut directories = vec![self.0.clone()];
        while let Some(directory) = directories.pop() {
            for entry in fs::read_dir(directory).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    directories.push(path);
                } else {
                    files.push((path.clone(), fs::read(&path).unwrap()));
                }
            }
        }
        files.sort();
        files
    }
}

impl Drop for Dir {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// What a run of the program gave.
#[derive(Debug)]
pub struct Run {
    pub exit: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Run {
    pub fn json(&self) -> Value {
        let document = serde_json::from_str(&self.stdout);
        let document = document.unwrap_or_else(|error| panic!("{error}: {self:?}"));
        schema::check(&document);
        document
    }
}

/// Runs the program.
pub fn layerwise(arguments: &[&str]) -> Run {
    with_input(arguments, "")
}

/// Runs the program with something on its standard input.
pub fn with_input(arguments: &[&str], input: &str) -> Run {
    let mut child = program()
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // A program that does not read may be gone already.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    let output = child.wait_with_output().unwrap();
    Run {
        exit: output.status.code().unwrap(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

/// The key of marks, which all tests and what they run share.
fn key_file() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("cli-marks.key")
}

/// The program.
pub fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_layerwise"));
    command.env("LAYERWISE_MARKS_KEY", key_file());
    command
}

/// One line on standard error, word for word, and exit code 3.
#[track_caller]
pub fn fails(run: &Run, line: &str) {
    assert_eq!(run.stderr, format!("error: {line}\n"));
    assert_eq!(run.stdout, "");
    assert_eq!(run.exit, 3);
}

/// Compares with a file in `tests/cli/`. Paths of this machine are replaced.
#[track_caller]
pub fn golden(name: &str, text: &str, dir: Option<&Dir>) {
    let text = match dir {
        Some(dir) => text.replace(dir.text(), "DIR"),
        None => text.to_owned(),
    };
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/cli")
        .join(name);
    if std::env::var_os("BLESS").is_some() {
        fs::write(&path, &text).unwrap();
    }
    let want = fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(text, want, "{name} differs; BLESS=1 writes it anew");
}

/// An image layout as other tools write it, then marked by ours.
pub struct Layout {
    dir: Dir,
    entries: Vec<Value>,
}

impl Layout {
    pub fn new() -> Self {
        let dir = Dir::new();
        dir.file("oci-layout", r#"{"imageLayoutVersion":"1.0.0"}"#);
        let layout = Self {
            dir,
            entries: Vec::new(),
        };
        layout.write_index();
        layout
    }

    /// The directory alone.
    pub fn into_dir(self) -> Dir {
        self.dir
    }

    pub fn dir(&self) -> &Dir {
        &self.dir
    }

    /// For `--store`.
    pub fn spec(&self) -> String {
        format!("oci:{}", self.dir.text())
    }

    pub fn store(&self) -> OciLayout {
        let store = OciLayout::open(self.dir.path()).unwrap();
        store.with_marks(Marks::open(&key_file()).unwrap())
    }

    /// Adds an image with its layers and returns its id.
    pub fn add(&mut self, name: &str, image: &ImageText) -> String {
        let layers: Vec<Value> = image
            .layers
            .iter()
            .map(|layer| self.blob("application/vnd.oci.image.layer.v1.tar", layer.as_bytes()))
            .collect();
        let document = image.document();
        let config = self.blob(
            "application/vnd.oci.image.config.v1+json",
            document.as_bytes(),
        );
        let media_type = "application/vnd.oci.image.manifest.v1+json";
        let manifest = json!({
            "schemaVersion": 2, "mediaType": media_type, "config": config, "layers": layers,
        });
        let mut entry = self.blob(media_type, manifest.to_string().as_bytes());
        entry["annotations"]["org.opencontainers.image.ref.name"] = json!(name);
        self.entries.push(entry);
        self.write_index();
        image.id()
    }

    /// Notes parents and what was built here, after all images were added.
    pub fn mark(&self, links: &[(&str, &str)], built_here: &[&str]) {
        let store = self.store();
        for (target, parent) in links {
            layerwise::host::ImageStore::set_parent(&store, target, parent).unwrap();
        }
        for id in built_here {
            store.set_built_here(id, true).unwrap();
        }
    }

    /// Stores a signature of an image, as cosign does; `sign` returns it in base64.
    pub fn sign(&mut self, name: &str, sign: &dyn Fn(&[u8]) -> String) {
        let named =
            |entry: &&Value| entry["annotations"]["org.opencontainers.image.ref.name"] == name;
        let entry = self.entries.iter().find(named).unwrap();
        let digest = entry["digest"].as_str().unwrap().to_owned();
        let payload = json!({
            "critical": {
                "identity": {"docker-reference": "registry.example/app"},
                "image": {"docker-manifest-digest": digest},
                "type": "cosign container image signature",
            },
            "optional": null,
        })
        .to_string();
        let kind = "application/vnd.dev.cosign.simplesigning.v1+json";
        let mut layer = self.blob(kind, payload.as_bytes());
        let signature = sign(payload.as_bytes());
        layer["annotations"] = json!({"dev.cosignproject.cosign/signature": signature});
        let media_type = "application/vnd.oci.image.manifest.v1+json";
        let config = self.blob("application/vnd.oci.image.config.v1+json", b"{}");
        let manifest = json!({
            "schemaVersion": 2, "mediaType": media_type, "config": config, "layers": [layer],
        });
        let mut entry = self.blob(media_type, manifest.to_string().as_bytes());
        let name = format!("{}.sig", digest.replace(':', "-"));
        entry["annotations"]["org.opencontainers.image.ref.name"] = json!(name);
        self.entries.push(entry);
        let index = fs::read(self.dir.path().join("index.json")).unwrap();
        let mut index: Value = serde_json::from_slice(&index).unwrap();
        let entries = index["manifests"].as_array_mut().unwrap();
        entries.extend(self.entries.last().cloned());
        self.dir.file("index.json", index.to_string());
    }

    fn blob(&self, media_type: &str, bytes: &[u8]) -> Value {
        let digest = sha256(bytes);
        self.dir
            .file(&format!("blobs/sha256/{}", digest.hex()), bytes);
        json!({"mediaType": media_type, "digest": digest.as_str(), "size": bytes.len()})
    }

    fn write_index(&self) {
        let index = json!({"schemaVersion": 2, "manifests": self.entries});
        self.dir.file("index.json", index.to_string());
    }
}

/// A Docker data root as an engine writes it.
pub struct DataRoot(Dir);

impl DataRoot {
    pub fn new() -> Self {
        let root = Self(Dir::new());
        fs::create_dir_all(root.images().join("imagedb/content/sha256")).unwrap();
        fs::create_dir_all(root.images().join("imagedb/metadata/sha256")).unwrap();
        root
    }

    pub fn dir(&self) -> &Dir {
        &self.0
    }

    /// For `--store`.
    pub fn spec(&self) -> String {
        format!("docker:{}", self.0.text())
    }

    pub fn images(&self) -> PathBuf {
        self.0.path().join("image/overlay2")
    }

    pub fn add(&self, image: &ImageText, parent: Option<&str>, built_here: bool) -> String {
        let id = image.id();
        let hex = id.trim_start_matches("sha256:");
        let images = "image/overlay2/imagedb";
        self.0
            .file(&format!("{images}/content/sha256/{hex}"), image.document());
        let facts = format!("{images}/metadata/sha256/{hex}");
        self.0
            .file(&format!("{facts}/lastUpdated"), "2026-01-01T00:00:00Z");
        if let Some(parent) = parent {
            self.0.file(&format!("{facts}/parent"), parent);
        }
        if built_here {
            self.0.file(&format!("{facts}/builtLocally"), [1]);
        }
        id
    }

    pub fn name(&self, repository: &str, tag: &str, id: &str) {
        let names = json!({"Repositories": {repository: {format!("{repository}:{tag}"): id}}});
        self.0
            .file("image/overlay2/repositories.json", names.to_string());
    }
}

/// An image: steps with their layers, on `linux/amd64`.
#[derive(Clone, Default)]
pub struct ImageText {
    config: Option<String>,
    history: Vec<(String, bool)>,
    layers: Vec<String>,
}

impl ImageText {
    /// One more step, with a layer unless `layer` is empty, made with a config.
    pub fn step(&self, command: &str, layer: &str, config: Option<&str>) -> Self {
        let mut image = self.clone();
        image.history.push((command.to_owned(), layer.is_empty()));
        image
            .layers
            .extend(Some(layer.to_owned()).filter(|layer| !layer.is_empty()));
        image.config = config.map(str::to_owned);
        image
    }

    /// The same text on every machine: members are put together by hand.
    pub fn document(&self) -> String {
        let config = match &self.config {
            Some(config) => format!(r#""container_config":{config},"#),
            None => String::new(),
        };
        let entries = self
            .history
            .iter()
            .enumerate()
            .map(|(n, (command, empty))| {
                let command = serde_json::to_string(command).unwrap();
                let empty = if *empty { r#","empty_layer":true"# } else { "" };
                format!(
                    r#"{{"created":"2026-01-0{}T00:00:00Z","created_by":{command}{empty}}}"#,
                    n + 1
                )
            });
        let ids = self
            .layers
            .iter()
            .map(|layer| format!("\"{}\"", sha256(layer.as_bytes())));
        format!(
            r#"{{"architecture":"amd64",{config}"created":"2026-02-01T00:00:00Z","history":[{}],"os":"linux","rootfs":{{"type":"layers","diff_ids":[{}]}}}}"#,
            entries.collect::<Vec<_>>().join(","),
            ids.collect::<Vec<_>>().join(","),
        )
    }

    pub fn id(&self) -> String {
        sha256(self.document().as_bytes()).to_string()
    }
}

/// A base that was pulled.
pub fn base() -> ImageText {
    ImageText::default().step("ADD rootfs.tar /", "base layer", None)
}

pub const MAKE: &str = include_str!("make.json").trim_ascii();
pub const TEST: &str = r#"{"Env":["A=1"],"Cmd":["/bin/sh","-c","make test"]}"#;
pub const INSTALL: &str = r#"{"Env":["A=1"],"Cmd":["/bin/sh","-c","make install"]}"#;
pub const CHANGED: &str = include_str!("changed.json").trim_ascii();

/// `RUN make` on the base, built here.
pub fn made() -> ImageText {
    base().step("/bin/sh -c make", "make layer", Some(MAKE))
}

/// An application from elsewhere, with two steps on the base.
pub fn app() -> ImageText {
    base()
        .step("/bin/sh -c make test", "test layer", None)
        .step("/bin/sh -c make install", "install layer", None)
}

/// A layout with all three, named `base:1`, `made:1` and `app:1`.
pub fn layout() -> Layout {
    let mut layout = Layout::new();
    layout.add("base:1", &base());
    layout.add("made:1", &made());
    layout.add("app:1", &app());
    layout.mark(&[(&made().id(), &base().id())], &[&made().id()]);
    layout
}

pub const AMD64: [&str; 2] = ["--platform", "linux/amd64"];

//! A project directory that goes away, and the program run in it.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{self, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use layerwise::oci::sha256;
use serde_json::{Value, json};

/// A project with its directories, and a layout of results.
pub struct Project(PathBuf);

impl Project {
    pub fn new(stackerfile: &str) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("live-stacker-{}-{count}", process::id());
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        let _ = fs::remove_dir_all(&path);
        for directory in [".stacker", "roots", "oci"] {
            fs::create_dir_all(path.join(directory)).unwrap();
        }
        let project = Self(path);
        project.write("stacker.yaml", stackerfile);
        project
    }

    pub fn path(&self, name: impl AsRef<Path>) -> PathBuf {
        self.0.join(name)
    }

    /// Writes a file, with the directories it is in.
    pub fn write(&self, name: &str, bytes: impl AsRef<[u8]>) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }

    /// `layerwise stacker VERB` in the project.
    pub fn command(&self, verb: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_layerwise"));
        command
            .args(["stacker", verb, "--source-date-epoch", "unset"])
            .arg("--work-dir")
            .arg(&self.0);
        if verb != "prune" {
            command.arg("--stackerfile").arg(self.path("stacker.yaml"));
        }
        command.stdin(Stdio::null());
        command
    }

    /// Records a layer, with a result that all layers have.
    pub fn put(&self, layer: &str) -> Command {
        let mut command = self.command("put");
        let result = self.result();
        command.args(["--layer", layer, "--manifests"]).arg(result);
        command
    }

    /// The file that says which result a layer has, and the blobs of that result.
    fn result(&self) -> PathBuf {
        let blob = |kind: &str, text: &str| {
            let digest = sha256(text.as_bytes());
            self.write(&format!("oci/blobs/sha256/{}", digest.hex()), text);
            let media_type = format!("application/vnd.oci.image.{kind}");
            json!({"mediaType": media_type, "digest": digest.to_string(), "size": text.len()})
        };
        let manifest = json!({
            "schemaVersion": 2,
            "config": blob("config.v1+json", "{}"),
            "layers": [blob("layer.v1.tar+gzip", "a layer")],
        });
        let manifest = blob("manifest.v1+json", &manifest.to_string());
        self.write("result.json", json!({"tar+false": manifest}).to_string());
        self.path("result.json")
    }

    /// Runs a verb and gives its document.
    pub fn ask(&self, verb: &str, more: &[&str]) -> Value {
        let output = self.command(verb).args(more).arg("--json").output();
        let output = output.unwrap();
        let text = String::from_utf8_lossy(&output.stderr);
        serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {text}"))
    }

    /// The answer about a layer.
    pub fn lookup(&self, layer: &str) -> Value {
        self.ask("lookup", &["--layer", layer])["layers"][0].clone()
    }

    /// The cache file; none is no entries.
    pub fn cache(&self) -> Value {
        match fs::read(self.path(".stacker/build.cache")) {
            Ok(bytes) => serde_json::from_slice(&bytes).unwrap(),
            Err(_) => json!({"cache": {}, "version": 16}),
        }
    }
}

impl Drop for Project {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Runs a command that must succeed.
#[track_caller]
pub fn done(command: &mut Command) -> Vec<u8> {
    let output = command.output().unwrap();
    let words = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {words}");
    output.stdout
}

/// Runs a program that must succeed.
#[track_caller]
pub fn run<A: AsRef<OsStr>>(program: &str, arguments: impl IntoIterator<Item = A>) -> Vec<u8> {
    done(Command::new(program).args(arguments).stdin(Stdio::null()))
}

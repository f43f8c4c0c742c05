//! The real `docker-registry`, on a free port of loopback.

use std::env;
use std::fmt::Write as _;
use std::fs::{self, File};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use super::Dir;

/// Whether all of these programs can be run. Says why not, and fails when
/// `LAYERWISE_REQUIRE_LIVE` is set.
pub fn have(tools: &[&str]) -> bool {
    let runs = |tool: &str| {
        let mut command = Command::new(tool);
        command
            .arg("--version")
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        command.status().is_ok()
    };
    let missing: Vec<_> = tools.iter().filter(|tool| !runs(tool)).collect();
    if missing.is_empty() {
        return true;
    }
    let required = env::var_os("LAYERWISE_REQUIRE_LIVE").is_some_and(|value| value == "1");
    assert!(!required, "not installed: {missing:?}");
    println!("skipped: not installed: {missing:?}");
    false
}

/// Runs a program to its end and returns what it prints.
#[track_caller]
pub fn run(command: &mut Command) -> String {
    let output = command.output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {errors}");
    String::from_utf8(output.stdout).unwrap()
}

/// A running registry; dropping it ends it.
pub struct Server {
    pub host: String,
    pub dir: Dir,
    child: Child,
}

impl Server {
    /// Starts one, unless it is not installed.
    pub fn start() -> Option<Self> {
        Self::with("")
    }

    /// Starts one with more settings for `http`.
    pub fn with(http: &str) -> Option<Self> {
        if !have(&["docker-registry"]) {
            return None;
        }
        // The port can be taken in between.
        (0..5)
            .find_map(|_| Self::try_start(http))
            .or_else(|| panic!("no registry could be started"))
    }

    fn try_start(http: &str) -> Option<Self> {
        let dir = Dir::new();
        let port = TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap()
            .port();
        let mut config = String::new();
        let storage = dir.path().join("storage");
        writeln!(config, "version: 0.1\nlog: {{level: error}}").unwrap();
        writeln!(
            config,
            "storage:\n  filesystem: {{rootdirectory: {storage:?}}}"
        )
        .unwrap();
        writeln!(config, "  delete: {{enabled: true}}").unwrap();
        writeln!(config, "http:\n  addr: 127.0.0.1:{port}\n{http}").unwrap();
        let path = dir.path().join("config.yml");
        fs::write(&path, config).unwrap();
        let log = File::create(dir.path().join("log")).unwrap();
        let mut child = Command::new("docker-registry")
            .arg("serve")
            .arg(&path)
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        let start = Instant::now();
        while start.elapsed() < Duration::from_secs(30) {
            if child.try_wait().unwrap().is_some() {
                return None;
            }
            if TcpStream::connect(("127.0.0.1", port)).is_ok() {
                return Some(Self {
                    host: format!("127.0.0.1:{port}"),
                    dir,
                    child,
                });
            }
            sleep(Duration::from_millis(20));
        }
        let _ = child.kill();
        let _ = child.wait();
        None
    }

    /// Where the storage keeps a blob.
    pub fn blob_path(&self, digest: &str) -> PathBuf {
        let hex = digest.strip_prefix("sha256:").unwrap();
        let blobs = self
            .dir
            .path()
            .join("storage/docker/registry/v2/blobs/sha256");
        blobs.join(&hex[..2]).join(hex).join("data")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

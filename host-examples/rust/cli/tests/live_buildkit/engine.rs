//! A buildkitd with nothing in it, and a build to give it.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::needs;
use super::process::{self, Place, Service};

/// Whether a test of buildkitd can run. If not, says why, or fails when it has to.
pub fn met() -> bool {
    let programs = [
        "buildkitd",
        "buildctl",
        "runc",
        "docker-registry",
        "skopeo",
        "cc",
        "setpriv",
        "timeout",
        "id",
    ];
    needs::programs(&programs) && needs::root("buildkitd")
}

/// A daemon. Its state goes away with it.
pub struct Engine {
    // Dropped in this order: the daemon ends before its files go.
    _service: Service,
    place: Place,
}

impl Engine {
    pub fn start() -> Self {
        let place = Place::new();
        let root = place.path().join("root");
        let address = address(&place);
        let arguments = [
            "--root",
            root.to_str().unwrap(),
            "--addr",
            &address,
            "--config",
            "/dev/null",
            "--containerd-worker=false",
            "--oci-worker=true",
            "--oci-worker-binary=runc",
            "--oci-worker-snapshotter=native",
        ];
        let mut service = Service::start("buildkitd", arguments, place.path().join("log"));
        let listens = || {
            let list = ["--addr", &address, "debug", "workers"];
            process::run("buildctl", list, None).success
        };
        if let Err(why) = service.wait_for(listens) {
            panic!("buildkitd cannot be used: {why}");
        }
        Self {
            _service: service,
            place,
        }
    }

    /// Builds a context and returns what was said of each step.
    #[track_caller]
    pub fn build(&self, context: &Context, more: &[&str]) -> String {
        let (done, log) = self.try_build(context, more);
        assert!(done, "{log}");
        log
    }

    /// Builds a context; returns whether that was done, and what was said.
    pub fn try_build(&self, context: &Context, more: &[&str]) -> (bool, String) {
        self.build_at(context.place.path(), more)
    }

    /// Where the daemon keeps what it knows.
    pub fn root(&self) -> PathBuf {
        self.place.path().join("root")
    }

    /// Builds a directory; returns whether that was done, and what was said.
    pub fn build_at(&self, directory: &Path, more: &[&str]) -> (bool, String) {
        let local = directory.to_str().unwrap();
        let mut arguments = vec![
            "--addr".to_owned(),
            address(&self.place),
            "build".to_owned(),
            "--progress=rawjson".to_owned(),
            "--frontend=dockerfile.v0".to_owned(),
            format!("--local=context={local}"),
            format!("--local=dockerfile={local}"),
        ];
        arguments.extend(more.iter().map(|argument| (*argument).to_owned()));
        let output = process::run("buildctl", arguments, None);
        (output.success, output.stderr)
    }
}

fn address(place: &Place) -> String {
    format!("unix://{}", place.path().join("socket").display())
}

/// A build with two branches that meet again. Its only base is a program that
/// writes files.
pub struct Context {
    place: Place,
}

const DOCKERFILE: &str = r#"FROM scratch AS base
COPY tool /tool
RUN ["/tool", "/one", "1"]

FROM base AS left
COPY a /a
RUN ["/tool", "/left", "l"]

FROM base AS right
COPY b /b
RUN ["/tool", "/right", "r"]

FROM base
COPY --from=left /left /left
COPY --from=right /right /right
RUN ["/tool", "/last", "2"]
"#;

/// Steps that a cache can hold.
pub const STEPS: usize = 9;

const TOOL: &str = "#include <stdio.h>
int main(int count, char **words) {
  FILE *file = fopen(words[1], \"w\");
  return !file || fputs(words[2], file) < 0 || fclose(file) != 0;
}
";

impl Context {
    pub fn new() -> Self {
        let place = Place::new();
        let path = place.path();
        compile(path);
        fs::write(path.join("Dockerfile"), DOCKERFILE).unwrap();
        fs::write(path.join(".dockerignore"), "tool.c\n").unwrap();
        let context = Self { place };
        context.write("a", "a");
        context.write("b", "b");
        context
    }

    pub fn write(&self, name: &str, text: &str) {
        fs::write(self.place.path().join(name), text).unwrap();
    }
}

/// The program of the contexts.
pub fn tool() -> Vec<u8> {
    let place = Place::new();
    compile(place.path());
    fs::read(place.path().join("tool")).unwrap()
}

fn compile(at: &Path) {
    let source = at.join("tool.c");
    fs::write(&source, TOOL).unwrap();
    let options = ["-static", "-O1", "-o"].map(Path::new);
    let tool = at.join("tool");
    let options = options.into_iter().chain([tool.as_path(), &source]);
    let output = process::run("cc", options, None);
    assert!(output.success, "{}", output.stderr);
}

/// How many steps came from a cache. A step that did is no longer reported as such
/// once its layers are being fetched, so what counts is that it ever was.
pub fn cached(log: &str) -> usize {
    let mut steps = BTreeSet::new();
    for line in log.lines() {
        // The last line of a build that failed is its error.
        let Ok(status) = serde_json::from_str::<Value>(line) else {
            continue;
        };
        for step in status["vertexes"].as_array().into_iter().flatten() {
            if step["cached"] == true {
                steps.insert(step["digest"].to_string());
            }
        }
    }
    steps.len()
}

//! A Docker engine of its own, from start to end.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use layerwise::host::{Facts, Image, ImageStore};
use layerwise::oci::Platform;
use layerwise_stores::DockerRoot;

use super::needs;
use super::process::{self, Output, Place, Service};

/// More than any document here has.
const LIMIT: u64 = 1 << 24;

/// Which engine it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// 20.10, as Debian has it.
    V20Dot10,
    /// 29, made from its module; the script `docker-29` says how.
    V29 { containerd: bool },
}

impl Kind {
    /// The one that `LAYERWISE_LIVE_ENGINE` names, 20.10 unless it is set.
    pub fn asked() -> Self {
        match env::var("LAYERWISE_LIVE_ENGINE").as_deref() {
            Err(_) | Ok("20.10") => Self::V20Dot10,
            Ok("29-graph") => Self::V29 { containerd: false },
            Ok("29-containerd") => Self::V29 { containerd: true },
            Ok(other) => panic!("no engine {other:?}: 20.10, 29-graph or 29-containerd"),
        }
    }

    /// The version of the rules.
    pub const fn rules(self) -> &'static str {
        match self {
            Self::V20Dot10 => "20.10",
            Self::V29 { .. } => "29.9",
        }
    }

    /// Its configuration: no driver that a container could not use, too. The runc that is
    /// made for 29 knows no seccomp, which needs a library of C.
    const fn config(self) -> &'static str {
        match self {
            Self::V20Dot10 => r#"{"storage-driver":"vfs"}"#,
            Self::V29 { containerd: false } => {
                r#"{"storage-driver":"vfs","seccomp-profile":"unconfined","features":{"containerd-snapshotter":false}}"#
            }
            Self::V29 { containerd: true } => {
                r#"{"storage-driver":"native","seccomp-profile":"unconfined","features":{"containerd-snapshotter":true}}"#
            }
        }
    }

    fn is(self, version: &str) -> bool {
        version.starts_with(match self {
            Self::V20Dot10 => "20.10.",
            Self::V29 { .. } => "29.",
        })
    }
}

/// An engine with an empty data root.
pub struct Engine {
    // Dropped in this order: the engine ends before its files go.
    service: Service,
    place: Place,
    /// Its version, as it prints it.
    pub version: String,
    /// What it builds for.
    pub platform: Platform,
    pub kind: Kind,
}

impl Engine {
    /// Starts Docker 20.10; `None` if this machine cannot run it, which is reported.
    pub fn start() -> Option<Self> {
        Self::start_kind(Kind::V20Dot10)
    }

    /// The same with a certain engine.
    pub fn start_kind(kind: Kind) -> Option<Self> {
        match Self::try_start(kind) {
            Ok(engine) if kind.is(&engine.version) => Some(engine),
            Ok(engine) => {
                let version = &engine.version;
                needs::skip(&format!("this test is for {kind:?}, not for {version}"));
                None
            }
            Err(why) => {
                needs::skip(&format!("no Docker engine can be started here: {why}"));
                None
            }
        }
    }

    fn try_start(kind: Kind) -> Result<Self, String> {
        let place = Place::new();
        let path = place.path();
        fs::write(path.join("daemon.json"), kind.config()).unwrap();
        let at = |name: &str| path.join(name).display().to_string();
        let service = Service::start(
            "dockerd",
            [
                "--config-file".to_owned(),
                at("daemon.json"),
                "--data-root".to_owned(),
                at("data"),
                "--exec-root".to_owned(),
                at("exec"),
                "--pidfile".to_owned(),
                at("pid"),
                format!("--host=unix://{}", at("sock")),
                "--bridge=none".to_owned(),
                "--iptables=false".to_owned(),
                "--ip6tables=false".to_owned(),
            ],
            path.join("log"),
        );
        let mut engine = Self {
            service,
            place,
            version: String::new(),
            platform: Platform::default(),
            kind,
        };
        let socket = engine.place.path().join("sock");
        engine.service.wait_for(|| socket.exists())?;
        let facts = "{{.Server.Version}} {{.Server.Os}} {{.Server.Arch}}";
        let facts = engine.docker(&["version", "--format", facts]);
        let mut facts = facts.split_whitespace().map(str::to_owned);
        let mut next = || facts.next().unwrap();
        engine.version = next();
        engine.platform.os = next();
        engine.platform.architecture = next();
        Ok(engine)
    }

    /// Runs a command against it, which must succeed, and gives what it printed.
    pub fn docker(&self, arguments: &[&str]) -> String {
        self.must(arguments, self.run(arguments, None))
    }

    /// Runs a command against it; `None` if the engine lost a layer that it was making,
    /// as 20.10 now and then does when one that is the same is removed meanwhile.
    pub fn docker_unless_lost(&self, arguments: &[&str]) -> Option<String> {
        let output = self.run(arguments, None);
        let lost = [&output.stdout, &output.stderr]
            .iter()
            .any(|text| text.contains("layer does not exist"));
        (output.success || !lost).then(|| self.must(arguments, output))
    }

    /// Runs a command against it that reads `input`.
    pub fn docker_with(&self, arguments: &[&str], input: &[u8]) -> String {
        let path = self.place.path().join("input");
        fs::write(&path, input).unwrap();
        self.must(arguments, self.run(arguments, Some(path)))
    }

    /// Its images, for `--store`.
    pub fn store(&self) -> String {
        format!("docker:{}", self.place.path().join("data").display())
    }

    /// Its images as they are now.
    pub fn images(&self) -> DockerRoot {
        DockerRoot::open(&self.place.path().join("data")).unwrap()
    }

    /// A copy of its image database, in which exactly these images have the mark of
    /// later engines for what was built here.
    pub fn marked(&self, built_here: &[&str]) -> (Place, DockerRoot) {
        let copy = Place::new();
        let images = self.place.path().join("data/image");
        let output = process::run("cp", [Path::new("-a"), &images, copy.path()], None);
        assert!(output.success, "{}", output.stderr);
        for id in built_here {
            let hex = id.trim_start_matches("sha256:");
            let facts = copy
                .path()
                .join("image/vfs/imagedb/metadata/sha256")
                .join(hex);
            fs::create_dir_all(&facts).unwrap();
            fs::write(facts.join("builtLocally"), [1]).unwrap();
        }
        let root = DockerRoot::open(copy.path()).unwrap();
        (copy, root)
    }

    /// The image behind a name, an id or the beginning of one, with its document
    /// and its recorded parent.
    pub fn image(&self, reference: &str) -> Image {
        let images = self.images();
        let mut found = images.resolve(&[reference.to_owned()], LIMIT);
        let id = found.remove(0).unwrap().id;
        let want = Facts {
            document: true,
            parent: true,
            built: false,
        };
        images.get(&[id], want, LIMIT).remove(0).unwrap()
    }

    fn run(&self, arguments: &[&str], input: Option<PathBuf>) -> Output {
        let path = self.place.path();
        let mut all = vec![
            // The classic builder, whatever the client prefers.
            "DOCKER_BUILDKIT=0".to_owned(),
            needs::docker().to_owned(),
            format!("--host=unix://{}", path.join("sock").display()),
            format!("--config={}", path.join("client").display()),
        ];
        all.extend(arguments.iter().map(|&argument| argument.to_owned()));
        process::run("env", all, input.as_deref())
    }

    fn must(&self, arguments: &[&str], output: Output) -> String {
        assert!(
            output.success,
            "docker {} failed\n{}{}\nthe engine's last messages:\n{}",
            arguments.join(" "),
            output.stdout,
            output.stderr,
            self.service.messages()
        );
        output.stdout
    }
}

//! Caches pass back and forth between the real lifecycle and this one over
//! generations of a build: what either writes is the same to the byte, and what
//! either restores is the same file by file.
//!
//! Upstream's own restorer and exporter are those of `tests/oracle/buildpacks/phases`.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, lchown, symlink};
use std::os::unix::net::UnixListener;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use layerwise_conformance::upstream::Program;
use serde_json::Value;

use super::host::layerwise;
use crate::support::live::{Server, run};
use crate::support::{self, Dir};

const USER: u32 = 1000;
const GROUP: u32 = 1001;
const API: &str = "0.14";
const METADATA: &str = "io.buildpacks.lifecycle.cache.metadata";

/// Where caches are.
enum Place {
    /// In a registry, by these names.
    Images(Server),
    /// In the directory `cache` of each root.
    Volumes,
}

/// The directory that is `/` in layers.
struct Root(Dir);

impl Root {
    fn new() -> Self {
        let root = Self(Dir::new());
        fs::create_dir_all(root.path("layers")).unwrap();
        fs::create_dir_all(root.path("cache")).unwrap();
        fs::write(
            root.path("layers/group.toml"),
            "[[group]]\nid = \"ex/alpha\"\nversion = \"1\"\napi = \"0.10\"\n\n\
             [[group]]\nid = \"ex/beta\"\nversion = \"2\"\napi = \"0.12\"\n",
        )
        .unwrap();
        fs::write(root.path("layers/analyzed.toml"), "").unwrap();
        root
    }

    fn path(&self, name: impl AsRef<Path>) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, content: &str) -> PathBuf {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, content).unwrap();
        path
    }

    fn layer(&self, name: &str, flags: &str, version: u32) {
        let text = format!("[types]\n{flags}\n[metadata]\nversion = {version}\n");
        self.write(&format!("layers/{name}.toml"), &text);
    }

    /// What buildpacks make in a generation, over what was restored.
    fn build(&self, generation: u32) {
        let both = "launch = true\ncache = true";
        self.layer("ex_alpha/both", both, 1);
        self.write("layers/ex_alpha/both/bin/tool", "#!/bin/sh\n");
        let long = format!("layers/ex_alpha/both/{}/{}", "d".repeat(90), "f".repeat(90));
        self.write(&long, "long");
        let unsplit = "n".repeat(140);
        self.write(&format!("layers/ex_alpha/both/{unsplit}"), "longer");
        self.write("layers/ex_alpha/both/w\u{f6}rter/\u{1f600}", "text");
        let odd = self.path("layers/ex_alpha/both");
        fs::write(odd.join(OsStr::from_bytes(b"not-utf-8-\xff")), "x").unwrap();
        for (link, target) in [
            ("relative", "bin/tool"),
            ("absolute", "/layers/ex_alpha/both/bin"),
            ("outside", "../../ex_beta"),
            ("nowhere", "/nowhere/at/all"),
            ("long", &format!("bin/{}", "t".repeat(140))),
        ] {
            let _ = fs::remove_file(odd.join(link));
            symlink(target, odd.join(link)).unwrap();
        }
        self.layer("ex_alpha/only", "cache = true", generation);
        self.write(
            "layers/ex_alpha/only/data",
            &format!("generation {generation}"),
        );
        let _ = fs::remove_file(self.path("layers/ex_alpha/only/again"));
        let data = self.path("layers/ex_alpha/only/data");
        fs::hard_link(data, self.path("layers/ex_alpha/only/again")).unwrap();
        fs::create_dir_all(self.path("layers/ex_alpha/only/empty")).unwrap();
        let socket = self.path("layers/ex_alpha/only/socket");
        let _ = fs::remove_file(&socket);
        drop(UnixListener::bind(socket).unwrap());
        self.layer("ex_alpha/lost", "cache = true", 1);
        self.layer("ex_beta/kept", "build = true\ncache = true", 1);
        let kept = self.write("layers/ex_beta/kept/file", "kept");
        for (path, mode) in [
            (odd.join("bin/tool"), 0o755),
            (odd.join("bin"), 0o1777),
            (kept, 0o400),
            (self.path("layers/ex_beta/kept"), 0o750),
        ] {
            fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
        }
        // A layer that comes, and one that goes.
        let name = if generation == 0 { "first" } else { "later" };
        self.layer(&format!("ex_beta/{name}"), "cache = true", 1);
        self.write(&format!("layers/ex_beta/{name}/file"), name);
        for layer in ["both", "only"] {
            let text = format!("{{\"bom\":\"{layer} {generation}\"}}");
            self.write(
                &format!("layers/sbom/cache/ex_alpha/{layer}/sbom.cdx.json"),
                &text,
            );
        }
    }

    /// The layers directory: kind, mode, content and owner of everything.
    fn found(&self) -> BTreeMap<PathBuf, String> {
        let mut found = BTreeMap::new();
        let top = self.path("layers");
        let mut left = vec![top.clone()];
        while let Some(path) = left.pop() {
            let facts = fs::symlink_metadata(&path).unwrap();
            let name = path.strip_prefix(&top).unwrap().to_owned();
            let kind = facts.file_type();
            let mut said = if kind.is_symlink() {
                format!("-> {:?}", fs::read_link(&path).unwrap())
            } else if kind.is_dir() {
                left.extend(
                    fs::read_dir(&path)
                        .unwrap()
                        .map(|entry| entry.unwrap().path()),
                );
                format!("directory {:o}", facts.mode())
            } else {
                let bytes = fs::read(&path).unwrap();
                format!("{:o} {}", facts.mode(), bytes.escape_ascii())
            };
            if name.to_string_lossy().contains(".sbom.") {
                // The lifecycle copies these with one of two modes, by chance.
                said = said.split_once(' ').unwrap().1.to_owned();
            }
            said += &format!(" {}:{}", facts.uid(), facts.gid());
            found.insert(name, said);
        }
        found.remove(Path::new("group.toml"));
        found.remove(Path::new("analyzed.toml"));
        found
    }
}

/// Everything belongs to the user that builds.
fn give_away(path: &Path) {
    let mut left = vec![path.to_owned()];
    while let Some(path) = left.pop() {
        lchown(&path, Some(USER), Some(GROUP)).unwrap();
        if fs::symlink_metadata(&path).unwrap().is_dir() {
            left.extend(
                fs::read_dir(&path)
                    .unwrap()
                    .map(|entry| entry.unwrap().path()),
            );
        }
    }
}

impl Place {
    /// Where cache `index` is, seen from a root that is `/` or from outside.
    fn arguments(&self, index: usize, root: Option<&Root>, dashes: &str) -> [String; 2] {
        match (self, root) {
            (Self::Images(server), _) => [
                format!("{dashes}cache-image"),
                format!("{}/cache-{index}:latest", server.host),
            ],
            (Self::Volumes, None) => [format!("{dashes}cache-dir"), "/cache".to_owned()],
            (Self::Volumes, Some(root)) => [
                format!("{dashes}cache-dir"),
                root.path("cache").display().to_string(),
            ],
        }
    }

    /// What cache `index`, which is in this root, holds.
    fn content(&self, index: usize, root: &Root) -> BTreeMap<String, String> {
        match self {
            Self::Images(server) => {
                let all = support::repositories(&root.0);
                let name = format!("{}/cache-{index}:latest", server.host);
                let descriptor = support::resolve(&all, &name).unwrap().remove(0);
                let repository = format!("{}/cache-{index}", server.host);
                let manifest = support::read(&all, &repository, &descriptor).unwrap();
                let manifest: Value = serde_json::from_str(&manifest).unwrap();
                let config = layerwise::oci::Descriptor {
                    digest: manifest["config"]["digest"].as_str().unwrap().to_owned(),
                    size: manifest["config"]["size"].as_u64().unwrap(),
                    ..layerwise::oci::Descriptor::default()
                };
                let config = support::read(&all, &repository, &config).unwrap();
                let config: Value = serde_json::from_str(&config).unwrap();
                let label = config["config"]["Labels"][METADATA].as_str().unwrap();
                BTreeMap::from([
                    ("layers".to_owned(), config["rootfs"].to_string()),
                    ("metadata".to_owned(), label.to_owned()),
                ])
            }
            Self::Volumes => {
                let files = fs::read_dir(root.path("cache/committed")).unwrap();
                let file = |entry: std::io::Result<fs::DirEntry>| {
                    let entry = entry.unwrap();
                    let name = entry.file_name().into_string().unwrap();
                    let bytes = fs::read(entry.path()).unwrap();
                    (name, layerwise::oci::sha256(&bytes).to_string())
                };
                files.map(file).collect()
            }
        }
    }
}

/// Runs a phase of the real lifecycle.
fn real(phases: &Program, phase: &str, root: &Root, cache: [String; 2]) {
    let [option, place] = cache;
    let (user, group) = (USER.to_string(), GROUP.to_string());
    let at = root.path("").display().to_string();
    let arguments = [
        phase,
        &at,
        "-layers",
        "/layers",
        "-group",
        "/layers/group.toml",
        "-analyzed",
        "/layers/analyzed.toml",
        "-platform-api",
        API,
        "-uid",
        &user,
        "-gid",
        &group,
        &option,
        &place,
    ];
    phases.ask(&arguments, "").unwrap();
}

/// The same on our side.
fn ours(words: &[&str], root: &Root, cache: &[String], more: &[&str]) {
    let mut command = layerwise(root.0.path());
    let command: &mut Command = command
        .args(words)
        .args(cache)
        .args(["--compatible", "--platform-api", API])
        .arg("--layers")
        .arg(root.path("layers"))
        .arg("--root")
        .arg(root.path(""))
        .arg("--group")
        .arg(root.path("layers/group.toml"))
        .args(more)
        .uid(USER)
        .gid(GROUP)
        .env("CNB_USER_ID", USER.to_string())
        .env("CNB_GROUP_ID", GROUP.to_string());
    run(command);
}

fn pass_back_and_forth(place: &Place, phases: &Program) {
    let mut before: Option<[Root; 2]> = None;
    for generation in 0..4 {
        // The cache that one of us wrote is the other's now.
        let (theirs, mine) = (generation % 2, 1 - generation % 2);
        let roots = [Root::new(), Root::new()];
        let [real_root, our_root] = &roots;
        if let Some([their_old, our_old]) = before.take() {
            if matches!(place, Place::Volumes) {
                for (from, to) in [(&our_old, real_root), (&their_old, our_root)] {
                    fs::remove_dir(to.path("cache")).unwrap();
                    run(Command::new("cp")
                        .arg("-a")
                        .arg(from.path("cache"))
                        .arg(to.path("cache")));
                }
            }
            for root in &roots {
                give_away(&root.path(""));
            }
            real(
                phases,
                "restore",
                real_root,
                place.arguments(theirs, None, "-"),
            );
            let analyzed = our_root.path("layers/analyzed.toml").display().to_string();
            ours(
                &["buildpacks", "restore"],
                our_root,
                &place.arguments(mine, Some(our_root), "--"),
                &["--analyzed", &analyzed, "--data"],
            );
            assert_eq!(our_root.found(), real_root.found(), "restore {generation}");
        }
        let version = u32::try_from(generation).unwrap().min(2);
        for root in &roots {
            root.build(version);
            give_away(&root.path(""));
        }
        real(
            phases,
            "export",
            real_root,
            place.arguments(theirs, None, "-"),
        );
        let cache = place.arguments(mine, Some(our_root), "--");
        let cache = match place {
            Place::Images(_) => &cache[1..],
            Place::Volumes => &cache[..],
        };
        ours(&["buildpacks", "cache", "commit"], our_root, cache, &[]);
        assert_eq!(
            place.content(mine, our_root),
            place.content(theirs, real_root),
            "export {generation}"
        );
        before = Some(roots);
    }
}

/// The program, where it can be built and run.
fn phases() -> Option<Program> {
    if !rustix::process::geteuid().is_root() {
        println!("skipped: the lifecycle's directories are changed by root");
        assert!(std::env::var_os("LAYERWISE_REQUIRE_LIVE").is_none_or(|value| value != "1"));
        return None;
    }
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let open = |path: &Path| fs::metadata(path).unwrap().mode() & 0o001 > 0;
    if let Some(closed) = directory.ancestors().find(|path| !open(path)) {
        println!("skipped: the user that builds cannot reach {closed:?}");
        assert!(std::env::var_os("LAYERWISE_REQUIRE_LIVE").is_none_or(|value| value != "1"));
        return None;
    }
    Program::build_or_skip("buildpacks/phases", directory)
}

#[test]
fn cache_images_pass_back_and_forth() {
    let (Some(phases), Some(server)) = (phases(), Server::start()) else {
        return;
    };
    pass_back_and_forth(&Place::Images(server), &phases);
}

#[test]
fn volume_caches_pass_back_and_forth() {
    if let Some(phases) = phases() {
        pass_back_and_forth(&Place::Volumes, &phases);
    }
}

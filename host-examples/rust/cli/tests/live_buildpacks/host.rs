//! A build on a host of its own: layers in a directory, sessions through the
//! component over the real registry and file system.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, OnceLock};

use layerwise::buildpacks::{
    Addition, AdditionSource, Commit, GroupElement, ImageOptions, ImagePolicy, LayerAnswer,
    WantedLayer,
};
use layerwise::host::{Destination, Registry};
use layerwise::oci::sha256;
use layerwise_host::buildpacks::CacheImage;
use layerwise_host::{Engine, EngineOptions, Error, Imports, SessionLimits};
use layerwise_registry::{Options, Repositories, Rooted};

use crate::support::{Dir, Item, file, folder, link, options, tar};

pub const SCOPE: &str = "team/app linux/amd64";

/// One engine for all tests.
pub fn engine() -> &'static Engine {
    static ENGINE: OnceLock<Engine> = OnceLock::new();
    ENGINE.get_or_init(|| Engine::new(&EngineOptions::default()).unwrap())
}

/// A host: a directory that is `/` in layers.
pub struct Host {
    pub dir: Dir,
}

impl Host {
    pub fn new() -> Self {
        Self { dir: Dir::new() }
    }

    pub fn path(&self) -> &Path {
        self.dir.path()
    }

    /// Writes a layer's tar file and returns its diff id.
    pub fn tar(&self, name: &str, bytes: &[u8]) -> String {
        fs::write(self.path().join(name), bytes).unwrap();
        sha256(bytes).to_string()
    }

    /// The registry with the files of this host.
    pub fn registry(&self, options: Options) -> Arc<Repositories> {
        registry_at(self.path(), options)
    }

    /// A session over a cache image.
    pub fn open(&self, reference: &str) -> Result<CacheImage, Error> {
        self.open_with(reference, options())
    }

    pub fn open_with(&self, reference: &str, settings: Options) -> Result<CacheImage, Error> {
        open(self.registry(settings), image_options(reference))
    }
}

pub fn registry_at(path: &Path, options: Options) -> Arc<Repositories> {
    let paths = Arc::new(Rooted::open(path).unwrap());
    Arc::new(Repositories::new(options.paths(paths).scratch(path)).unwrap())
}

pub fn image_options(reference: &str) -> ImageOptions {
    ImageOptions {
        reference: reference.to_owned(),
        scope: SCOPE.to_owned(),
        policy: ImagePolicy {
            delete_original: true,
            ..ImagePolicy::default()
        },
        ..ImageOptions::default()
    }
}

pub fn open(
    registry: Arc<dyn Registry + Send + Sync>,
    options: ImageOptions,
) -> Result<CacheImage, Error> {
    let lent = Imports {
        registry,
        ..Imports::default()
    };
    engine().buildpacks_image(lent, options, SessionLimits::default())
}

/// The entries of a layer: files with modes, a directory, both kinds of links.
pub fn layer(name: &str) -> Vec<u8> {
    let path = |inside: &str| format!("layers/ex_bp/{name}{inside}");
    let names = [
        path(""),
        path("/bin"),
        path("/bin/tool"),
        path("/data.txt"),
        path("/link"),
        path("/same.txt"),
    ];
    let [root, bin, tool, data, symbolic, hard] = &names;
    let text = format!("data of {name}");
    tar(&[
        folder("layers", 0o755),
        folder("layers/ex_bp", 0o755),
        folder(root, 0o755),
        folder(bin, 0o750),
        Item {
            mode: 0o755,
            ..file(tool, "#!/bin/sh\n")
        },
        Item {
            mode: 0o640,
            ..file(data, &text)
        },
        link(b'2', symbolic, "bin/tool"),
        link(b'1', hard, data),
    ])
}

/// What [`layer`] is when it was unpacked.
pub fn unpacked(name: &str) -> Vec<String> {
    vec![
        "bin/".to_owned(),
        "bin/tool = #!/bin/sh\n".to_owned(),
        format!("data.txt = data of {name}"),
        "link -> bin/tool".to_owned(),
        format!("same.txt = data of {name}"),
    ]
}

pub fn mode(path: &Path) -> u32 {
    fs::symlink_metadata(path).unwrap().permissions().mode() & 0o7777
}

/// Metadata that names these layers, all cached.
pub fn metadata(layers: &[(&str, &str)]) -> String {
    let layers: Vec<String> = layers
        .iter()
        .map(|(name, sha)| {
            format!(
                r#""{name}":{{"sha":"{sha}","data":{{"made":"{name}"}},"build":false,"launch":false,"cache":true}}"#
            )
        })
        .collect();
    format!(
        r#"{{"sbom":{{"sha":""}},"buildpacks":[{{"key":"ex/bp","version":"1","layers":{{{}}}}}]}}"#,
        layers.join(",")
    )
}

pub fn group() -> Vec<GroupElement> {
    vec![GroupElement {
        id: "ex/bp".to_owned(),
        version: "1".to_owned(),
        api: "0.10".to_owned(),
    }]
}

/// A whole build: adds layers by their names, and commits.
pub fn build(host: &Host, image: &mut CacheImage, names: &[&str]) -> Result<Commit, Error> {
    let mut shas = Vec::new();
    let mut additions = Vec::new();
    for name in names {
        let tar = format!("{name}.tar");
        shas.push((*name, host.tar(&tar, &layer(name))));
        additions.push(Addition {
            source: AdditionSource::File(tar),
            diff_id: String::new(),
        });
    }
    image.add(&additions)?;
    let named: Vec<(&str, &str)> = shas.iter().map(|(name, sha)| (*name, &**sha)).collect();
    image.set_metadata(&metadata(&named))?;
    image.commit()
}

/// Asks for one layer, unpacked where it belongs.
pub fn retrieve(image: &mut CacheImage, diff_id: &str, name: &str) -> LayerAnswer {
    let wanted = WantedLayer {
        diff_id: diff_id.to_owned(),
        into: Some(Destination {
            root: ".".to_owned(),
            prefix: format!("layers/ex_bp/{name}"),
        }),
    };
    image.retrieve(&[wanted]).unwrap().remove(0)
}

pub fn code(finding: &layerwise::explain::Finding) -> &str {
    finding.code.trim_start_matches("buildpacks/")
}

/// The evidence of a finding as text.
pub fn evidence(finding: &layerwise::explain::Finding) -> String {
    let facts = finding
        .differences
        .iter()
        .map(|fact| format!("{}={}", fact.path, fact.have.as_deref().unwrap_or_default()));
    facts.collect::<Vec<_>>().join(" ")
}

/// The command line, on a host.
pub fn layerwise(host: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_layerwise"));
    command.env("DOCKER_CONFIG", host).current_dir(host);
    command
}

/// A layers directory as a build leaves it, with a group.toml beside.
pub fn layers_directory(root: &Path, layers: &[&str]) -> PathBuf {
    fs::write(
        root.join("group.toml"),
        "[[group]]\nid = \"ex/bp\"\nversion = \"1\"\napi = \"0.10\"\n",
    )
    .unwrap();
    let all = root.join("layers");
    for name in layers {
        let layer = all.join("ex_bp").join(name);
        fs::create_dir_all(layer.join("bin")).unwrap();
        fs::write(layer.join("bin/tool"), "#!/bin/sh\n").unwrap();
        fs::set_permissions(layer.join("bin/tool"), fs::Permissions::from_mode(0o755)).unwrap();
        fs::write(layer.join("data.txt"), format!("data of {name}")).unwrap();
        symlink("bin/tool", layer.join("link")).unwrap();
        fs::write(layer.join("same.txt"), format!("data of {name}")).unwrap();
        let toml = format!("[types]\ncache = true\n\n[metadata]\nmade = \"{name}\"\n");
        fs::write(all.join("ex_bp").join(format!("{name}.toml")), toml).unwrap();
    }
    all
}

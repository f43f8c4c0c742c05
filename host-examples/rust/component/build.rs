//! Builds the component as it is released: the same bytes wherever the repository,
//! cargo's home and the compiler are. Outside of the repository, in the package that is
//! published, the component is a file beside this one.
//!
//! It needs no other package, so that cargo can run it while it compiles those of
//! the hosts.

use std::ffi::OsString;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::{env, fs};

const TARGET: &str = "wasm32-wasip2";
/// The stores over WASI, which are built like the component of a world.
const STORES: &str = "layerwise-wasi-stores";

/// The worlds of one system or two.
const WORLDS: [&str; 6] = [
    "docker",
    "dockerfile",
    "buildkit",
    "builds",
    "buildpacks",
    "stacker",
];

fn main() -> ExitCode {
    match build() {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("{message}");
            ExitCode::FAILURE
        }
    }
}

fn build() -> Result<(), String> {
    let here = PathBuf::from(variable("CARGO_MANIFEST_DIR")?);
    let out = PathBuf::from(variable("OUT_DIR")?);
    if env::var_os("CARGO_FEATURE_WASI").is_some() {
        provide(&here, &out, STORES, "layerwise-stores.wasm", "stores")?;
    }
    if env::var_os("CARGO_FEATURE_SHIPPED").is_some() {
        provide(&here, &out, "cache", "layerwise.wasm", "wasm")?;
    }
    if env::var_os("CARGO_FEATURE_TESTING").is_some() {
        provide(
            &here,
            &out,
            "cache-testing",
            "layerwise-testing.wasm",
            "testing",
        )?;
    }
    if env::var_os("CARGO_FEATURE_WORLDS").is_some() {
        let mut list = String::new();
        for world in WORLDS {
            let name = format!("layerwise-{world}.wasm");
            provide(&here, &out, &format!("{world}-cache"), &name, world)?;
            let path = out.join(&name);
            list += &format!("({world:?}, include_bytes!({path:?})),");
        }
        let to = out.join("worlds.rs");
        fs::write(&to, format!("&[{list}]"))
            .map_err(|error| format!("write {}: {error}", to.display()))?;
    }
    Ok(())
}

/// Puts the component of a world where this package takes it from, and tells the
/// packages that depend on this one where that is.
fn provide(here: &Path, out: &Path, world: &str, name: &str, key: &str) -> Result<(), String> {
    let packed = here.join(name);
    let component = match packed.is_file() {
        true => packed,
        false => compile(&here.join("../../.."), out, world)?,
    };
    let copy = out.join(name);
    let mut bytes =
        fs::read(&component).map_err(|error| format!("read {}: {error}", component.display()))?;
    if component != here.join(name) {
        for (section, text) in about()? {
            append(&mut bytes, section, &text)?;
        }
    }
    fs::write(&copy, bytes).map_err(|error| format!("write {}: {error}", copy.display()))?;
    println!("cargo::metadata={key}={}", copy.display());
    Ok(())
}

/// What the component says of itself, in the custom sections where `wkg` and registries
/// look for it.
fn about() -> Result<[(&'static str, String); 6], String> {
    Ok([
        // One subsection of kind 0 with 10 bytes: a name of 9.
        ("component-name", "\u{0}\u{a}\u{9}layerwise".to_owned()),
        ("version", variable("CARGO_PKG_VERSION")?),
        (
            "description",
            "Decides what a container build may reuse, and says why".to_owned(),
        ),
        ("licenses", variable("CARGO_PKG_LICENSE")?),
        ("source", variable("CARGO_PKG_REPOSITORY")?),
        ("homepage", variable("CARGO_PKG_HOMEPAGE")?),
    ])
}

/// Appends a custom section: its kind, its length, and a name before the text.
fn append(component: &mut Vec<u8>, name: &str, text: &str) -> Result<(), String> {
    let body: Vec<u8> = [&[length(name.len())?], name.as_bytes(), text.as_bytes()].concat();
    component.extend([0, length(body.len())?]);
    component.extend(body);
    Ok(())
}

/// A length below 128 is one byte of LEB128.
fn length(of: usize) -> Result<u8, String> {
    let byte = u8::try_from(of).ok().filter(|byte| *byte < 0x80);
    byte.ok_or_else(|| format!("a section of {of} bytes is too long"))
}

/// Where the component of a world is built. It takes minutes, and so is done once for all
/// builds of this package in a profile, whatever features were asked of the hosts.
fn place(root: &Path, out: &Path, world: &str) -> PathBuf {
    // Cargo gives PROFILE/build/PACKAGE-HASH/out.
    let profile = match out.parent().and_then(Path::parent) {
        Some(builds) if builds.ends_with("build") => builds.parent(),
        _ => None,
    };
    // Another clone with the same target directory would leave its file under the same name.
    let mut clone = DefaultHasher::new();
    root.hash(&mut clone);
    let name = format!("{world}-{:016x}", clone.finish());
    profile.unwrap_or(out).join("components").join(name)
}

/// Builds the component of a world from the repository below a directory.
fn compile(root: &Path, out: &Path, world: &str) -> Result<PathBuf, String> {
    let root = fs::canonicalize(root).map_err(|error| format!("find {root:?}: {error}"))?;
    let small = WORLDS.iter().any(|name| world == format!("{name}-cache"));
    let built = &place(&root, out, if small { "worlds" } else { world });
    for input in [
        "src",
        "wit",
        "Cargo.toml",
        "Cargo.lock",
        ".cargo/config.toml",
        "host-examples/rust/component/build.rs",
    ] {
        println!("cargo::rerun-if-changed={}", root.join(input).display());
    }
    let package = if world == STORES { STORES } else { "layerwise" };
    let file = format!("{}.wasm", package.replace('-', "_"));
    let made = built.join(TARGET).join("component");
    if small {
        // They share what they depend on, and each leaves its file where the others do:
        // cargo takes the last one for that of any.
        let _ = fs::remove_file(made.join("deps").join(&file));
    }
    if package == STORES {
        for input in [
            "wasi",
            "rust/bolt",
            "rust/files",
            "rust/registry",
            "rust/stores",
        ] {
            let input = root.join("host-examples").join(input);
            println!("cargo::rerun-if-changed={}", input.display());
        }
    }
    println!("cargo::rerun-if-env-changed=CARGO_HOME");
    let mut cargo = Command::new(variable("CARGO")?);
    // What is set for the hosts must not reach the component, whose own flags are in
    // .cargo/config.toml.
    for (name, _) in env::vars_os().filter(|(name, _)| changes_bytes(name)) {
        cargo.env_remove(name);
    }
    let status = cargo
        .env("RUSTC_WRAPPER", "")
        .env("RUSTC_WORKSPACE_WRAPPER", "")
        .args(["rustc", "--locked", "--package", package, "--lib"])
        .args(["--crate-type", "cdylib"])
        .args(
            (package != STORES)
                .then_some(["--features", world])
                .iter()
                .flatten(),
        )
        .args(["--profile", "component", "--target", TARGET])
        .arg("--config")
        .arg(flags(&remapped(&root, built)?, package == STORES))
        .arg("--target-dir")
        .arg(built)
        // What a small world leaves unused is seen when it is built alone.
        .args(small.then_some(["--", "-Dwarnings"]).iter().flatten())
        .current_dir(&root)
        .status()
        .map_err(|error| format!("cargo cannot be run: {error}"))?;
    if !status.success() {
        return Err(format!(
            "the component was not built; if the target is missing, run: rustup target add {TARGET}"
        ));
    }
    Ok(made.join(file))
}

fn variable(name: &str) -> Result<String, String> {
    env::var(name).map_err(|_| format!("cargo did not set {name}"))
}

/// Whether a variable of the environment would make the component another one.
fn changes_bytes(name: &OsString) -> bool {
    let Some(name) = name.to_str() else {
        return false;
    };
    matches!(
        name,
        "RUSTFLAGS" | "CARGO_ENCODED_RUSTFLAGS" | "CARGO_BUILD_RUSTFLAGS" | "CARGO_INCREMENTAL"
    ) || name.starts_with("CARGO_PROFILE_")
        || name.starts_with("CARGO_TARGET_WASM32_")
}

/// Which directories of this machine the compiler writes under which name, those
/// inside of others last, since the last that fits counts.
fn remapped(root: &Path, built: &Path) -> Result<Vec<(PathBuf, String)>, String> {
    let mut pairs = vec![
        (root.to_path_buf(), "/layerwise".to_owned()),
        (built.to_path_buf(), "/layerwise/target".to_owned()),
        (library()?, format!("/rustc/{}", asked("commit-hash: ")?)),
    ];
    let home = env::var_os("CARGO_HOME")
        .map(PathBuf::from)
        .or_else(|| Some(PathBuf::from(env::var_os("HOME")?).join(".cargo")));
    if let Some(home) = home {
        // The name of a registry's directory differs with its address.
        for registry in fs::read_dir(home.join("registry/src"))
            .into_iter()
            .flatten()
        {
            let path = registry.map_err(|error| format!("read {home:?}: {error}"))?;
            pairs.push((path.path(), "/cargo/registry".to_owned()));
        }
        pairs.push((home, "/cargo".to_owned()));
    }
    pairs.sort_by_key(|(path, _)| path.as_os_str().len());
    Ok(pairs)
}

/// Where the source of the standard library is when it is installed; the compiler
/// then writes that path, and otherwise one with its commit.
fn library() -> Result<PathBuf, String> {
    let sysroot = compiler(&["--print", "sysroot"])?;
    Ok(Path::new(sysroot.trim()).join("lib/rustlib/src/rust"))
}

/// One line of what the compiler says of itself.
fn asked(name: &str) -> Result<String, String> {
    let said = compiler(&["--verbose", "--version"])?;
    let line = said.lines().find_map(|line| line.strip_prefix(name));
    line.map(str::to_owned)
        .ok_or_else(|| format!("rustc does not say its {name:?}"))
}

fn compiler(arguments: &[&str]) -> Result<String, String> {
    let output = Command::new(variable("RUSTC")?)
        .args(arguments)
        .output()
        .map_err(|error| format!("rustc cannot be run: {error}"))?;
    String::from_utf8(output.stdout).map_err(|_| "the output of rustc is not utf-8".to_owned())
}

/// Cargo's setting of these flags; those of .cargo/config.toml stay. The libraries of the
/// stores need the stack that other programs have.
fn flags(remapped: &[(PathBuf, String)], stores: bool) -> String {
    let stack = stores.then(|| "\"-Clink-arg=-zstack-size=1048576\"".to_owned());
    let flags: Vec<String> = remapped
        .iter()
        .map(|(from, to)| {
            format!(
                "{:?}",
                format!("--remap-path-prefix={}={to}", from.display())
            )
        })
        .chain(stack)
        .collect();
    format!("target.{TARGET}.rustflags=[{}]", flags.join(","))
}

//! The crates: every package that is published, packed; then all of them compiled in a
//! directory that has nothing but what was packed, with the README's example as an embedder
//! of the library has it.

use std::fs;
use std::path::Path;

use crate::failure::Failure;
use crate::place::{Place, read_text, write};

/// The packages that are not published.
const PRIVATE: [&str; 5] = [
    "layerwise-fuzz",
    "layerwise-model",
    "layerwise-release",
    "layerwise-service",
    "layerwise-wasi-stores",
];

const EMBEDDER: &str = r#"[package]
name = "embedder"
edition = "2024"

[dependencies]
layerwise = "*"
layerwise-host = "*"
layerwise-stores = "*"
"#;

pub fn make(place: &Place) -> Result<(), Failure> {
    let component = place.source.join("host-examples/rust/component");
    let files = [
        (component.join("layerwise.wasm"), &[][..]),
        (component.join("layerwise-testing.wasm"), &["--testing"][..]),
    ];
    // Beside the package, they would be taken for what is to be built.
    let made = place.empty("components")?;
    for (file, arguments) in &files {
        let mut cargo = place.tool("cargo");
        cargo.args([
            "run",
            "--quiet",
            "--package",
            "layerwise-component",
            "--features",
            "testing",
            "--",
        ]);
        let name = file.file_name().unwrap_or_default();
        place.output(cargo.args(*arguments).arg(made.join(name)))?;
    }
    for (file, _) in &files {
        let name = file.file_name().unwrap_or_default();
        fs::copy(made.join(name), file).map_err(|error| Failure::file("write", file, &error))?;
    }
    let packed = place.target.join("package");
    let _ = fs::remove_dir_all(&packed);
    let mut cargo = place.tool("cargo");
    cargo.args([
        "package",
        "--quiet",
        "--workspace",
        "--no-verify",
        "--allow-dirty",
    ]);
    for name in PRIVATE {
        cargo.args(["--exclude", name]);
    }
    let done = place.output(&mut cargo);
    for (file, _) in &files {
        fs::remove_file(file).map_err(|error| Failure::file("remove", file, &error))?;
    }
    done?;
    let crates = place.out.join("crates");
    let _ = fs::remove_dir_all(&crates);
    for entry in fs::read_dir(&packed)
        .map_err(|e| Failure::file("read", &packed, &e))?
        .flatten()
    {
        let path = entry.path();
        if path
            .extension()
            .is_some_and(|extension| extension == "crate")
        {
            let bytes = crate::place::read(&path)?;
            write(&crates.join(entry.file_name()), bytes)?;
        }
    }
    Ok(())
}

pub fn prove(place: &Place) -> Result<String, Failure> {
    let root = place.empty("crates")?;
    let mut patches = String::new();
    let mut readme = None;
    let mut count = 0;
    let crates = place.out.join("crates");
    for entry in fs::read_dir(&crates)
        .map_err(|e| Failure::file("read", &crates, &e))?
        .flatten()
    {
        let mut tar = place.tool("tar");
        place.output(tar.arg("-xzf").arg(entry.path()).arg("-C").arg(&root))?;
        let file = entry.file_name().to_string_lossy().into_owned();
        let directory = file.trim_end_matches(".crate");
        let name = directory.trim_end_matches(&*format!("-{}", place.version));
        patches.push_str(&format!("{name} = {{ path = {directory:?} }}\n"));
        if name == "layerwise" {
            readme = Some(root.join(directory).join("README.md"));
        }
        count += 1;
    }
    let readme = readme.ok_or_else(|| Failure::new("no crate is called layerwise"))?;
    workspace(place, &root, &patches)?;
    write(&root.join("embedder/Cargo.toml"), EMBEDDER)?;
    let main = format!("#![doc = include_str!({readme:?})]\n");
    write(&root.join("embedder/src/lib.rs"), main)?;
    let cargo =
        |arguments: &[&str]| place.output(place.tool("cargo").args(arguments).current_dir(&root));
    cargo(&["build", "--package", "layerwise-cli"])?;
    place.output(
        place
            .tool(&place.target.join("debug/layerwise").to_string_lossy())
            .arg("demo"),
    )?;
    cargo(&["test", "--doc", "--package", "embedder"])?;
    Ok(format!(
        "{count} crates; the README's example runs in a crate that has only these"
    ))
}

fn workspace(place: &Place, root: &Path, patches: &str) -> Result<(), Failure> {
    let manifest = read_text(&place.source.join("Cargo.toml"))?;
    // So that the packages of others are compiled once.
    let profiles: String = manifest
        .split("\n\n")
        .filter(|part| part.contains("[profile.dev"))
        .map(|part| format!("{part}\n\n"))
        .collect();
    let text = format!(
        "[workspace]\nmembers = [\"*\"]\nresolver = \"3\"\n\n{profiles}[patch.crates-io]\n{patches}"
    );
    write(&root.join("Cargo.toml"), text)?;
    let lock = read_text(&place.source.join("Cargo.lock"))?;
    write(&root.join("Cargo.lock"), lock)
}

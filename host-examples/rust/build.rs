//! Builds the component that the host embeds, so that one command is enough.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::{env, fs};

use sha2::{Digest as _, Sha256};

const TARGET: &str = "wasm32-wasip2";

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
    let variable = |name| env::var(name).map_err(|_| format!("cargo did not set {name}"));
    let root = Path::new(&variable("CARGO_MANIFEST_DIR")?).join("../..");
    for input in [
        "src",
        "wit",
        "Cargo.toml",
        "Cargo.lock",
        ".cargo/config.toml",
    ] {
        println!("cargo::rerun-if-changed={}", root.join(input).display());
    }
    let out = PathBuf::from(variable("OUT_DIR")?);
    let built = out.join("component");
    let status = Command::new(variable("CARGO")?)
        .args([
            "build",
            "--package",
            "layerwise",
            "--lib",
            "--profile",
            "component",
        ])
        .args(["--target", TARGET, "--target-dir"])
        .arg(&built)
        .current_dir(&root)
        // What the outer build sets for native code must not reach the component:
        // its own flags are in .cargo/config.toml.
        .env_remove("CARGO_ENCODED_RUSTFLAGS")
        .env_remove("RUSTFLAGS")
        .env_remove("RUSTC_WRAPPER")
        .env_remove("RUSTC_WORKSPACE_WRAPPER")
        .status()
        .map_err(|error| format!("cargo cannot be run: {error}"))?;
    if !status.success() {
        return Err(format!(
            "the component was not built; if the target is missing, run: rustup target add {TARGET}"
        ));
    }
    let component = built.join(TARGET).join("component/layerwise.wasm");
    let failed = |error| format!("copy {}: {error}", component.display());
    let bytes = fs::read(&component).map_err(failed)?;
    fs::write(out.join("layerwise.wasm"), &bytes).map_err(failed)?;
    // Hashed here, so that a start need not.
    let digest: String = Sha256::digest(&bytes)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    println!("cargo::rustc-env=LAYERWISE_COMPONENT_SHA256={digest}");
    Ok(())
}

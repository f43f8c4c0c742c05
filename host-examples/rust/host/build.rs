//! Compiles the component ahead of time, for the machine that the host is built
//! for, so that the host starts at once and needs no compiler.

use std::path::PathBuf;
use std::process::ExitCode;
use std::{env, fs};

use sha2::{Digest as _, Sha256};
use wasmtime::Engine;

use settings::Interrupt;

#[path = "src/settings.rs"]
mod settings;

/// What code for x86-64 needs of a processor: the level v2 of that architecture, which
/// all have that were made in the last ten years. It hashes documents a quarter faster
/// than without. Code for other architectures needs what all their processors have.
const X86_64: [&str; 5] = ["sse3", "ssse3", "sse41", "sse42", "popcnt"];

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
    let wasm = variable(match env::var_os("CARGO_FEATURE_TESTING") {
        Some(_) => "DEP_LAYERWISE_COMPONENT_TESTING",
        None => "DEP_LAYERWISE_COMPONENT_WASM",
    })?;
    println!("cargo::rerun-if-changed={wasm}");
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=src/settings.rs");
    let component = fs::read(&wasm).map_err(|error| format!("read {wasm}: {error}"))?;
    let target = variable("TARGET")?;
    let out = PathBuf::from(variable("OUT_DIR")?);
    for (interrupt, name) in [
        (Interrupt::Deadline, "deadline.cwasm"),
        (Interrupt::Fuel, "fuel.cwasm"),
    ] {
        let code = compile(&component, interrupt, &target).map_err(|error| {
            format!(
                "the component cannot be compiled for {target}: {error:#}; \
                     it can be for x86-64 and 64-bit Arm"
            )
        })?;
        fs::write(out.join(name), code).map_err(|error| format!("write {name}: {error}"))?;
    }
    let digest: String = Sha256::digest(&component)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    println!("cargo::rustc-env=LAYERWISE_COMPONENT_SHA256={digest}");
    println!("cargo::rustc-env=LAYERWISE_TARGET={target}");
    let features = features(&target).join(" ");
    println!("cargo::rustc-env=LAYERWISE_TARGET_FEATURES={features}");
    // Cargo shows what a build script prints in no other way.
    if variable("PROFILE")? == "release" {
        println!("cargo::warning=no fault: the component inside has sha256 {digest}");
    }
    Ok(())
}

fn features(target: &str) -> &'static [&'static str] {
    if target.starts_with("x86_64-") {
        &X86_64
    } else {
        &[]
    }
}

/// Machine code for a target. Naming the target, even this machine's own, is what
/// keeps other features of this machine's processor out.
#[expect(unsafe_code, reason = "features are named to a compiler")]
fn compile(component: &[u8], interrupt: Interrupt, target: &str) -> wasmtime::Result<Vec<u8>> {
    let mut config = settings::config(interrupt);
    config.target(target)?;
    for feature in features(target) {
        // SAFETY: these features only let the compiler choose other instructions, and
        // wasmtime loads the code only where the processor has them.
        unsafe {
            config.cranelift_flag_enable(&format!("has_{feature}"));
        }
    }
    Engine::new(&config)?.precompile_component(component)
}

//! Writes the component to a file and prints its SHA-256, as `sha256sum` does:
//! `cargo run --package layerwise-component -- layerwise.wasm`. With the feature `testing`
//! and the option `--testing` it is the build that also exports the functions only tests
//! call; with the feature `wasi` and the option `--wasi` the one with the stores over WASI
//! inside, and with `--stores` these stores alone.

use std::ffi::OsString;
use std::io::{self, Write as _};
use std::path::Path;
use std::process::ExitCode;
use std::{env, fs};

use sha2::{Digest as _, Sha256};

const USAGE: &str = "usage: layerwise-component [--testing | --wasi | --stores] FILE, the options \
                     with the features testing and wasi";

fn main() -> ExitCode {
    let arguments: Vec<OsString> = env::args_os().skip(1).collect();
    #[cfg(feature = "wasi")]
    let composed = match layerwise_component::composed() {
        Ok(composed) => composed,
        Err(error) => return said(3, &error),
    };
    let (component, rest) = match arguments.split_first() {
        #[cfg(feature = "wasi")]
        Some((first, rest)) if first == "--wasi" => (composed.as_slice(), rest),
        #[cfg(feature = "wasi")]
        Some((first, rest)) if first == "--stores" => (layerwise_component::STORES, rest),
        #[cfg(feature = "testing")]
        Some((first, rest)) if first == "--testing" => (layerwise_component::TESTING, rest),
        _ => (layerwise_component::COMPONENT, arguments.as_slice()),
    };
    let [path] = rest else {
        return said(2, USAGE);
    };
    if let Err(error) = fs::write(path, component) {
        return said(3, &format!("write {}: {error}", Path::new(path).display()));
    }
    let digest = Sha256::digest(component);
    let hex: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    match writeln!(io::stdout(), "{hex}  {}", Path::new(path).display()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => said(3, &format!("write to standard output: {error}")),
    }
}

fn said(code: u8, message: &str) -> ExitCode {
    eprintln!("error: {message}");
    ExitCode::from(code)
}

//! Writes the component to a file and prints its SHA-256, as `sha256sum` does:
//! `cargo run --package layerwise-component -- layerwise.wasm`.

use std::io::{self, Write as _};
use std::path::Path;
use std::process::ExitCode;
use std::{env, fs};

use layerwise_component::COMPONENT;
use sha2::{Digest as _, Sha256};

fn main() -> ExitCode {
    let mut arguments = env::args_os().skip(1);
    let (Some(path), None) = (arguments.next(), arguments.next()) else {
        return said(2, "usage: layerwise-component FILE");
    };
    if let Err(error) = fs::write(&path, COMPONENT) {
        return said(3, &format!("write {}: {error}", Path::new(&path).display()));
    }
    let digest = Sha256::digest(COMPONENT);
    let hex: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    match writeln!(io::stdout(), "{hex}  {}", Path::new(&path).display()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => said(3, &format!("write to standard output: {error}")),
    }
}

fn said(code: u8, message: &str) -> ExitCode {
    eprintln!("error: {message}");
    ExitCode::from(code)
}

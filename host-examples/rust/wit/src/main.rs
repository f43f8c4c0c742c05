//! Writes a WIT package as one JSON document: `layerwise-wit FOLDER`. The bindings of
//! Go, JavaScript and Python are made of it.
//!
//! ```text
//! { "package": "NAMESPACE:NAME", "version": "X.Y.Z",
//!   "worlds": { NAME: {"imports": [INTERFACE...], "exports": [INTERFACE...]} },
//!   "interfaces": [ {"name", "docs", "uses": {NAME: INTERFACE}, "types": [DEFINITION...], "functions": [FUNCTION...]} ] }
//!
//! DEFINITION = {"name", "docs", "kind": "record" | "variant" | "enum" | "flags", "members": [{"name", "docs", "type"}]}
//!            | {"name", "docs", "kind": "type", "of": TYPE}
//!            | {"name", "docs", "kind": "resource", "functions": [FUNCTION...]}
//! FUNCTION = {"name", "docs", "params": [{"name", "type"}], "result": TYPE}
//! TYPE = null | "string" and other primitives | "INTERFACE/NAME" | [CONSTRUCTOR, TYPE...]
//! ```
//!
//! A constructor is `list`, `option`, `tuple`, `result` (of two), `borrow` or `own` (of a
//! resource). A method lacks its receiver. Types come after those that they name, all else in
//! the order of the files.

mod document;

use std::io::{self, Write as _};
use std::path::Path;
use std::process::ExitCode;

use wit_parser::Resolve;

fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args_os().skip(1).collect();
    let [folder] = arguments.as_slice() else {
        eprintln!("usage: layerwise-wit FOLDER");
        return ExitCode::from(2);
    };
    let mut resolve = Resolve::default();
    let document = resolve
        .push_dir(Path::new(folder))
        .map_err(|error| format!("read {}: {error:#}", Path::new(folder).display()))
        .and_then(|(package, _)| document::of(&resolve, package));
    let written = document.and_then(|document| {
        writeln!(io::stdout(), "{document:#}")
            .map_err(|error| format!("write to standard output: {error}"))
    });
    match written {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

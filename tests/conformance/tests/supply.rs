//! What the component is made of: the packages that are compiled into it, by
//! name. One more is a decision, to be made here and justified in SECURITY.md.

#![expect(clippy::expect_used, reason = "the helpers of tests may panic")]

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

/// Compiled into the component. `wit-bindgen` is there for what its macro wrote;
/// the macro itself and all that it needs run on the machine that compiles.
const WITHIN: [&str; 16] = [
    "bitflags",
    "block-buffer",
    "cfg-if",
    "crypto-common",
    "digest",
    "hex",
    "hybrid-array",
    "itoa",
    "memchr",
    "serde",
    "serde_core",
    "serde_json",
    "sha2",
    "typenum",
    "wit-bindgen",
    "zmij",
];

/// The packages that cargo compiles for the component's target, without macros
/// and what those need.
fn within() -> BTreeSet<String> {
    let run = Command::new(env!("CARGO"))
        .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("../.."))
        .args(["tree", "--locked", "--offline", "--package", "layerwise"])
        .args(["--features", "component"])
        .args([
            "--target",
            "wasm32-wasip2",
            "--edges",
            "normal,no-proc-macro",
        ])
        .args(["--prefix", "none", "--format", "{p}"])
        .output()
        .expect("cargo runs");
    assert!(
        run.status.success(),
        "{}",
        String::from_utf8_lossy(&run.stderr)
    );
    let text = String::from_utf8_lossy(&run.stdout).into_owned();
    let names = text.lines().filter_map(|line| line.split(' ').next());
    names
        .filter(|name| !name.is_empty() && *name != "layerwise")
        .map(str::to_owned)
        .collect()
}

#[test]
fn the_component_is_made_of_these_packages() {
    let found = within();
    let wanted: BTreeSet<String> = WITHIN.map(str::to_owned).into();
    assert_eq!(found, wanted);
}

#[test]
fn each_of_them_is_justified() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../SECURITY.md");
    let page = fs::read_to_string(page).expect("the page");
    for name in WITHIN {
        assert!(
            page.contains(&format!("`{name}`")),
            "{name} is not in SECURITY.md"
        );
    }
}

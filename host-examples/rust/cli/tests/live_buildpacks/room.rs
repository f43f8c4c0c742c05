//! Disks without room: the program in a process whose files cannot grow. What
//! fails says so, and the next run with room is right.

use std::fs;
use std::process::{Command, Output};

use serde_json::Value;

use super::host::*;
use crate::support::tree;

/// Of 512 bytes. The memory of an instance begins as a file of less than that.
const BLOCKS: u32 = 2_048;

/// Runs the program with files of at most so many blocks of 512 bytes.
fn small(host: &Host, blocks: u32, arguments: &[&str]) -> Output {
    let program = layerwise(host.path());
    let limited = format!("trap '' XFSZ; ulimit -f {blocks}; exec \"$@\"");
    let mut command = Command::new("sh");
    command
        .args(["-c", &limited, "sh"])
        .arg(program.get_program());
    for (name, value) in program.get_envs() {
        command.env(name, value.unwrap_or_default());
    }
    command
        .args(arguments)
        .current_dir(host.path())
        .output()
        .unwrap()
}

fn json(output: &Output) -> Value {
    let said = String::from_utf8_lossy(&output.stdout);
    serde_json::from_str(&said).unwrap_or_else(|error| panic!("{error}: {output:?}"))
}

fn in_full(host: &Host, arguments: &[&str]) -> Output {
    layerwise(host.path()).args(arguments).output().unwrap()
}

/// Layers larger than any file may become.
fn layers(host: &Host) {
    let all = layers_directory(host.path(), &["one", "two"]);
    let big: String = (0..600_000_u32)
        .map(|number| format!("{:x}", number.wrapping_mul(2_654_435_761)))
        .collect();
    fs::write(all.join("ex_bp/two/big"), big).unwrap();
}

const COMMIT: [&str; 12] = [
    "buildpacks",
    "cache",
    "commit",
    "oci:image:1",
    "--scope",
    "app",
    "--layers",
    "layers",
    "--group",
    "group.toml",
    "--root",
    ".",
];

#[test]
fn a_layer_without_room_is_left_out_and_the_next_commit_has_it() {
    let host = Host::new();
    layers(&host);
    let arguments = [&COMMIT[..], &["--json"]].concat();
    let output = small(&host, BLOCKS, &arguments);
    let document = json(&output);
    assert_eq!(output.status.code(), Some(1), "{document}");
    let steps = document["steps"].as_array().unwrap();
    let of = |name: &str| steps.iter().find(|step| step["layer"] == name).unwrap();
    assert_eq!(of("one")["treatment"], "add", "{document}");
    assert_eq!(of("two")["finding"]["code"], "buildpacks/not-cached-error");
    let said = of("two").to_string();
    assert!(said.contains("no file so large"), "{said}");
    let verify = [
        "buildpacks",
        "cache",
        "verify",
        "oci:image:1",
        "--scope",
        "app",
        "--json",
    ];
    let verified = in_full(&host, &verify);
    assert_eq!(verified.status.code(), Some(0));
    assert_eq!(json(&verified)["layers"].as_array().unwrap().len(), 1);
    // With room, the next build has both.
    assert_eq!(in_full(&host, &COMMIT).status.code(), Some(0));
    let verified = json(&in_full(&host, &verify));
    assert_eq!(verified["layers"].as_array().unwrap().len(), 2);
    let left = tree(&host.path().join("image"));
    assert!(
        !left.iter().any(|name| name.contains(".layerwise.blob")),
        "{left:?}"
    );
}

/// Without room for the config nothing is committed, and what was there stays.
#[test]
fn a_commit_without_room_is_an_error() {
    let host = Host::new();
    layers_directory(host.path(), &["one"]);
    assert_eq!(in_full(&host, &COMMIT).status.code(), Some(0));
    let before = tree(&host.path().join("image"));
    let long = "x".repeat(2_000_000);
    let metadata = metadata(&[("one", &long)]);
    fs::write(host.path().join("metadata.json"), metadata).unwrap();
    let commit = [
        "buildpacks",
        "cache",
        "commit",
        "oci:image:1",
        "--scope",
        "app",
        "--metadata",
        "metadata.json",
        "--json",
    ];
    let output = small(&host, BLOCKS, &commit);
    assert_eq!(output.status.code(), Some(3), "{output:?}");
    let error = &json(&output)["error"];
    assert_eq!(error["code"], "buildpacks/save-failed", "{error}");
    let after = tree(&host.path().join("image"));
    let of = |tree: &[String], name: &str| {
        let found = tree.iter().find(|entry| entry.starts_with(name));
        found.cloned()
    };
    assert_eq!(of(&after, "index.json"), of(&before, "index.json"));
    assert!(before.iter().all(|entry| after.contains(entry)));
    assert!(!after.iter().any(|name| name.contains(".layerwise.blob")));
    assert_eq!(in_full(&host, &commit).status.code(), Some(0));
}

#[test]
fn a_restore_without_room_is_an_error_and_the_next_is_right() {
    let host = Host::new();
    layers(&host);
    assert_eq!(in_full(&host, &COMMIT).status.code(), Some(0));
    let whole = tree(&host.path().join("layers/ex_bp/two"));
    fs::remove_dir_all(host.path().join("layers")).unwrap();
    fs::create_dir(host.path().join("layers")).unwrap();
    let restore = [
        "buildpacks",
        "restore",
        "--layers",
        "layers",
        "--group",
        "group.toml",
        "--platform-api",
        "0.14",
        "--cache-image",
        "oci:image:1",
        "--scope",
        "app",
        "--data",
        "--root",
        ".",
        "--json",
    ];
    let output = small(&host, BLOCKS, &restore);
    let document = json(&output);
    assert_eq!(output.status.code(), Some(3), "{document}");
    let data = document["data"].as_array().unwrap();
    let of = |name: &str| data.iter().find(|step| step["layer"] == name).unwrap();
    assert_eq!(of("one")["finding"]["code"], "buildpacks/data-restored");
    assert_eq!(of("two")["finding"]["code"], "buildpacks/data-failed");
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(
        error.contains("cannot restore the content of \"ex/bp:two\""),
        "{error}"
    );
    assert!(!host.path().join("layers/ex_bp/two").exists());
    assert_eq!(in_full(&host, &restore).status.code(), Some(0));
    assert_eq!(tree(&host.path().join("layers/ex_bp/two")), whole);
    let left = tree(host.path());
    assert!(
        !left.iter().any(|name| name.contains(".layerwise.unpack")),
        "{left:?}"
    );
}

//! `buildpacks`: wrong paths, wrong files, wrong arguments, and the help.

use std::fs;

use super::buildpacks::Build;
use super::support::*;

#[test]
fn things_that_are_wrong() {
    let build = Build::new();
    let dir = build.dir.text();
    let image = build.image();
    let group = build.path("group.toml");
    let layers = build.path("layers");
    let restore = |layers: &str, group: &str, more: &[&str]| {
        let all = [
            &[
                "buildpacks",
                "restore",
                "--layers",
                layers,
                "--group",
                group,
            ][..],
            &["--platform-api", "0.14"],
            more,
        ];
        layerwise(&all.concat())
    };
    let before = build.dir.snapshot();
    fails(
        &restore("/nowhere/layers", &group, &[]),
        "cannot read the layers directory \"/nowhere/layers\": it does not exist",
    );
    fails(
        &restore(&group, &group, &[]),
        &format!("cannot read the layers directory \"{group}\": it is not a directory"),
    );
    fails(
        &restore(&layers, "/nowhere/group.toml", &[]),
        "cannot read the group \"/nowhere/group.toml\": it does not exist",
    );
    fails(
        &restore(&layers, &layers, &[]),
        &format!("cannot read the group \"{layers}\": it is a directory"),
    );
    let bad = build.dir.file("bad.toml", "[[group]]\nid = 1\n");
    fails(
        &restore(&layers, &bad, &[]),
        &format!(
            "cannot read the group \"{bad}\": line 2: invalid type: integer `1`, expected a string"
        ),
    );
    let bad = build.dir.file("bad.toml", "[[group]]\nid = \"a\"\n");
    fails(
        &restore(&layers, &bad, &[]),
        &format!(
            "cannot read the group \"{bad}\": the buildpack \"a\" has no api; --buildpack-api \
             gives it one"
        ),
    );
    let bad = build
        .dir
        .file("bad.toml", "[[group]]\nid = \"..\"\napi = \"0.10\"\n");
    let run = restore(&layers, &bad, &[]);
    assert_eq!(run.exit, 3);
    assert!(
        run.stderr
            .contains("a buildpack id cannot name a directory"),
        "{}",
        run.stderr
    );
    fails(
        &restore(&layers, &group, &["--cache-dir", "/nowhere"]),
        "cannot read the cache directory \"/nowhere\": it does not exist",
    );
    fails(
        &restore(&layers, &group, &["--cache-image", "UP//x", "--scope", "a"]),
        "open \"UP//x\": accessing cache image \"UP//x\": could not parse reference: UP//x",
    );
    fs::remove_file(build.path("bad.toml")).unwrap();
    for (arguments, says) in [
        (
            &["--cache-image", &*image][..],
            "the guarded reading needs --scope NAME",
        ),
        (&["--root", "/proc/self/fd"], "is not inside --root"),
        (&["--data"], "--cache-image"),
        (
            &["--app-image", "a", "--analyzed", "b"],
            "cannot be used with",
        ),
    ] {
        let run = restore(&layers, &group, arguments);
        assert_eq!((run.exit, &*run.stdout), (2, ""), "{arguments:?}");
        assert!(run.stderr.contains(says), "{}", run.stderr);
    }
    let run = layerwise(&["buildpacks", "cache", "commit", &image, "--scope", "a"]);
    assert_eq!(run.exit, 2);
    assert!(
        run.stderr.contains("nothing says what to commit"),
        "{}",
        run.stderr
    );
    fails(
        &layerwise(&[
            "buildpacks",
            "cache",
            "commit",
            &image,
            "--scope",
            "a",
            "--metadata",
            &group,
            "--add",
            "/nowhere/layer.tar",
        ]),
        "cannot read the layer \"/nowhere/layer.tar\": it does not exist",
    );
    fails(
        &layerwise(&[
            "buildpacks",
            "cache",
            "commit",
            &image,
            "--scope",
            "a",
            "--metadata",
            &group,
        ]),
        &format!(
            "set metadata \"{image}\": serializing metadata: expected an object, found a list at \
             byte 0"
        ),
    );
    assert_eq!(
        build.dir.snapshot(),
        before,
        "nothing was written below {dir}"
    );
}

#[test]
fn help_describes_the_documents() {
    for (arguments, name) in [
        (&["buildpacks", "--help"][..], "help-buildpacks.txt"),
        (
            &["buildpacks", "restore", "--help"],
            "help-buildpacks-restore.txt",
        ),
        (
            &["buildpacks", "cache", "show", "--help"],
            "help-buildpacks-cache.txt",
        ),
        (
            &["buildpacks", "cache", "commit", "--help"],
            "help-buildpacks-commit.txt",
        ),
    ] {
        let run = layerwise(arguments);
        assert_eq!((run.exit, &*run.stderr), (0, ""));
        golden(name, &run.stdout, None);
    }
}

//! `stacker lookup`, `put`, `explain` and `prune` on a project directory.

use std::fs;
use std::path::Path;

use layerwise::oci::sha256;
use serde_json::{Value, json};

use super::support::*;

const STACKERFILE: &str = "\
base:
  from: {type: scratch}
  run: echo ${{WORD:hello}}
app:
  from: {type: built, tag: base}
  imports: [src, motd]
  overlay_dirs: [{source: files, dest: /}]
tools:
  from: {type: scratch}
  build_only: true
";

/// A project as stacker leaves it after building everything.
fn project() -> Dir {
    let dir = Dir::new();
    dir.file("stacker.yaml", STACKERFILE);
    for place in ["", ".stacker/imports/app/"] {
        dir.file(&format!("{place}src/main.c"), "main");
        dir.file(&format!("{place}src/lib.c"), "lib");
        dir.file(&format!("{place}motd"), "hello");
    }
    dir.file("files/etc/conf", "1");
    for built in ["roots/app/overlay_dirs/files", "roots/tools"] {
        fs::create_dir_all(dir.path().join(built)).unwrap();
    }
    layout(&dir, "oci", &["base", "app"]);
    dir
}

/// A layout with an image of each name.
fn layout(dir: &Dir, place: &str, names: &[&str]) {
    let media_type = "application/vnd.oci.image.manifest.v1+json";
    let manifests = names.iter().map(|name| {
        let config = sha256(name.as_bytes());
        dir.file(&format!("{place}/blobs/sha256/{}", config.hex()), name);
        let manifest = json!({"schemaVersion": 2, "mediaType": media_type, "config": {
            "mediaType": "application/vnd.oci.image.config.v1+json", "size": name.len(),
            "digest": config.as_str()}, "layers": []});
        let manifest = manifest.to_string();
        let digest = sha256(manifest.as_bytes());
        dir.file(&format!("{place}/blobs/sha256/{}", digest.hex()), &manifest);
        json!({"mediaType": media_type, "digest": digest.as_str(), "size": manifest.len(),
            "annotations": {"org.opencontainers.image.ref.name": name}})
    });
    let index = json!({"schemaVersion": 2, "manifests": manifests.collect::<Vec<Value>>()});
    dir.file(&format!("{place}/index.json"), index.to_string());
    let version = r#"{"imageLayoutVersion":"1.0.0"}"#;
    dir.file(&format!("{place}/oci-layout"), version);
}

/// Runs a verb in the project.
fn ask(dir: &Dir, verb: &str, more: &[&str]) -> Run {
    let file = format!("{}/stacker.yaml", dir.text());
    let mut arguments = vec!["stacker", verb, "--work-dir", dir.text()];
    if verb != "prune" {
        arguments.extend(["--stackerfile", &file, "--system", "linux/amd64"]);
    }
    if verb == "put" {
        arguments.extend([
            "--user",
            "u",
            "--machine",
            "m",
            "--now",
            "2024-03-05T09:07:03",
        ]);
    }
    if !more
        .iter()
        .any(|argument| argument.starts_with("--source-date-epoch"))
    {
        arguments.extend(["--source-date-epoch", "unset"]);
    }
    arguments.extend(more);
    layerwise(&arguments)
}

/// Entry hashes hold paths and owners, so they differ between machines.
#[track_caller]
fn same(name: &str, run: &Run, dir: &Dir) {
    let mut text = String::new();
    for word in run.stdout.split_inclusive(|c: char| !c.is_ascii_digit()) {
        let digits = word.trim_end_matches(|c: char| !c.is_ascii_digit());
        if digits.len() > 15 {
            text.push_str("HASH");
            text.push_str(&word[digits.len()..]);
        } else {
            text.push_str(word);
        }
    }
    golden(name, &text, Some(dir));
}

fn cache(dir: &Dir) -> Value {
    let text = fs::read(dir.path().join(".stacker/build.cache")).unwrap();
    serde_json::from_slice(&text).unwrap()
}

#[test]
fn a_project_is_put_and_hits() {
    let dir = project();
    let empty = dir.snapshot();
    let run = ask(&dir, "lookup", &[]);
    assert_eq!((run.exit, &*run.stderr), (1, ""));
    same("stacker-fresh.txt", &run, &dir);
    let run = ask(&dir, "put", &["--plan"]);
    assert_eq!((run.exit, &*run.stderr), (0, ""));
    same("stacker-plan.txt", &run, &dir);
    assert_eq!(dir.snapshot(), empty, "a plan writes nothing");
    let planned = ask(&dir, "put", &["--plan", "--json"]).json();
    let run = ask(&dir, "put", &[]);
    assert_eq!((run.exit, &*run.stderr), (0, ""));
    same("stacker-put.txt", &run, &dir);
    let effects = planned["layers"][2]["effects"].as_array().unwrap();
    let text = effects.last().unwrap()["create"]["text"].as_str().unwrap();
    let text: Value = serde_json::from_str(text).unwrap();
    assert_eq!(text, cache(&dir), "the plan says what is written");
    let put = dir.snapshot();
    let run = ask(&dir, "lookup", &[]);
    assert_eq!((run.exit, &*run.stderr), (0, ""));
    same("stacker-hit.txt", &run, &dir);
    let document = ask(&dir, "lookup", &["--json"]).json();
    assert_eq!(document["schema"], "layerwise/stacker-lookup/1");
    assert_eq!(document["opened"]["state"], "loaded");
    assert_eq!(document["layers"][1]["types"], json!(["tar+false"]));
    assert_eq!(document["layers"][2]["outcome"], "hit");
    assert_eq!(dir.snapshot(), put, "a lookup writes nothing");
    let layer = &cache(&dir)["cache"]["app"]["Layer"];
    let src = format!("{}/src", dir.text());
    assert_eq!(
        layer["imports"][0],
        json!({"path": src, "uid": -1, "gid": -1})
    );
}

/// What stacker makes itself at its first build is not there yet.
#[test]
fn before_the_first_build_every_layer_has_no_entry() {
    let dir = Dir::new();
    dir.file(
        "stacker.yaml",
        "a:\n  from: {type: scratch}\nb:\n  from: {type: built, tag: a}\n",
    );
    let before = dir.snapshot();
    for verb in ["lookup", "explain"] {
        let run = ask(&dir, verb, &[]);
        assert_eq!((run.exit, &*run.stderr), (1, ""), "{verb}");
    }
    let document = ask(&dir, "lookup", &["--json"]).json();
    assert_eq!(document["opened"]["state"], "absent");
    assert_eq!(document["layers"][0]["reason"]["code"], "stacker/no-entry");
    assert_eq!(document["layers"][1]["outcome"], "miss");
    // A cache whose layout of results is gone is the same to stacker.
    dir.file(".stacker/build.cache", r#"{"cache":{"a":{"Manifests":{"tar":{"digest":"sha256:00","size":1}},"Layer":{"from":{"type":"scratch"}}}},"version":16}"#);
    let document = ask(&dir, "lookup", &["--json"]).json();
    assert_eq!(document["layers"][0]["reason"]["code"], "stacker/no-entry");
    fs::remove_dir_all(dir.path().join(".stacker")).unwrap();
    assert_eq!(dir.snapshot(), before);
    fs::remove_file(dir.path().join("stacker.yaml")).unwrap();
    let file = dir.path().join("stacker.yaml");
    let missing = format!("cannot read the stackerfile {file:?}: it does not exist");
    fails(&ask(&dir, "explain", &[]), &missing);
}

#[test]
fn layer_types_and_binds_are_built_all_the_same() {
    let dir = project();
    assert_eq!(ask(&dir, "put", &[]).exit, 0);
    let both = ["--layer-type", "tar", "--layer-type", "squashfs"];
    let run = ask(&dir, "lookup", &both);
    assert_eq!((run.exit, &*run.stderr), (1, ""));
    assert!(
        run.stdout.contains("hit   base, and is built all the same"),
        "{run:?}"
    );
    assert!(run.stdout.contains("stacker/type-missing"), "{run:?}");
    let layers = ask(&dir, "lookup", &[&["--json"][..], &both].concat()).json()["layers"].clone();
    assert_eq!(layers[0]["rebuilt"], true);
    assert_eq!(layers[1]["reason"]["code"], "stacker/base-not-cached");
    let usage = ask(&dir, "lookup", &["--layer-type", "tar+x"]);
    assert_eq!(usage.exit, 2, "{usage:?}");
}

#[test]
fn changed_files_and_definitions_are_named() {
    let dir = project();
    assert_eq!(ask(&dir, "put", &[]).exit, 0);
    dir.file("src/main.c", "other");
    dir.file("src/new\u{1b}[2J.c", "new");
    fs::remove_file(dir.path().join("src/lib.c")).unwrap();
    let run = ask(&dir, "lookup", &["--layer", "app"]);
    assert_eq!((run.exit, &*run.stderr), (1, ""));
    same("stacker-files.txt", &run, &dir);
    let run = ask(&dir, "explain", &["--layer", "app"]);
    same("stacker-files-explained.txt", &run, &dir);
    let changes = ask(&dir, "lookup", &["--json"]).json()["layers"][1]["changes"].clone();
    let kinds: Vec<&str> = changes
        .as_array()
        .unwrap()
        .iter()
        .map(|change| change["kind"].as_str().unwrap())
        .collect();
    assert_eq!(kinds, ["missing", "modified", "extra"]);
    // A change below comes first, and what rests on it only follows.
    let word = ["--substitute", "WORD=bye"];
    let run = ask(&dir, "explain", &[&["--layer", "app"], &word[..]].concat());
    assert_eq!((run.exit, &*run.stderr), (1, ""));
    same("stacker-base-explained.txt", &run, &dir);
    let run = ask(&dir, "lookup", &word);
    assert_eq!((run.exit, &*run.stderr), (1, ""));
    same("stacker-base.txt", &run, &dir);
}

#[test]
fn overlays_and_the_epoch_take_part() {
    let dir = project();
    let epoch = ["--source-date-epoch", "7"];
    assert_eq!(ask(&dir, "put", &epoch).exit, 0);
    let reason = |more: &[&str], layer: usize| {
        let document = ask(&dir, "lookup", &[&["--json"], more].concat()).json();
        document["layers"][layer]["reason"].clone()
    };
    assert_eq!(reason(&epoch, 1), Value::Null);
    let other = reason(&["--source-date-epoch", "-8"], 0);
    assert_eq!(other["code"], "stacker/source-date-epoch-changed");
    assert_eq!(
        other["differences"][0],
        json!({"path": "epoch", "have": "7", "want": "-8"})
    );
    dir.file("files/etc/conf", "2");
    assert_eq!(reason(&epoch, 1)["code"], "stacker/overlay-changed");
    // The source is gone, or a link: errors that name it.
    let files = dir.path().join("files");
    fs::rename(&files, dir.path().join("moved")).unwrap();
    let run = ask(&dir, "lookup", &epoch);
    assert_eq!(run.exit, 3, "{run:?}");
    assert!(run.stdout.contains("it does not exist"), "{run:?}");
    std::os::unix::fs::symlink("moved", &files).unwrap();
    let run = ask(&dir, "lookup", &epoch);
    assert!(
        run.stdout.contains("stacker/walk-root-not-a-directory"),
        "{run:?}"
    );
}

#[test]
fn before_the_first_build_there_is_nothing_to_prune() {
    let dir = Dir::new();
    for place in ["", ".stacker"] {
        fs::create_dir_all(dir.path().join(place)).unwrap();
        let before = dir.snapshot();
        let run = ask(&dir, "prune", &["--json"]);
        assert_eq!((run.exit, &*run.stderr), (0, ""));
        assert_eq!(run.json()["opened"]["state"], "absent");
        assert_eq!(run.json()["command"], "prune");
        assert_eq!(dir.snapshot(), before);
    }
}

#[test]
fn manifests_are_given_or_looked_up() {
    let dir = project();
    let manifests = dir.file(
        "m.json",
        r#"{"squashfs+true":{"digest":"sha256:00","size":1}}"#,
    );
    let given = ["--layer", "base", "--manifests", &manifests];
    assert_eq!(ask(&dir, "put", &given).exit, 0);
    let entry = &cache(&dir)["cache"]["base"];
    assert_eq!(entry["Manifests"]["squashfs+true"]["size"], 1);
    // What the layout has not is dropped at the next start of stacker.
    let run = ask(&dir, "prune", &["--plan"]);
    assert_eq!((run.exit, &*run.stderr), (0, ""));
    same("stacker-prune-plan.txt", &run, &dir);
    let before = dir.snapshot();
    assert_eq!(
        ask(&dir, "prune", &["--plan", "--json"]).json()["entries"],
        json!([])
    );
    assert_eq!(dir.snapshot(), before);
    let pruned = ask(&dir, "prune", &["--json"]).json();
    assert_eq!(pruned["opened"]["pruned"][0]["name"], "base");
    assert_eq!(cache(&dir)["cache"], json!({}));
    let run = ask(
        &dir,
        "put",
        &["--layer", "base", "--layer-type", "squashfs"],
    );
    fails(
        &run,
        &format!(
            "cannot read the index of results {:?}: it has no manifest with the tag \"base-squashfs\"",
            dir.path().join("oci/index.json")
        ),
    );
    let usage = ask(&dir, "put", &["--layer-type", "tar+x"]);
    assert_eq!(usage.exit, 2, "{usage:?}");
    let usage = ask(&dir, "put", &["--manifests", &manifests]);
    assert_eq!(usage.exit, 2, "{usage:?}");
    dir.file("m.json", "[]");
    let run = ask(&dir, "put", &given);
    assert_eq!(run.exit, 3, "{run:?}");
    assert!(run.stderr.starts_with("error: put \"base\": "), "{run:?}");
}

/// Threat T20: never a dead build, and no byte is lost.
#[test]
fn a_broken_cache_is_kept_aside() {
    let dir = project();
    assert_eq!(ask(&dir, "put", &[]).exit, 0);
    let whole = fs::read(dir.path().join(".stacker/build.cache")).unwrap();
    let broken = &whole[..whole.len() / 2];
    dir.file(".stacker/build.cache", broken);
    let run = ask(&dir, "lookup", &[]);
    assert_eq!((run.exit, &*run.stderr), (1, ""));
    assert!(run.stdout.contains("stacker/cache-unreadable"), "{run:?}");
    let run = ask(&dir, "lookup", &["--compatible"]);
    assert_eq!(run.exit, 3, "{run:?}");
    assert!(run.stderr.contains("build.cache"), "{run:?}");
    assert_eq!(ask(&dir, "put", &[]).exit, 0);
    assert_eq!(
        cache(&dir),
        serde_json::from_slice::<Value>(&whole).unwrap()
    );
    let kept = sha256(broken);
    let aside = format!(".stacker/build.cache.unreadable-{}", kept.hex());
    assert_eq!(fs::read(dir.path().join(aside)).unwrap(), broken);
}

#[test]
fn versions_and_readings() {
    let dir = project();
    let old = "old:\n  from: {type: tar, url: base.tar}\n  import: lib\n";
    let file = dir.file("old.yaml", old);
    for (source, copy, text) in [
        ("base.tar", "layer-bases/base.tar", "tar"),
        ("lib", "imports/old/lib", "x"),
    ] {
        dir.file(source, text);
        dir.file(&format!(".stacker/{copy}"), text);
    }
    layout(&dir, "oci", &["old"]);
    let ask = |verb: &str, more: &[&str]| {
        let mut arguments = vec!["stacker", verb, "--work-dir", dir.text()];
        arguments.extend(["--stackerfile", &file]);
        arguments.extend(more);
        layerwise(&arguments)
    };
    // Version 12 does not know the epoch.
    assert_eq!(ask("put", &["--cache-version", "12"]).exit, 0);
    assert_eq!(cache(&dir)["version"], 12);
    for reading in [&["--cache-version", "12"][..], &["--compatible=12"]] {
        let run = ask("lookup", reading);
        assert_eq!(run.exit, 0, "{run:?}");
    }
    let run = ask("lookup", &["--compatible=16", "--cache-version", "12"]);
    assert_eq!(run.exit, 2, "{run:?}");
    let run = ask("lookup", &[]);
    fails(
        &run,
        "open \"SOURCE_DATE_EPOCH\": not stated, and it takes part in the decision; give \
         --source-date-epoch SECONDS, or --source-date-epoch unset",
    );
    let run = ask("lookup", &["--source-date-epoch", "unset"]);
    assert!(run.stdout.contains("of another version, 12"), "{run:?}");
    assert_eq!(cache(&dir)["version"], 12, "a lookup deletes nothing");
    dir.file("old.yaml", old.replace("import:", "imports:"));
    let run = ask("lookup", &["--cache-version", "12"]);
    fails(
        &run,
        &format!(
            "cannot use the stackerfile {:?}: line 3: unknown directive \"imports\" (cache version 12)",
            dir.path().join("old.yaml")
        ),
    );
}

#[test]
fn wrong_paths_and_names_are_named() {
    let dir = project();
    let path = |name: &str| dir.path().join(name);
    let run = ask(&dir, "lookup", &["--layer", "ap"]);
    fails(&run, "no layer has the name \"ap\"; the nearest is \"app\"");
    for (option, what) in [
        ("--stacker-dir", "stacker directory"),
        ("--oci-dir", "layout of results"),
    ] {
        let nowhere = path("nowhere");
        let run = ask(&dir, "lookup", &[option, nowhere.to_str().unwrap()]);
        fails(
            &run,
            &format!("cannot read the {what} {nowhere:?}: it does not exist"),
        );
        let file = path("stacker.yaml");
        let run = ask(&dir, "prune", &[option, file.to_str().unwrap()]);
        fails(
            &run,
            &format!("cannot read the {what} {file:?}: it is no directory; name it with {option}"),
        );
    }
    let nowhere = path("nowhere.yaml");
    let run = layerwise(&[
        "stacker",
        "lookup",
        "--work-dir",
        dir.text(),
        "-f",
        nowhere.to_str().unwrap(),
    ]);
    fails(
        &run,
        &format!("cannot read the stackerfile {nowhere:?}: it does not exist"),
    );
    dir.file("stacker.yaml", STACKERFILE.replace(":hello", ""));
    let run = ask(&dir, "lookup", &["--json"]);
    assert_eq!(run.exit, 3);
    assert_eq!(run.json()["error"]["kind"], "stackerfile");
    assert_eq!(
        run.stderr,
        format!(
            "error: cannot use the stackerfile {:?}: line 3: no value for the substitution \"WORD\"; \
             give it as --substitute WORD=VALUE\n",
            path("stacker.yaml")
        )
    );
    dir.file("stacker.yaml", STACKERFILE.replace("base", "../base"));
    let run = ask(&dir, "lookup", &[]);
    assert_eq!(run.exit, 3, "{run:?}");
    assert!(run.stderr.contains("../base"), "{run:?}");
    for bad in ["WORD", "=x"] {
        assert_eq!(ask(&dir, "lookup", &["--substitute", bad]).exit, 2);
    }
    assert!(!Path::new(&path(".stacker/build.cache")).exists());
}

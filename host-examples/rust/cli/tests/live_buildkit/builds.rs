//! What buildkitd exports, and what it makes of our exports.

use std::fs;
use std::path::PathBuf;

use super::engine::{Context, Engine, STEPS, cached, met};
use super::registry::Registry;
use super::support::{Dir, layerwise};

/// Every form of a manifest that an exporter writes: its attributes and our
/// options.
const FORMS: [(&str, &[&str]); 3] = [
    ("", &[]),
    (",image-manifest=false", &["--image-manifest=false"]),
    (",oci-mediatypes=false", &["--oci-mediatypes=false"]),
];

#[test]
fn what_buildkitd_exports_is_what_we_export() {
    if !met() {
        return;
    }
    let (engine, context, dir) = (Engine::start(), Context::new(), Dir::new());
    for (at, (attributes, options)) in FORMS.into_iter().enumerate() {
        let path = format!("{}/real-{at}", dir.text());
        let export = format!("--export-cache=type=local,mode=max,dest={path}{attributes}");
        engine.build(&context, &[&export]);
        let real = format!("oci:{path}");

        let checked = layerwise(&["buildkit", "verify", &real, "--json"]);
        assert_eq!(checked.exit, 0, "{checked:?}");
        let checked = checked.json();
        assert_eq!(checked["standings"]["dead"], 0, "{checked}");
        // One record without a layer of its own stands for the empty base.
        assert!(
            checked["standings"]["hit"].as_u64() >= Some(STEPS as u64),
            "{checked}"
        );

        // The same bytes: config, manifest, and so their digests.
        let ours = format!("oci:{}/ours-{at}", dir.text());
        let mut arguments = vec!["buildkit", "export", &ours, "--from", &real, "--json"];
        arguments.extend(options);
        let exported = layerwise(&arguments);
        assert_eq!(exported.exit, 0, "{exported:?}");
        let exported = exported.json();
        assert_eq!(exported["config"]["digest"], checked["config"]);
        assert_eq!(
            exported["manifest"]["digest"],
            checked["manifest"]["digest"]
        );
    }
}

#[test]
fn buildkitd_imports_what_we_export() {
    if !met() {
        return;
    }
    let (registry, context, dir) = (Registry::start(), Context::new(), Dir::new());
    let real = format!("{}/real", dir.text());
    let export = format!("--export-cache=type=local,mode=max,dest={real}");
    let log = Engine::start().build(&context, &[&export]);
    assert_eq!(cached(&log), 0, "{log}");

    let name = registry.name("cache:ours");
    let pushed = layerwise(&[
        "buildkit",
        "export",
        &name,
        "--from",
        &format!("oci:{real}"),
    ]);
    assert_eq!(pushed.exit, 0, "{pushed:?}");
    let import = format!("--import-cache=type=registry,ref={name}");
    let log = Engine::start().build(&context, &[&import]);
    assert_eq!(cached(&log), STEPS, "{log}");

    // From a layout directory, in the form that older importers read.
    let ours = format!("{}/ours", dir.text());
    let form = "--image-manifest=false";
    let target = format!("oci:{ours}");
    let written = layerwise(&["buildkit", "export", &target, "--from", &name, form]);
    assert_eq!(written.exit, 0, "{written:?}");
    let import = format!("--import-cache=type=local,src={ours}");
    let log = Engine::start().build(&context, &[&import]);
    assert_eq!(cached(&log), STEPS, "{log}");

    // The two steps that see the file that changed are built again. What is copied
    // out of them has the same bytes, and what stands on that is there.
    context.write("b", "another b");
    let changed = format!("{}/changed", dir.text());
    let export = format!("--export-cache=type=local,mode=max,dest={changed}");
    let log = Engine::start().build(&context, &[&import, &export]);
    assert_eq!(cached(&log), STEPS - 2, "{log}");
    let changed = format!("oci:{changed}");
    let found = layerwise(&["buildkit", "diff", &target, &changed, "--json"]);
    assert_eq!(found.exit, 1, "{found:?}");
    let found = found.json();
    assert!(!found["causes"].as_array().unwrap().is_empty(), "{found}");
    assert!(!found["cascades"].as_array().unwrap().is_empty(), "{found}");
}

#[test]
fn a_real_cache_is_drawn_and_a_broken_one_is_told() {
    if !met() {
        return;
    }
    let (engine, context, dir) = (Engine::start(), Context::new(), Dir::new());
    let path = format!("{}/real", dir.text());
    let export = format!("--export-cache=type=local,mode=max,dest={path}");
    engine.build(&context, &[&export]);
    let real = format!("oci:{path}");
    let picture = format!("{}/picture.svg", dir.text());
    let drawn = layerwise(&["buildkit", "graph", &real, "-o", &picture, "--no-collapse"]);
    assert_eq!(drawn.exit, 0, "{drawn:?}");
    let shown = layerwise(&["buildkit", "inspect", &real, "--records", "--json"]).json();
    let svg = fs::read_to_string(&picture).unwrap();
    for record in shown["records"].as_array().unwrap() {
        assert!(svg.contains(record["digest"].as_str().unwrap()));
    }

    // Each layer in turn, as a registry's clean-up takes it. Below all others is that
    // of the first step: without it there is nothing left to write.
    let (config, manifest) = (&shown["config"], &shown["manifest"]["digest"]);
    let kept = [config, manifest].map(|digest| digest.as_str().unwrap().replace("sha256:", ""));
    let blobs = PathBuf::from(format!("{path}/blobs/sha256"));
    let layers = fs::read_dir(&blobs)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| !kept.contains(name));
    let mut nothing_left = 0;
    for layer in layers.collect::<Vec<_>>() {
        let aside = dir.path().join("aside");
        fs::rename(blobs.join(&layer), &aside).unwrap();
        let checked = layerwise(&["buildkit", "verify", &real]);
        assert_eq!(checked.exit, 1, "{checked:?}");
        assert!(
            checked.stdout.contains("buildkit/layer-blob-missing"),
            "{checked:?}"
        );
        let target = format!("oci:{}/without-{layer}", dir.text());
        let copied = layerwise(&["buildkit", "export", &target, "--from", &real, "--json"]);
        if copied.json()["empty"] == true {
            nothing_left += 1;
            assert_eq!(copied.exit, 1, "{copied:?}");
        } else {
            assert_eq!(copied.exit, 0, "{copied:?}");
            assert_eq!(layerwise(&["buildkit", "verify", &target]).exit, 0);
        }
        fs::rename(&aside, blobs.join(&layer)).unwrap();
    }
    assert_eq!(nothing_left, 1);
    assert_eq!(layerwise(&["buildkit", "verify", &real]).exit, 0);
}

/// A cache in a local directory of a name, and how builders and we call it.
struct Local {
    path: String,
    import: String,
    export: String,
}

impl Local {
    fn new(dir: &Dir, name: &str) -> Self {
        let path = format!("{}/{name}", dir.text());
        Self {
            import: format!("--import-cache=type=local,src={path}"),
            export: format!("--export-cache=type=local,mode=max,dest={path}"),
            path,
        }
    }
}

/// What a comparison of two caches says.
fn compared(old: &Local, new: &Local) -> (i32, serde_json::Value) {
    let run = layerwise(&["buildkit", "diff", &old.path, &new.path, "--json"]);
    (run.exit, run.json())
}

#[test]
fn caches_go_back_and_forth_over_generations() {
    if !met() {
        return;
    }
    let (context, dir) = (Context::new(), Dir::new());
    let generations = ["first", "cached", "again", "edited"].map(|name| Local::new(&dir, name));
    let [first, cached, again, edited] = &generations;
    Engine::start().build(&context, &[&first.export]);
    // An export of imported records leaves things out; no build parts for that.
    for (old, new) in [(first, cached), (cached, again)] {
        let log = Engine::start().build(&context, &[&old.import, &new.export]);
        assert_eq!(super::engine::cached(&log), STEPS, "{log}");
        assert_eq!(compared(old, new).0, 0, "{:?}", compared(old, new));
        assert_eq!(
            layerwise(&["buildkit", "verify", "--read-layers", &new.path]).exit,
            0
        );
    }
    // The bytes of one file are the cause, before the steps that see it.
    context.write("b", "another b");
    Engine::start().build(&context, &[&again.import, &edited.export]);
    let (exit, found) = compared(again, edited);
    assert_eq!(exit, 1, "{found}");
    assert_eq!(found["causes"].as_array().unwrap().len(), 1, "{found}");
    let used = &found["first"]["differences"][1];
    assert_eq!(found["first"]["code"], "buildkit/record-changed", "{found}");
    assert!(
        used["have"].as_str().unwrap().starts_with("input 1 of"),
        "{found}"
    );
}

#[test]
fn verify_tells_what_a_build_with_the_cache_does() {
    if !met() {
        return;
    }
    let (registry, context, dir) = (Registry::start(), Context::new(), Dir::new());
    let local = Local::new(&dir, "real");
    Engine::start().build(&context, &[&local.export]);
    let name = registry.name("cache:damaged");
    let pushed = layerwise(&["buildkit", "export", &name, "--from", &local.path]);
    assert_eq!(pushed.exit, 0, "{pushed:?}");
    assert_eq!(layerwise(&["buildkit", "verify", &name]).exit, 0);
    // The layer of the last step.
    let shown = layerwise(&["buildkit", "inspect", &name, "--records", "--json"]).json();
    let config = shown["config"].as_str().unwrap().replacen(':', "/", 1);
    let config = fs::read_to_string(format!("{}/blobs/{config}", local.path)).unwrap();
    let config: serde_json::Value = serde_json::from_str(&config).unwrap();
    // The layer on top of most others is that of the last step.
    let layers = config["layers"].as_array().unwrap();
    let depth = |mut at: usize| {
        let mut depth = 0;
        loop {
            let parent = layers[at]["parent"].as_i64().unwrap_or(0);
            match usize::try_from(parent) {
                Ok(parent) => at = parent,
                Err(_) => break depth,
            }
            depth += 1;
        }
    };
    let top = (0..layers.len()).max_by_key(|at| depth(*at)).unwrap();
    let layer = layers[top]["blob"].as_str().unwrap();
    registry.lose("cache:damaged", layer);

    let checked = layerwise(&["buildkit", "verify", &name, "--json"]);
    assert_eq!(checked.exit, 1, "{checked:?}");
    assert_eq!(checked.json()["standings"]["broken"], 1);
    let import = format!("--import-cache=type=registry,ref={name}");
    let output = format!("--output=type=local,dest={}/out", dir.text());
    let (done, log) = Engine::start().try_build(&context, &[&import, &output]);
    assert!(!done, "{log}");

    let healed = registry.name("cache:healed");
    let pushed = layerwise(&["buildkit", "export", &healed, "--from", &name]);
    assert_eq!(pushed.exit, 0, "{pushed:?}");
    assert_eq!(layerwise(&["buildkit", "verify", &healed]).exit, 0);
    let import = format!("--import-cache=type=registry,ref={healed}");
    let log = Engine::start().build(&context, &[&import, &output]);
    assert_eq!(cached(&log), STEPS - 1, "{log}");
}

//! The real skopeo and umoci on layouts that this store has changed. Where they
//! are not installed the tests say so and prove nothing.

#[cfg(test)]
mod support;

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;
    use std::path::Path;
    use std::process::Command;

    use layerwise::host::{FailureCode, ImageStore, Provenance};
    use layerwise_stores::OciLayout;
    use serde_json::Value;

    use super::support::*;

    /// Whether all of these programs can be run.
    fn have(tools: &[&str]) -> bool {
        let missing: Vec<_> = tools
            .iter()
            .filter(|tool| Command::new(tool).arg("--version").output().is_err())
            .collect();
        if !missing.is_empty() {
            println!("skipped: not installed: {missing:?}");
        }
        missing.is_empty()
    }

    fn run<const N: usize>(tool: &str, arguments: [&dyn AsRef<OsStr>; N]) -> String {
        let mut command = Command::new(tool);
        for argument in arguments {
            command.arg(argument.as_ref());
        }
        let output = command.output().unwrap();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{command:?}: {errors}");
        String::from_utf8(output.stdout).unwrap()
    }

    fn oci(path: &Path, name: &str) -> String {
        format!("oci:{}:{name}", path.display())
    }

    fn at(path: &Path, name: &str) -> String {
        format!("{}:{name}", path.display())
    }

    /// A layout with the image `source` of three layers, made by umoci alone.
    fn made_by_umoci(dir: &Dir) -> std::path::PathBuf {
        let path = dir.path().join("umoci");
        run("umoci", [&"init", &"--layout", &path]);
        run("umoci", [&"new", &"--image", &at(&path, "source")]);
        for name in ["one", "two", "three"] {
            let file = dir.path().join(name);
            write(&file, name);
            let image = at(&path, "source");
            run(
                "umoci",
                [
                    &"insert",
                    &"--rootless",
                    &"--image",
                    &image,
                    &file,
                    &format!("/{name}"),
                ],
            );
        }
        path
    }

    /// The config of the first `layers` steps of another one.
    fn beginning(config: &str, layers: usize) -> String {
        let mut config: Value = serde_json::from_str(config).unwrap();
        config["rootfs"]["diff_ids"]
            .as_array_mut()
            .unwrap()
            .truncate(layers);
        config["history"].as_array_mut().unwrap().truncate(layers);
        config.to_string()
    }

    fn last_layer(config: &str) -> String {
        let config: Value = serde_json::from_str(config).unwrap();
        let layers = config["rootfs"]["diff_ids"].as_array().unwrap();
        layers.last().unwrap().as_str().unwrap().to_owned()
    }

    #[test]
    fn skopeo_and_umoci_read_what_was_linked_and_restored() {
        if !have(&["skopeo", "umoci"]) {
            return;
        }
        let dir = Dir::new();
        let source = made_by_umoci(&dir);
        let path = dir.path().join("layout");
        run(
            "skopeo",
            [&"copy", &oci(&source, "source"), &oci(&path, "source")],
        );
        let store = keyed(OciLayout::open(&path).unwrap());
        let image = resolve(&store, "source").unwrap();
        let config = image.document.unwrap();

        let mut last: Option<String> = None;
        for layers in 1..=2 {
            let text = beginning(&config, layers);
            let id = store
                .create(last.as_deref(), &text, Some(&last_layer(&text)))
                .unwrap();
            store.tag(&id, &format!("step-{layers}")).unwrap();
            last = Some(id);
        }
        let last = last.unwrap();
        store.set_parent(&image.id, &last).unwrap();
        store.set_built_here(&last, true).unwrap();

        for (name, layers) in [("source", 3), ("step-1", 1), ("step-2", 2)] {
            let inspected = run("skopeo", [&"inspect", &oci(&path, name)]);
            let inspected: Value = serde_json::from_str(&inspected).unwrap();
            assert_eq!(
                inspected["Layers"].as_array().unwrap().len(),
                layers,
                "{name}"
            );
            let raw = run(
                "skopeo",
                [&"inspect", &"--config", &"--raw", &oci(&path, name)],
            );
            let document = resolve(&store, name).unwrap().document.unwrap();
            assert_eq!(raw.trim_end(), document.trim_end());
            let stat = run("umoci", [&"stat", &"--json", &"--image", &at(&path, name)]);
            let stat: Value = serde_json::from_str(&stat).unwrap();
            assert_eq!(stat["history"].as_array().unwrap().len(), layers, "{name}");
        }
        let names = run("umoci", [&"ls", &"--layout", &path]);
        assert_eq!(
            names.split_whitespace().collect::<Vec<_>>(),
            ["source", "step-1", "step-2"]
        );

        // Unpacking checks every diff id, so the restored image is a real one.
        let bundle = dir.path().join("bundle");
        run(
            "umoci",
            [
                &"unpack",
                &"--rootless",
                &"--image",
                &at(&path, "step-2"),
                &bundle,
            ],
        );
        for (name, there) in [("one", true), ("two", true), ("three", false)] {
            assert_eq!(bundle.join("rootfs").join(name).exists(), there, "{name}");
        }
        let copy = dir.path().join("copy");
        run(
            "skopeo",
            [&"copy", &oci(&path, "step-2"), &oci(&copy, "copy")],
        );
        let copied = OciLayout::open(&copy).unwrap();
        assert_eq!(copied.ids().unwrap(), [last.as_str()]);
        let notes = one(&copied, &last, ALL).unwrap();
        assert_eq!(
            (notes.parent, notes.built),
            (None, Provenance::Unknown),
            "notes stay at home"
        );
    }

    #[test]
    fn links_survive_what_other_tools_do_to_the_index() {
        if !have(&["skopeo", "umoci"]) {
            return;
        }
        let dir = Dir::new();
        let path = made_by_umoci(&dir);
        let store = keyed(OciLayout::open(&path).unwrap());
        let image = resolve(&store, "source").unwrap();
        let text = beginning(&image.document.unwrap(), 1);
        let id = store.create(None, &text, None).unwrap();
        store.set_parent(&image.id, &id).unwrap();
        store.set_built_here(&image.id, true).unwrap();

        run(
            "umoci",
            [&"tag", &"--image", &at(&path, "source"), &"again"],
        );
        run(
            "umoci",
            [
                &"config",
                &"--image",
                &at(&path, "source"),
                &"--tag",
                &"other",
                &"--author",
                &"x",
            ],
        );
        run(
            "skopeo",
            [&"copy", &oci(&path, "other"), &oci(&path, "more")],
        );
        assert_eq!(parent(&store, &image.id), Some(id.clone()));
        assert_eq!(
            one(&store, &image.id, BUILT).unwrap().built,
            Provenance::BuiltHere
        );
        assert_eq!(store.children(Some(&id)).unwrap(), [image.id.as_str()]);
        assert_eq!(resolve(&store, "again").unwrap().id, image.id);
        let derived = resolve(&store, "other").unwrap().id;
        assert_ne!(derived, image.id);
        let notes = one(&store, &derived, ALL).unwrap();
        assert_eq!(
            (notes.parent, notes.built),
            (None, Provenance::Unknown),
            "umoci copied them"
        );
        assert_ne!(resolve(&store, "more").unwrap().id, image.id);

        run("umoci", [&"gc", &"--layout", &path]);
        assert!(
            one(&store, &id, ALL).is_ok(),
            "an entry without a name keeps an image"
        );
        assert_eq!(store.children(Some(&id)).unwrap(), [image.id.as_str()]);
        assert!(store.passed().unwrap().is_empty());
        run("umoci", [&"rm", &"--image", &at(&path, "source")]);
        let left = resolve(&store, "again").unwrap().id;
        assert_eq!(left, image.id, "its other name is left");
    }

    #[test]
    fn a_layout_made_here_is_one_for_umoci_and_skopeo() {
        if !have(&["skopeo", "umoci"]) {
            return;
        }
        let dir = Dir::new();
        let path = dir.path().join("layout");
        let store = keyed(OciLayout::init(&path).unwrap());
        let id = store.create(None, &document("first", &[]), None).unwrap();
        store.tag(&id, "first").unwrap();
        assert_eq!(run("umoci", [&"ls", &"--layout", &path]).trim(), "first");
        run("umoci", [&"stat", &"--image", &at(&path, "first")]);
        run("skopeo", [&"inspect", &oci(&path, "first")]);
        let file = dir.path().join("file");
        write(&file, "text");
        let image = at(&path, "first");
        run(
            "umoci",
            [
                &"insert",
                &"--rootless",
                &"--image",
                &image,
                &file,
                &"/file",
            ],
        );
        let grown = resolve(&store, "first").unwrap();
        assert_ne!(grown.id, id);
        fails(
            store.set_parent(&grown.id, &id),
            FailureCode::NotFound,
            &[&id],
        );
    }
}

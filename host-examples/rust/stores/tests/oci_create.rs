//! An image layout: new images, and new layouts.

#[cfg(test)]
mod support;

#[cfg(test)]
mod tests {
    use std::fs;

    use layerwise::host::{FailureCode, ImageStore, Provenance};
    use layerwise::oci::sha256;
    use layerwise_stores::OciLayout;
    use serde_json::{Value, json};

    use super::support::*;

    fn entries(layout: &Layout) -> usize {
        layout.index()["manifests"].as_array().unwrap().len()
    }

    fn diff_ids(layers: &[&str]) -> Vec<String> {
        layers
            .iter()
            .map(|layer| sha256(layer.as_bytes()).to_string())
            .collect()
    }

    #[test]
    fn creates_from_layers_that_are_there() {
        let mut layout = Layout::new();
        let base = layout.add("base", "base", &["l1"]);
        let source = layout.add("source", "source", &["l1", "l2", "l3"]);
        let store = keyed(OciLayout::open(layout.path()).unwrap());
        let text = document("restored", &diff_ids(&["l1", "l2"]));
        let l2 = sha256(b"l2").to_string();
        let id = store.create(Some(&base), &text, Some(&l2)).unwrap();
        assert_eq!(id, sha256(text.as_bytes()).to_string());
        let image = one(&store, &id, ALL).unwrap();
        assert_eq!(image.document, Some(text.clone()));
        assert_eq!(image.parent, Some(base.clone()));
        assert_eq!(image.built, Provenance::Elsewhere);
        assert_eq!(store.children(Some(&base)).unwrap(), [id.as_str()]);

        let entry = layout.index()["manifests"][2].clone();
        let manifest: Value =
            serde_json::from_slice(&fs::read(layout.blob_path(&digest(&entry))).unwrap()).unwrap();
        assert_eq!(manifest["schemaVersion"], 2);
        assert_eq!(manifest["config"]["digest"], json!(id));
        assert_eq!(manifest["config"]["size"], json!(text.len()));
        let layers: Vec<_> = manifest["layers"]
            .as_array()
            .unwrap()
            .iter()
            .map(digest)
            .collect();
        assert_eq!(layers, diff_ids(&["l1", "l2"]));

        let index = layout.index();
        assert_eq!(store.create(Some(&base), &text, Some(&l2)).unwrap(), id);
        assert_eq!(store.create(None, &text, None).unwrap(), id);
        assert_eq!(layout.index(), index, "the same again changes nothing");
        assert_eq!(store.create(Some(&source), &text, Some(&l2)).unwrap(), id);
        assert_eq!(parent(&store, &id), Some(source));
        assert_eq!(
            entries(&layout),
            3,
            "a link is replaced, the image is not doubled"
        );
    }

    #[test]
    fn a_restored_chain_grows() {
        let mut layout = Layout::new();
        let names: Vec<String> = (0..20).map(|n| format!("layer {n}")).collect();
        let layers: Vec<&str> = names.iter().map(String::as_str).collect();
        layout.add("source", "source", &layers);
        let store = keyed(OciLayout::open(layout.path()).unwrap());
        let mut last: Option<String> = None;
        for n in 0..=layers.len() {
            let ids = diff_ids(&layers[..n]);
            let layer = ids.last().cloned();
            let id = store
                .create(
                    last.as_deref(),
                    &document(&format!("step {n}"), &ids),
                    layer.as_deref(),
                )
                .unwrap();
            assert_eq!(parent(&store, &id), last);
            last = Some(id);
        }
        assert_eq!(store.ids().unwrap().len(), layers.len() + 2);
    }

    #[test]
    fn a_new_image_does_not_take_marks_from_an_old_entry() {
        let mut layout = Layout::new();
        let (base, source) = (
            layout.add("base", "base", &[]),
            layout.add("s", "s", &["l1"]),
        );
        let store = keyed(OciLayout::open(layout.path()).unwrap());
        let text = document("restored", &diff_ids(&["l1"]));
        let id = store.create(Some(&base), &text, None).unwrap();
        store.set_built_here(&id, true).unwrap();
        assert_eq!(store.create(None, &text, None).unwrap(), id);
        assert_eq!(
            one(&store, &id, BUILT).unwrap().built,
            Provenance::BuiltHere,
            "it is still there"
        );
        // As a garbage collector does that looks at names only.
        fs::remove_file(layout.blob_path(&digest(&layout.index()["manifests"][2]))).unwrap();
        fs::remove_file(layout.blob_path(&id)).unwrap();
        let store = keyed(OciLayout::open(layout.path()).unwrap());
        fails(
            one(&store, &id, ALL),
            FailureCode::Unavailable,
            &[&id, "index.json", "it does not exist"],
        );
        assert_eq!(
            store.passed().unwrap()[0].failure.code,
            FailureCode::NotFound
        );
        assert_eq!(store.create(Some(&source), &text, None).unwrap(), id);
        let image = one(&store, &id, ALL).unwrap();
        assert_eq!(
            (image.parent, image.built),
            (Some(source), Provenance::Elsewhere)
        );
        assert_eq!(entries(&layout), 3);
        fs::remove_file(layout.blob_path(&id)).unwrap();
        store.create(None, &text, None).unwrap();
        assert_eq!(
            one(&store, &id, DOCUMENT).unwrap().document,
            Some(text),
            "a lost blob is back"
        );
    }

    #[test]
    fn unsuitable_documents_change_nothing() {
        let mut layout = Layout::new();
        let base = layout.add("base", "base", &["l1"]);
        let before = (
            layout.index(),
            fs::read_dir(layout.path().join("blobs/sha256"))
                .unwrap()
                .count(),
        );
        let store = keyed(OciLayout::open(layout.path()).unwrap());
        let missing = diff_ids(&["l1", "nowhere"]);
        fails(
            store.create(Some(&base), &document("x", &missing), Some(&missing[1])),
            FailureCode::NotFound,
            &["diff id", &missing[1]],
        );
        for (text, layer, says) in [
            ("", None, "not an image config"),
            ("{}", None, "rootfs"),
            ("{\"rootfs\":null}", None, "not an image config"),
            (
                "{\"rootfs\":{\"diff_ids\":[\"sha256:../x\"]}}",
                None,
                "sha256:../x",
            ),
            (
                "{\"rootfs\":{}}",
                Some(missing[0].as_str()),
                "not the last one",
            ),
            (
                &document("x", &missing),
                Some(&missing[0]),
                "not the last one",
            ),
        ] {
            fails(
                store.create(None, text, layer),
                FailureCode::Invalid,
                &[says],
            );
        }
        let after = (
            layout.index(),
            fs::read_dir(layout.path().join("blobs/sha256"))
                .unwrap()
                .count(),
        );
        assert_eq!(before, after);
    }

    #[test]
    fn layers_are_matched_by_what_is_there() {
        let mut layout = Layout::new();
        let diff = sha256(b"the layer").to_string();
        let plain = layout.blob(TAR, b"the layer");
        let lie = layout.blob(TAR, b"something else");
        let gzip = layout.blob(
            "application/vnd.docker.image.rootfs.diff.tar.gzip",
            b"\x1f\x8b gz",
        );
        let text = |name: &str| document(name, std::slice::from_ref(&diff));
        // An uncompressed blob under a wrong digest, and counts that disagree.
        let liar = layout.image_of(&text("liar"), &[lie]).1;
        let counts = layout.image_of(&text("counts"), &[plain.clone(), plain]).1;
        layout.enter(liar, "liar");
        layout.enter(counts, "counts");
        let store = keyed(OciLayout::open(layout.path()).unwrap());
        fails(
            store.create(None, &text("new"), None),
            FailureCode::NotFound,
            &[&diff],
        );

        let (id, honest) = layout.image_of(&text("honest"), std::slice::from_ref(&gzip));
        layout.enter(honest, "honest");
        let second = layout.blob(TAR_GZIP, b"\x1f\x8b other gz");
        let (built, other) = layout.image_of(&text("other"), std::slice::from_ref(&second));
        layout.enter(other, "other");
        let layer_of = |name: &str| -> Value {
            let id = store.create(None, &text(name), None).unwrap();
            let entry = layout.index()["manifests"]
                .as_array()
                .unwrap()
                .last()
                .unwrap()
                .clone();
            let manifest = fs::read(layout.blob_path(&digest(&entry))).unwrap();
            let manifest: Value = serde_json::from_slice(&manifest).unwrap();
            assert_eq!(manifest["config"]["digest"], json!(id));
            manifest["layers"][0].clone()
        };
        store.set_built_here(&id, true).unwrap();
        let taken = layer_of("a");
        assert_eq!(
            taken["digest"], gzip["digest"],
            "what was built here goes first"
        );
        assert_eq!(
            taken["mediaType"],
            json!(TAR_GZIP),
            "docker's types have oci names"
        );
        store.set_built_here(&id, false).unwrap();
        store.set_built_here(&built, true).unwrap();
        assert_eq!(layer_of("b")["digest"], second["digest"]);
        fs::remove_file(layout.blob_path(&digest(&second))).unwrap();
        assert_eq!(
            layer_of("c")["digest"],
            gzip["digest"],
            "a blob that is gone is not taken"
        );
        fs::write(layout.blob_path(&digest(&gzip)), "cut").unwrap();
        fails(
            store.create(None, &text("d"), None),
            FailureCode::NotFound,
            &[&diff],
        );
    }

    #[test]
    fn makes_layouts_where_nothing_is() {
        let dir = Dir::new();
        let path = dir.path().join("new/layout");
        let store = keyed(OciLayout::init(&path).unwrap());
        let id = store.create(None, &document("first", &[]), None).unwrap();
        assert_eq!(
            OciLayout::init(&path).unwrap().ids().unwrap(),
            [id],
            "it stays"
        );
        // What a crash in the middle leaves is finished.
        fs::remove_file(path.join("oci-layout")).unwrap();
        assert_eq!(OciLayout::init(&path).unwrap().ids().unwrap().len(), 1);
        write(&dir.path().join("notes/file.txt"), "mine");
        fails(
            OciLayout::init(&dir.path().join("notes")),
            FailureCode::Conflict,
            &["file.txt"],
        );
        assert!(!dir.path().join("notes/index.json").exists());
    }
}

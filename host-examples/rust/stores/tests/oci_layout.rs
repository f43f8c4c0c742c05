//! An image layout: reading what other tools write, links, names.

#[cfg(test)]
mod support;

#[cfg(test)]
mod tests {
    use layerwise::host::{FailureCode, ImageStore, Provenance};
    use layerwise::oci::sha256;
    use layerwise_stores::OciLayout;
    use serde_json::{Value, json};

    use super::support::*;

    const LINK: &str = "dev.layerwise.parent";
    const MARK: &str = "dev.layerwise.built-here";
    const ABOUT: &str = "dev.layerwise.image";

    fn sorted<const N: usize>(ids: [&String; N]) -> Vec<String> {
        let mut ids: Vec<String> = ids.into_iter().cloned().collect();
        ids.sort();
        ids
    }

    fn annotations(layout: &Layout, key: &str) -> Vec<Value> {
        let index = layout.index();
        let entries = index["manifests"].as_array().unwrap().clone();
        entries
            .into_iter()
            .map(|entry| entry["annotations"][key].clone())
            .collect()
    }

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
    fn reads_what_is_there() {
        let mut layout = Layout::new();
        let base = layout.add("base", "base", &["l1"]);
        let child = layout.add("", "child", &["l1", "l2"]);
        let store = keyed(OciLayout::open(layout.path()).unwrap());
        assert_eq!(store.ids().unwrap(), sorted([&base, &child]));
        assert_eq!(store.children(None).unwrap(), sorted([&base, &child]));
        let image = one(&store, &child, ALL).unwrap();
        assert_eq!(
            image.document,
            Some(document("child", &diff_ids(&["l1", "l2"])))
        );
        assert_eq!((image.parent, image.built), (None, Provenance::Unknown));
        assert_eq!(one(&store, &child, PARENT).unwrap().document, None);
        fails(
            one(&store, &sha256(b"").to_string(), ALL),
            FailureCode::NotFound,
            &["no image"],
        );
        assert!(store.passed().unwrap().is_empty());
    }

    /// Caches and attestations have manifests and layers, too.
    #[test]
    fn what_is_no_image_is_none_here() {
        let mut layout = Layout::new();
        let base = layout.add("base", "base", &["l1"]);
        let layer = layout.blob(TAR, b"l1");
        for (at, kind) in [
            "application/vnd.buildkit.cacheconfig.v0",
            "application/vnd.oci.empty.v1+json",
        ]
        .into_iter()
        .enumerate()
        {
            let text = document("other", &diff_ids(&["l1"]));
            let config = layout.blob(kind, format!("{text}{}", " ".repeat(at)).as_bytes());
            let manifest = json!({"schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": [layer]});
            let entry = layout.blob(MANIFEST, manifest.to_string().as_bytes());
            layout.enter(entry, &format!("other{at}"));
        }
        let store = keyed(OciLayout::open(layout.path()).unwrap());
        assert_eq!(store.ids().unwrap(), [base.as_str()]);
        assert_eq!(store.children(None).unwrap(), [base.as_str()]);
        for name in ["other0", "other1"] {
            assert!(resolve(&store, name).is_err(), "{name}");
        }
    }

    #[test]
    fn links_and_marks_are_annotations() {
        let mut layout = Layout::new();
        let base = layout.add("base", "base", &["l1"]);
        let child = layout.add("child", "child", &["l1", "l2"]);
        let other = layout.add("", "other", &[]);
        let store = keyed(OciLayout::open(layout.path()).unwrap());
        store.set_parent(&child, &base).unwrap();
        assert_eq!(store.children(Some(&base)).unwrap(), [child.as_str()]);
        assert_eq!(store.children(None).unwrap(), sorted([&base, &other]));
        assert_eq!(parent(&store, &child), Some(base.clone()));
        assert_eq!(
            annotations(&layout, LINK),
            [json!(null), json!(base), json!(null)]
        );
        assert_eq!(
            annotations(&layout, REF_NAME)[1],
            json!("child"),
            "the name is kept"
        );
        assert_eq!(
            layout.index()["com.example.kept"],
            json!([1]),
            "members of others are kept"
        );

        store.set_parent(&child, &other).unwrap();
        assert!(store.children(Some(&base)).unwrap().is_empty());
        assert_eq!(store.children(Some(&other)).unwrap(), [child.as_str()]);

        store.set_built_here(&child, true).unwrap();
        store.set_built_here(&base, false).unwrap();
        let built = [&child, &base, &other].map(|id| one(&store, id, BUILT).unwrap().built);
        assert_eq!(
            built,
            [
                Provenance::BuiltHere,
                Provenance::Elsewhere,
                Provenance::Unknown
            ]
        );

        let again = keyed(OciLayout::open(layout.path()).unwrap());
        assert_eq!(parent(&again, &child), Some(other));
    }

    #[test]
    fn notes_count_for_the_image_they_are_about() {
        let mut layout = Layout::new();
        let base = layout.add("base", "base", &[]);
        let (own, mut entry) = layout.image("own", &[]);
        entry["annotations"] = json!({ABOUT: own, LINK: base, MARK: mark(&own, &base)});
        layout.enter(entry, "own");
        let (derived, mut entry) = layout.image("derived", &[]);
        entry["annotations"] = json!({ABOUT: own, LINK: base, MARK: mark(&own, &base)});
        layout.enter(entry, "derived");
        let (bare, mut entry) = layout.image("bare", &[]);
        entry["annotations"] = json!({LINK: base, MARK: mark(&bare, &base)});
        layout.enter(entry, "bare");
        let store = keyed(OciLayout::open(layout.path()).unwrap());
        let facts = |id: &String| {
            one(&store, id, ALL)
                .map(|image| (image.parent, image.built))
                .unwrap()
        };
        assert_eq!(facts(&own), (Some(base.clone()), Provenance::BuiltHere));
        assert_eq!(facts(&derived), (None, Provenance::Unknown));
        assert_eq!(facts(&bare), (None, Provenance::Unknown));
        store.set_parent(&derived, &own).unwrap();
        store.set_built_here(&bare, false).unwrap();
        assert_eq!(
            facts(&derived),
            (Some(own), Provenance::Unknown),
            "copied notes go"
        );
        assert_eq!(facts(&bare), (None, Provenance::Elsewhere));
    }

    #[test]
    fn unknown_images_are_not_linked() {
        let mut layout = Layout::new();
        let base = layout.add("base", "base", &[]);
        let before = layout.index();
        let store = keyed(OciLayout::open(layout.path()).unwrap());
        let nobody = sha256(b"nobody").to_string();
        fails(
            store.set_parent(&nobody, &base),
            FailureCode::NotFound,
            &[&nobody],
        );
        fails(
            store.set_parent(&base, &nobody),
            FailureCode::NotFound,
            &[&nobody],
        );
        fails(
            store.set_parent(&base, "../x"),
            FailureCode::Invalid,
            &["../x"],
        );
        fails(
            store.set_built_here(&nobody, true),
            FailureCode::NotFound,
            &[&nobody],
        );
        fails(store.tag(&nobody, "n"), FailureCode::NotFound, &[&nobody]);
        fails(
            store.create(Some(&nobody), &document("x", &[]), None),
            FailureCode::NotFound,
            &[&nobody],
        );
        assert_eq!(layout.index(), before);
    }

    #[test]
    fn resolves_names_and_ids() {
        let mut layout = Layout::new();
        let base = layout.add("base", "base", &[]);
        let child = layout.add("docker.io/library/app:1", "child", &["l1"]);
        let (saved, mut descriptor) = layout.image("saved", &[]);
        descriptor["annotations"]["io.containerd.image.name"] =
            json!("docker.io/library/saved:latest");
        layout.enter(descriptor.clone(), "latest");
        let store = keyed(OciLayout::open(layout.path()).unwrap());
        for (reference, want) in [
            ("base", &base),
            ("docker.io/library/app:1", &child),
            ("latest", &saved),
            ("saved", &saved),
            ("docker.io/library/saved", &saved),
            (&digest(&descriptor), &saved),
            (&child, &child),
            (hex(&child), &child),
            (&hex(&child)[..10], &child),
            (&child[..15], &child),
        ] {
            let image = resolve(&store, reference).unwrap();
            assert_eq!(image.id, **want, "{reference}");
            assert!(image.document.is_some());
        }
        for reference in [
            "nosuch",
            "",
            "../../etc/passwd",
            "Base",
            &sha256(b"").to_string(),
        ] {
            fails(
                resolve(&store, reference),
                FailureCode::NotFound,
                &["no image"],
            );
        }
        let answer = store.resolve(std::slice::from_ref(&base), 5).remove(0);
        fails(answer, FailureCode::TooLarge, &[&base]);
        // A name must not pose as an id.
        let shadow = layout.image("shadow", &[]).1;
        layout.enter(shadow, &base);
        assert_eq!(resolve(&store, &base).unwrap().id, base);
    }

    #[test]
    fn a_name_for_two_images_is_refused() {
        let mut layout = Layout::new();
        let first = layout.add("twice", "first", &[]);
        layout.add("twice", "second", &[]);
        let same = layout.image("first", &[]).1;
        layout.enter(same.clone(), "same");
        layout.enter(same, "same");
        let store = keyed(OciLayout::open(layout.path()).unwrap());
        fails(
            resolve(&store, "twice"),
            FailureCode::Invalid,
            &["2 images"],
        );
        assert_eq!(resolve(&store, "same").unwrap().id, first);
    }

    #[test]
    fn tags_move() {
        let mut layout = Layout::new();
        let base = layout.add("base", "base", &[]);
        let child = layout.add("", "child", &[]);
        let store = keyed(OciLayout::open(layout.path()).unwrap());
        store.set_parent(&child, &base).unwrap();
        store.tag(&child, "new").unwrap();
        assert_eq!(entries(&layout), 2, "the entry without a name gets it");
        store.tag(&child, "newer").unwrap();
        assert_eq!(entries(&layout), 3);
        assert_eq!(annotations(&layout, LINK)[1..], [json!(base), json!(base)]);
        store.tag(&child, "base").unwrap();
        for name in ["new", "newer", "base"] {
            assert_eq!(resolve(&store, name).unwrap().id, child, "{name}");
        }
        assert!(
            one(&store, &base, DOCUMENT).is_ok(),
            "it lost its name, not its entry"
        );
        let before = layout.index();
        store.tag(&child, "base").unwrap();
        assert_eq!(layout.index(), before);
        fails(store.tag(&child, "a b"), FailureCode::Invalid, &["a b"]);
        store.set_parent(&child, &child).unwrap();
        assert_eq!(
            annotations(&layout, LINK)[1..],
            vec![json!(child); 3],
            "in every entry"
        );
    }

    #[test]
    fn nested_images_get_an_entry_when_something_is_noted() {
        let mut layout = Layout::new();
        let base = layout.add("base", "base", &[]);
        let (inner, mut inner_entry) = layout.image("inner", &["l1"]);
        inner_entry["annotations"] =
            json!({ABOUT: inner, LINK: base, MARK: mark(&inner, &base), REF_NAME: "inside"});
        let mut proof = layout.image("attestation", &[]).1;
        proof["annotations"] = json!({"vnd.docker.reference.type": "attestation-manifest"});
        let index =
            json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": [inner_entry, proof]});
        let nested = layout.blob(INDEX, index.to_string().as_bytes());
        layout.enter(nested.clone(), "multi");
        let store = keyed(OciLayout::open(layout.path()).unwrap());
        assert_eq!(store.ids().unwrap(), sorted([&base, &inner]));
        let image = one(&store, &inner, ALL).unwrap();
        assert_eq!(
            (image.parent, image.built),
            (None, Provenance::Unknown),
            "notes of others"
        );
        assert_eq!(resolve(&store, "multi").unwrap().id, inner);
        assert_eq!(resolve(&store, &digest(&nested)).unwrap().id, inner);
        fails(
            resolve(&store, "inside"),
            FailureCode::NotFound,
            &["inside"],
        );
        store.set_parent(&inner, &base).unwrap();
        assert_eq!(parent(&store, &inner), Some(base));
        assert_eq!(entries(&layout), 3);
        store.set_built_here(&inner, true).unwrap();
        store.tag(&inner, "own").unwrap();
        assert_eq!(entries(&layout), 3);
        assert_eq!(resolve(&store, "own").unwrap().id, inner);
    }

    #[test]
    fn what_other_programs_write_is_seen() {
        let mut layout = Layout::new();
        let base = layout.add("base", "base", &[]);
        let store = keyed(OciLayout::open(layout.path()).unwrap());
        assert_eq!(store.ids().unwrap(), [base.as_str()]);
        let late = layout.add("late", "late", &[]);
        assert_eq!(store.ids().unwrap(), sorted([&base, &late]));
        store.set_parent(&late, &base).unwrap();
        assert_eq!(store.children(Some(&base)).unwrap(), [late]);
    }

    #[test]
    fn limits_hold_together() {
        let mut layout = Layout::new();
        let ids = ["a", "b", "c"].map(|text| layout.add(text, text, &[]));
        let size = document("a", &[]).len() as u64;
        let store = keyed(OciLayout::open(layout.path()).unwrap());
        assert_eq!(store.get(&ids, DOCUMENT, size * 2).len(), 2);
        assert_eq!(store.get(&ids, DOCUMENT, size * 2 - 1).len(), 1);
        assert_eq!(store.get(&ids, PARENT, 0).len(), 3);
        for item in store.get(&ids, DOCUMENT, size - 1) {
            fails(item, FailureCode::TooLarge, &["limit"]);
        }
    }
}

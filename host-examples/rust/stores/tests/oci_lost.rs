//! Layouts whose `index.json` tells of images that cannot be read.

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

    /// A base, and an entry with all notes for a child of it.
    fn family() -> (Layout, [String; 2], Value) {
        let mut layout = Layout::new();
        let base = layout.add("base", "base", &[]);
        let (child, mut entry) = layout.image("child", &[]);
        entry["annotations"] = json!({
            "dev.layerwise.image": child,
            "dev.layerwise.parent": base,
            "dev.layerwise.built-here": mark(&child, &base),
        });
        (layout, [base, child], entry)
    }

    /// Damages a blob or the entry itself; returns the failure to expect.
    type Damage = fn(&Layout, &mut Value) -> (FailureCode, &'static str);

    fn manifest(layout: &Layout, entry: &Value) -> std::path::PathBuf {
        layout.blob_path(&digest(entry))
    }

    const DAMAGES: &[Damage] = &[
        |layout, entry| {
            fs::remove_file(manifest(layout, entry)).unwrap();
            (FailureCode::Unavailable, "it does not exist")
        },
        |layout, _| {
            fs::remove_dir_all(layout.path().join("blobs")).unwrap();
            (FailureCode::Unavailable, "it does not exist")
        },
        |layout, entry| {
            write(&manifest(layout, entry), "{");
            (FailureCode::Truncated, "has 1 bytes")
        },
        |layout, entry| {
            let size = fs::metadata(manifest(layout, entry)).unwrap().len();
            write(
                &manifest(layout, entry),
                " ".repeat(size.try_into().unwrap()),
            );
            (FailureCode::Corrupt, "does not have the digest")
        },
        |layout, entry| {
            fs::remove_file(manifest(layout, entry)).unwrap();
            fs::create_dir(manifest(layout, entry)).unwrap();
            (FailureCode::Corrupt, "not a regular file")
        },
        |_, entry| {
            entry["digest"] = json!("sha256:../../../../etc/passwd");
            (FailureCode::Corrupt, "\"sha256:../../../../etc/passwd\"")
        },
        |_, entry| {
            entry["digest"] = json!(null);
            (FailureCode::Corrupt, "not a descriptor")
        },
        |_, entry| {
            entry["size"] = json!(-1);
            (FailureCode::Corrupt, "not a descriptor")
        },
        |_, entry| {
            entry["mediaType"] = json!("text/plain");
            (FailureCode::Corrupt, "\"text/plain\" for its media type")
        },
        |layout, entry| {
            let text = json!({"schemaVersion": 2, "layers": [],
                "config": {"mediaType": CONFIG, "digest": "md5:00", "size": 1}});
            let annotations = entry["annotations"].take();
            *entry = layout.blob(MANIFEST, text.to_string().as_bytes());
            entry["annotations"] = annotations;
            (FailureCode::Corrupt, "\"md5:00\"")
        },
    ];

    #[test]
    fn a_child_that_cannot_be_read_is_listed_and_says_why() {
        for damage in DAMAGES {
            let (mut layout, [base, child], mut entry) = family();
            let (code, why) = damage(&layout, &mut entry);
            layout.enter(entry, "app:1");
            let store = keyed(OciLayout::open(layout.path()).unwrap());
            assert_eq!(store.children(Some(&base)).unwrap(), [child.as_str()]);
            assert!(!store.children(None).unwrap().contains(&child));
            assert!(store.ids().unwrap().contains(&child));

            let said = [&*format!("image {child:?}"), "index.json", why];
            fails(one(&store, &child, ALL), code, &said);
            fails(one(&store, &child, DOCUMENT), code, &said);
            for name in [&child, hex(&child), &child[..20], "app:1"] {
                fails(resolve(&store, name), code, &said);
            }
            assert_eq!(parent(&store, &child), Some(base.clone()));
            let noted = one(&store, &child, BUILT).unwrap().built;
            assert_eq!(noted, Provenance::BuiltHere, "no blob says that");

            let before = layout.index();
            fails(store.set_parent(&child, &base), code, &said);
            fails(store.tag(&child, "new"), code, &said);
            let new = document("new", &[]);
            fails(store.create(Some(&child), &new, None), code, &said);
            assert_eq!(layout.index(), before);
        }
    }

    #[test]
    fn readable_siblings_are_listed_beside_it_in_order() {
        let (mut layout, [base, child], entry) = family();
        let mut children = vec![child.clone()];
        for text in ["a", "b", "c", "d"] {
            let (id, mut entry) = layout.image(text, &[]);
            entry["annotations"] = json!({"dev.layerwise.image": id, "dev.layerwise.parent": base});
            layout.enter(entry, "");
            children.push(id);
        }
        fs::remove_file(manifest(&layout, &entry)).unwrap();
        layout.enter(entry, "");
        let store = keyed(OciLayout::open(layout.path()).unwrap());
        children.sort();
        assert_eq!(store.children(Some(&base)).unwrap(), children);
        let answers = store.get(&children, DOCUMENT, 1 << 20);
        for (id, answer) in children.iter().zip(answers) {
            assert_eq!(answer.is_err(), *id == child, "{id}");
        }
    }

    #[test]
    fn what_is_back_is_seen_and_what_is_made_again_is_whole() {
        let (mut layout, [base, child], entry) = family();
        let path = manifest(&layout, &entry);
        let bytes = fs::read(&path).unwrap();
        layout.enter(entry, "app:1");
        let store = keyed(OciLayout::open(layout.path()).unwrap());
        assert!(one(&store, &child, ALL).is_ok());
        fs::remove_file(&path).unwrap();
        let store = keyed(OciLayout::open(layout.path()).unwrap());
        fails(one(&store, &child, ALL), FailureCode::Unavailable, &[]);
        fs::write(&path, bytes).unwrap();
        assert!(one(&store, &child, ALL).is_ok());
        assert!(store.passed().unwrap().is_empty());

        fs::remove_dir_all(layout.path().join("blobs")).unwrap();
        let store = keyed(OciLayout::open(layout.path()).unwrap());
        let text = document("child", &[]);
        assert_eq!(store.create(None, &text, None).unwrap(), child);
        let image = one(&store, &child, ALL).unwrap();
        assert_eq!((image.document, image.parent), (Some(text), None));
        assert!(store.children(Some(&base)).unwrap().is_empty());
    }

    /// umoci copies annotations to the entry of an image it derives.
    #[test]
    fn notes_are_not_taken_from_a_damaged_copy() {
        let (mut layout, [base, child], entry) = family();
        let mut copy = layout.image("derived", &[]).1;
        copy["annotations"] = entry["annotations"].clone();
        copy["annotations"]["dev.layerwise.parent"] = json!(sha256(b"other").to_string());
        fs::remove_file(manifest(&layout, &copy)).unwrap();
        layout.enter(copy, "copy");
        layout.enter(entry, "own");
        let store = keyed(OciLayout::open(layout.path()).unwrap());
        assert_eq!(parent(&store, &child), Some(base.clone()));
        assert_eq!(store.ids().unwrap().len(), 2);
        assert_eq!(resolve(&store, "own").unwrap().id, child);
        fails(
            resolve(&store, "copy"),
            FailureCode::NotFound,
            &["blobs/sha256"],
        );
        assert_eq!(store.passed().unwrap().len(), 1);
    }

    /// Nothing says that they are images.
    #[test]
    fn entries_without_notes_are_passed_over_and_said() {
        let (mut layout, [base, child], mut entry) = family();
        fs::remove_file(manifest(&layout, &entry)).unwrap();
        for annotations in [
            json!(null),
            json!({"dev.layerwise.parent": base}),
            json!({"dev.layerwise.image": "no id", "dev.layerwise.parent": base}),
        ] {
            entry["annotations"] = annotations;
            layout.enter(entry.clone(), "");
        }
        let mut malformed = entry.clone();
        malformed["digest"] = json!("md5:00");
        layout.enter(malformed, "named");
        let store = keyed(OciLayout::open(layout.path()).unwrap());
        assert!(store.children(Some(&base)).unwrap().is_empty());
        assert_eq!(store.children(None).unwrap(), [base.as_str()]);
        let said = ["of its entries cannot be read: ", "it does not exist"];
        fails(one(&store, &child, ALL), FailureCode::NotFound, &said);
        fails(resolve(&store, "nosuch"), FailureCode::NotFound, &said);
        fails(
            resolve(&store, "named"),
            FailureCode::Corrupt,
            &["\"md5:00\""],
        );
        let layer = sha256(b"layer").to_string();
        let text = document("new", std::slice::from_ref(&layer));
        fails(
            store.create(None, &text, Some(&layer)),
            FailureCode::NotFound,
            &[&layer, said[0], said[1]],
        );
    }

    #[cfg(unix)]
    #[test]
    fn blobs_that_cannot_be_looked_up_are_not_an_empty_store() {
        use std::os::unix::fs::symlink;

        let (mut layout, [base, child], entry) = family();
        layout.enter(entry, "");
        let blobs = layout.path().join("blobs/sha256");
        let store = keyed(OciLayout::open(layout.path()).unwrap());
        // Something it has not read yet.
        let later = json!({"mediaType": MANIFEST, "digest": sha256(b"").to_string(), "size": 1});
        layout.enter(later, "");
        let all_fail = |store: &OciLayout, code, why: &str| {
            let said = [blobs.to_str().unwrap(), why];
            fails(OciLayout::open(layout.path()), code, &said);
            fails(store.children(None), code, &said);
            fails(store.children(Some(&base)), code, &said);
            fails(one(store, &child, ALL), code, &said);
            fails(resolve(store, "base"), code, &said);
        };
        while_denied(&blobs, || {
            all_fail(&store, FailureCode::Denied, "permission denied");
        });
        while_denied(blobs.parent().unwrap(), || {
            all_fail(&store, FailureCode::Denied, "permission denied");
        });
        let moved = layout.path().join("blobs/moved");
        fs::rename(&blobs, &moved).unwrap();
        write(&blobs, "");
        all_fail(&store, FailureCode::Corrupt, "is not a directory");
        fs::remove_file(&blobs).unwrap();
        symlink(&blobs, &blobs).unwrap();
        all_fail(&store, FailureCode::Corrupt, "it is a link");
        fs::remove_file(&blobs).unwrap();
        fs::rename(&moved, &blobs).unwrap();
        assert_eq!(store.children(Some(&base)).unwrap(), [child.as_str()]);
    }
}

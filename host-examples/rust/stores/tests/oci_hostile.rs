//! Layouts that are broken or meant to do harm.

#[cfg(test)]
mod support;

#[cfg(test)]
mod tests {
    use std::fs;
    use std::time::{Duration, Instant};

    use layerwise::host::{FailureCode, ImageStore};
    use layerwise_stores::OciLayout;
    use serde_json::{Value, json};

    use super::support::*;

    #[test]
    fn what_is_not_a_layout_is_refused() {
        let layout = Layout::new();
        let (marker, index) = (
            layout.path().join("oci-layout"),
            layout.path().join("index.json"),
        );
        for (text, code) in [
            ("", FailureCode::Corrupt),
            ("[]", FailureCode::Corrupt),
            (
                "{\"imageLayoutVersion\":\"2.0.0\"}",
                FailureCode::Unsupported,
            ),
        ] {
            write(&marker, text);
            fails(OciLayout::open(layout.path()), code, &["oci-layout"]);
        }
        fs::remove_file(&marker).unwrap();
        fails(
            OciLayout::open(layout.path()),
            FailureCode::NotFound,
            &["not an oci image layout"],
        );
        write(&marker, "{\"imageLayoutVersion\":\"1.0.0\"}");
        for (text, code) in [
            ("", FailureCode::Truncated),
            ("{\"manifests\":[", FailureCode::Truncated),
            ("[]", FailureCode::Corrupt),
            ("{\"manifests\":{}}", FailureCode::Corrupt),
            ("{\"manifests\":[],\"layers\":[]}", FailureCode::Corrupt),
            (
                "{\"mediaType\":\"application/json\",\"manifests\":[]}",
                FailureCode::Corrupt,
            ),
            (
                &format!("{{\"manifests\":{}", "[".repeat(100_000)),
                FailureCode::Corrupt,
            ),
        ] {
            write(&index, text);
            fails(OciLayout::open(layout.path()), code, &["index.json"]);
        }
        fs::remove_file(&index).unwrap();
        fails(
            OciLayout::open(layout.path()),
            FailureCode::NotFound,
            &["index.json"],
        );
    }

    #[test]
    fn broken_blobs_say_how() {
        let mut layout = Layout::new();
        let id = layout.add("image", "image", &["l1"]);
        let path = layout.blob_path(&id);
        let good = fs::read(&path).unwrap();
        let store = keyed(OciLayout::open(layout.path()).unwrap());
        assert!(one(&store, &id, DOCUMENT).is_ok());
        let mut flipped = good.clone();
        flipped[10] ^= 1;
        for (bytes, code) in [
            (&good[..good.len() - 1], FailureCode::Truncated),
            (&[], FailureCode::Truncated),
            (&[&good[..], b" "].concat(), FailureCode::Corrupt),
            (&flipped, FailureCode::Corrupt),
        ] {
            write(&path, bytes);
            fails(one(&store, &id, DOCUMENT), code, &[hex(&id)]);
            assert!(
                one(&store, &id, PARENT).is_ok(),
                "other facts are not in the blob"
            );
        }
        fs::remove_file(&path).unwrap();
        fails(
            one(&store, &id, DOCUMENT),
            FailureCode::NotFound,
            &[hex(&id)],
        );
        fs::create_dir(&path).unwrap();
        fails(
            one(&store, &id, DOCUMENT),
            FailureCode::Corrupt,
            &[hex(&id), "regular file"],
        );
        let binary = layout.blob(CONFIG, b"\xff{}");
        let manifest = json!({"schemaVersion": 2, "config": binary, "layers": []}).to_string();
        let entry = layout.blob(MANIFEST, manifest.as_bytes());
        layout.enter(entry, "");
        fails(
            one(&store, &digest(&binary), DOCUMENT),
            FailureCode::Corrupt,
            &["utf-8"],
        );
    }

    #[test]
    fn one_broken_entry_does_not_hide_the_others() {
        let mut layout = Layout::new();
        let good = layout.add("good", "good", &[]);
        let (lost, missing) = layout.image("lost", &[]);
        fs::remove_file(layout.blob_path(&digest(&missing))).unwrap();
        layout.enter(missing, "missing");
        let mut short = layout.image("short", &[]).1;
        short["size"] = json!(9999);
        layout.enter(short, "short");
        for bad in [
            json!({"mediaType": MANIFEST, "digest": "sha256:../../../../etc/passwd", "size": 1}),
            json!({"mediaType": MANIFEST, "digest": "md5:00", "size": 1}),
            json!({"mediaType": MANIFEST, "size": 1}),
            json!({"mediaType": MANIFEST, "digest": good, "size": -1}),
            json!("text"),
            json!(null),
        ] {
            layout.enter(bad, "");
        }
        let store = keyed(OciLayout::open(layout.path()).unwrap());
        assert_eq!(store.children(None).unwrap(), [good.as_str()]);
        assert_eq!(store.passed().unwrap().len(), 8);
        fails(
            resolve(&store, "missing"),
            FailureCode::NotFound,
            &["blobs/sha256"],
        );
        fails(resolve(&store, "short"), FailureCode::Truncated, &["9999"]);
        fails(
            one(&store, &lost, ALL),
            FailureCode::NotFound,
            &[&lost, "8 of its entries"],
        );
        let before = layout.index();
        store.set_built_here(&good, true).unwrap();
        let after = layout.index();
        assert_eq!(
            before["manifests"].as_array().unwrap()[1..],
            after["manifests"].as_array().unwrap()[1..]
        );
    }

    #[test]
    fn documents_cannot_pose_as_another_kind() {
        let config = |layout: &Layout| layout.blob(CONFIG, document("x", &[]).as_bytes());
        let layout = Layout::new();
        let config = config(&layout);
        let both = json!({"schemaVersion": 2, "config": config, "layers": [], "manifests": []});
        let plain = json!({"schemaVersion": 2, "config": config, "layers": []});
        let list = json!({"schemaVersion": 2, "manifests": []});
        let says = |media_type: &str, body: &Value| {
            let mut body = body.clone();
            body["mediaType"] = json!(media_type);
            body
        };
        for (header, body, refused) in [
            (MANIFEST, plain.clone(), false),
            (MANIFEST, says(MANIFEST, &plain), false),
            (INDEX, list.clone(), false),
            (INDEX, says(INDEX, &list), false),
            (MANIFEST, both.clone(), true),
            (INDEX, both, true),
            (MANIFEST, list.clone(), true),
            (INDEX, plain.clone(), true),
            (MANIFEST, says(INDEX, &plain), true),
            (INDEX, says(MANIFEST, &list), true),
            (MANIFEST, json!([]), true),
            (MANIFEST, json!({"config": {}, "layers": []}), true),
        ] {
            let mut layout = Layout::new();
            write(&layout.blob_path(&digest(&config)), document("x", &[]));
            let entry = layout.blob(header, body.to_string().as_bytes());
            layout.enter(entry, "x");
            let store = keyed(OciLayout::open(layout.path()).unwrap());
            assert_eq!(
                store.passed().unwrap().len(),
                usize::from(refused),
                "{header} {body}"
            );
            assert_eq!(resolve(&store, "x").is_ok(), !refused && header == MANIFEST);
        }
    }

    #[test]
    fn nesting_costs_what_there_is_to_read() {
        let mut layout = Layout::new();
        let (id, mut below) = layout.image("leaf", &[]);
        for level in 0..3000 {
            let wide = vec![below; 4];
            let index = json!({"schemaVersion": 2, "manifests": wide, "annotations": {"l": level.to_string()}});
            below = layout.blob(INDEX, index.to_string().as_bytes());
        }
        layout.enter(below, "bomb");
        let start = Instant::now();
        let store = keyed(OciLayout::open(layout.path()).unwrap());
        assert_eq!(store.ids().unwrap(), [id.as_str()]);
        assert_eq!(resolve(&store, "bomb").unwrap().id, id);
        assert!(
            start.elapsed() < Duration::from_secs(20),
            "4^3000 descriptors, 3000 documents"
        );
    }

    #[test]
    fn the_sum_of_what_is_read_is_capped() {
        let mut layout = Layout::new();
        let big = 4_000_000;
        for n in 0..70 {
            let mut body = json!({"schemaVersion": 2, "manifests": [], "pad": n}).to_string();
            body.push_str(&" ".repeat(big - body.len()));
            let entry = layout.blob(INDEX, body.as_bytes());
            layout.enter(entry, "");
        }
        fails(
            OciLayout::open(layout.path()),
            FailureCode::TooLarge,
            &["manifests"],
        );
        let mut layout = Layout::new();
        let entry = layout.blob(MANIFEST, " ".repeat((4 << 20) + 1).as_bytes());
        layout.enter(entry, "x");
        let store = keyed(OciLayout::open(layout.path()).unwrap());
        fails(resolve(&store, "x"), FailureCode::TooLarge, &["limit"]);
    }

    #[test]
    fn ids_cannot_leave_the_layout() {
        let mut layout = Layout::new();
        let id = layout.add("image", "image", &[]);
        write(&layout.path().join("secret"), "secret");
        let store = keyed(OciLayout::open(layout.path()).unwrap());
        for bad in [
            "",
            "sha256:",
            "../../secret",
            "sha256:../../secret",
            "/etc/passwd",
            &id.to_uppercase(),
        ] {
            fails(
                one(&store, bad, ALL),
                FailureCode::Invalid,
                &["not an image id"],
            );
            assert!(store.children(Some(bad)).unwrap().is_empty());
        }
        for bad in ["sha256:../../secret", "x\n"] {
            let (linked, mut entry) = layout.image(&format!("linked {bad}"), &[]);
            entry["annotations"] =
                json!({"dev.layerwise.image": linked, "dev.layerwise.parent": bad});
            layout.enter(entry, "");
            fails(
                one(&store, &linked, PARENT),
                FailureCode::Corrupt,
                &["parent"],
            );
            assert_eq!(store.children(None).unwrap(), [id.as_str()]);
        }
    }

    #[cfg(unix)]
    #[test]
    fn links_do_not_lead_writers_out() {
        use std::os::unix::fs::symlink;
        let outside = Dir::new();
        let mut layout = Layout::new();
        let id = layout.add("image", "image", &[]);
        let blobs = layout.path().join("blobs/sha256");
        fs::rename(&blobs, outside.path().join("moved")).unwrap();
        symlink(outside.path().join("moved"), &blobs).unwrap();
        let before = fs::read_dir(outside.path().join("moved")).unwrap().count();
        fails(
            OciLayout::open(layout.path()),
            FailureCode::Corrupt,
            &["blobs/sha256", "link"],
        );
        fs::remove_file(&blobs).unwrap();
        fs::create_dir(&blobs).unwrap();
        for name in fs::read_dir(outside.path().join("moved")).unwrap() {
            let name = name.unwrap();
            fs::copy(name.path(), blobs.join(name.file_name())).unwrap();
        }
        let store = keyed(OciLayout::open(layout.path()).unwrap());
        fs::remove_dir_all(&blobs).unwrap();
        symlink(outside.path().join("moved"), &blobs).unwrap();
        fails(
            store.create(None, &document("new", &[]), None),
            FailureCode::Corrupt,
            &["blobs/sha256", "link"],
        );
        assert_eq!(
            fs::read_dir(outside.path().join("moved")).unwrap().count(),
            before
        );
        fs::remove_file(&blobs).unwrap();
        fs::rename(outside.path().join("moved"), &blobs).unwrap();

        // A lock file or a leftover that is a link harms nothing outside.
        let victim = outside.path().join("victim");
        write(&victim, "precious");
        symlink(&victim, layout.path().join(".layerwise.tmp")).unwrap();
        store.set_built_here(&id, true).unwrap();
        assert_eq!(fs::read(&victim).unwrap(), b"precious");
        fs::remove_file(layout.path().join(".layerwise.lock")).unwrap();
        symlink(&victim, layout.path().join(".layerwise.lock")).unwrap();
        fails(
            store.set_built_here(&id, false),
            FailureCode::Denied,
            &[".layerwise.lock"],
        );
        assert_eq!(fs::read(&victim).unwrap(), b"precious");
    }

    #[cfg(unix)]
    #[test]
    fn a_pipe_does_not_hang_a_reader() {
        let mut layout = Layout::new();
        let id = layout.add("image", "image", &[]);
        let path = layout.blob_path(&id);
        fs::remove_file(&path).unwrap();
        pipe(&path);
        let store = keyed(OciLayout::open(layout.path()).unwrap());
        fails(
            one(&store, &id, DOCUMENT),
            FailureCode::Corrupt,
            &["regular file"],
        );
    }
}

//! Marks of what was built here: they hold on the host that made them, for the
//! image and the parent that they are about, and nowhere else.
#![cfg(unix)]

#[cfg(test)]
mod support;

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::{PermissionsExt as _, symlink};
    use std::path::Path;
    use std::thread;

    use layerwise::host::{FailureCode, ImageStore as _, Provenance};
    use layerwise_stores::{Marks, OciLayout, open_with};
    use serde_json::json;

    use super::support::*;

    const MARK: &str = "dev.layerwise.built-here";
    const LINK: &str = "dev.layerwise.parent";
    const ABOUT: &str = "dev.layerwise.image";

    fn at(layout: &Layout, key: &Path) -> OciLayout {
        let store = OciLayout::open(layout.path()).unwrap();
        store.with_marks(Marks::open(key).unwrap())
    }

    fn built(store: &OciLayout, id: &str) -> Provenance {
        one(store, id, BUILT).unwrap().built
    }

    /// A layout with a child that was marked with a key.
    fn marked(key: &Path) -> (Layout, [String; 3]) {
        let mut layout = Layout::new();
        let ids = ["base", "child", "other"].map(|name| layout.add(name, name, &[]));
        let store = at(&layout, key);
        store.set_parent(&ids[1], &ids[0]).unwrap();
        store.set_built_here(&ids[1], true).unwrap();
        assert_eq!(built(&store, &ids[1]), Provenance::BuiltHere);
        (layout, ids)
    }

    #[test]
    fn a_layout_from_elsewhere_has_no_marks_here() {
        let dir = Dir::new();
        let [there, here] = ["there", "here"].map(|name| dir.path().join(name));
        let (layout, [base, child, _]) = marked(&there);
        assert_eq!(built(&at(&layout, &there), &child), Provenance::BuiltHere);
        let (_own, _) = marked(&here);
        let stores = [
            at(&layout, &here),
            at(&layout, &dir.path().join("no-key")),
            OciLayout::open(layout.path()).unwrap(),
        ];
        for store in stores {
            assert_eq!(built(&store, &child), Provenance::Unknown);
            assert_eq!(store.unproved().unwrap(), [child.as_str()]);
            assert_eq!(store.children(Some(&base)).unwrap(), [child.as_str()]);
        }
        let spec = format!("oci:{}", layout.path().display());
        let opened = open_with(&spec, || Marks::open(&here)).unwrap();
        assert_eq!(opened.unproved, [child.as_str()]);
        let opened = open_with(&spec, || Marks::open(&there)).unwrap();
        assert_eq!(opened.unproved, [""; 0]);

        // Adopting it is to mark it again.
        let store = at(&layout, &here);
        store.set_built_here(&child, true).unwrap();
        assert_eq!(built(&store, &child), Provenance::BuiltHere);
        assert!(store.unproved().unwrap().is_empty());
    }

    #[test]
    fn marks_of_earlier_versions_say_nothing() {
        let mut layout = Layout::new();
        let base = layout.add("base", "base", &[]);
        let (child, mut entry) = layout.image("child", &[]);
        entry["annotations"] = json!({ABOUT: child, LINK: base, MARK: "true"});
        layout.enter(entry, "child");
        let store = keyed(OciLayout::open(layout.path()).unwrap());
        let image = one(&store, &child, ALL).unwrap();
        assert_eq!(
            (image.parent, image.built),
            (Some(base), Provenance::Unknown)
        );
        assert_eq!(store.unproved().unwrap(), [child.as_str()]);
        store.set_built_here(&child, false).unwrap();
        assert_eq!(built(&store, &child), Provenance::Elsewhere);
        assert!(store.unproved().unwrap().is_empty());
    }

    /// Whoever changes the layout cannot move a mark to another parent, to another
    /// image or to none.
    #[test]
    fn a_mark_is_about_one_image_and_one_parent() {
        let dir = Dir::new();
        let key = dir.path().join("key");
        let (layout, [base, child, other]) = marked(&key);
        let index = layout.path().join("index.json");
        let good = layout.index();
        let check = |entries: serde_json::Value, parent: Option<&str>| {
            write(&index, json!({"manifests": entries}).to_string());
            let image = one(&at(&layout, &key), &child, ALL).unwrap();
            assert_eq!(image.parent.as_deref(), parent);
            image.built
        };
        let entries = good["manifests"].clone();
        assert_eq!(check(entries.clone(), Some(&base)), Provenance::BuiltHere);
        let mut moved = entries.clone();
        moved[1]["annotations"][LINK] = json!(other);
        assert_eq!(check(moved.clone(), Some(&other)), Provenance::Unknown);
        moved[1]["annotations"]
            .as_object_mut()
            .unwrap()
            .remove(LINK);
        assert_eq!(check(moved, None), Provenance::Unknown);
        // Another entry of the image, before the one with the mark, has the parent.
        let mut second = entries[1].clone();
        second["annotations"] = json!({ABOUT: child, LINK: other});
        let both = json!([second, entries[0], entries[1], entries[2]]);
        assert_eq!(check(both, Some(&other)), Provenance::Unknown);
        let mut taken = entries.clone();
        taken[2]["annotations"] = entries[1]["annotations"].clone();
        taken[2]["annotations"][ABOUT] = json!(other);
        write(&index, json!({"manifests": taken}).to_string());
        assert_eq!(built(&at(&layout, &key), &other), Provenance::Unknown);
    }

    #[test]
    fn what_changes_the_parent_here_keeps_the_mark() {
        let dir = Dir::new();
        let key = dir.path().join("key");
        let (layout, [_, child, other]) = marked(&key);
        let store = at(&layout, &key);
        store.set_parent(&child, &other).unwrap();
        store.tag(&child, "more").unwrap();
        store.tag(&child, "and-more").unwrap();
        for store in [store, at(&layout, &key)] {
            let image = one(&store, &child, ALL).unwrap();
            assert_eq!(image.parent, Some(other.clone()));
            assert_eq!(image.built, Provenance::BuiltHere);
        }
        // Without the key it is no mark, and does not become one.
        let (layout, [_, child, other]) = marked(&key);
        let store = OciLayout::open(layout.path()).unwrap();
        store.set_parent(&child, &other).unwrap();
        assert_eq!(built(&at(&layout, &key), &child), Provenance::Unknown);
        fails(
            store.set_built_here(&child, true),
            FailureCode::Unsupported,
            &["LAYERWISE_MARKS_KEY"],
        );
    }

    #[test]
    fn the_first_mark_makes_a_key_for_its_owner_only() {
        let dir = Dir::new();
        let key = dir.path().join("new/state/marks.key");
        assert!(!Marks::open(&key).unwrap().has_key());
        assert!(!key.exists(), "reading makes nothing");
        // All of them make it at once, and all marks hold.
        let made: Vec<(Layout, String)> = thread::scope(|scope| {
            let make = || {
                let (layout, [_, child, _]) = marked(&key);
                (layout, child)
            };
            let threads: Vec<_> = (0..8).map(|_| scope.spawn(make)).collect();
            threads
                .into_iter()
                .map(|thread| thread.join().unwrap())
                .collect()
        });
        for (layout, child) in &made {
            assert_eq!(built(&at(layout, &key), child), Provenance::BuiltHere);
        }
        let text = fs::read_to_string(&key).unwrap();
        assert_eq!(text.len(), 65, "{text}");
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&key), 0o600);
        assert_eq!(mode(key.parent().unwrap()), 0o700);
        let beside = fs::read_dir(key.parent().unwrap()).unwrap().count();
        assert_eq!(beside, 1, "nothing is left");
    }

    #[test]
    fn a_key_that_others_may_know_or_choose_is_not_used() {
        let dir = Dir::new();
        let key = dir.path().join("key");
        let (layout, [_, child, _]) = marked(&key);
        for mode in [0o640, 0o604, 0o620, 0o666] {
            only_ours(&key, mode);
            fails(
                Marks::open(&key),
                FailureCode::Denied,
                &["key", "chmod 600"],
            );
        }
        only_ours(&key, 0o600);
        let link = dir.path().join("link");
        symlink(&key, &link).unwrap();
        fails(Marks::open(&link), FailureCode::Denied, &["link"]);
        let hanging = dir.path().join("pipe");
        pipe(&hanging);
        fails(
            Marks::open(&hanging),
            FailureCode::Denied,
            &["regular file"],
        );
        // A link that leads nowhere is not written through.
        let dangling = dir.path().join("dangling");
        symlink(dir.path().join("made"), &dangling).unwrap();
        assert!(Marks::open(&dangling).is_err());
        assert!(!dir.path().join("made").exists());
        if rustix::process::geteuid().is_root() {
            let nobody = rustix::process::Uid::from_raw(65534);
            rustix::fs::chown(&key, Some(nobody), None).unwrap();
            fails(Marks::open(&key), FailureCode::Denied, &["another user"]);
            rustix::fs::chown(&key, Some(rustix::process::geteuid()), None).unwrap();
        } else {
            println!("part skipped: only root can give a file away");
        }
        assert_eq!(built(&at(&layout, &key), &child), Provenance::BuiltHere);
        let line = "0a".repeat(32);
        for text in [
            String::new(),
            line.clone(),
            "\n".to_owned(),
            format!("{}\n", line.to_uppercase()),
            format!("{line}0\n"),
            format!("{}\n", &line[1..]),
            format!("{line}\n\n"),
            format!("{line}\n").repeat(17),
        ] {
            write(&key, &text);
            fails(Marks::open(&key), FailureCode::Corrupt, &["no keys"]);
        }
    }

    #[test]
    fn keys_are_rotated_and_lost() {
        let dir = Dir::new();
        let key = dir.path().join("key");
        let (layout, [_, child, _]) = marked(&key);
        let old = fs::read_to_string(&key).unwrap();
        let new = format!("{}\n", "0b".repeat(32));
        write(&key, format!("{new}{old}"));
        let store = at(&layout, &key);
        assert_eq!(built(&store, &child), Provenance::BuiltHere);
        store.set_built_here(&child, true).unwrap();
        write(&key, &new);
        assert_eq!(built(&at(&layout, &key), &child), Provenance::BuiltHere);
        fs::remove_file(&key).unwrap();
        let store = at(&layout, &key);
        assert_eq!(built(&store, &child), Provenance::Unknown);
        store.set_built_here(&child, true).unwrap();
        assert_eq!(built(&at(&layout, &key), &child), Provenance::BuiltHere);
        assert_ne!(fs::read_to_string(&key).unwrap(), new);
    }
}

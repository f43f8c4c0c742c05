//! A Docker data root in which what links images is damaged.

#[cfg(test)]
mod support;

#[cfg(unix)]
#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;
    use std::path::Path;

    use layerwise::host::{FailureCode, ImageStore};
    use layerwise_stores::DockerRoot;

    use super::support::*;

    /// A base, a child of it, and an image whose link is damaged.
    fn damaged() -> (DataRoot, [String; 3]) {
        let root = DataRoot::new("overlay2");
        let ids = ["base", "child", "damaged"].map(|text| root.add(&document(text, &[])));
        write(&root.fact(&ids[1], "parent"), &ids[0]);
        (root, ids)
    }

    fn too_long(path: &Path) {
        write(path, "x".repeat(5000));
    }

    fn a_directory(path: &Path) {
        fs::create_dir(path).unwrap();
    }

    fn a_loop(path: &Path) {
        symlink(path, path).unwrap();
    }

    fn no_id(path: &Path) {
        write(path, "sha256:../../../etc/passwd");
    }

    fn no_text(path: &Path) {
        write(path, b"\xff\xfe");
    }

    /// The directory of all facts of the image is something else.
    fn no_facts(path: &Path) {
        let facts = path.parent().unwrap();
        fs::remove_dir_all(facts).unwrap();
        write(facts, "");
    }

    #[test]
    fn one_damaged_link_does_not_hide_the_other_images() {
        for damage in [
            too_long,
            a_directory,
            a_loop,
            no_id,
            no_text,
            no_facts,
            pipe,
        ] {
            let (root, [base, child, bad]) = damaged();
            damage(&root.fact(&bad, "parent"));
            let store = DockerRoot::open(root.path()).unwrap();
            assert_eq!(store.children(Some(&base)).unwrap(), [child]);
            assert_eq!(
                store.children(None).unwrap(),
                [base.as_str()],
                "it may stand on a base"
            );
            assert!(store.children(Some(&bad)).unwrap().is_empty());

            let failure = one(&store, &bad, PARENT).unwrap_err();
            assert!(failure.message.contains(hex(&bad)), "{failure}");
            assert_ne!(failure.code, FailureCode::NotFound, "the image is there");
            let [passed] = &store.passed().unwrap()[..] else {
                panic!("one image is passed over");
            };
            assert_eq!((&passed.digest, &passed.failure), (&bad, &failure));
            assert!(
                one(&store, &bad, DOCUMENT).is_ok(),
                "other facts are elsewhere"
            );
        }
    }

    #[test]
    fn a_link_that_is_repaired_counts_after_a_refresh() {
        let (root, [base, child, bad]) = damaged();
        let path = root.fact(&bad, "parent");
        a_directory(&path);
        let store = DockerRoot::open(root.path()).unwrap();
        assert_eq!(store.children(Some(&base)).unwrap(), [child.as_str()]);
        fs::remove_dir(&path).unwrap();
        write(&path, &base);
        store.refresh();
        let mut children = [child, bad];
        children.sort();
        assert_eq!(store.children(Some(&base)).unwrap(), children);
        assert!(store.passed().unwrap().is_empty());
    }

    /// Without the facts every image would look like one without a parent.
    #[test]
    fn a_data_base_that_cannot_be_read_is_not_an_empty_one() {
        let (root, [base, ..]) = damaged();
        let store = DockerRoot::open(root.path()).unwrap();
        let [content, facts] =
            ["content", "metadata"].map(|part| root.images().join("imagedb").join(part));
        for part in [&content, &facts] {
            while_denied(part, || {
                let said = [part.to_str().unwrap(), "permission denied"];
                fails(store.children(None), FailureCode::Denied, &said);
                fails(store.children(Some(&base)), FailureCode::Denied, &said);
                fails(store.passed(), FailureCode::Denied, &said);
            });
        }
        assert!(store.children(None).unwrap().contains(&base), "not kept");

        let facts = facts.join("sha256");
        fs::remove_dir_all(&facts).unwrap();
        store.refresh();
        assert_eq!(store.children(None).unwrap().len(), 3, "no facts at all");
        write(&facts, "");
        store.refresh();
        fails(
            store.children(None),
            FailureCode::Corrupt,
            &["metadata/sha256\" is not a directory"],
        );
        fs::remove_file(&facts).unwrap();
        a_loop(&facts);
        store.refresh();
        fails(
            store.children(Some(&base)),
            FailureCode::Corrupt,
            &["metadata/sha256", "it is a link"],
        );
    }
}

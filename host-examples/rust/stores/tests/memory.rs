//! The store in memory: places, names, planted faults.

#[cfg(test)]
mod tests {
    use layerwise::host::{Facts, Failure, FailureCode, Image, ImageStore, Provenance};
    use layerwise::oci::sha256;
    use layerwise_stores::{Faults, Memory, Order};

    const ALL: Facts = Facts {
        document: true,
        parent: true,
        built: true,
    };

    fn ids(texts: &[&str]) -> Vec<String> {
        texts.iter().map(|text| (*text).to_owned()).collect()
    }

    fn fault(code: FailureCode) -> Failure {
        Failure::new(code, "planted")
    }

    /// Three images: b and a below z, in this order.
    fn family(order: Order) -> Memory {
        let store = Memory::new(order);
        store.insert("z", "{}", None, Provenance::BuiltHere);
        store.insert("b", "{\"b\":1}", Some("z"), Provenance::Elsewhere);
        store.insert("a", "{\"a\":1}", Some("z"), Provenance::Unknown);
        store
    }

    #[test]
    fn lists_children_in_either_order() {
        let store = family(Order::Added);
        assert_eq!(store.children(Some("z")).unwrap(), ["b", "a"]);
        assert_eq!(store.children(None).unwrap(), ["z"]);
        assert_eq!(
            family(Order::Sorted).children(Some("z")).unwrap(),
            ["a", "b"]
        );
        store.insert("b", "new", None, Provenance::BuiltHere);
        assert_eq!(store.children(None).unwrap(), ["z", "b"]);
        assert!(store.link("b", Some("z")));
        assert_eq!(
            store.children(Some("z")).unwrap(),
            ["b", "a"],
            "it kept its place"
        );
        assert!(store.remove("b") && !store.remove("b"));
        assert_eq!(store.children(Some("z")).unwrap(), ["a"]);
        assert_eq!(store.images().len(), 2);
        assert!(!store.link("b", None));
    }

    #[test]
    fn answers_what_is_asked_only() {
        let store = family(Order::Sorted);
        let answer = store.get(&ids(&["b", "nobody"]), ALL, 1000);
        let image = answer[0].as_ref().unwrap();
        assert_eq!(image.document.as_deref(), Some("{\"b\":1}"));
        assert_eq!(image.parent.as_deref(), Some("z"));
        assert_eq!(image.built, Provenance::Elsewhere);
        assert_eq!(answer[1].as_ref().unwrap_err().code, FailureCode::NotFound);
        let bare = store.get(&ids(&["b"]), Facts::default(), 0);
        let want = Image {
            id: "b".to_owned(),
            ..Image::default()
        };
        assert_eq!(bare, [Ok(want)]);
    }

    #[test]
    fn faults_are_answered_and_change_nothing() {
        let store = family(Order::Added);
        store.set_reference("n", "b");
        let mut faults = Faults::default();
        faults.get.insert("b".to_owned(), fault(FailureCode::Other));
        faults
            .parent
            .insert("a".to_owned(), fault(FailureCode::Denied));
        faults
            .resolve
            .insert("gone".to_owned(), fault(FailureCode::Cancelled));
        faults
            .set_parent
            .insert("a".to_owned(), fault(FailureCode::Full));
        faults.create = Some(fault(FailureCode::Unavailable));
        store.set_faults(faults);
        let before = store.images();

        let document = Facts {
            document: true,
            ..Facts::default()
        };
        let parent = Facts {
            parent: true,
            ..Facts::default()
        };
        let code =
            |answer: Vec<Result<Image, Failure>>| answer[0].as_ref().map_err(|f| f.code).cloned();
        assert_eq!(
            code(store.get(&ids(&["b"]), document, 0)),
            Err(FailureCode::Other)
        );
        assert_eq!(
            code(store.get(&ids(&["b"]), parent, 0))
                .unwrap()
                .parent
                .as_deref(),
            Some("z")
        );
        assert_eq!(
            code(store.get(&ids(&["a"]), parent, 9)),
            Err(FailureCode::Denied)
        );
        assert!(code(store.get(&ids(&["a"]), document, 9)).is_ok());
        assert_eq!(
            code(store.resolve(&ids(&["gone"]), 9)),
            Err(FailureCode::Cancelled)
        );
        assert!(
            code(store.resolve(&ids(&["n"]), 9)).is_ok(),
            "a get fault does not touch names"
        );
        assert_eq!(
            store.set_parent("a", "b").unwrap_err().code,
            FailureCode::Full
        );
        assert_eq!(
            store.create(None, "{}", None).unwrap_err().code,
            FailureCode::Unavailable
        );
        assert_eq!(store.images(), before);
    }

    #[test]
    fn resolves_names_ids_and_short_names() {
        let store = family(Order::Sorted);
        store.set_reference("app:latest", "a");
        store.set_reference("dangling", "nobody");
        let answer = store.resolve(
            &ids(&["app:latest", "app", "docker.io/library/app", "b"]),
            7,
        );
        let found: Vec<_> = answer.into_iter().map(|image| image.unwrap().id).collect();
        assert_eq!(found, ["a", "a", "a", "b"]);
        for (name, limit, code) in [
            ("app:2", 7, FailureCode::NotFound),
            ("dangling", 7, FailureCode::NotFound),
            ("app", 6, FailureCode::TooLarge),
        ] {
            let answer = store.resolve(&ids(&[name]), limit);
            assert_eq!(answer[0].as_ref().unwrap_err().code, code, "{name}");
        }
        assert!(store.remove_reference("app:latest") && !store.remove_reference("app"));
    }

    #[test]
    fn creates_once_and_relinks() {
        let store = family(Order::Added);
        let id = store.create(None, "{}", None).unwrap();
        assert_eq!(id, sha256(b"{}").to_string());
        assert_eq!(store.children(None).unwrap(), ["z".to_owned(), id.clone()]);
        assert_eq!(store.images()[3].built, Provenance::Elsewhere);
        assert_eq!(store.create(Some("a"), "{}", None).unwrap(), id);
        assert_eq!(
            store.create(None, "{}", None).unwrap(),
            id,
            "no parent changes nothing"
        );
        assert_eq!(store.children(Some("a")).unwrap(), [id.as_str()]);
        assert_eq!(store.images().len(), 4);
        store.set_parent(&id, "z").unwrap();
        assert_eq!(
            store.children(Some("z")).unwrap(),
            ["b".to_owned(), "a".to_owned(), id]
        );
        assert_eq!(
            store.set_parent("a", "nobody").unwrap_err().code,
            FailureCode::NotFound
        );
        assert_eq!(
            store.set_parent("nobody", "a").unwrap_err().code,
            FailureCode::NotFound
        );
    }

    #[test]
    fn limits_hold_together() {
        let store = family(Order::Sorted);
        let document = Facts {
            document: true,
            ..Facts::default()
        };
        let asked = ids(&["b", "a", "z"]);
        assert_eq!(store.get(&asked, document, 14).len(), 2);
        assert_eq!(store.get(&asked, document, 13).len(), 1);
        let small = store.get(&asked, document, 2);
        assert_eq!(small.len(), 3);
        assert_eq!(small[0].as_ref().unwrap_err().code, FailureCode::TooLarge);
        assert!(small[2].is_ok());
    }
}

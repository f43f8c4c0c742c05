//! Listing what places hold, and taking away what nothing needs.

#[cfg(test)]
mod support;

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::fs;

    use layerwise::host::{FailureCode, Registry as _, Shelf};
    use layerwise::oci::Digest;
    use serde_json::{Value, json};

    use super::support::faulty::{Asked, Faulty, Reply, ok, reply};
    use super::support::*;

    #[test]
    fn pages_of_names_are_followed_to_their_end() {
        let server = Faulty::start(|asked: &Asked| match asked.path.as_str() {
            "/v2/_catalog?n=1000" => reply(
                200,
                &[("Link", "</v2/_catalog?last=b&n=2>; rel=\"next\"")],
                br#"{"repositories":["b","a"]}"#,
            ),
            "/v2/_catalog?last=b&n=2" => ok(br#"{"repositories":["c","b"]}"#),
            "/v2/app/tags/list?n=1000" => ok(br#"{"name":"app","tags":null}"#),
            _ => reply(404, &[], b""),
        });
        let dir = Dir::new();
        let all = repositories(&dir);
        assert_eq!(all.repositories(&server.host).unwrap(), ["a", "b", "c"]);
        let of = |name: &str| all.tags(&format!("{}/{name}", server.host));
        assert_eq!(of("app").unwrap(), [""; 0]);
        fails(
            of("none"),
            FailureCode::NotFound,
            &["list the tags", "none"],
        );
        let layout = dir.layout("x");
        fails(all.tags(&layout), FailureCode::Unsupported, &["registry"]);
    }

    #[test]
    fn a_list_that_leads_elsewhere_is_not_followed() {
        let next = |link: &'static str| {
            Faulty::start(move |_| -> Reply {
                reply(200, &[("Link", link)], br#"{"repositories":["a"]}"#)
            })
        };
        let dir = Dir::new();
        let all = repositories(&dir);
        for link in [
            "<http://127.0.0.1:1/v2/_catalog>; rel=\"next\"",
            "</v2/_catalog?n=1000>; rel=\"next\"",
        ] {
            let answer = all.repositories(&next(link).host);
            fails(answer, FailureCode::Other, &["no other page"]);
        }
    }

    #[test]
    fn what_is_pruned_is_gone_unless_somebody_writes() {
        let dir = Dir::new();
        let all = repositories(&dir);
        let at = dir.layout("layout");
        let image = |text: &str| {
            let config = all.write(&at, Shelf::Blob, CONFIG, text).unwrap();
            let manifest = json!({
                "schemaVersion": 2, "mediaType": MANIFEST, "layers": [],
                "config": {"mediaType": CONFIG, "digest": config.digest, "size": config.size},
            });
            let manifest = all.write(&at, Shelf::Manifest, MANIFEST, &manifest.to_string());
            (config.digest, manifest.unwrap().digest)
        };
        let (config, manifest) = image("{\"a\":1}");
        let (_, other) = image("{\"b\":1}");
        all.tag(&format!("{at}:one"), &manifest).unwrap();
        all.tag(&format!("{at}:two"), &other).unwrap();
        let entries = all.entries(&at).unwrap();
        let names: Vec<_> = entries.iter().map(|entry| entry.name.as_deref()).collect();
        assert_eq!(names, [Some("one"), Some("two")]);
        assert_eq!(all.blobs(&at).unwrap().len(), 4);

        let set = |digests: &[&String]| -> BTreeSet<String> {
            digests.iter().map(|digest| (*digest).clone()).collect()
        };
        let blobs: Vec<Digest> = [&config, &manifest].map(|one| one.parse().unwrap()).into();
        // The other entry came meanwhile.
        let refused = all.prune(&at, &set(&[&manifest]), &set(&[&manifest]), &blobs);
        fails(refused, FailureCode::Conflict, &["new entry", &other]);
        assert_eq!(
            (
                all.entries(&at).unwrap().len(),
                all.blobs(&at).unwrap().len()
            ),
            (2, 4)
        );

        let known = set(&[&manifest, &other]);
        let gone = all.prune(&at, &known, &set(&[&manifest]), &blobs).unwrap();
        assert_eq!(gone, 2);
        // Once more, as somebody does who was killed.
        assert_eq!(all.prune(&at, &known, &set(&[&manifest]), &blobs), Ok(0));
        let entries = all.entries(&at).unwrap();
        assert_eq!(entries.len(), 1);
        assert_eq!(entries[0].descriptor.digest, other);
        assert_eq!(all.blobs(&at).unwrap().len(), 2);
        let index = fs::read(dir.path().join("layout/index.json")).unwrap();
        let index: Value = serde_json::from_slice(&index).unwrap();
        assert_eq!(index["manifests"].as_array().unwrap().len(), 1);
    }
}

//! Docker's containerd image store: raw data roots of a real engine 29.9.3, one of them
//! copied while it was written, beside what the running engine listed
//! (`tests/vectors/roots-29-containerd`).

#[cfg(test)]
mod support;

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::fs::{self, File};
    use std::path::{Path, PathBuf};

    use flate2::read::GzDecoder;
    use layerwise::docker::StoreKind;
    use layerwise::host::{FailureCode, ImageStore as _, Provenance};
    use layerwise::oci::{Platform, sha256};
    use layerwise_stores::{Containerd, Images as _, open, open_engine};
    use serde::Deserialize;
    use serde_json::Value;

    use super::support::*;

    const META: &str = "containerd/daemon/io.containerd.metadata.v1.bolt/meta.db";
    const CONTENT: &str = "containerd/daemon/io.containerd.content.v1.content/blobs/sha256";
    const PARENT_LABEL: &str = "org.mobyproject.image.parent";
    const BUILT_LABEL: &str = "org.mobyproject.image.containerconfig";
    const SCRATCH_LABEL: &str = "org.mobyproject.image.fromscratch";
    const CONFIG_LABEL: &str = "containerd.io/gc.ref.content.moby/container.config";

    /// What the running engine listed; all records, or those that were always there.
    #[derive(Deserialize)]
    struct Expected {
        #[serde(default, alias = "records_always")]
        records: Vec<Record>,
        #[serde(default)]
        names_sometimes: Vec<String>,
        target_sometimes: Option<Target>,
        #[serde(default)]
        blobs: Vec<Blob>,
    }

    #[derive(Deserialize)]
    struct Record {
        name: String,
        target: Target,
        labels: BTreeMap<String, String>,
    }

    #[derive(Deserialize)]
    struct Target {
        digest: String,
    }

    #[derive(Deserialize)]
    struct Blob {
        digest: String,
        labels: BTreeMap<String, String>,
    }

    fn vectors() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../tests/vectors/roots-29-containerd")
    }

    fn root(name: &str) -> (Dir, Expected) {
        let dir = Dir::new();
        let file = File::open(vectors().join(format!("{name}.tar.gz"))).unwrap();
        let mut archive = tar::Archive::new(GzDecoder::new(file));
        archive.unpack(dir.path()).unwrap();
        let text = fs::read(vectors().join(format!("{name}.expected.json"))).unwrap();
        (dir, serde_json::from_slice(&text).unwrap())
    }

    fn store(dir: &Dir) -> Containerd {
        let host = Platform {
            os: "linux".to_owned(),
            architecture: "amd64".to_owned(),
            variant: "v4".to_owned(),
            ..Platform::default()
        };
        Containerd::open(dir.path()).unwrap().on(host)
    }

    fn blob(dir: &Dir, digest: &str) -> PathBuf {
        dir.path().join(CONTENT).join(&digest["sha256:".len()..])
    }

    /// The ids of the records that a test holds for, in the order of their names.
    fn ids(expected: &Expected, test: impl Fn(&Record) -> bool) -> Vec<&str> {
        let mut records: Vec<_> = expected.records.iter().filter(|r| test(r)).collect();
        records.sort_by_key(|record| &record.name);
        records.iter().map(|r| r.target.digest.as_str()).collect()
    }

    #[test]
    fn every_record_is_as_the_engine_listed_it() {
        for (name, count) in [("r1-empty", 0), ("r4-mixed", 7), ("r7-live-quick", 32)] {
            let (dir, expected) = root(name);
            assert_eq!(expected.records.len(), count);
            let store = store(&dir);
            assert!(store.passed().unwrap().is_empty());
            assert_eq!(store.is_empty().unwrap(), count == 0);
            for record in &expected.records {
                let id = &record.target.digest;
                if !record.name.starts_with("moby-dangling@") {
                    assert_eq!(&store.whole(&record.name).unwrap(), id, "{name}");
                }
                let image = one(&store, id, PARENT).unwrap();
                assert_eq!(image.parent.as_ref(), record.labels.get(PARENT_LABEL));
                let built = one(&store, id, BUILT).unwrap().built;
                let label = record.labels.contains_key(BUILT_LABEL);
                assert_eq!(built == Provenance::BuiltHere, label, "{name}: {id}");
                assert_ne!(built, Provenance::Unknown);
                if let Some(parent) = record.labels.get(PARENT_LABEL) {
                    let children = ids(&expected, |record| {
                        record.labels.get(PARENT_LABEL) == Some(parent)
                    });
                    let sometimes = |id: &&String| {
                        let other = expected.target_sometimes.as_ref();
                        other.is_none_or(|other| other.digest != **id)
                    };
                    let listed = store.children(Some(parent)).unwrap();
                    let listed: Vec<_> = listed.iter().filter(sometimes).collect();
                    let children: Vec<_> = children
                        .into_iter()
                        .filter(|id| sometimes(&&(*id).to_owned()))
                        .collect();
                    assert_eq!(listed, children, "{name}");
                }
            }
            let scratch = |record: &Record| {
                record
                    .labels
                    .get(SCRATCH_LABEL)
                    .is_some_and(|label| label == "1")
            };
            assert_eq!(store.children(None).unwrap(), ids(&expected, scratch));
        }
    }

    /// What was written while the file was read is there or not, and nothing else is.
    #[test]
    fn names_that_come_and_go_lead_where_they_always_led() {
        let (dir, expected) = root("r7-live-quick");
        let store = store(&dir);
        let target = expected.target_sometimes.as_ref().unwrap();
        let known: Vec<String> = expected
            .records
            .iter()
            .map(|record| record.name.clone())
            .collect();
        for name in store.names().unwrap() {
            let id = store.whole(&name).unwrap();
            let full =
                ["docker.io/library/", "docker.io/", ""].map(|start| start.to_owned() + &name);
            if !full.iter().any(|full| known.contains(full)) {
                assert_eq!(id, target.digest, "{name}");
                let sometimes = |full| expected.names_sometimes.contains(full);
                assert!(full.iter().any(sometimes), "{name}");
            }
        }
    }

    /// The config of the manifest, and the container config it was built with.
    #[test]
    fn documents_are_a_config_and_a_container_config() {
        let (dir, expected) = root("r4-mixed");
        let store = store(&dir);
        let json = |digest: &str| -> Value {
            let bytes = fs::read(blob(&dir, digest)).unwrap();
            assert_eq!(sha256(&bytes).as_str(), digest);
            serde_json::from_slice(&bytes).unwrap()
        };
        let mut with = 0;
        for record in &expected.records {
            let mut manifest = json(&record.target.digest);
            if manifest["config"].is_null() {
                // The index: the first of its manifests is for the host.
                manifest = json(manifest["manifests"][0]["digest"].as_str().unwrap());
            }
            let config = manifest["config"]["digest"].as_str().unwrap();
            let mut want = json(config);
            want.as_object_mut().unwrap().remove("container_config");
            let labels = expected.blobs.iter().find(|blob| blob.digest == config);
            if let Some(digest) = labels.and_then(|blob| blob.labels.get(CONFIG_LABEL)) {
                want["container_config"] = json(digest);
                with += 1;
            }
            let image = one(&store, &record.target.digest, DOCUMENT).unwrap();
            let document: Value = serde_json::from_str(&image.document.unwrap()).unwrap();
            assert_eq!(document, want, "{}", record.name);
        }
        assert_eq!(with, 2);
    }

    #[test]
    fn the_manifest_for_the_host_is_taken() {
        let (dir, _) = root("r4-mixed");
        for architecture in ["amd64", "arm64"] {
            let host = Platform {
                os: "linux".to_owned(),
                architecture: architecture.to_owned(),
                ..Platform::default()
            };
            let store = Containerd::open(dir.path()).unwrap().on(host);
            let image = store
                .resolve(&["ix:1".to_owned()], 1 << 20)
                .remove(0)
                .unwrap();
            let document: Value = serde_json::from_str(&image.document.unwrap()).unwrap();
            assert_eq!(document["architecture"], architecture);
        }
    }

    #[test]
    fn images_are_found_as_the_engine_finds_them() {
        let (dir, expected) = root("r4-mixed");
        let store = store(&dir);
        let id = |name: &str| {
            let full = format!("docker.io/library/{name}");
            let record = expected.records.iter().find(|record| record.name == full);
            record.unwrap().target.digest.clone()
        };
        let find = |reference: &str| {
            let image = store.resolve(&[reference.to_owned()], 1 << 20).remove(0);
            image.map(|image| image.id).map_err(|failure| failure.code)
        };
        let c2 = id("c:2");
        for reference in [
            "c:2".to_owned(),
            "docker.io/library/c:2".to_owned(),
            format!("c@{c2}"),
            format!("c:other@{c2}"),
            c2.clone(),
            c2["sha256:".len()..].to_owned(),
            c2["sha256:".len()..][..4].to_owned(),
            c2[.."sha256:".len() + 12].to_owned(),
        ] {
            assert_eq!(find(&reference).as_ref(), Ok(&c2), "{reference}");
        }
        for reference in [
            "c:3x".to_owned(),
            "c".to_owned(),
            format!("base@{c2}"),
            c2["sha256:".len()..][..3].to_owned(),
            format!("sha256:{}", "0".repeat(64)),
        ] {
            assert_eq!(find(&reference), Err(FailureCode::NotFound), "{reference}");
        }
        assert_eq!(find("no name"), Err(FailureCode::Invalid));
        assert_eq!(
            store.whole(&c2["sha256:".len()..][..12]).unwrap_err().code,
            FailureCode::NotFound,
            "nothing is vouched for by the beginning of an id"
        );
        assert_eq!(id("o:1"), id("src:1"));
        assert_eq!(store.children(Some("../..")).unwrap(), [""; 0]);
    }

    #[test]
    fn nothing_is_changed() {
        let (dir, _) = root("r4-mixed");
        let store = store(&dir);
        let failure = store.set_parent("a", "b").unwrap_err();
        assert_eq!(failure.code, FailureCode::Unsupported);
        let failure = store.create(None, "{}", None).unwrap_err();
        assert!(
            failure.message.ends_with("this store is read-only"),
            "{failure}"
        );
    }

    #[test]
    fn other_namespaces_have_other_images() {
        let (dir, _) = root("r4-mixed");
        let path = dir.path().display();
        let opened = open(&format!("containerd:{path}#moby")).unwrap();
        assert_eq!(opened.kind, StoreKind::Containerd);
        assert_eq!(opened.names.len(), 7);
        for other in ["other", ""] {
            let error = open(&format!("containerd:{path}#{other}")).err().unwrap();
            let why =
                format!("holds no namespace {other:?} of containerd: there are moby, moby_history");
            assert!(error.to_string().ends_with(&why), "{error}");
        }
        let own = format!("containerd:{path}/containerd/daemon");
        assert_eq!(open(&own).unwrap().names.len(), 7);
    }

    /// The store with images is the one that is read; if both have some, both are named.
    #[test]
    fn an_engine_uses_one_of_two_stores() {
        let (dir, _) = root("r4-mixed");
        let spec = format!("docker:{}", dir.path().display());
        assert_eq!(open(&spec).unwrap().kind, StoreKind::Containerd);
        let old = dir.path().join("image/overlay2/imagedb/content/sha256");
        fs::create_dir_all(&old).unwrap();
        assert_eq!(
            open(&spec).unwrap().kind,
            StoreKind::Containerd,
            "no image is there"
        );
        let document = r#"{"os":"linux","architecture":"amd64"}"#;
        fs::write(old.join(sha256(document.as_bytes()).hex()), document).unwrap();
        let path = dir.path();
        let error = open(&spec).err().unwrap().to_string();
        let both = format!(
            "{path:?} holds images of the storage driver overlay2 and of containerd, and an \
             engine uses one of them: name \"docker:{0}/image/overlay2\" or \"containerd:{0}\"",
            path.display()
        );
        assert!(error.ends_with(&both), "{error}");
        let graph = open(&format!("{spec}/image/overlay2")).unwrap();
        assert_eq!(graph.kind, StoreKind::GraphDriver);
        let named = open(&format!("containerd:{}", path.display())).unwrap();
        assert_eq!(named.kind, StoreKind::Containerd);
        // With the other one empty or away there is no doubt.
        let (empty, _) = root("r1-empty");
        fs::create_dir_all(empty.path().join("image/overlay2/imagedb/content/sha256")).unwrap();
        let spec = format!("docker:{}", empty.path().display());
        assert_eq!(open(&spec).unwrap().kind, StoreKind::GraphDriver);
        fs::remove_dir_all(empty.path().join("containerd")).unwrap();
        assert_eq!(open(&spec).unwrap().kind, StoreKind::GraphDriver);
        fs::remove_dir_all(empty.path().join("image")).unwrap();
        assert!(open(&spec).is_err());
    }

    /// The containerd of the system counts for an engine nobody told otherwise.
    #[test]
    fn an_engine_may_use_the_containerd_of_the_system() {
        let (system, _) = root("r4-mixed");
        let system = system.path().join("containerd/daemon");
        let data = Dir::new();
        let data = data.path();
        let empty = open(&format!("docker:{}", data.display())).err().unwrap();
        let none = format!("{data:?} is not the data root of an engine");
        assert!(empty.to_string().contains(&none), "{empty}");
        fs::create_dir_all(data.join("image")).unwrap();
        let elsewhere = open(&format!("docker:{}", data.display())).err().unwrap();
        let named = "name \"containerd:/var/lib/containerd\"";
        assert!(elsewhere.to_string().ends_with(named), "{elsewhere}");
        let opened = open_engine(data, &system).unwrap();
        assert_eq!(opened.kind, StoreKind::Containerd);
        assert_eq!(opened.names.len(), 7);
        // What a storage driver had before may be there, too.
        let old = data.join("image/overlay2/imagedb/content/sha256");
        fs::create_dir_all(&old).unwrap();
        assert_eq!(open_engine(data, &system).unwrap().names.len(), 7);
        let document = r#"{"os":"linux","architecture":"amd64"}"#;
        fs::write(old.join(sha256(document.as_bytes()).hex()), document).unwrap();
        let error = open_engine(data, &system).err().unwrap();
        let both = format!(
            "name \"docker:{}/image/overlay2\" or \"containerd:{}\"",
            data.display(),
            system.display()
        );
        assert!(error.message.ends_with(&both), "{error}");
        let (nothing, _) = root("r1-empty");
        let nothing = nothing.path().join("containerd/daemon");
        let graph = open_engine(data, &nothing).unwrap();
        assert_eq!(graph.kind, StoreKind::GraphDriver);
        // One that cannot be read is told.
        let (damaged, _) = root("r1-empty");
        fs::write(damaged.path().join(META), "no database").unwrap();
        let damaged = damaged.path().join("containerd/daemon");
        let passed = open_engine(data, &damaged).unwrap().passed;
        assert_eq!(passed.len(), graph.passed.len() + 1);
        let graph = open_engine(data, &data.join("gone")).unwrap();
        assert_eq!(graph.kind, StoreKind::GraphDriver);
    }

    #[test]
    fn damage_is_one_clear_line() {
        let (dir, _) = root("r4-mixed");
        let meta = dir.path().join(META);
        let whole = fs::read(&meta).unwrap();
        let error = |bytes: &[u8]| {
            fs::write(&meta, bytes).unwrap();
            store(&dir).names().unwrap_err()
        };
        // A page of an older or newer transaction, as in a copy made slowly.
        let mut torn = whole.clone();
        let page = torn[75 * 4096..76 * 4096].to_vec();
        torn[8 * 4096..9 * 4096].copy_from_slice(&page);
        for number in 2..96 {
            torn[number * 4096..][..4096].copy_from_slice(&page);
        }
        let failure = error(&torn);
        assert_eq!(failure.code, FailureCode::Corrupt);
        assert!(
            failure.message.contains("not stable or damaged"),
            "{failure}"
        );
        let failure = error(b"not a database");
        assert_eq!(
            failure.message,
            format!("cannot read {meta:?}: not a bolt database: neither meta page is valid")
        );
        // The newer meta page.
        let mut unfinished = whole.clone();
        unfinished[16 + 40] ^= 1;
        fs::write(&meta, &unfinished).unwrap();
        let passed = store(&dir).passed().unwrap();
        assert!(
            passed[0]
                .failure
                .message
                .starts_with("the last transaction of")
        );
        fs::remove_file(&meta).unwrap();
        let failure = store(&dir).names().unwrap_err();
        assert_eq!(failure.code, FailureCode::NotFound);
    }

    #[test]
    fn content_is_checked() {
        let (dir, expected) = root("r4-mixed");
        let store = store(&dir);
        let id = &expected.records[0].target.digest;
        let path = blob(&dir, id);
        fs::write(&path, b"{}").unwrap();
        let failure = one(&store, id, DOCUMENT).unwrap_err();
        assert_eq!(failure.code, FailureCode::Corrupt);
        assert!(
            failure.message.contains("does not have the digest"),
            "{failure}"
        );
        assert!(one(&store, id, PARENT).is_ok(), "no content is needed");
        fs::remove_file(&path).unwrap();
        let failure = one(&store, id, DOCUMENT).unwrap_err();
        assert_eq!(failure.code, FailureCode::NotFound);
        // A container config that is gone counts as empty, as for the engine.
        let built = expected
            .records
            .iter()
            .find(|r| r.labels.contains_key(BUILT_LABEL));
        let built = built.unwrap();
        fs::remove_file(blob(&dir, &built.labels[BUILT_LABEL])).unwrap();
        let image = one(&store, &built.target.digest, ALL).unwrap();
        assert!(!image.document.unwrap().contains("container_config"));
        assert_eq!(image.built, Provenance::BuiltHere);
    }

    #[cfg(unix)]
    #[test]
    fn no_link_is_followed() {
        use std::os::unix::fs::symlink;

        let (dir, expected) = root("r4-mixed");
        let id = &expected.records[0].target.digest;
        let path = blob(&dir, id);
        let elsewhere = dir.path().join("elsewhere");
        fs::rename(&path, &elsewhere).unwrap();
        symlink(&elsewhere, &path).unwrap();
        let failure = one(&store(&dir), id, DOCUMENT).unwrap_err();
        assert_eq!(failure.code, FailureCode::Corrupt);
        let meta = dir.path().join(META);
        fs::rename(&meta, &elsewhere).unwrap();
        symlink(&elsewhere, &meta).unwrap();
        let failure = store(&dir).names().unwrap_err();
        assert_eq!(failure.code, FailureCode::Corrupt);
    }

    /// As many documents as fit, one at least, and none above the limit.
    #[test]
    fn the_byte_limit_holds() {
        let (dir, expected) = root("r4-mixed");
        let store = store(&dir);
        let mut ids: Vec<String> = ids(&expected, |_| true)
            .iter()
            .map(|&id| id.into())
            .collect();
        ids.dedup();
        let sizes: Vec<u64> = ids
            .iter()
            .map(|id| one(&store, id, DOCUMENT).unwrap().document.unwrap().len() as u64)
            .collect();
        for limit in 0..sizes.iter().sum::<u64>() {
            let answers = store.get(&ids, DOCUMENT, limit);
            assert!(!answers.is_empty());
            let mut room = limit;
            for (answer, size) in answers.iter().zip(&sizes) {
                match answer {
                    Ok(_) => room = room.checked_sub(*size).unwrap(),
                    Err(failure) => {
                        assert_eq!(failure.code, FailureCode::TooLarge);
                        assert!(*size > limit);
                    }
                }
            }
        }
    }

    /// The roots have no layers on disk, only documents.
    #[test]
    fn layers_are_those_of_the_manifest() {
        let (dir, expected) = root("r4-mixed");
        let store = store(&dir);
        let mut found = 0;
        for record in &expected.records {
            let id = &record.target.digest;
            let text = one(&store, id, ALL).unwrap().document.unwrap();
            let document: Value = serde_json::from_str(&text).unwrap();
            let diff_ids = document["rootfs"]["diff_ids"].as_array();
            let diff_ids: Vec<&Value> = diff_ids.into_iter().flatten().collect();
            let layers = store.layers(id).unwrap();
            let told: Vec<&str> = layers.iter().map(|layer| layer.diff_id.as_str()).collect();
            assert_eq!(told, diff_ids, "{id}");
            found += layers.len();
            for layer in layers {
                fails(layer.stored, FailureCode::NotFound, &["blobs"]);
            }
        }
        assert!(found > 5, "{found}");
        let unknown = format!("sha256:{}", "0".repeat(64));
        fails(store.layers(&unknown), FailureCode::NotFound, &[]);
    }
}

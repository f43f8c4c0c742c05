//! What real daemons of BuildKit keep of their builds: databases and content before and
//! after a second build (`tests/vectors/buildkit-builds/roots`).

#[cfg(test)]
mod tests {
    use std::fs::{self, File};
    use std::path::{Path, PathBuf};

    use flate2::read::GzDecoder;
    use layerwise::base64;
    use layerwise::builds::read::assemble::{Document, Form, Options, Read, read};
    use layerwise::builds::read::contents::{self, Kind};
    use layerwise::builds::read::parts::{self, Role};
    use layerwise::builds::read::record::Record;
    use layerwise::builds::read::status;
    use layerwise::builds::redact::Values;
    use layerwise::builds::{self, Asked, explain};
    use layerwise::explain::Finding;
    use layerwise::host::FailureCode;
    use layerwise::limits::{Limit, Limits};
    use layerwise_files::Files;
    use layerwise_stores::BuildkitRoot;
    use tempfile::TempDir;

    const LIMITS: Limits<1> = Limits::new([(Limit::Entries, 100_000)]);

    fn vectors() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../tests/vectors/buildkit-builds/roots")
    }

    /// Unpacks the roots of a scenario.
    fn roots(name: &str) -> TempDir {
        let directory = TempDir::new().unwrap();
        let file = File::open(vectors().join(format!("{name}.tar.gz"))).unwrap();
        tar::Archive::new(GzDecoder::new(file))
            .unpack(directory.path())
            .unwrap();
        directory
    }

    #[test]
    fn builds_and_what_they_lead_to() {
        let roots = roots("simple-label");
        let before = BuildkitRoot::open(&roots.path().join("before")).unwrap();
        let after = BuildkitRoot::open(&roots.path().join("after")).unwrap();
        let names = |root: &BuildkitRoot| -> Vec<String> {
            let records = root.records().unwrap().into_iter();
            records.map(|record| record.name).collect()
        };
        assert_eq!(names(&before), ["skrjgc7uczppjtw731h996c1t"]);
        let second = "89ckw0c2uxuvhfj4balz09i7h";
        assert_eq!(names(&after), [second, "skrjgc7uczppjtw731h996c1t"]);
        for stored in after.records().unwrap() {
            let record = Record::of_message(&stored.message).unwrap();
            assert_eq!(record.name, stored.name);
            assert!(record.created < record.completed);
            let mut roles = Vec::new();
            for part in parts::of_record(&record) {
                let digest = part.descriptor.digest.parse().unwrap();
                let bytes = after.blob(&digest, 1 << 20).unwrap();
                assert_eq!(bytes.len() as u64, part.descriptor.size);
                if part.role == Role::Log {
                    let vertices = status::of_log(&bytes, &LIMITS).unwrap();
                    let cached = vertices.iter().filter(|vertex| vertex.cached).count();
                    assert_eq!(u32::try_from(cached), Ok(record.steps.cached));
                }
                roles.push(part.role);
            }
            assert_eq!(roles, [Role::Log, Role::Provenance]);
        }
    }

    #[test]
    fn the_files_of_the_last_context() {
        let roots = roots("multi-css");
        let digests = |root: &str| {
            let root = BuildkitRoot::open(&roots.path().join(root)).unwrap();
            contents::entries(&root.contexts().unwrap()["context"], &LIMITS).unwrap()
        };
        let (before, after) = (digests("before"), digests("after"));
        let changed: Vec<&str> = after
            .iter()
            .filter(|entry| entry.kind == Kind::File && !entry.digest.is_empty())
            .filter(|entry| !before.contains(entry))
            .map(|entry| entry.path.as_str())
            .collect();
        assert_eq!(changed, ["/assets/a.css"]);
    }

    /// A build of a root, with what the root knows of its context if it is the newest.
    fn build(root: &BuildkitRoot, name: &str) -> Read {
        let records = root.records().unwrap();
        let stored = records.iter().find(|record| record.name == name).unwrap();
        let mut documents = vec![(Form::Record, base64::encode(&stored.message))];
        for part in parts::of_record(&Record::of_message(&stored.message).unwrap()) {
            let digest = part.descriptor.digest.parse().unwrap();
            let bytes = root.blob(&digest, 1 << 20).unwrap();
            documents.push(match part.role {
                Role::Log => (Form::Log, base64::encode(&bytes)),
                _ => (Form::Text, String::from_utf8(bytes).unwrap()),
            });
        }
        let documents: Vec<Document<'_>> = documents
            .iter()
            .map(|(form, content)| Document {
                form: *form,
                content,
            })
            .collect();
        read(&documents, &Options::default()).unwrap()
    }

    /// A label changed, and the Dockerfile is in what `COPY . .` takes. The root of the
    /// daemon alone proves that no other file changed.
    #[test]
    fn keys_prove_which_file_changed() {
        let roots = roots("simple-label");
        let root = BuildkitRoot::open(&roots.path().join("after")).unwrap();
        let old = build(&root, "skrjgc7uczppjtw731h996c1t");
        let new = build(&root, "89ckw0c2uxuvhfj4balz09i7h");
        let context = base64::encode(&root.contexts().unwrap()["context"]);
        let files = Files::open([]).unwrap();
        let told = |daemons: Vec<String>| {
            let asked = Asked {
                after: vec![(
                    "context".to_owned(),
                    builds::Files::Digests(context.clone()),
                )],
                daemons,
                ..Asked::default()
            };
            let told = explain(&files, (&old, &new), &[], &asked, Values::All).unwrap();
            let [cause] = told.causes.as_slice() else {
                panic!("{told:?}");
            };
            cause.finding.clone()
        };
        let paths = |finding: &Finding| -> Vec<String> {
            let files = finding.differences.iter().skip(1);
            files.map(|file| file.path.clone()).collect()
        };
        let proven = told(vec![root.keys().unwrap().unwrap()]);
        assert_eq!(proven.code, "builds/content-changed");
        assert_eq!(
            (paths(&proven), proven.hint),
            (vec!["Dockerfile".to_owned()], None)
        );
        // Without the keys others may have changed, too.
        let likely = told(Vec::new());
        assert_eq!(paths(&likely), ["Dockerfile"]);
        assert!(likely.hint.is_some());
    }

    #[test]
    fn a_data_root_of_docker() {
        let roots = roots("simple-label");
        let docker = TempDir::new().unwrap();
        let data = docker.path().join("docker");
        let buildkit = data.join("buildkit");
        fs::create_dir_all(&buildkit).unwrap();
        let after = roots.path().join("after");
        // With containerd's images the history has another name, and containerd the content.
        fs::rename(after.join("history.db"), buildkit.join("history_c8d.db")).unwrap();
        let content = docker
            .path()
            .join("containerd/io.containerd.content.v1.content");
        fs::create_dir_all(&content).unwrap();
        let blobs = after.join("runc-overlayfs/content/blobs");
        fs::rename(blobs, content.join("blobs")).unwrap();
        let root = BuildkitRoot::open(&data).unwrap();
        let records = root.records().unwrap();
        assert_eq!(records.len(), 2);
        let record = Record::of_message(&records[0].message).unwrap();
        let log = record.log.unwrap().digest.parse().unwrap();
        assert!(root.blob(&log, 1 << 20).is_ok());
        assert!(root.contexts().unwrap().is_empty());
    }

    #[test]
    fn what_is_no_root_is_named() {
        let code = |path: &Path| BuildkitRoot::open(path).unwrap_err().code;
        let directory = TempDir::new().unwrap();
        assert_eq!(code(directory.path()), FailureCode::NotFound);
        assert_eq!(code(&directory.path().join("no")), FailureCode::NotFound);
        fs::create_dir(directory.path().join("overlay-layers")).unwrap();
        let podman = BuildkitRoot::open(directory.path()).unwrap_err();
        assert_eq!(podman.code, FailureCode::Unsupported);
        assert!(podman.message.contains("Podman"), "{}", podman.message);
    }

    #[test]
    fn damage_is_said() {
        let roots = roots("simple-label");
        let after = roots.path().join("after");
        let root = BuildkitRoot::open(&after).unwrap();
        let record = Record::of_message(&root.records().unwrap()[0].message).unwrap();
        let log: layerwise::oci::Digest = record.log.unwrap().digest.parse().unwrap();
        assert_eq!(root.blob(&log, 10).unwrap_err().code, FailureCode::TooLarge);
        let path = after
            .join("runc-overlayfs/content/blobs/sha256")
            .join(log.hex());
        fs::write(&path, "other").unwrap();
        assert_eq!(
            root.blob(&log, 1 << 20).unwrap_err().code,
            FailureCode::Corrupt
        );
        fs::remove_file(&path).unwrap();
        assert_eq!(
            root.blob(&log, 1 << 20).unwrap_err().code,
            FailureCode::NotFound
        );
        fs::write(after.join("history.db"), [0; 32768]).unwrap();
        assert_eq!(root.records().unwrap_err().code, FailureCode::Corrupt);
    }
}

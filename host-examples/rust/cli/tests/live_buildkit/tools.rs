//! A registry and skopeo, as other people's readers of what we export.

use layerwise::oci::sha256;

use super::registry::Registry;
use super::support::{Dir, layerwise};
use super::{needs, process};

fn met() -> bool {
    needs::programs(&["docker-registry", "skopeo", "setpriv", "timeout"])
}

const RECORDS: &str = r#"{"schema": "layerwise/buildkit-records/1", "records": [
  {"digest": "sha256:1111111111111111111111111111111111111111111111111111111111111111",
   "results": [{"created": "2026-01-02T03:04:05Z", "layers": [{"file": "one.tar"}]}]},
  {"digest": "sha256:2222222222222222222222222222222222222222222222222222222222222222",
   "inputs": [[{"record": 0, "selector": "/src"}]],
   "results": [{"created": "2026-01-02T03:04:06Z",
                "layers": [{"file": "one.tar"}, {"file": "two.tar"}]}]}]}"#;

/// The raw manifest, as skopeo reads it.
#[track_caller]
fn raw(name: &str) -> String {
    let arguments = ["inspect", "--raw", "--tls-verify=false", name];
    let output = process::run("skopeo", arguments, None);
    assert!(output.success, "{name}: {}", output.stderr);
    output.stdout
}

#[test]
fn skopeo_reads_what_was_pushed() {
    if !met() {
        return;
    }
    let (registry, dir) = (Registry::start(), Dir::new());
    let records = dir.file("records.json", RECORDS);
    dir.file("one.tar", [1; 1024]);
    dir.file("two.tar", [2; 1024]);
    let name = registry.name("cache:tag");
    let layout = format!("oci:{}/layout:tag", dir.text());
    let mut digests = Vec::new();
    for (target, reader) in [
        (name.clone(), format!("docker://{name}")),
        (layout.clone(), layout.clone()),
    ] {
        let pushed = layerwise(&[
            "buildkit",
            "export",
            &target,
            "--records",
            &records,
            "--json",
        ]);
        assert_eq!(pushed.exit, 0, "{pushed:?}");
        let pushed = pushed.json();
        let manifest = raw(&reader);
        let digest = sha256(manifest.as_bytes()).to_string();
        assert_eq!(pushed["manifest"]["digest"], digest.as_str());
        digests.push(digest);
        assert_eq!(layerwise(&["buildkit", "verify", &target]).exit, 0);
    }
    assert_eq!(
        digests.first(),
        digests.last(),
        "the same cache in both places"
    );
    let same = layerwise(&["buildkit", "diff", &name, &layout]);
    assert_eq!(same.exit, 0, "{same:?}");
}

/// Debian's registry takes lists of layers; those that do not are named in the help.
#[test]
fn every_form_is_read_back() {
    if !met() {
        return;
    }
    let (registry, dir) = (Registry::start(), Dir::new());
    let records = dir.file("records.json", RECORDS);
    dir.file("one.tar", [1; 1024]);
    dir.file("two.tar", [2; 1024]);
    let mut configs = Vec::new();
    for (form, media_type) in [
        (
            "--image-manifest=true",
            "application/vnd.oci.image.manifest.v1+json",
        ),
        (
            "--image-manifest=false",
            "application/vnd.oci.image.index.v1+json",
        ),
        (
            "--oci-mediatypes=false",
            "application/vnd.docker.distribution.manifest.list.v2+json",
        ),
    ] {
        let name = registry.name("cache:form");
        let pushed = layerwise(&["buildkit", "export", &name, "--records", &records, form]);
        assert_eq!(pushed.exit, 0, "{pushed:?}");
        let manifest: serde_json::Value =
            serde_json::from_str(&raw(&format!("docker://{name}"))).unwrap();
        assert_eq!(manifest["mediaType"], media_type);
        let checked = layerwise(&["buildkit", "verify", &name, "--json"]);
        assert_eq!(checked.exit, 0, "{checked:?}");
        let checked = checked.json();
        assert_eq!(checked["kind"], media_type);
        configs.push(checked["config"].to_string());
    }
    configs.dedup();
    assert_eq!(configs.len(), 1, "the config is the same in every form");
}

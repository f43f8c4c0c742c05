//! A cache image goes into a real registry and comes back on another host.

use std::process::Command;

use layerwise::buildpacks::Outcome;
use serde_json::Value;

use super::host::*;
use crate::support::live::{Server, have, run};
use crate::support::tree;

#[test]
fn what_one_host_commits_another_retrieves() {
    let Some(server) = Server::start() else {
        return;
    };
    let name = format!("{}/team/app/cache:1", server.host);
    let first = Host::new();
    let mut image = first.open(&name).unwrap();
    assert!(!image.exists().unwrap());
    assert_eq!(code(&image.metadata().unwrap().finding), "image-not-found");
    let committed = build(&first, &mut image, &["one", "two"]).unwrap();
    assert_eq!(committed.layers.len(), 2);
    assert!(image.exists().unwrap() && image.state().unwrap().committed);
    let again = image.commit().unwrap_err().to_string();
    assert!(
        again.contains("cache cannot be modified after commit"),
        "{again}"
    );

    let second = Host::new();
    let mut image = second.open(&name).unwrap();
    let found = image.metadata().unwrap();
    assert_eq!(code(&found.finding), "hit");
    let [one, two] = ["one", "two"].map(|layer| {
        let layers: Value = serde_json::from_str(&found.document).unwrap();
        let sha = &layers["buildpacks"][0]["layers"][layer]["sha"];
        sha.as_str().unwrap().to_owned()
    });
    for (diff_id, layer) in [(&one, "one"), (&two, "two")] {
        let answer = retrieve(&mut image, diff_id, layer);
        assert_eq!(answer.outcome, Outcome::Done, "{answer:?}");
        let place = second.path().join("layers/ex_bp").join(layer);
        assert_eq!(tree(&place), unpacked(layer));
        for (path, want) in [
            ("bin", 0o750),
            ("bin/tool", 0o755),
            ("data.txt", 0o640),
            ("same.txt", 0o640),
        ] {
            assert_eq!(mode(&place.join(path)), want, "{path}");
        }
    }
    let explained = image.explain().unwrap();
    assert_eq!((explained.considered, explained.nearest), (2, None));

    // The third build keeps one layer and drops the other; the old image goes.
    let old = committed.digest;
    let mut image = second.open(&name).unwrap();
    assert_eq!(
        image.reuse(std::slice::from_ref(&one)).unwrap()[0].outcome,
        Outcome::Done
    );
    image.set_metadata(&metadata(&[("one", &one)])).unwrap();
    let planned = image.plan().unwrap();
    let committed = image.commit().unwrap();
    assert_eq!(planned, committed);
    let verdict = committed.notes.last().unwrap();
    assert_eq!(code(verdict), "original-deleted");
    let gone = first.open(&format!("{}/team/app/cache@{old}", server.host));
    assert!(!gone.unwrap().exists().unwrap());
    let mut image = first.open(&name).unwrap();
    let answers = image.verify(std::slice::from_ref(&one)).unwrap();
    assert_eq!(code(&answers[0].finding), "layer-verified");
    assert_eq!(
        code(&retrieve(&mut image, &two, "two").finding),
        "layer-not-found"
    );

    // An identical commit must not delete itself.
    let mut image = first.open(&name).unwrap();
    image.reuse(std::slice::from_ref(&one)).unwrap();
    image.set_metadata(&metadata(&[("one", &one)])).unwrap();
    let same = image.commit().unwrap();
    assert_eq!(same.digest, committed.digest);
    assert_eq!(code(same.notes.last().unwrap()), "original-kept-same");
    assert!(first.open(&name).unwrap().exists().unwrap());
}

#[test]
fn skopeo_reads_what_was_committed() {
    let Some(server) = Server::start() else {
        return;
    };
    if !have(&["skopeo"]) {
        return;
    }
    let name = format!("{}/cache:1", server.host);
    let host = Host::new();
    let mut image = host.open(&name).unwrap();
    let committed = build(&host, &mut image, &["one", "two"]).unwrap();
    let docker = format!("docker://{name}");
    let inspect = |more: &[&str]| -> Value {
        let mut skopeo = Command::new("skopeo");
        skopeo
            .args(["inspect", "--tls-verify=false"])
            .args(more)
            .arg(&docker);
        serde_json::from_str(&run(&mut skopeo)).unwrap()
    };
    let seen = inspect(&[]);
    assert_eq!(seen["Digest"], committed.digest);
    let label = &seen["Labels"]["io.buildpacks.lifecycle.cache.metadata"];
    assert_eq!(
        *label,
        host.open(&name).unwrap().metadata().unwrap().document
    );
    let config = inspect(&["--config"]);
    let diff_ids: Vec<&str> = committed
        .layers
        .iter()
        .map(|layer| &*layer.diff_id)
        .collect();
    assert_eq!(config["rootfs"]["diff_ids"], serde_json::json!(diff_ids));

    // A copy checks every blob; a layout is a repository like any other.
    let copy = host.path().join("copy");
    let mut skopeo = Command::new("skopeo");
    skopeo
        .args(["copy", "--src-tls-verify=false", &docker])
        .arg(format!("oci:{}:latest", copy.display()));
    run(&mut skopeo);
    let layout = format!("oci:{}:latest", copy.display());
    let mut image = host.open(&layout).unwrap();
    assert_eq!(code(&image.metadata().unwrap().finding), "hit");
    let one = committed.layers[0].diff_id.clone();
    assert_eq!(retrieve(&mut image, &one, "one").outcome, Outcome::Done);
    assert_eq!(tree(&host.path().join("layers/ex_bp/one")), unpacked("one"));
}

#[test]
fn an_empty_cache_can_be_stored() {
    let Some(server) = Server::start() else {
        return;
    };
    let name = format!("{}/empty:1", server.host);
    let host = Host::new();
    let mut image = host.open(&name).unwrap();
    image.set_metadata(r#"{"buildpacks":[]}"#).unwrap();
    let committed = image.commit().unwrap();
    assert_eq!(committed.layers.len(), 1);
    let found = host.open(&name).unwrap().metadata().unwrap();
    assert_eq!(found.document, r#"{"sbom":{"sha":""},"buildpacks":[]}"#);
}

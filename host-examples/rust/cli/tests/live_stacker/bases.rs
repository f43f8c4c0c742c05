//! Layouts of base images and of results as umoci and skopeo write them.

use std::fs;
use std::path::Path;

use layerwise::oci::sha256;
use serde_json::Value;

use super::needs;
use super::project::{Project, done, run};

const STACKERFILE: &str = "\
docker:
  from: {type: docker, url: 'docker://registry.example/dir/ubuntu:24.04'}
oci:
  from: {type: oci, url: '.stacker/layer-bases/oci:centos-9'}
child:
  from: {type: built, tag: oci}
";

const BASES: &str = ".stacker/layer-bases/oci";

/// An image of its own with one layer, by umoci.
fn umoci_image(project: &Project, layout: &str, tag: &str, content: &str) {
    let layout = project.path(layout);
    if !layout.exists() {
        fs::create_dir_all(layout.parent().unwrap()).unwrap();
        run("umoci", ["init", "--layout", text(&layout)]);
    }
    let image = format!("{}:{tag}", text(&layout));
    run("umoci", ["new", "--image", &image]);
    let file = format!("content-{tag}");
    project.write(&file, content);
    let file = project.path(&file);
    run(
        "umoci",
        ["insert", "--rootless", "--image", &image, text(&file), "/f"],
    );
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// The digest of an image as skopeo sees it.
fn digest(project: &Project, layout: &str, tag: &str) -> String {
    let image = format!("oci:{}:{tag}", text(&project.path(layout)));
    let manifest = run("skopeo", ["inspect", "--raw", &image]);
    sha256(&manifest).hex().to_owned()
}

fn base_of(project: &Project, layer: &str) -> Value {
    project.cache()["cache"][layer]["Base"].clone()
}

#[test]
fn bases_by_umoci_and_by_skopeo() {
    if !needs::installed(&["umoci", "skopeo"]) {
        return;
    }
    for by_skopeo in [false, true] {
        let project = Project::new(STACKERFILE);
        let place = if by_skopeo { "made" } else { BASES };
        umoci_image(&project, place, "ubuntu", "u");
        umoci_image(&project, place, "centos-9", "c");
        umoci_image(&project, place, "other", "o");
        if by_skopeo {
            fs::create_dir_all(project.path(".stacker/layer-bases")).unwrap();
            for tag in ["ubuntu", "centos-9", "other"] {
                let image = |layout| format!("oci:{}:{tag}", text(&project.path(layout)));
                run(
                    "skopeo",
                    ["--insecure-policy", "copy", &image("made"), &image(BASES)],
                );
            }
        }
        for layer in ["docker", "oci", "child"] {
            done(&mut project.put(layer));
            assert_eq!(project.lookup(layer)["outcome"], "hit", "{layer}");
        }
        assert_eq!(
            base_of(&project, "docker"),
            digest(&project, BASES, "ubuntu")
        );
        let centos = digest(&project, BASES, "centos-9");
        assert_eq!(base_of(&project, "oci"), centos);
        let hash = project.lookup("oci")["hash"].clone();
        assert_eq!(
            base_of(&project, "child"),
            hash,
            "the decimal hash of the entry"
        );
        // The base is another: both sides are named, and the child waits for it.
        let image = format!("{}:centos-9", text(&project.path(BASES)));
        run("umoci", ["config", "--image", &image, "--config.cmd", "x"]);
        let miss = project.lookup("oci");
        assert_eq!(miss["reason"]["code"], "stacker/base-changed");
        let sides = &miss["reason"]["differences"][0];
        assert_eq!(sides["have"], centos);
        assert_eq!(sides["want"], digest(&project, BASES, "centos-9"));
        assert_eq!(
            project.lookup("child")["reason"]["code"],
            "stacker/base-not-cached"
        );
        assert_eq!(project.lookup("docker")["outcome"], "hit");
        // The tag is gone.
        run("umoci", ["rm", "--image", &image]);
        let code = project.lookup("oci")["error"]["code"].clone();
        assert_eq!(code, "stacker/ambiguous-reference");
    }
}

/// An index in the layout of bases, as skopeo copies one with all its images:
/// its manifests are results of the tag, one by one.
#[test]
fn a_tag_of_an_index_by_skopeo() {
    if !needs::installed(&["umoci", "skopeo"]) {
        return;
    }
    for images in [1, 2] {
        let project = Project::new(STACKERFILE);
        let mut manifests = Vec::new();
        for n in 0..images {
            umoci_image(&project, "made", &format!("m{n}"), &n.to_string());
        }
        let index = fs::read(project.path("made/index.json")).unwrap();
        let index: Value = serde_json::from_slice(&index).unwrap();
        for (n, manifest) in index["manifests"].as_array().unwrap().iter().enumerate() {
            let mut manifest = manifest.clone();
            manifest["annotations"] = Value::Null;
            manifest["platform"] =
                serde_json::json!({"os": "linux", "architecture": (["amd64", "arm64"][n])});
            manifest.as_object_mut().unwrap().remove("annotations");
            manifests.push(manifest);
        }
        let media_type = "application/vnd.oci.image.index.v1+json";
        let all = serde_json::json!({"schemaVersion": 2, "mediaType": media_type, "manifests": manifests});
        let all = all.to_string();
        let id = sha256(all.as_bytes());
        project.write(&format!("made/blobs/sha256/{}", id.hex()), &all);
        let top = serde_json::json!({"schemaVersion": 2, "manifests": [{"mediaType": media_type,
            "digest": id.as_str(), "size": all.len(),
            "annotations": {"org.opencontainers.image.ref.name": "all"}}]});
        project.write("made/index.json", top.to_string());
        fs::create_dir_all(project.path(".stacker/layer-bases")).unwrap();
        let from = format!("oci:{}:all", text(&project.path("made")));
        let to = format!("oci:{}:ubuntu", text(&project.path(BASES)));
        run("skopeo", ["--insecure-policy", "copy", "--all", &from, &to]);
        let output = project.put("docker").output().unwrap();
        if images == 1 {
            assert!(output.status.success(), "{output:?}");
            let digest = manifests[0]["digest"].as_str().unwrap();
            assert_eq!(
                format!("sha256:{}", base_of(&project, "docker").as_str().unwrap()),
                digest
            );
        } else {
            let words = String::from_utf8_lossy(&output.stderr).into_owned();
            assert_eq!(output.status.code(), Some(3), "{words}");
            assert!(words.contains("ubuntu"), "{words}");
        }
    }
}

/// Results are looked up in a layout by umoci, and dropped when they are gone.
#[test]
fn results_by_umoci() {
    if !needs::installed(&["umoci", "skopeo"]) {
        return;
    }
    let stackerfile = "a:\n  from: {type: scratch}\nb:\n  from: {type: scratch}\n";
    let project = Project::new(stackerfile);
    fs::remove_dir(project.path("oci")).unwrap();
    umoci_image(&project, "oci", "a", "a");
    umoci_image(&project, "oci", "b", "b");
    done(&mut project.command("put"));
    for layer in ["a", "b"] {
        let digest = format!("sha256:{}", digest(&project, "oci", layer));
        let manifest = &project.cache()["cache"][layer]["Manifests"]["tar+false"];
        assert_eq!(manifest["digest"], digest);
        assert_eq!(project.lookup(layer)["outcome"], "hit");
    }
    let layout = project.path("oci");
    let layout = text(&layout);
    run("umoci", ["rm", "--image", &format!("{layout}:b")]);
    run("umoci", ["gc", "--layout", layout]);
    let before = fs::read(project.path(".stacker/build.cache")).unwrap();
    assert_eq!(project.lookup("b")["reason"]["code"], "stacker/no-entry");
    let after = fs::read(project.path(".stacker/build.cache")).unwrap();
    assert_eq!(before, after, "a lookup does not write");
    let pruned = project.ask("prune", &[])["opened"]["pruned"].clone();
    assert_eq!(pruned[0]["name"], "b");
    assert_eq!(pruned[0]["reason"]["code"], "stacker/manifest-missing");
    assert_eq!(pruned.as_array().unwrap().len(), 1);
    assert_eq!(project.cache()["cache"].as_object().unwrap().len(), 1);
}

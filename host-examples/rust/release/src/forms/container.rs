//! The program as a container image from scratch: an OCI layout with an image per machine.
#![expect(
    clippy::indexing_slicing,
    reason = "members that a document lacks are null, and one of our own takes any member"
)]

use serde_json::json;

use super::oci::{Layout, named};
use super::program;
use crate::failure::Failure;
use crate::place::{Place, read, sha256, write};

const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
const LAYER: &str = "application/vnd.oci.image.layer.v1.tar";
const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const INDEX: &str = "application/vnd.oci.image.index.v1+json";

pub fn make(place: &Place) -> Result<(), Failure> {
    let root = place.out.join("image");
    let _ = std::fs::remove_dir_all(&root);
    let layout = Layout { root: &root };
    let mut images = Vec::new();
    for machine in program::machines(place) {
        let tree = place.empty("image")?;
        let file = tree.join("usr/bin/layerwise");
        write(
            &file,
            read(&program::tree(place, machine).join("bin/layerwise"))?,
        )?;
        place.output(place.tool("chmod").arg("755").arg(&file))?;
        let tar = place.scratch("layer.tar");
        let mut pack = place.tool("tar");
        pack.args([
            "--sort=name",
            "--owner=0",
            "--group=0",
            "--numeric-owner",
            "--mtime=@0",
            "-cf",
        ]);
        place.output(pack.arg(&tar).arg("-C").arg(&tree).arg("usr"))?;
        let bytes = read(&tar)?;
        let config = json!({
            "architecture": machine.name,
            "os": "linux",
            "config": {
                "Entrypoint": ["/usr/bin/layerwise"],
                "WorkingDir": "/work",
                "Labels": {
                    "org.opencontainers.image.version": place.version,
                    "org.opencontainers.image.licenses": env!("CARGO_PKG_LICENSE"),
                    "org.opencontainers.image.source": env!("CARGO_PKG_REPOSITORY"),
                },
            },
            "rootfs": {"type": "layers", "diff_ids": [format!("sha256:{}", sha256(&bytes))]},
            "history": [{"created_by": "layerwise-release"}],
        });
        let manifest = json!({
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": layout.blob(CONFIG, config.to_string().as_bytes())?,
            "layers": [layout.blob(LAYER, &bytes)?],
        });
        let mut image = layout.blob(MANIFEST, manifest.to_string().as_bytes())?;
        image["platform"] = json!({"architecture": machine.name, "os": "linux"});
        images.push(image);
    }
    let index = json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": images});
    let index = layout.blob(INDEX, index.to_string().as_bytes())?;
    let top = json!({"schemaVersion": 2, "manifests": [named(index, &place.version)]});
    write(&root.join("index.json"), top.to_string())?;
    write(
        &root.join("oci-layout"),
        r#"{"imageLayoutVersion":"1.0.0"}"#,
    )
}

/// The image of this machine is copied by skopeo, unpacked by umoci, and its entry point
/// runs with that for its root.
pub fn prove(place: &Place) -> Result<String, Failure> {
    let copy = place.empty("copied")?;
    let from = format!(
        "oci:{}:{}",
        place.out.join("image").display(),
        place.version
    );
    let mut skopeo = place.tool("skopeo");
    skopeo
        .args(["copy", "--quiet", "--override-arch", "amd64"])
        .arg(from);
    place.output(skopeo.arg(format!("oci:{}:one", copy.display())))?;
    let bundle = place.scratch("bundle");
    let _ = std::fs::remove_dir_all(&bundle);
    let mut umoci = place.tool("umoci");
    umoci
        .args(["unpack", "--image"])
        .arg(format!("{}:one", copy.display()));
    place.output(umoci.arg(&bundle))?;
    let config: serde_json::Value = serde_json::from_slice(&read(&bundle.join("config.json"))?)?;
    let entry = config["process"]["args"][0]
        .as_str()
        .unwrap_or_default()
        .to_owned();
    let mut run = place.tool("chroot");
    run.arg(bundle.join("rootfs")).arg(&entry).arg("demo");
    // Nothing of the environment but where chroot is.
    run.env_clear().env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
    place.output(&mut run)?;
    Ok(format!(
        "{} machines; unpacked by umoci, {entry} demo runs in that root alone",
        program::machines(place).len()
    ))
}

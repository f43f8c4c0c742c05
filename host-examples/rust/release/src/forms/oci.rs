//! The component and its WIT package as OCI artifacts, in the form that `wkg` and registries
//! know (CNCF's Wasm OCI artifact layout), with a signature as cosign makes it.
#![expect(
    clippy::indexing_slicing,
    reason = "members that a document lacks are null, and one of our own takes any member"
)]

use std::path::Path;

use serde_json::{Value, json};
use wit_parser::Resolve;

use super::sign::{self, Key};
use crate::failure::Failure;
use crate::place::{Place, read, read_text, sha256, write};

const CONFIG: &str = "application/vnd.wasm.config.v0+json";
const LAYER: &str = "application/wasm";
const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const SIGNED: &str = "application/vnd.dev.cosign.simplesigning.v1+json";
const AUTHOR: &str = "The Layerwise authors";
const NAME: &str = "org.opencontainers.image.ref.name";

/// The layout of both artifacts, tagged VERSION and wit-VERSION.
pub fn make(place: &Place) -> Result<(), Failure> {
    let root = place.out.join("oci");
    let _ = std::fs::remove_dir_all(&root);
    let layout = Layout { root: &root };
    let component = read(&place.out.join(super::component::FILE))?;
    let (resolve, package) = {
        let mut resolve = Resolve::default();
        let (package, _) = resolve
            .push_dir(place.source.join("wit"))
            .map_err(|error| Failure::new(format!("read wit: {error:#}")))?;
        (resolve, package)
    };
    let wit = wit_component::encode(&resolve, package)
        .map_err(|error| Failure::new(format!("encode wit: {error:#}")))?;
    write(&place.out.join("layerwise-wit.wasm"), &wit)?;
    let target = format!("layerwise:cache/cache@{}", place.version);
    let mut entries = Vec::new();
    for (tag, bytes, target) in [
        (place.version.clone(), &component, Some(target)),
        (format!("wit-{}", place.version), &wit, None),
    ] {
        let manifest = artifact(place, &layout, bytes, target)?;
        let digest = manifest["digest"].as_str().unwrap_or_default().to_owned();
        let signature = signature(place, &layout, &digest)?;
        entries.push(named(manifest, &tag));
        entries.push(named(
            signature,
            &format!("{}.sig", digest.replace(':', "-")),
        ));
    }
    let index = json!({"schemaVersion": 2, "manifests": entries});
    write(&root.join("index.json"), index.to_string())?;
    write(
        &root.join("oci-layout"),
        r#"{"imageLayoutVersion":"1.0.0"}"#,
    )
}

/// Pulled by a tool of others, compared, its signature checked by OpenSSL, and run.
pub fn prove(place: &Place) -> Result<String, Failure> {
    let component = read(&place.out.join(super::component::FILE))?;
    let wit = read(&place.out.join("layerwise-wit.wasm"))?;
    let mut pulled = Vec::new();
    for (tag, bytes) in [
        (place.version.clone(), &component),
        (format!("wit-{}", place.version), &wit),
    ] {
        let empty = place.empty("pulled")?;
        let mut skopeo = place.tool("skopeo");
        skopeo
            .args(["copy", "--quiet"])
            .arg(format!("oci:{}:{tag}", place.out.join("oci").display()));
        place.output(skopeo.arg(format!("dir:{}", empty.display())))?;
        let manifest: Value = serde_json::from_str(&read_text(&empty.join("manifest.json"))?)?;
        if manifest["config"]["mediaType"] != CONFIG {
            return Err(Failure::new(format!(
                "{tag} has another config: {manifest}"
            )));
        }
        let digest = manifest["layers"][0]["digest"].as_str().unwrap_or_default();
        let layer = empty.join(digest.trim_start_matches("sha256:"));
        if &read(&layer)? != bytes {
            return Err(Failure::new(format!("{tag} was pulled as something else")));
        }
        pulled.push(layer);
        if tag == place.version {
            let python = super::python::environment(
                place,
                "oci",
                &[&place.made(".whl")?.to_string_lossy()],
            )?;
            let mut run = place.tool(&python);
            run.args(["-m", "layerwise", "--component"]);
            place.output(run.args(pulled.first()).arg("demo"))?;
        }
    }
    let signatures = check(place)?;
    Ok(format!(
        "{} artifacts pulled, equal, the component run; {signatures} signatures good",
        pulled.len()
    ))
}

/// Every manifest that is no signature has one, and it is good.
fn check(place: &Place) -> Result<usize, Failure> {
    let root = place.out.join("oci");
    let index: Value = serde_json::from_str(&read_text(&root.join("index.json"))?)?;
    let entries = index["manifests"].as_array().cloned().unwrap_or_default();
    let blob = |digest: &Value| {
        let hex = digest.as_str().unwrap_or_default().replace("sha256:", "");
        read(&root.join("blobs/sha256").join(hex))
    };
    let mut good = 0;
    for entry in &entries {
        let tag = entry["annotations"][NAME].as_str().unwrap_or_default();
        if !tag.ends_with(".sig") {
            continue;
        }
        let manifest: Value = serde_json::from_slice(&blob(&entry["digest"])?)?;
        let layer = &manifest["layers"][0];
        let payload = blob(&layer["digest"])?;
        let text = layer["annotations"]["dev.cosignproject.cosign/signature"].as_str();
        sign::verify(place, &payload, text.unwrap_or_default())?;
        let payload: Value = serde_json::from_slice(&payload)?;
        let of = payload["critical"]["image"]["docker-manifest-digest"]
            .as_str()
            .unwrap_or_default();
        if tag != format!("{}.sig", of.replace(':', "-")) {
            return Err(Failure::new(format!("{tag} is a signature of {of}")));
        }
        good += 1;
    }
    match good * 2 == entries.len() && good > 0 {
        true => Ok(good),
        false => Err(Failure::new(format!(
            "{good} signatures of {} manifests",
            entries.len()
        ))),
    }
}

fn artifact(
    place: &Place,
    layout: &Layout<'_>,
    bytes: &[u8],
    target: Option<String>,
) -> Result<Value, Failure> {
    let layer = layout.blob(LAYER, bytes)?;
    let mut config = json!({
        "created": created(place)?,
        "author": AUTHOR,
        "architecture": "wasm",
        "os": "wasip2",
        "layerDigests": [layer["digest"]],
    });
    if let Some(target) = target {
        let (imports, exports) = super::component::interfaces(bytes)?;
        config["component"] = json!({"exports": exports, "imports": imports, "target": target});
    }
    let config = layout.blob(CONFIG, config.to_string().as_bytes())?;
    let manifest = json!({
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "artifactType": LAYER,
        "config": config,
        "layers": [layer],
        "annotations": {
            "org.opencontainers.image.version": place.version,
            "org.opencontainers.image.licenses": env!("CARGO_PKG_LICENSE"),
            "org.opencontainers.image.source": env!("CARGO_PKG_REPOSITORY"),
            "org.opencontainers.image.url": env!("CARGO_PKG_HOMEPAGE"),
        },
    });
    layout.blob(MANIFEST, manifest.to_string().as_bytes())
}

/// The same for each build of a commit.
fn created(place: &Place) -> Result<String, Failure> {
    let mut git = place.tool("git");
    git.args([
        "show",
        "--no-patch",
        "--format=%cd",
        "--date=format-local:%Y-%m-%dT%H:%M:%SZ",
    ]);
    let printed = place.output(git.env("TZ", "UTC").arg(&place.commit))?;
    Ok(printed.trim().to_owned())
}

fn signature(place: &Place, layout: &Layout<'_>, digest: &str) -> Result<Value, Failure> {
    let payload = json!({
        "critical": {
            "identity": {"docker-reference": ""},
            "image": {"docker-manifest-digest": digest},
            "type": "cosign container image signature",
        },
        "optional": null,
    })
    .to_string();
    let mut layer = layout.blob(SIGNED, payload.as_bytes())?;
    let signature = Key::of(place)?.sign(payload.as_bytes())?;
    layer["annotations"] = json!({"dev.cosignproject.cosign/signature": sign::encoded(&signature)});
    let config = layout.blob("application/vnd.oci.image.config.v1+json", b"{}")?;
    let manifest =
        json!({"schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": [layer]});
    layout.blob(MANIFEST, manifest.to_string().as_bytes())
}

/// A directory of content by digest.
pub struct Layout<'a> {
    /// Where it is.
    pub root: &'a Path,
}

impl Layout<'_> {
    /// Puts bytes there and returns their descriptor.
    pub fn blob(&self, media_type: &str, bytes: &[u8]) -> Result<Value, Failure> {
        let hex = sha256(bytes);
        write(&self.root.join("blobs/sha256").join(&hex), bytes)?;
        Ok(json!({"mediaType": media_type, "digest": format!("sha256:{hex}"), "size": bytes.len()}))
    }
}

/// A descriptor under a name.
pub fn named(mut descriptor: Value, name: &str) -> Value {
    descriptor["annotations"] = json!({NAME: name});
    descriptor
}

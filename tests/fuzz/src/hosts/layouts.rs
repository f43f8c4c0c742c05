//! Image layout directories of any content: answers or refusals, nothing is
//! changed, what is read has its digest, and nothing outside is told.

use layerwise::host::{Registry as _, Retrieval};
use layerwise::oci::{Descriptor, sha256};

use super::ground::{Ground, SECRET};
use crate::draw::Draw;

const BLOBS: [&str; 4] = [
    "{}",
    r#"{"schemaVersion":2,"manifests":[]}"#,
    r#"{"schemaVersion":2,"config":{},"layers":[]}"#,
    "not json",
];
const TYPES: [&str; 4] = [
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.oci.image.layer.v1.tar+gzip",
    "",
];

/// Any layout.
pub fn layouts(bytes: &[u8]) {
    let mut draw = Draw::new(bytes);
    let ground = Ground::new();
    let mut known: Vec<Descriptor> = Vec::new();
    for text in draw.several(4, |draw| draw.text(&BLOBS)) {
        let digest = sha256(text.as_bytes());
        let name = format!("layout/blobs/sha256/{}", digest.hex());
        let kind = match ground.path(&name).symlink_metadata() {
            Ok(_) => 2,
            Err(_) => draw.below(6),
        };
        match kind {
            0 => link(&ground, &name, &ground.path("outside/secret")),
            1 => drop(std::fs::create_dir_all(ground.path(&name))),
            2 => {}
            3 => ground.write(&name, draw.spoil(text.clone()).as_bytes()),
            _ => ground.write(&name, text.as_bytes()),
        }
        let size = *draw.one(&[text.len(), text.len() + 1, SECRET.len(), 0]);
        known.push(Descriptor {
            media_type: (*draw.one(&TYPES)).to_owned(),
            digest: digest.to_string(),
            size: u64::try_from(size).unwrap_or_default(),
            annotations: Vec::new(),
        });
    }
    let index = index(&mut draw, &known);
    ground.write("layout/index.json", index.as_bytes());
    if draw.rarely(8) {
        let _ = std::fs::remove_file(ground.path("layout/index.json"));
        let outside = ground.path("outside/secret");
        link(&ground, "layout/index.json", &outside);
    }
    let before = ground.tree();
    let first = asked(&ground, &known);
    let again = asked(&ground, &known);
    assert_eq!(first, again, "the same again");
    assert_eq!(before, ground.tree(), "nothing is changed");
    let secret = sha256(SECRET.as_bytes());
    for text in [SECRET, secret.hex()] {
        assert!(!first.contains(text), "what is outside was told: {first}");
    }
}

/// Everything that can be asked, and the answers as text.
fn asked(ground: &Ground, known: &[Descriptor]) -> String {
    let all = ground.open(|options| options);
    let at = ground.layout();
    let names = ["", ":t", ":other"].map(|name| format!("{at}{name}"));
    let resolved = all.resolve(&names);
    let found: Vec<Descriptor> = resolved
        .iter()
        .flatten()
        .flatten()
        .chain(known)
        .cloned()
        .collect();
    let read = all.read(&at, &found, 1 << 16);
    for (wanted, text) in found.iter().zip(&read) {
        if let Ok(text) = text {
            let digest = sha256(text.as_bytes()).to_string();
            assert_eq!(digest, wanted.digest, "other bytes were read");
        }
    }
    let digests: Vec<String> = found.iter().map(|one| one.digest.clone()).collect();
    let has = all.has(&at, &digests);
    let layers: Vec<Retrieval> = found
        .iter()
        .map(|descriptor| Retrieval {
            descriptor: descriptor.clone(),
            into: None,
            diff_id: None,
        })
        .collect();
    let layers = all.retrieve(&at, &layers);
    format!("{resolved:?} {read:?} {has:?} {layers:?}")
}

fn index(draw: &mut Draw, known: &[Descriptor]) -> String {
    let entries = draw.several(4, |draw| {
        let Some(one) = known.get(draw.below(known.len())) else {
            return "{}".to_owned();
        };
        let name = draw.text(&["t", "other", ""]);
        let name = serde_json::Value::String(name);
        format!(
            r#"{{"mediaType":"{}","digest":"{}","size":{},"annotations":{{"org.opencontainers.image.ref.name":{name}}}}}"#,
            one.media_type, one.digest, one.size
        )
    });
    let text = format!(
        r#"{{"schemaVersion":2,"manifests":[{}]}}"#,
        entries.join(",")
    );
    draw.perhaps_spoiled(text)
}

#[cfg(unix)]
fn link(ground: &Ground, name: &str, target: &std::path::Path) {
    let _ = std::os::unix::fs::symlink(target, ground.path(name));
}

#[cfg(not(unix))]
fn link(_ground: &Ground, _name: &str, _target: &std::path::Path) {}

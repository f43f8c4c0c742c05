//! Caches inside image configs (spec section 7.1).

use super::DEPTH;
use super::config::{Config, RawLayer, RawRecord};
use super::descriptor::Descriptor;
use crate::go_json::{self, Error, ErrorKind, object};
use crate::prelude::*;

/// What an image config holds.
pub(super) enum Found {
    /// A cache, and the descriptors of its layers.
    Cache(Config<false>, Vec<Descriptor>),
    /// No cache.
    Nothing,
    /// The manifest has another number of layers than the config.
    CountsDiffer(usize, usize),
}

/// Reads the cache out of an image config. The layers of the image are its
/// layers, each on top of the one before.
///
/// # Errors
/// When either document is not JSON of its form.
pub(super) fn read(image: &str, layers: &[Descriptor]) -> Result<Found, Error> {
    let image: Image = go_json::from_str(image, DEPTH)?;
    if image.cache.is_empty() {
        return Ok(Found::Nothing);
    }
    let diff_ids = image.rootfs.diff_ids;
    if diff_ids.len() != layers.len() {
        return Ok(Found::CountsDiffer(layers.len(), diff_ids.len()));
    }
    let refused = Error {
        offset: 0,
        kind: ErrorKind::Text("base64"),
    };
    let records = base64(&image.cache).ok_or(refused)?;
    let records = String::from_utf8_lossy(&records);
    let records: Vec<RawRecord<false>> = go_json::from_str(&records, DEPTH)?;
    let mut listed = Vec::with_capacity(layers.len());
    let mut history = image.history.iter().filter(|entry| !entry.empty_layer);
    for (layer, diff_id) in layers.iter().zip(diff_ids) {
        let mut layer = layer.clone();
        let annotations = &mut layer.annotations;
        annotations.insert("containerd.io/uncompressed".into(), diff_id);
        if let Some(entry) = history.next() {
            annotations.insert("buildkit/createdat".into(), entry.created.clone());
            annotations.insert("buildkit/description".into(), entry.created_by.clone());
        }
        listed.push(layer);
    }
    let stacked = (-1..).zip(layers).map(|(parent, layer)| RawLayer {
        blob: layer.digest.clone(),
        parent,
        annotations: None,
    });
    let config = Config {
        layers: stacked.collect(),
        records,
    };
    Ok(Found::Cache(config, listed))
}

#[derive(Clone, Debug, Default)]
struct Image {
    cache: String,
    rootfs: Rootfs,
    history: Vec<Entry>,
}

#[derive(Clone, Debug, Default)]
struct Rootfs {
    diff_ids: Vec<String>,
}

#[derive(Clone, Debug, Default)]
struct Entry {
    created: String,
    created_by: String,
    empty_layer: bool,
}

object!(Image { "moby.buildkit.cache.v0" => cache, "rootfs" => rootfs, "history" => history });
object!(Rootfs { "diff_ids" => diff_ids });
object!(Entry { "created" => created, "created_by" => created_by, "empty_layer" => empty_layer });

/// Decodes standard base64 with padding; line breaks are passed over.
fn base64(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len() / 4 * 3);
    let mut group = 0_u32;
    let mut count = 0_u32;
    let mut padding = 0_u32;
    for byte in text.bytes().filter(|byte| !matches!(byte, b'\r' | b'\n')) {
        let value = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            b'=' => {
                padding += 1;
                0
            }
            _ => return None,
        };
        if padding > 0 && byte != b'=' {
            return None;
        }
        group = group << 6 | u32::from(value);
        count += 1;
        if count == 4 {
            if padding > 2 {
                return None;
            }
            let [_, a, b, c] = group.to_be_bytes();
            bytes.extend([a, b, c].iter().take(3 - padding as usize));
            (group, count) = (0, 0);
        }
    }
    (count == 0).then_some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_as_go_reads_it() {
        for (text, want) in [
            ("", Some("")),
            ("aGk=", Some("hi")),
            ("aGkh\r\n", Some("hi!")),
            ("aA==", Some("h")),
            ("aGk", None),
            ("aG=k", None),
            ("a===", None),
            ("aG k", None),
        ] {
            assert_eq!(base64(text).as_deref(), want.map(str::as_bytes), "{text}");
        }
    }

    #[test]
    fn an_image_with_a_cache() {
        // [{"digest":"x","layers":[{"layer":0}]}]
        let cache = "W3siZGlnZXN0IjoieCIsImxheWVycyI6W3sibGF5ZXIiOjB9XX1d";
        let image = format!(
            r#"{{"moby.buildkit.cache.v0":"{cache}","rootfs":{{"diff_ids":["sha256:d"]}},
                "history":[{{"empty_layer":true}},{{"created_by":"RUN x"}}]}}"#
        );
        let layer = Descriptor {
            digest: "sha256:l".into(),
            ..Descriptor::default()
        };
        let Ok(Found::Cache(config, listed)) = read(&image, &[layer]) else {
            panic!("no cache");
        };
        assert_eq!(config.records.len(), 1);
        assert_eq!(config.layers[0].parent, -1);
        assert_eq!(listed[0].annotations["buildkit/description"], "RUN x");
        assert!(matches!(read(&image, &[]), Ok(Found::CountsDiffer(0, 1))));
        assert!(matches!(read("{}", &[]), Ok(Found::Nothing)));
    }
}

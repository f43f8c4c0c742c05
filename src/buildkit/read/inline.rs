//! Caches inside image configs (BuildKit spec, section 7.1).

use crate::base64;
use crate::buildkit::documents::config::{Config, RawLayer, RawRecord};
use crate::buildkit::documents::descriptor::Descriptor;
use crate::buildkit::documents::json::{DEPTH, bad_json};
use crate::buildkit::documents::manifest::{self, Manifest, kind};
use crate::buildkit::documents::media;
use crate::buildkit::reason::{Finding, Reason, invalid};
use crate::error;
use crate::explain::Difference;
use crate::go_json::{self, Error, ErrorKind, object};
use crate::prelude::*;

/// Images of which inline caches are read.
const IMAGES: usize = 1_000;

/// An image, and what its config holds.
pub(crate) struct Image {
    /// The digest of its config.
    pub config: String,
    /// It says of another image how that was built, and is none itself.
    pub attestation: bool,
    pub found: Found,
}

/// Reads the images behind a manifest as importers do: every manifest of an index
/// and of the indexes in it, each once, those of attestations too.
///
/// # Errors
/// What `read` fails with; `invalid` for more than 1,000 images and for a config
/// that is not JSON of its form; `corrupt` for a manifest of no clear kind.
pub(crate) fn images(
    manifest: Manifest,
    image: bool,
    read: &mut dyn FnMut(&Descriptor) -> Result<String, error::Error>,
) -> Result<Vec<Image>, error::Error> {
    let mut images = Vec::new();
    let mut seen = BTreeSet::new();
    let mut open = vec![(manifest, image, false)];
    while let Some((manifest, image, attestation)) = open.pop() {
        if image {
            let layers: Vec<_> = manifest.listed().cloned().collect();
            let Some(config) = manifest.config.filter(|config| !config.digest.is_empty()) else {
                continue;
            };
            if layers.is_empty() {
                continue;
            }
            let text = read(&config)?;
            images.push(Image {
                found: self::read(&text, &layers)
                    .map_err(|error| bad_json("open", &config.digest, &error))?,
                config: config.digest,
                attestation,
            });
            continue;
        }
        for entry in manifest.listed() {
            let is_manifest = [
                media::DOCKER_LIST,
                media::DOCKER_MANIFEST,
                media::OCI_INDEX,
                media::OCI_MANIFEST,
            ]
            .contains(&entry.media_type.as_str());
            if !is_manifest || !seen.insert(entry.digest.clone()) {
                continue;
            }
            if seen.len() > IMAGES {
                let message = format!("an index of more than {IMAGES} images");
                return Err(invalid(Reason::TooLarge, "open", &entry.digest, message));
            }
            let text = read(entry)?;
            let kind = kind(&text, &entry.digest)?;
            let manifest = manifest::read(&text, &entry.digest)?;
            open.push((manifest, kind.image, entry.is_attestation()));
        }
    }
    Ok(images)
}

impl Image {
    /// What is to be said of it, when others have a cache.
    pub fn finding(&self) -> Option<Finding> {
        if self.attestation {
            return None;
        }
        match &self.found {
            Found::Cache(raw, _) => lost(raw, &self.config),
            Found::Nothing => Some(Finding::new(Reason::ImageWithoutCache, &self.config)),
            Found::CountsDiffer(layers, diff_ids) => {
                let (have, want) = (layers.to_string(), diff_ids.to_string());
                let counts = Difference::new("layers", have, want);
                Some(Finding::new(Reason::InlineCountsDiffer, &self.config).with([counts]))
            }
        }
    }
}

/// Layers of an image that no result reaches. The last step that made a layer has
/// all of them, unless the exporter could not match its result with the image.
fn lost(raw: &Config<false>, subject: &str) -> Option<Finding> {
    let tops = raw.records.iter().flat_map(|record| {
        let layers = record.layers.iter().map(|result| result.layer);
        let chains = record.chains.iter().flat_map(|chain| chain.layers.iter());
        layers.chain(chains.copied())
    });
    let reached = tops.max().and_then(|top| usize::try_from(top).ok());
    let reached = reached.map_or(0, |top| top.saturating_add(1));
    let first = raw.layers.get(reached)?;
    let facts = [
        Difference::fact("layers", raw.layers.len()),
        Difference::fact("with results", reached),
        Difference::fact("first without", &first.blob),
    ];
    Some(Finding::new(Reason::InlineResultsLost, subject).with(facts))
}

/// What an image config holds.
pub(crate) enum Found {
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
pub(crate) fn read(image: &str, layers: &[Descriptor]) -> Result<Found, Error> {
    let image: Document = go_json::from_str(image, DEPTH)?;
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
    let records = base64::decode(&image.cache).ok_or(refused)?;
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
struct Document {
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

object!(Document { "moby.buildkit.cache.v0" => cache, "rootfs" => rootfs, "history" => history });
object!(Rootfs { "diff_ids" => diff_ids });
object!(Entry { "created" => created, "created_by" => created_by, "empty_layer" => empty_layer });

#[cfg(test)]
mod tests {
    use super::*;

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

//! The documents of images, as an engine chooses them (Docker spec, section 14.5): the
//! config of the best manifest that is present, and the container config.

use super::join::join;
use super::manifest::{self, Layer, Manifest, Told};
use super::{CONFIG_REFERENCE, Containerd};
use crate::docker::platform::is_exactly;
use crate::go_json::from_str;
use crate::host::{Document, Failure, FailureCode, ImageStore, no_result};
use crate::oci::{Descriptor, Digest, Platform};
use crate::prelude::*;

/// So many manifests and indexes are looked at for one image.
const MOST: usize = 1_000;
/// What marks a manifest that is about another one.
const ABOUT: &str = "vnd.docker.reference.type";

/// A manifest that is present.
#[derive(Clone, Copy)]
struct Present<'a> {
    /// The digest of its config.
    config: &'a str,
    /// The platform that its index gives it.
    platform: Option<&'a Told>,
    manifest: &'a Manifest,
}

/// What was read, by digest.
struct Reading<T> {
    known: BTreeMap<String, Result<T, Failure>>,
}

impl<H: ImageStore> Containerd<H> {
    /// The document of each image, at most `limit` bytes in all but at least one image.
    pub(super) fn documents(
        &self,
        ids: &[String],
        limit: u64,
    ) -> Vec<Result<Option<String>, Failure>> {
        let mut ids = ids;
        // Manifests and container configs are read, too.
        let most = limit.max(self.longest).saturating_mul(4);
        loop {
            let mut left = most;
            let views = self.views(ids, &mut left);
            match views {
                Some(documents) => return within(documents, limit),
                None if ids.len() <= 1 => {
                    let message = format!("more than {most} bytes to read of it");
                    let failure = Failure::new(FailureCode::TooLarge, message);
                    return ids.iter().map(|_| Err(failure.clone())).collect();
                }
                None => ids = ids.split_at(ids.len() / 2).0,
            }
        }
    }

    /// The same of any length, `None` if more bytes would be read than are left.
    fn views(
        &self,
        ids: &[String],
        left: &mut u64,
    ) -> Option<Vec<Result<Option<String>, Failure>>> {
        let manifests = self.manifests(ids, left)?;
        let present: Vec<_> = ids.iter().map(|id| present(id, &manifests)).collect();
        let all = || present.iter().flatten().flatten();
        let mut configs = Reading::new();
        let wanted = all().map(|manifest| manifest.config.to_owned());
        self.read(&mut configs, wanted.collect(), left, as_it_is)?;
        let mut container_configs = Reading::new();
        let made_with = |present: &[Present<'_>]| {
            let mut configs = present
                .iter()
                .filter_map(|one| configs.get(one.config).ok());
            configs.find_map(|config| {
                let mut labels = config.labels.iter();
                let label = labels.find(|(key, _)| key == CONFIG_REFERENCE);
                label.map(|(_, digest)| digest.clone())
            })
        };
        let wanted = present.iter().flatten().filter_map(|all| made_with(all));
        self.read(&mut container_configs, wanted.collect(), left, as_it_is)?;
        let both = ids.iter().zip(&present);
        let documents = both.map(|(id, present)| {
            let present = present.as_ref().map_err(Clone::clone)?;
            let best = self.best(id, present, &configs)?;
            let config = configs.get(best.config)?;
            let made_with = made_with(present);
            let container_config = made_with.and_then(|digest| {
                let document: &Document = container_configs.get(&digest).ok()?;
                Some(document.text.as_str())
            });
            let joined = join(&config.text, container_config, &self.rules, self.depth);
            joined.map(Some).map_err(|error| {
                let message = format!("config {:?} of image {id:?}: {error}", best.config);
                Failure::new(FailureCode::Corrupt, message)
            })
        });
        Some(documents.collect())
    }

    /// The layers of the manifest that is best for the machine.
    ///
    /// # Errors
    /// What the host returns, and `corrupt`.
    pub(super) fn layers(&self, id: &str) -> Result<Vec<Layer>, Failure> {
        self.with_present(id, |present, configs| {
            let best = self.best(id, present, configs)?;
            Ok(best.manifest.clone().into_layers())
        })
    }

    /// The document of the first manifest whose config is for exactly this platform; what
    /// cannot be read is for none.
    ///
    /// # Errors
    /// What the host returns, and `corrupt`.
    pub(super) fn exact(&self, id: &str, platform: &Platform) -> Result<Option<String>, Failure> {
        self.with_present(id, |present, configs| {
            for one in present {
                let Ok(config) = configs.get(one.config) else {
                    continue;
                };
                let told = from_str::<Told>(&config.text, self.depth).unwrap_or_default();
                if is_exactly(platform, &told.into(), &platform.os) {
                    let joined = join(&config.text, None, &self.rules, self.depth);
                    return joined.map(Some).map_err(|error| {
                        let message = format!("config {:?} of image {id:?}: {error}", one.config);
                        Failure::new(FailureCode::Corrupt, message)
                    });
                }
            }
            Ok(None)
        })
    }

    /// What is asked of the manifests of an image that are here, and of their configs.
    fn with_present<T>(
        &self,
        id: &str,
        ask: impl FnOnce(&[Present<'_>], &Reading<Document>) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let large = || Failure::new(FailureCode::TooLarge, format!("image {id:?} is too large"));
        let mut left = self.longest.saturating_mul(4);
        let manifests = self.manifests(&[id.to_owned()], &mut left);
        let manifests = manifests.ok_or_else(large)?;
        let present = present(id, &manifests)?;
        let mut configs = Reading::new();
        let wanted = present.iter().map(|manifest| manifest.config.to_owned());
        self.read(&mut configs, wanted.collect(), &mut left, as_it_is)
            .ok_or_else(large)?;
        ask(&present, &configs)
    }

    /// Where the layers of an image are, lowest first, for whoever reads their files.
    ///
    /// # Errors
    /// What the host returns, and `corrupt`.
    pub fn blobs(&self, id: &str) -> Result<Vec<Descriptor>, Failure> {
        let layers = self.layers(id)?;
        Ok(layers.into_iter().map(Layer::descriptor).collect())
    }

    /// The manifest that the engine takes: the best one for its machine; of those that
    /// do not fit, or fit equally, the first.
    fn best<'a>(
        &self,
        id: &str,
        present: &[Present<'a>],
        configs: &Reading<Document>,
    ) -> Result<Present<'a>, Failure> {
        let ranked = present.iter().filter_map(|one| {
            let config = configs.get(one.config).ok()?;
            let platform: Platform = match one.platform {
                Some(told) => told.clone().into(),
                None => from_str::<Told>(&config.text, self.depth)
                    .unwrap_or_default()
                    .into(),
            };
            Some((self.machine.distance(&platform), *one))
        });
        let best = ranked.reduce(|best, next| if next.0 < best.0 { next } else { best });
        match (best, present.first()) {
            (Some((_, best)), _) => Ok(best),
            // None can be read: the first says why.
            (None, Some(first)) => Err(configs.get(first.config).err().unwrap_or_else(no_result)),
            (None, None) => {
                let message = format!("no manifest of image {id:?} is stored");
                Err(Failure::new(FailureCode::NotFound, message))
            }
        }
    }

    /// The manifests and indexes that images lead to, with those that indexes list.
    fn manifests(&self, ids: &[String], left: &mut u64) -> Option<Reading<Manifest>> {
        let mut manifests = Reading::new();
        let mut wanted: Vec<String> = ids.to_vec();
        for _ in 0..MOST {
            if wanted.is_empty() {
                break;
            }
            self.read(&mut manifests, wanted.clone(), left, |digest, document| {
                manifest::read(digest, &document.text, self.depth)
            })?;
            let indexes = wanted.iter().filter_map(|id| manifests.get(id).ok());
            let inner = indexes.flat_map(listed).map(|inner| inner.digest.clone());
            wanted = inner
                .filter(|id| !manifests.known.contains_key(id))
                .collect();
        }
        Some(manifests)
    }

    /// Reads what is wanted and not known yet; `None` if it is more bytes than are left.
    fn read<T>(
        &self,
        reading: &mut Reading<T>,
        mut wanted: Vec<String>,
        left: &mut u64,
        parse: impl Fn(&str, Document) -> Result<T, Failure>,
    ) -> Option<()> {
        sort(&mut wanted);
        wanted.dedup();
        wanted.retain(|digest| !reading.known.contains_key(digest));
        let mut rest = wanted.as_slice();
        while !rest.is_empty() {
            let mut documents = self.fetch(rest);
            documents.truncate(rest.len());
            if documents.is_empty() {
                documents.push(Err(no_result()));
            }
            let (read, later) = rest.split_at(documents.len());
            rest = later;
            for (digest, document) in read.iter().zip(documents) {
                if let Ok(document) = &document {
                    *left = left.checked_sub(super::length(&document.text))?;
                }
                let parsed = document.and_then(|document| parse(digest, document));
                reading.known.insert(digest.clone(), parsed);
            }
        }
        Some(())
    }

    /// Documents by their digests, checked against them; at least one.
    pub(super) fn fetch(&self, digests: &[String]) -> Vec<Result<Document, Failure>> {
        let documents = match self.contents() {
            Ok(contents) => contents.documents(digests, self.longest),
            Err(failure) => vec![Err(failure)],
        };
        let both = digests.iter().zip(documents);
        both.map(|(digest, document)| {
            let document = document?;
            let size = super::length(&document.text);
            if size > self.longest {
                let message = format!("{digest:?} has {size} bytes, limit document-bytes");
                return Err(Failure::new(FailureCode::TooLarge, message));
            }
            let parsed: Option<Digest> = digest.parse().ok();
            match parsed.and_then(|digest| digest.verifies(document.text.as_bytes())) {
                Some(true) => Ok(document),
                _ => {
                    let message = format!("the content of {digest:?} does not have this digest");
                    Err(Failure::new(FailureCode::Corrupt, message))
                }
            }
        })
        .collect()
    }
}

impl<T> Reading<T> {
    const fn new() -> Self {
        Self {
            known: BTreeMap::new(),
        }
    }

    fn get(&self, digest: &str) -> Result<&T, Failure> {
        match self.known.get(digest) {
            Some(Ok(read)) => Ok(read),
            Some(Err(failure)) => Err(failure.clone()),
            None => Err(no_result()),
        }
    }
}

/// As many documents as fit, one at least, and none above the limit.
fn within(
    documents: Vec<Result<Option<String>, Failure>>,
    limit: u64,
) -> Vec<Result<Option<String>, Failure>> {
    let mut left = limit;
    let mut kept = Vec::with_capacity(documents.len());
    for document in documents {
        let size = match &document {
            Ok(Some(text)) => super::length(text),
            _ => 0,
        };
        if size > limit {
            let message = format!("document of {size} bytes, limit {limit}");
            kept.push(Err(Failure::new(FailureCode::TooLarge, message)));
            continue;
        }
        let Some(rest) = left.checked_sub(size) else {
            break;
        };
        left = rest;
        kept.push(document);
    }
    kept
}

fn as_it_is(_: &str, document: Document) -> Result<Document, Failure> {
    Ok(document)
}

/// The manifests that an index lists: those of images, not more than may be looked at.
fn listed(index: &Manifest) -> impl DoubleEndedIterator<Item = &Layer> {
    let listed = index.manifests.as_deref().unwrap_or_default();
    let (listed, _) = listed.split_at(listed.len().min(MOST));
    let images = listed.iter();
    images.filter(|manifest| !manifest.annotations.contains_key(ABOUT))
}

/// The manifests of an image that are present, in the order of its indexes.
fn present<'a>(id: &'a str, manifests: &'a Reading<Manifest>) -> Result<Vec<Present<'a>>, Failure> {
    let mut present = Vec::new();
    let mut later: Vec<(&str, Option<&Told>)> = vec![(id, None)];
    let mut seen = 0;
    while let Some((digest, platform)) = later.pop() {
        seen += 1;
        if seen > MOST {
            let message = format!("image {id:?} has more than {MOST} manifests");
            return Err(Failure::new(FailureCode::TooLarge, message));
        }
        let manifest = match manifests.get(digest) {
            Err(failure) if digest != id && failure.code == FailureCode::NotFound => continue,
            manifest => manifest?,
        };
        match &manifest.config {
            Some(config) => present.push(Present {
                config: &config.digest,
                platform,
                manifest,
            }),
            // The last one that is put there is looked at next.
            None => later.extend(
                listed(manifest)
                    .rev()
                    .map(|inner| (inner.digest.as_str(), inner.platform.as_ref())),
            ),
        }
    }
    Ok(present)
}

//! What a step took of the context before, by the layer that a cache has of it: the files of
//! the layer stand where the step copied them, and are compared with the context path by path.
//!
//! Nothing is guessed: the files count only if their content key is the one that the record
//! of the layer stands on in the cache.

mod layer;

use std::collections::{BTreeMap, BTreeSet};

use layerwise::buildkit::{Report, Verdict};
use layerwise::builds::answer::Step;
use layerwise::builds::copied::{Copied, Paths, recorded};
use layerwise::builds::read::folder;
use layerwise::builds::redact::Values;
use layerwise::builds::{Asked, Files, Name, Role};
use layerwise::explain::Finding;
use layerwise::oci::Descriptor;
use layerwise::{base64, error};
use serde::Deserialize;

use super::builds::changed::Folders;
use super::builds::{CONTEXT, Found as Build, Opened as Builds};
use super::found::Found;
use super::opened::Opened;
use super::report;
use crate::args::{Global, LimitArgs};
use crate::failed::Failed;
use crate::lend::RegistryArgs;

/// Layers of a step that are looked at, the newest first.
const MOST_LAYERS: usize = 8;
/// The largest manifest of a cache.
const LONGEST: u64 = 4 << 20;

/// A cache with the layers that its manifest lists.
struct Cache {
    repository: String,
    report: Report,
    layers: BTreeMap<String, Descriptor>,
}

/// What is asked about.
pub struct Wanted<'a> {
    pub builds: &'a Builds,
    /// The earlier build, and the one that is explained; for a prediction both are one.
    pub old: &'a Build,
    pub new: &'a Build,
    /// What the second build takes; the context is a directory.
    pub after: &'a Folders,
    /// The steps whose files are not known, by their places.
    pub steps: Vec<(usize, &'a Step)>,
    pub values: Values,
}

impl Wanted<'_> {
    /// By step, which of its files changed since the layer of it was cached. Caches that
    /// cannot be read tell nothing.
    pub fn find(
        &self,
        global: &Global,
        (registry, limits): (&RegistryArgs, &LimitArgs),
        caches: &[String],
    ) -> Result<BTreeMap<usize, Finding>, Failed> {
        let mut changed = BTreeMap::new();
        let steps = self.steps.iter();
        let copied: Vec<(usize, &Step, Copied)> = steps
            .filter_map(|(at, step)| Some((*at, *step, Copied::of(&step.name)?)))
            .collect();
        if copied.is_empty() {
            return Ok(changed);
        }
        let opened = Opened::reading(global, registry, limits)?;
        let read = caches.iter().filter(|text| !text.starts_with("root:"));
        let caches: Vec<Cache> = read
            .filter_map(|text| Cache::open(&opened, text).ok().flatten())
            .collect();
        let context = folder::directory(&self.builds.files, CONTEXT).map_err(refused)?;
        let context: Paths = context
            .iter()
            .map(|(path, entry)| (path, entry.clone()))
            .collect();
        let names = self.names(self.new, self.after.clone())?;
        let all = self.builds.open(self.new)?.steps()?;
        for (at, step, copied) in copied {
            let records = names.iter().filter(|name| {
                let same = all.get(name.step).map(|one| &one.cache_map);
                name.role == Role::Record && same == Some(&step.cache_map)
            });
            let records: BTreeSet<&str> = records.map(|name| name.digest.as_str()).collect();
            for cache in &caches {
                if let Some(finding) = self.by_cache((at, &copied), cache, &records, &context)? {
                    changed.insert(at, finding);
                    break;
                }
            }
        }
        Ok(changed)
    }

    /// What changed of a step since the newest layer that is surely its own.
    fn by_cache(
        &self,
        (at, copied): (usize, &Copied),
        cache: &Cache,
        records: &BTreeSet<&str>,
        context: &Paths,
    ) -> Result<Option<Finding>, Failed> {
        for (verdict, layer) in cache.layers_of(records, self.old) {
            let from = (&*self.builds.registry, &*self.builds.archives);
            let Some(layer) = layer::read(from, &cache.repository, layer) else {
                continue;
            };
            let stands_on = cache.stands_on(verdict);
            // Files may have been copied with another mode than they have in the context.
            for own_modes in [true, false] {
                let Some(before) = copied.before(context, &layer, own_modes) else {
                    continue;
                };
                let before = Files::Digests(base64::encode(&recorded(&before)));
                let mut folders = self.after.clone();
                folders.retain(|(name, _)| name != "context");
                folders.push(("context".to_owned(), before));
                let names = self.names(self.old, folders.clone())?;
                let is_key = |name: &Name| {
                    name.role == Role::Content && stands_on.contains(name.digest.as_str())
                };
                if !names.iter().any(is_key) {
                    continue;
                }
                let (old, new) = ((self.old, &folders), (self.new, self.after));
                let mut changed = self.builds.changed(old, new, self.values)?;
                return Ok(changed.remove(&at));
            }
        }
        Ok(None)
    }

    fn names(&self, build: &Build, after: Folders) -> Result<Vec<Name>, Failed> {
        let asked = Asked {
            after,
            ..Asked::default()
        };
        Ok(self.builds.open(build)?.names(&asked)?)
    }
}

impl Cache {
    /// A cache that has layers.
    fn open(opened: &Opened, text: &str) -> Result<Option<Self>, Failed> {
        #[derive(Deserialize)]
        struct Manifest {
            #[serde(default, alias = "manifests")]
            layers: Vec<Listed>,
        }
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Listed {
            #[serde(default)]
            media_type: String,
            digest: String,
            size: u64,
        }
        let found = opened.find(text)?;
        let Found::Stored {
            repository,
            manifest,
        } = &found
        else {
            return Ok(None);
        };
        let wanted = std::slice::from_ref(manifest);
        let mut read = opened.registry.read(repository, wanted, LONGEST);
        let Some(Ok(manifest)) = read.pop() else {
            return Ok(None);
        };
        let Ok(Manifest { layers }) = serde_json::from_str(&manifest) else {
            return Ok(None);
        };
        Ok(Some(Self {
            report: report::check(opened, &found, text, false)?,
            repository: repository.clone(),
            layers: layers
                .into_iter()
                .map(|layer| {
                    let descriptor = Descriptor {
                        media_type: layer.media_type,
                        digest: layer.digest.clone(),
                        size: layer.size,
                        ..Descriptor::default()
                    };
                    (layer.digest, descriptor)
                })
                .collect(),
        }))
    }

    /// The layers of records, the newest first; of those that were there when a build ended.
    fn layers_of(&self, records: &BTreeSet<&str>, build: &Build) -> Vec<(&Verdict, &Descriptor)> {
        let ended = build.description.completed;
        let verdicts = self.report.verdicts.iter();
        let mut found: Vec<(&str, &Verdict, &Descriptor)> = verdicts
            .filter(|verdict| records.contains(verdict.digest.as_str()))
            .filter_map(|verdict| {
                let newest = verdict.newest.as_ref()?;
                let made: Option<jiff::Timestamp> = newest.created.parse().ok();
                let made = made.and_then(|made| i64::try_from(made.as_nanosecond()).ok());
                let later = made.zip(ended).is_some_and(|(made, ended)| made > ended);
                let layer = self.layers.get(&newest.top)?;
                (!later).then_some((newest.created.as_str(), verdict, layer))
            })
            .collect();
        found.sort_by(|a, b| b.0.cmp(a.0));
        let found = found.into_iter().take(MOST_LAYERS);
        found.map(|(_, verdict, layer)| (verdict, layer)).collect()
    }

    /// The digests of the records that one stands on.
    fn stands_on(&self, verdict: &Verdict) -> BTreeSet<&str> {
        let links = verdict.links.iter();
        links
            .filter_map(|link| {
                let at = usize::try_from(link.record).ok()?;
                Some(self.report.verdicts.get(at)?.digest.as_str())
            })
            .collect()
    }
}

fn refused(error: error::Error) -> Failed {
    Failed::from(layerwise_host::Error::Refused(error))
}

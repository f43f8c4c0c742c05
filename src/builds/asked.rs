//! What a caller asks about builds: what became of each step, and what would.

use super::answer::{Prediction, Reasons, Step};
use super::cause::{Evidence, NoResult};
use super::collection::Collection;
use super::digests::{Name, digests};
use super::graph::{Graph, Known};
use super::model::Build;
use super::predict::predict;
use super::read::assemble::{LIMITS, Read};
use super::read::daemon::Daemon;
use super::read::describe::describe;
use super::read::{daemon, folder};
use super::redact::Values;
use super::step::WhyStep;
use super::store::Store;
use super::why::why;
use crate::buildkit::{self, Input, ReadOptions};
use crate::error::Error;
use crate::host::{Filesystem, Presence};
use crate::oci::Platform;
use crate::prelude::*;

/// The files of a local source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Files {
    /// A directory that has them all.
    Directory(String),
    /// Their digests, as base64 of what a daemon recorded.
    Digests(String),
}

/// What is known besides the documents, see `wit/builds.wit`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Asked {
    /// Folders as they were at the earlier build.
    pub before: Vec<(String, Files)>,
    /// Folders as they were at this one.
    pub after: Vec<(String, Files)>,
    /// Chain ids of images.
    pub chains: Vec<(String, Platform, String)>,
    /// Inputs whose bytes are others, by the vertices of step and input.
    pub changed: Vec<(String, String)>,
    /// Whether there were only imported caches.
    pub fresh: bool,
    /// What daemons keep of their own builds, see [`daemon::daemon`].
    pub daemons: Vec<String>,
    /// Whether all steps are asked about as if they had run.
    pub every_step: bool,
}

/// The steps of a build.
pub fn steps(build: &Read) -> Vec<Step> {
    let steps = steps_of(build);
    let steps = steps.iter();
    steps.map(|step| Step::of(step, Values::All)).collect()
}

/// What became of each step of a build against an earlier one.
///
/// # Errors
/// If a folder or a cache cannot be read.
pub fn explain(
    files: &impl Filesystem,
    (old, new): (&Read, &Read),
    imported: &[Input<'_>],
    asked: &Asked,
    values: Values,
) -> Result<Reasons, Error> {
    let before = asked.known(files, &asked.before)?;
    let after = asked.known(files, &asked.after)?;
    let (daemons, collections) = asked.daemons()?;
    let evidence = Evidence {
        no_result: if asked.fresh {
            NoResult::NotImported
        } else {
            NoResult::Lost
        },
        changed: asked.changed.iter().cloned().collect(),
        imported: stores(imported)?,
        daemons,
    };
    // A result was used by the earlier build, or later.
    let (began, ended) = (describe(old), describe(new));
    let ended = ended.completed.or(ended.created);
    let age = ended.zip(began.created);
    let age = age
        .and_then(|(ended, began)| ended.checked_sub(began))
        .filter(|age| *age >= 0);
    let ran = asked
        .every_step
        .then(|| (old.build.all_ran(), new.build.all_ran()));
    let (old, new) = match &ran {
        Some((old, new)) => (old, new),
        None => (&old.build, &new.build),
    };
    let why = why((old, &before), (new, &after), &evidence);
    let judge = |finding| {
        let collections = collections.iter();
        collections.fold(finding, |finding, one| one.judge(finding, age))
    };
    Ok(Reasons::of(&why, &judge, values))
}

/// What would become of each step of a build with some caches.
///
/// # Errors
/// If a folder or a cache cannot be read.
pub fn foretell(
    files: &impl Filesystem,
    build: &Read,
    caches: &[Input<'_>],
    asked: &Asked,
    values: Values,
) -> Result<Vec<Prediction>, Error> {
    let known = asked.known(files, &asked.after)?;
    let mut stores = stores(caches)?;
    stores.extend(asked.daemons()?.0);
    let steps = steps_of(build);
    let predictions = predict(&build.build, &known, &stores);
    let each = predictions.iter().zip(&steps);
    Ok(each
        .map(|(prediction, step)| Prediction::of(prediction, step, &steps, values))
        .collect())
}

/// Every digest that steps of a build are known by.
///
/// # Errors
/// If a folder cannot be read.
pub fn name(files: &impl Filesystem, build: &Read, asked: &Asked) -> Result<Vec<Name>, Error> {
    let known = asked.known(files, &asked.after)?;
    Ok(digests(&Graph::new(&build.build, &known)))
}

/// The keys of caches. What their repositories do not have any more is no result.
fn stores(caches: &[Input<'_>]) -> Result<Vec<Store>, Error> {
    let mut stores = Vec::with_capacity(caches.len());
    for cache in caches {
        let options = ReadOptions {
            any_size: matches!(cache, Input::Manifest { .. }),
            ..ReadOptions::default()
        };
        let contents = buildkit::read(*cache, &options)?.contents()?;
        let layers = contents.offers.iter().flat_map(|offer| &offer.blobs);
        let layers: BTreeSet<&String> = layers.collect();
        let layers: Vec<String> = layers.into_iter().cloned().collect();
        stores.push(Store::of(&contents, &gone(cache, layers)));
    }
    Ok(stores)
}

/// The layers that a repository says it does not have.
fn gone(cache: &Input<'_>, layers: Vec<String>) -> BTreeSet<String> {
    let Input::Manifest {
        registry,
        repository,
        ..
    } = cache
    else {
        return BTreeSet::new();
    };
    if layers.is_empty() {
        return BTreeSet::new();
    }
    // One that cannot tell is taken at its word, as builders do.
    let answers = registry.has(repository, &layers).unwrap_or_default();
    let pairs = layers.into_iter().zip(answers);
    let absent = pairs.filter(|(_, answer)| *answer == Presence::Absent);
    absent.map(|(layer, _)| layer).collect()
}

/// The steps with what the log says of each.
fn steps_of(build: &Read) -> Vec<WhyStep> {
    let nothing = (&Build::default(), &Known::default());
    let this = (&build.build, &Known::default());
    why(nothing, this, &Evidence::default()).steps
}

impl Asked {
    /// The keys of each daemon, and what each is configured with.
    fn daemons(&self) -> Result<(Vec<Store>, Vec<Collection>), Error> {
        let daemons = self.daemons.iter().map(|text| daemon::daemon(text));
        let daemons: Result<Vec<Daemon>, Error> = daemons.collect();
        let daemons = daemons?.into_iter();
        Ok(daemons
            .map(|daemon| (daemon.store, daemon.collection))
            .unzip())
    }

    fn known(&self, files: &impl Filesystem, folders: &[(String, Files)]) -> Result<Known, Error> {
        let mut known = Known::default();
        for (name, place) in folders {
            let tree = match place {
                Files::Directory(root) => Some(folder::directory(files, root)?),
                Files::Digests(text) => folder::digests(text, &LIMITS)?,
            };
            known.folders.extend(tree.map(|tree| (name.clone(), tree)));
        }
        for (image, platform, id) in &self.chains {
            known
                .chains
                .insert((image.clone(), platform.clone()), id.clone());
        }
        Ok(known)
    }
}

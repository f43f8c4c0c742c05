//! The lookup, as the the Docker spec, section 4, tells it.

use super::compare::{Key, Labels};
use super::config::{ContainerConfig, list};
use super::history::joined;
use super::lineage::Lineage;
use super::platform::{Matcher, Part};
use super::reason::Reason;
use super::restore::{Restored, restore};
use super::session::Sources;
use super::source::{EntryLayer, Source};
use super::store::{Listing, Store};
use crate::error::{Error, Problem};
use crate::explain::{Difference, Finding};
use crate::host::{Failure, ImageStore, Provenance};
use crate::prelude::*;

/// What a step asks, read and prepared once.
#[derive(Debug)]
pub struct Request {
    /// The image it starts from.
    pub parent: Option<String>,
    /// The container config, if there is one.
    pub config: Option<Requested>,
    /// The builder's platform.
    pub matcher: Matcher,
    /// No step of the stage follows.
    pub last: bool,
}

/// A requested container config.
#[derive(Debug)]
pub struct Requested {
    /// The config.
    pub config: ContainerConfig,
    /// What stands for it when children are compared.
    pub key: Key,
    /// Its command as history entries tell it.
    pub command: String,
}

impl Requested {
    /// Prepares a config.
    pub fn new(config: ContainerConfig, key: Key) -> Self {
        Self {
            command: joined(list(&config.cmd)),
            config,
            key,
        }
    }
}

/// How a session decides, beyond the rules of the version.
#[derive(Clone, Copy, Debug)]
pub struct Mode {
    /// Refuse what upstream should have refused.
    pub guarded: bool,
    /// Pass over unreadable children.
    pub skip_unreadable: bool,
    /// Refuse sources for another platform.
    pub same_platform: bool,
}

impl Mode {
    /// How labels are compared.
    pub const fn labels(self) -> Labels {
        if self.guarded {
            Labels::Exact
        } else {
            Labels::MissingIsEmpty
        }
    }
}

/// What a lookup answers; nothing was changed yet.
#[derive(Debug)]
pub struct Decision {
    /// The answer.
    pub verdict: Verdict,
    /// What the caller should know.
    pub notes: Vec<Finding>,
}

/// The answer of a lookup.
#[derive(Debug)]
pub enum Verdict {
    /// A child of the parent.
    Local(String),
    /// This source, by its place among the sources in use.
    Exact(usize),
    /// An image made out of this source.
    Restored(usize, Box<Restored>),
    /// Nothing.
    Miss,
}

/// Decides about a step. Linear in the number of children, which the host lists anew,
/// and of sources, with one comparison of digests each.
///
/// # Errors
/// When a child or the parent cannot be read, or a restore cannot be written.
pub fn decide<H: ImageStore>(
    store: &mut Store<H>,
    sources: &Sources,
    request: &Request,
    mode: Mode,
) -> Result<Decision, Error> {
    let mut notes = Vec::new();
    let local = local(store, request, mode, &mut notes)?;
    let Sources::Given(given) = sources else {
        let verdict = local.map_or(Verdict::Miss, Verdict::Local);
        return Ok(Decision { verdict, notes });
    };
    let trusted = |source: &&Rc<Source>| source.trusted || !mode.guarded;
    if let Some(id) = local {
        let heads: Vec<String> = given.iter().filter(trusted).map(|s| s.id.clone()).collect();
        if descends(store, heads, &id, &mut notes)? {
            let verdict = Verdict::Local(id);
            return Ok(Decision { verdict, notes });
        }
    }
    let base = match &request.parent {
        Some(id) => Some(store.base(id)?),
        None => None,
    };
    let index = base.as_ref().map_or(0, |base| base.entries);
    for (place, source) in given.iter().enumerate() {
        if let Some(refusal) = refused(source, request, mode) {
            notes.push(refusal);
            continue;
        }
        if !source.continues(base.as_deref()) {
            continue;
        }
        let Some(entry) = source.history.get(index) else {
            continue;
        };
        let Some(requested) = &request.config else {
            notes.push(Finding::new(Reason::ConfigMissing, &source.id));
            continue;
        };
        if requested.command != entry.created_by {
            continue;
        }
        if let Some(note) = foreign(source, &request.matcher) {
            notes.push(note);
        }
        if index + 1 == source.history.len() {
            let verdict = Verdict::Exact(place);
            return Ok(Decision { verdict, notes });
        }
        let below = base.as_ref().map_or(0, |base| base.layers);
        let layer = match layer(source, index, below, mode) {
            Ok(layer) => layer,
            Err(refusal) => {
                notes.push(refusal);
                continue;
            }
        };
        if let Some(refusal) = no_restore(source, index, layer.as_ref(), request, store) {
            if mode.guarded {
                notes.push(refusal);
                continue;
            }
            if refusal.code == Reason::RestoreAborts.as_str() {
                return Err(Error::Unsupported(Problem::new(
                    Reason::RestoreFailed,
                    "restore",
                    &source.id,
                    "the containerd image store cannot restore a step without a layer, so \
                     the build ends here; leave --cache-from out",
                )));
            }
        }
        let scratch;
        let on = match base.as_deref() {
            Some(base) => base,
            None => {
                scratch = super::base::Base::scratch();
                &scratch
            }
        };
        match restore(source, index, layer, on, &requested.config, &store.rules) {
            Some(restored) => {
                if !source.platform.variant.is_empty() {
                    notes.push(
                        Finding::new(Reason::VariantLost, &source.id)
                            .with([Difference::fact("variant", &source.platform.variant)]),
                    );
                }
                if let Some(command) = restored_command(source, request) {
                    notes.push(command);
                }
                let verdict = Verdict::Restored(place, Box::new(restored));
                return Ok(Decision { verdict, notes });
            }
            None if mode.guarded => notes.push(
                Finding::new(Reason::TimeNotEncodable, &source.id)
                    .with([Difference::fact("index", index)]),
            ),
            None => {
                return Err(Error::Corrupt(Problem::new(
                    Reason::RestoreFailed,
                    "restore",
                    &source.id,
                    "a time in the history has an offset of a day or more, which cannot be written",
                )));
            }
        }
    }
    let verdict = Verdict::Miss;
    Ok(Decision { verdict, notes })
}

/// The local lookup (4.1): the newest child that matches.
fn local<H: ImageStore>(
    store: &mut Store<H>,
    request: &Request,
    mode: Mode,
    notes: &mut Vec<Finding>,
) -> Result<Option<String>, Error> {
    let Some(requested) = &request.config else {
        return Ok(None);
    };
    let listing = store.candidates(request.parent.as_deref(), mode.guarded)?;
    for (id, failure, stops) in unreadable(store, &listing, mode) {
        if stops {
            let problem = Problem::new(
                Reason::ChildUnreadable,
                "read child",
                id,
                failure.message.clone(),
            );
            return Err(problem.from_failure(failure));
        }
        notes.push(
            Finding::new(Reason::UnreadableSkipped, id)
                .with([Difference::fact("cause", &failure.message)]),
        );
    }
    let matching = matching(store, &listing, request, requested, mode);
    let matching = built_here(store, matching);
    let Some(winner) = newest(&matching, mode.guarded) else {
        return Ok(None);
    };
    if matching
        .iter()
        .filter(|m| m.created == winner.created)
        .count()
        > 1
    {
        notes.push(Finding::new(Reason::Tie, &winner.id));
    }
    if winner.overlooked {
        notes.push(Finding::new(Reason::LabelQuirk, &winner.id));
    }
    Ok(Some(winner.id.clone()))
}

/// The children that cannot be read, and whether each stops the lookup (hazard
/// H6). The guarded reading passes over those that were not built here: nothing
/// in their documents could make them the answer, so nothing in them may decide.
pub fn unreadable<'a, H: ImageStore>(
    store: &mut Store<H>,
    listing: &'a Listing,
    mode: Mode,
) -> Vec<(&'a String, &'a Failure, bool)> {
    let failed = listing.ids.iter().zip(&listing.facts);
    let failed: Vec<(&String, &Failure)> = failed
        .filter_map(|(id, facts)| Some((id, facts.as_ref().err()?)))
        .collect();
    let stops: Vec<bool> = if mode.guarded && store.rules.checked {
        let ids: Vec<String> = failed.iter().map(|(id, _)| (*id).clone()).collect();
        let built = store.provenance(&ids).into_iter();
        built.map(|built| built == Provenance::BuiltHere).collect()
    } else {
        vec![true; failed.len()]
    };
    let each = failed.into_iter().zip(stops);
    each.map(|((id, failure), stops)| (id, failure, stops && !mode.skip_unreadable))
        .collect()
}

/// A child that matches and has a creation time.
#[derive(Clone, Debug)]
pub struct Match {
    /// Its id.
    pub id: String,
    /// When it was made.
    pub created: (i64, u32),
    /// Its labels differ and the rules overlook it.
    pub overlooked: bool,
}

/// The children that match the platform and the config. Only those with the same
/// config are looked at.
pub fn matching<H: ImageStore>(
    store: &Store<H>,
    listing: &Listing,
    request: &Request,
    requested: &Requested,
    mode: Mode,
) -> Vec<Match> {
    let fits: Vec<bool> = store
        .platforms()
        .iter()
        .map(|platform| request.matcher.mismatch(platform).is_none())
        .collect();
    let labels = requested.config.labels.as_ref();
    let same = listing.configs.get(requested.key.rest());
    same.into_iter()
        .flatten()
        .filter_map(|place| {
            let id = listing.ids.get(*place)?;
            let child = store.child(*listing.facts.get(*place)?.as_ref().ok()?)?;
            let fits = child.has_platform && fits.get(child.platform) == Some(&true);
            ((fits || !store.rules.checked)
                && child.key.answers(&requested.key, labels, mode.labels()))
            .then_some(())?;
            Some(Match {
                id: id.clone(),
                created: child.created?,
                overlooked: child.key.overlooks(&requested.key),
            })
        })
        .collect()
}

/// Those that were built here, where the rules ask for it.
pub fn built_here<H: ImageStore>(store: &mut Store<H>, matching: Vec<Match>) -> Vec<Match> {
    if !store.rules.checked {
        return matching;
    }
    let ids: Vec<String> = matching.iter().map(|m| m.id.clone()).collect();
    let built = store.provenance(&ids);
    let both = matching.into_iter().zip(built);
    both.filter(|(_, built)| *built == Provenance::BuiltHere)
        .map(|(m, _)| m)
        .collect()
}

/// The one that is kept: the newest; among equally new ones the first listed,
/// or, in the guarded reading, the one with the smallest id (hazard H5).
pub fn newest(matching: &[Match], guarded: bool) -> Option<&Match> {
    matching.iter().reduce(|kept, next| {
        let tie = guarded && kept.created == next.created && next.id < kept.id;
        if kept.created < next.created || tie {
            next
        } else {
            kept
        }
    })
}

/// Whether any of `heads` has `id` as a proper ancestor (4.2). The steps of a
/// replay follow each link once.
fn descends<H: ImageStore>(
    store: &mut Store<H>,
    heads: Vec<String>,
    id: &str,
    notes: &mut Vec<Finding>,
) -> Result<bool, Error> {
    let known = store.lineage.take().filter(|known| known.is_of(&heads));
    let mut lineage = known.unwrap_or_else(|| Lineage::new(heads));
    let found = lineage.reaches(store, id)?;
    if !found {
        notes.extend(lineage.cycles());
    }
    if store.replaying {
        store.lineage = Some(lineage);
    }
    Ok(found)
}

/// Why a source is not used at all, if so.
pub fn refused(source: &Source, request: &Request, mode: Mode) -> Option<Finding> {
    if mode.guarded && !source.trusted {
        let name = &source.reference;
        let hint = format!("if you trust whoever can write it: --trust {name}");
        return Some(Finding::new(Reason::SourceUntrusted, &source.id).hint(hint));
    }
    if mode.same_platform {
        return foreign(source, &request.matcher);
    }
    None
}

/// That a source is for another platform, if so (hazard H8).
pub fn foreign(source: &Source, matcher: &Matcher) -> Option<Finding> {
    let part: Option<Part> = matcher.mismatch(&source.platform);
    part.map(|_| {
        Finding::new(Reason::SourcePlatformMismatch, &source.id)
            .with(matcher.evidence(&source.platform))
    })
}

/// Why an entry of a source is not restored, although it is the step's: the engine
/// would end the build, or the guarded reading keeps no image that runs a build step.
pub fn no_restore<H: ImageStore>(
    source: &Source,
    index: usize,
    layer: Option<&String>,
    request: &Request,
    store: &Store<H>,
) -> Option<Finding> {
    if store.opaque_ids() && layer.is_none() {
        let place = Difference::fact("index", index);
        return Some(Finding::new(Reason::RestoreAborts, &source.id).with([place]));
    }
    request.last.then(|| restored_command(source, request))?
}

/// That a restored image has the command of the step as its own, and no entrypoint
/// but the step's (moby#37273).
fn restored_command(source: &Source, request: &Request) -> Option<Finding> {
    let config = &request.config.as_ref()?.config;
    let words = list(&config.cmd).filter(|words| !words.is_empty())?;
    let command = Difference::fact("config.Cmd", words.join(" "));
    Some(Finding::new(Reason::RestoredCommand, &source.id).with([command]))
}

/// The layer to append for an entry, or why the source cannot be used.
pub fn layer(
    source: &Source,
    index: usize,
    below: usize,
    mode: Mode,
) -> Result<Option<String>, Finding> {
    let refuse = |reason: Reason, place: usize| {
        Err(Finding::new(reason, &source.id).with([
            Difference::fact("index", index),
            Difference::new("layer", place.to_string(), below.to_string()),
            Difference::fact("rootfs.diff_ids.length", source.diff_ids.len()),
        ]))
    };
    match source.layer_of(index) {
        EntryLayer::None => Ok(None),
        EntryLayer::OutOfRange(place) => refuse(Reason::LayerIndexOutOfRange, place),
        EntryLayer::Empty(place) if mode.guarded => refuse(Reason::EmptyLayerDigest, place),
        EntryLayer::Empty(_) => Ok(None),
        EntryLayer::At(place, _) if mode.guarded && place != below => {
            refuse(Reason::LayerIndexDisagrees, place)
        }
        EntryLayer::At(_, id) => Ok(Some(id)),
    }
}

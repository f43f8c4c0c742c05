//! What one source gives for a step (Docker spec, sections 4 and 5.3).

use super::base::Base;
use super::config::list;
use super::history::Entry;
use super::options::StoreKind;
use super::platform::Matcher;
use super::reason::{Finding, Reason};
use super::request::{Mode, Request, Requested};
use super::restore::{Restored, restore};
use super::source::{EntryLayer, Source};
use super::store::Store;
use crate::error::{Error, Problem};
use crate::explain::Difference;
use crate::host::{Failure, ImageStore};
use crate::prelude::*;

/// What a source gives.
#[derive(Debug)]
pub enum Found {
    /// The source is the result.
    Exact,
    /// The result is made out of its history.
    Restored(Box<Restored>),
    /// It would be made, with this layer, but the engine fails at it, which ends the
    /// build.
    Fails(Error, Option<String>),
    /// It would be made, but the engine with the containerd image store cannot store it,
    /// which ends the build.
    Aborts(Finding),
}

/// Why a source gives nothing.
#[derive(Debug)]
pub enum Rejection {
    /// It is not used at all.
    Refused(Finding),
    /// Its history or its layers leave the parent's, or it ends there.
    Apart,
    /// No config was given.
    NoConfig,
    /// It continues the parent with another command.
    OtherCommand,
    /// It does the step, but cannot be used for it.
    Unusable(Finding),
}

impl Rejection {
    /// What the caller should know of it without asking for an explanation.
    pub fn notes(self, source: &Source, request: &Request) -> Vec<Finding> {
        match self {
            Self::Refused(finding) => vec![finding],
            Self::NoConfig => vec![Finding::new(Reason::ConfigMissing, &source.id)],
            Self::Unusable(finding) => {
                let foreign = foreign(source, &request.matcher);
                foreign.into_iter().chain([finding]).collect()
            }
            Self::Apart | Self::OtherCommand => Vec::new(),
        }
    }
}

/// What a source gives for a step that stands on `base`; `None` is scratch.
///
/// # Errors
/// The first rule that speaks against it.
pub fn judge<H: ImageStore>(
    store: &Store<H>,
    source: &Source,
    request: &Request,
    base: Option<&Base>,
) -> Result<Found, Rejection> {
    let Some(refusal) = refused(source, request) else {
        return made(store, source, request, base);
    };
    // An engine with the containerd image store fails with a source even where it is not
    // used here.
    let aborts = match store.kind() {
        StoreKind::GraphDriver => None,
        StoreKind::Containerd => made(store, source, request, base).ok(),
    };
    match aborts {
        Some(found @ Found::Aborts(_)) => Ok(found),
        _ => Err(Rejection::Refused(refusal)),
    }
}

/// What a source gives that is not refused.
fn made<H: ImageStore>(
    store: &Store<H>,
    source: &Source,
    request: &Request,
    base: Option<&Base>,
) -> Result<Found, Rejection> {
    let (index, requested) = step_of(source, request, base)?;
    let guarded = request.mode.guarded;
    let place = Difference::fact("index", index);
    if index + 1 == source.history.len() {
        return match guarded.then(|| store.is_index(&source.id)).transpose() {
            Ok(Some(true)) => {
                let finding = Finding::new(Reason::WholeIndex, &source.id).with([place]);
                Err(Rejection::Unusable(finding))
            }
            Ok(_) => Ok(Found::Exact),
            Err(failure) => Ok(fails(source, &failure, None)),
        };
    }
    let below = base.map_or(0, |base| base.layers);
    let layer = layer(source, index, below, request.mode).map_err(Rejection::Unusable)?;
    // The guarded reading keeps no image that would run a build step.
    if let Some(finding) = restored_command(source, requested)
        && guarded
        && request.last
    {
        return Err(Rejection::Unusable(finding));
    }
    let scratch;
    let on = match base {
        Some(base) => base,
        None => {
            scratch = Base::scratch();
            &scratch
        }
    };
    let (config, rules) = (&requested.config, &store.rules);
    match restore(
        source,
        index,
        layer.clone(),
        on,
        config,
        rules,
        store.kind(),
    ) {
        Some(restored) => match store.complete(restored, request.parent.as_deref()) {
            Ok(Ok(restored)) => Ok(Found::Restored(Box::new(restored))),
            Ok(Err(reason)) => {
                let layer = layer.map(|layer| Difference::fact("layer", layer));
                let finding = Finding::new(reason, &source.id).with([place]);
                Ok(Found::Aborts(finding.with(layer)))
            }
            Err(failure) => Ok(fails(source, &failure, layer)),
        },
        None if guarded => {
            let finding = Finding::new(Reason::TimeNotEncodable, &source.id).with([place]);
            Err(Rejection::Unusable(finding))
        }
        None => {
            let problem = Problem::new(
                Reason::RestoreFailed,
                "restore",
                &source.id,
                "a time in the history has an offset of a day or more, which cannot be written",
            );
            Ok(Found::Fails(Error::Corrupt(problem), layer))
        }
    }
}

/// That the host cannot tell what a restore needs to know.
fn fails(source: &Source, failure: &Failure, layer: Option<String>) -> Found {
    let message = failure.message.clone();
    let problem = Problem::new(Reason::RestoreFailed, "restore", &source.id, message);
    Found::Fails(problem.from_failure(failure), layer)
}

/// Which of its entries is the step, and the config that was asked.
///
/// # Errors
/// When none is.
pub fn step_of<'r>(
    source: &Source,
    request: &'r Request,
    base: Option<&Base>,
) -> Result<(usize, &'r Requested), Rejection> {
    let index = base.map_or(0, |base| base.entries);
    let entry: &Entry = source
        .history
        .get(index)
        .filter(|_| source.continues(base))
        .ok_or(Rejection::Apart)?;
    let requested = request.config.as_ref().ok_or(Rejection::NoConfig)?;
    if requested.command != entry.created_by {
        return Err(Rejection::OtherCommand);
    }
    Ok((index, requested))
}

/// Why a source is not used at all, if so.
fn refused(source: &Source, request: &Request) -> Option<Finding> {
    if request.mode.guarded && !source.trusted {
        let name = &source.reference;
        let hint = format!("if you trust whoever can write it: --trust {name}");
        return Some(Finding::new(Reason::SourceUntrusted, &source.id).hint(hint));
    }
    if request.mode.same_platform {
        return foreign(source, &request.matcher);
    }
    None
}

/// That a source is for another platform, if so (hazard H8).
pub fn foreign(source: &Source, matcher: &Matcher) -> Option<Finding> {
    matcher.mismatch(&source.platform)?;
    let evidence = matcher.evidence(&source.platform);
    Some(Finding::new(Reason::SourcePlatformMismatch, &source.id).with(evidence))
}

/// That a restored image has the command of the step as its own, and no entrypoint
/// but the step's (moby#37273).
pub fn restored_command(source: &Source, requested: &Requested) -> Option<Finding> {
    let words = list(&requested.config.cmd).filter(|words| !words.is_empty())?;
    let command = Difference::fact("config.Cmd", words.join(" "));
    Some(Finding::new(Reason::RestoredCommand, &source.id).with([command]))
}

/// The layer to append for an entry, or why the source cannot be used.
fn layer(
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

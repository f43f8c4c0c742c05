//! The local lookup (Docker spec, section 4.1): the newest child that matches.

use super::child::Listing;
use super::key::Key;
use super::options::StoreKind;
use super::reason::{Finding, Reason};
use super::request::{Mode, Request, Requested};
use super::store::Store;
use super::version::Rules;
use crate::error::{Error, Problem};
use crate::explain::Difference;
use crate::host::{Failure, ImageStore, Provenance};
use crate::prelude::*;

/// The children of the parent, judged.
#[derive(Debug)]
pub struct Local {
    /// Those that cannot be read.
    pub unreadable: Vec<Unreadable>,
    /// Those that match; none is looked for if one that cannot be read stops the
    /// lookup.
    pub matches: Vec<Match>,
    /// The one that is kept.
    pub winner: Option<Match>,
    /// Another match is as new, and the store lists children in any order.
    pub tied: bool,
}

/// A child that cannot be read.
#[derive(Debug)]
pub struct Unreadable {
    /// Its id.
    pub id: String,
    /// Why.
    pub failure: Failure,
    /// It stops the lookup (hazard H6).
    pub stops: bool,
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

impl Local {
    /// Judges the children. Only those with the same config are looked at.
    ///
    /// # Errors
    /// When the children cannot be listed, or are too many.
    pub fn of<H: ImageStore>(
        store: &mut Store<H>,
        request: &Request,
        requested: &Requested,
    ) -> Result<Self, Error> {
        let listing = store.candidates(request.parent.as_deref(), request.mode.guarded)?;
        let unreadable = unreadable(store, &listing, request.mode);
        let matches = if unreadable.iter().any(|child| child.stops) {
            Vec::new()
        } else {
            matching(store, &listing, request, requested)
        };
        // In the containerd image store the order is that of names: nothing is random.
        let unordered = store.kind() == StoreKind::GraphDriver;
        let winner = newest(&matches, request.mode.guarded && unordered).cloned();
        Ok(Self {
            unreadable,
            tied: unordered
                && winner.as_ref().is_some_and(|winner| {
                    let as_new = |other: &&Match| other.created == winner.created;
                    matches.iter().filter(as_new).count() > 1
                }),
            winner,
            matches,
        })
    }

    /// The error of the first child that stops the lookup.
    pub fn error(&self) -> Option<Error> {
        let child = self.unreadable.iter().find(|child| child.stops)?;
        let Failure { message, .. } = &child.failure;
        let reason = Reason::ChildUnreadable;
        let problem = Problem::new(reason, "read child", &child.id, message.clone());
        Some(problem.from_failure(&child.failure))
    }

    /// What the caller should know.
    pub fn notes(&self) -> Vec<Finding> {
        let skipped = self.unreadable.iter().filter(|child| !child.stops);
        let mut notes: Vec<Finding> = skipped
            .map(|child| {
                let cause = Difference::fact("cause", &child.failure.message);
                Finding::new(Reason::UnreadableSkipped, &child.id).with([cause])
            })
            .collect();
        if let Some(winner) = &self.winner {
            if self.tied {
                notes.push(Finding::new(Reason::Tie, &winner.id));
            }
            if winner.overlooked {
                notes.push(Finding::new(Reason::LabelQuirk, &winner.id));
            }
        }
        notes
    }
}

/// The children that cannot be read. The guarded reading passes over those that were
/// not built here: nothing in their documents could make them the result, so nothing
/// in them may decide.
fn unreadable<H: ImageStore>(
    store: &mut Store<H>,
    listing: &Listing,
    mode: Mode,
) -> Vec<Unreadable> {
    let each = listing.ids.iter().zip(&listing.facts);
    let mut failed: Vec<Unreadable> = each
        .filter_map(|(id, facts)| {
            Some(Unreadable {
                id: id.clone(),
                failure: facts.as_ref().err()?.clone(),
                stops: !mode.skip_unreadable,
            })
        })
        .collect();
    if mode.guarded && store.rules.checked {
        let ids: Vec<String> = failed.iter().map(|child| child.id.clone()).collect();
        for (child, built) in failed.iter_mut().zip(store.provenance(&ids)) {
            child.stops &= built == Provenance::BuiltHere;
        }
    }
    failed
}

/// What the rules look at in a child.
pub struct Looked<'a> {
    /// It names an operating system or an architecture.
    pub has_platform: bool,
    /// The build accepts its platform.
    pub fits: bool,
    /// What stands for its container config.
    pub key: &'a Key,
    /// When it was made.
    pub created: Option<(i64, u32)>,
}

/// What keeps a child from being the result, in the order of the rules, once it is
/// known where it was built.
pub fn obstacles(
    child: &Looked<'_>,
    requested: &Requested,
    mode: Mode,
    rules: &Rules,
) -> impl Iterator<Item = Reason> {
    let platform = match (child.has_platform, child.fits) {
        _ if !rules.checked => None,
        (false, _) => Some(Reason::NoPlatform),
        (true, false) => Some(Reason::PlatformMismatch),
        (true, true) => None,
    };
    let wanted = requested.config.labels.as_ref();
    let equal = child.key.answers(&requested.key, wanted, mode.labels());
    let config = (!equal).then_some(Reason::ConfigMismatch);
    let created = child.created.is_none().then_some(Reason::CreatedMissing);
    [platform, config, created].into_iter().flatten()
}

/// Why where it was built keeps a child from being the result, if it does.
pub const fn not_built_here(built: Provenance, rules: &Rules) -> Option<Reason> {
    match built {
        _ if !rules.checked => None,
        Provenance::BuiltHere => None,
        Provenance::Elsewhere => Some(Reason::NotBuiltLocally),
        Provenance::Unknown => Some(Reason::LocalCheckFailed),
    }
}

/// The children that nothing keeps from being the result. Only those with the same
/// config are looked at, and the host is asked where they were built in one call.
pub fn matching<H: ImageStore>(
    store: &mut Store<H>,
    listing: &Listing,
    request: &Request,
    requested: &Requested,
) -> Vec<Match> {
    let platforms = store.platforms().iter();
    let fits: Vec<bool> = platforms
        .map(|platform| request.matcher.mismatch(platform).is_none())
        .collect();
    let same = listing.configs.get(requested.key.rest());
    let mut matches: Vec<Match> = same
        .into_iter()
        .flatten()
        .filter_map(|place| {
            let id = listing.ids.get(*place)?;
            let child = store.child(*listing.facts.get(*place)?.as_ref().ok()?)?;
            let looked = Looked {
                has_platform: child.has_platform,
                fits: fits.get(child.platform) == Some(&true),
                key: &child.key,
                created: child.created,
            };
            let mut obstacles = obstacles(&looked, requested, request.mode, &store.rules);
            obstacles.next().is_none().then_some(())?;
            Some(Match {
                id: id.clone(),
                created: child.created?,
                overlooked: child.key.overlooks(&requested.key),
            })
        })
        .collect();
    if store.rules.checked {
        let ids: Vec<String> = matches.iter().map(|child| child.id.clone()).collect();
        let mut built = store.provenance(&ids).into_iter();
        matches.retain(|_| {
            let built = built.next().unwrap_or_default();
            not_built_here(built, &store.rules).is_none()
        });
    }
    matches
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

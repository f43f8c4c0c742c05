//! The lookup, as the Docker spec, section 4, tells it.

use super::candidate::{Found, foreign, judge, restored_command};
use super::lineage::Lineage;
use super::local::{Local, Match};
use super::reason::{Finding, Reason};
use super::request::{Request, Sources};
use super::restore::Restored;
use super::source::Source;
use super::store::Store;
use super::trace::{Event, Trace};
use crate::error::Error;
use crate::explain::Difference;
use crate::host::ImageStore;
use crate::prelude::*;

/// What a lookup found; nothing was changed yet.
#[derive(Debug)]
pub struct Decision {
    /// The result.
    pub verdict: Verdict,
    /// What the caller should know.
    pub notes: Vec<Finding>,
}

/// The result of a lookup.
#[derive(Debug)]
pub enum Verdict {
    /// A child of the parent.
    Local(String),
    /// This source, by its place among the sources in use.
    Exact(usize),
    /// An image made out of this source.
    Restored(usize, Box<Restored>),
    /// This source does the step, and the engine fails to restore it.
    Aborts(usize, Finding),
    /// No cached image matches.
    Miss,
    /// The lookup itself fails, which ends the build.
    Failed(Error),
}

/// Decides about a step, and tells `trace` each verdict on the way. Linear in the
/// number of children, which the host lists anew, and of sources, with one comparison
/// of digests each.
///
/// # Errors
/// When the children cannot be listed, or a limit is met.
pub fn decide<H: ImageStore>(
    store: &mut Store<H>,
    sources: &Sources,
    request: &Request,
    trace: &mut dyn Trace<H>,
) -> Result<Decision, Error> {
    let mut notes = Vec::new();
    let verdict = find(store, sources, request, &mut notes, trace)?;
    Ok(Decision { verdict, notes })
}

fn find<H: ImageStore>(
    store: &mut Store<H>,
    sources: &Sources,
    request: &Request,
    notes: &mut Vec<Finding>,
    trace: &mut dyn Trace<H>,
) -> Result<Verdict, Error> {
    let mut winner: Option<Match> = None;
    if let Some(requested) = &request.config {
        let local = Local::of(store, request, requested)?;
        trace.tell(store, request, Event::Children(requested, &local))?;
        if let Some(error) = local.error() {
            return Ok(Verdict::Failed(error));
        }
        notes.extend(local.notes());
        winner = local.winner;
    }
    let Sources::Given(given) = sources else {
        return Ok(winner.map_or(Verdict::Miss, |winner| Verdict::Local(winner.id)));
    };
    if let Some(Match { id, .. }) = winner {
        let trusted = given.iter().filter(|s| s.trusted || !request.mode.guarded);
        let heads: Vec<String> = trusted.map(|source| source.id.clone()).collect();
        let descends = descends(store, &heads, &id, notes)?;
        trace.tell(store, request, Event::Ancestry(&heads, &id))?;
        if descends {
            return Ok(Verdict::Local(id));
        }
    }
    let base = match request.parent.as_ref().map(|id| store.base(id)).transpose() {
        Ok(base) => base,
        Err(Error::LimitExceeded(excess)) => return Err(Error::LimitExceeded(excess)),
        Err(error) => return Ok(Verdict::Failed(error)),
    };
    for (place, source) in given.iter().enumerate() {
        let judged = judge(store, source, request, base.as_deref());
        let event = Event::Source(source, base.as_deref(), &judged);
        trace.tell(store, request, event)?;
        match judged {
            Err(rejection) => notes.extend(rejection.notes(source, request)),
            Ok(found) => {
                notes.extend(foreign(source, &request.matcher));
                return Ok(match found {
                    Found::Exact => Verdict::Exact(place),
                    Found::Fails(error, _) => Verdict::Failed(error),
                    // No later source is reached, so none is announced.
                    Found::Aborts(finding) if request.mode.guarded => {
                        notes.push(finding);
                        Verdict::Miss
                    }
                    Found::Aborts(finding) => Verdict::Aborts(place, finding),
                    Found::Restored(restored) => {
                        notes.extend(lost(source));
                        let requested = request.config.as_ref();
                        notes.extend(requested.and_then(|asked| restored_command(source, asked)));
                        Verdict::Restored(place, restored)
                    }
                });
            }
        }
    }
    Ok(Verdict::Miss)
}

/// Whether any of `heads` has `id` as a proper ancestor (Docker spec, section 4.2).
/// The steps of a replay follow each link once.
fn descends<H: ImageStore>(
    store: &mut Store<H>,
    heads: &[String],
    id: &str,
    notes: &mut Vec<Finding>,
) -> Result<bool, Error> {
    let known = store.lineage.take().filter(|known| known.is_of(heads));
    let mut lineage = known.unwrap_or_else(|| Lineage::new(heads.to_vec()));
    let found = lineage.reaches(id, &store.limits, |ids| store.parents(ids))?;
    if !found {
        notes.extend(lineage.cycles());
    }
    if store.replaying {
        store.lineage = Some(lineage);
    }
    Ok(found)
}

/// That a restored image does not name the variant of its source's platform (hazard
/// H9), if there is one.
fn lost(source: &Source) -> Option<Finding> {
    let variant = &source.platform.variant;
    let lost = Difference::fact("variant", variant);
    (!variant.is_empty()).then(|| Finding::new(Reason::VariantLost, &source.id).with([lost]))
}

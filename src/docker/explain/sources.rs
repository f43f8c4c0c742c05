//! Findings about the sources, and about the ancestor test of a local match.

use super::parent::Parent;
use super::rank::Rank;
use super::verdicts::Verdicts;
use crate::docker::base::Base;
use crate::docker::candidate::{Found, Rejection, step_of};
use crate::docker::history::{BY_BUILDKIT, Chain, Entry, command_mismatch, parent_mismatch};
use crate::docker::lineage::{End, Lineage};
use crate::docker::reason::{Finding, Reason};
use crate::docker::request::Request;
use crate::docker::source::Source;
use crate::docker::store::Store;
use crate::error::Error;
use crate::explain::Difference;
use crate::host::ImageStore;
use crate::prelude::*;

impl Verdicts<'_> {
    /// How the parent links of each source in use lead to the local match or not
    /// (Docker spec, section 4.2).
    pub(super) fn explain_ancestry<H: ImageStore>(
        &mut self,
        store: &Store<H>,
        heads: &[String],
        id: &str,
    ) -> Result<(), Error> {
        for head in heads {
            let mut lineage = Lineage::new(vec![head.clone()]);
            lineage.reaches(id, &store.limits, |ids| store.parents(ids))?;
            let image = |image: &str| Difference::fact("image", image);
            self.note(match lineage.end(head, id) {
                End::Reached => Finding::new(Reason::Ancestor, head),
                End::Last(last) => {
                    Finding::new(Reason::ChainEnd, head).with([Difference::fact("last", last)])
                }
                End::Unreadable(at, failure) => Finding::new(Reason::LinkUnreadable, head)
                    .with([image(at), Difference::fact("cause", &failure.message)]),
                End::Circle(ids) => {
                    Finding::new(Reason::AncestryCycle, head).with(ids.into_iter().map(image))
                }
            });
        }
        Ok(())
    }

    /// The verdict on a source: the first rule of the Docker spec, sections 4 and
    /// 5.3, that fires.
    pub(super) fn explain_source<H: ImageStore>(
        &mut self,
        store: &mut Store<H>,
        request: &Request,
        source: &Source,
        base: Option<&Base>,
        judged: &Result<Found, Rejection>,
    ) {
        self.sources += 1;
        let index = base.map_or(0, |base| base.entries);
        let layer = match judged {
            Ok(Found::Restored(restored)) => &restored.layer,
            Ok(Found::Fails(_, layer)) => layer,
            Ok(Found::Aborts(finding)) => {
                return self.reject_whole(finding.clone(), Rank::cause());
            }
            Ok(Found::Exact) => {
                let place = Difference::fact("index", index);
                return self.add(Finding::new(Reason::Exact, &source.id).with([place]));
            }
            Err(Rejection::Unusable(refusal)) => {
                return self.reject_whole(refusal.clone(), Rank::cause());
            }
            Err(rejection) => {
                return self.reject_source(store, request, source, base, rejection);
            }
        };
        let layer = layer.as_ref().map(|layer| Difference::fact("layer", layer));
        let finding = Finding::new(Reason::Restore, &source.id).with(layer);
        self.add(finding.with([Difference::fact("index", index)]));
    }

    /// A source that is refused, or whose next entry is not the step.
    fn reject_source<H: ImageStore>(
        &mut self,
        store: &mut Store<H>,
        request: &Request,
        source: &Source,
        base: Option<&Base>,
        rejection: &Rejection,
    ) {
        let index = base.map_or(0, |base| base.entries);
        let entry = source.history.get(index);
        let want = request.config.as_ref().map_or("", |config| &config.command);
        // What would speak against it, were it not refused.
        let (refusal, other) = match (rejection, step_of(source, request, base)) {
            (Rejection::Refused(refusal), other) => (Some(refusal), other.err()),
            (_, other) => (None, other.err()),
        };
        let reason = match &other {
            None => None,
            Some(Rejection::NoConfig) => Some(Finding::new(Reason::ConfigMissing, &source.id)),
            Some(Rejection::OtherCommand) => {
                entry.map(|entry| command_mismatch(&source.id, index, entry, want))
            }
            Some(_) => Some(self.apart(store, request, source, base)),
        };
        let rank = match &other {
            None => Rank::cause(),
            Some(other) => {
                let have = entry.map(|entry| entry.created_by.as_str());
                let created = entry.and_then(|entry| Some(entry.created?.instant()));
                let apart = match (other, &reason) {
                    (Rejection::Apart, Some(finding)) => finding.differences.len().max(1),
                    _ => 0,
                };
                Rank::of_source(have, want, apart + usize::from(refusal.is_some()), created)
            }
        };
        let Some(mut finding) = refusal.cloned().or(reason) else {
            return;
        };
        if finding.hint.is_none() && entry.is_some_and(Entry::is_by_buildkit) {
            finding = finding.hint(BY_BUILDKIT);
        }
        self.reject_whole(finding, rank);
    }

    /// Where a source leaves the parent. What is kept of the parent tells only that it
    /// does, so its history is read again, once.
    fn apart<H: ImageStore>(
        &mut self,
        store: &mut Store<H>,
        request: &Request,
        source: &Source,
        base: Option<&Base>,
    ) -> Finding {
        let mut read = || base.and_then(|base| Parent::of(store, request, base));
        let parent = self
            .parent
            .get_or_insert_with(|| read().unwrap_or_default());
        let chain = Chain {
            history: &source.history,
            diff_ids: &source.diff_ids,
        };
        let parent = base.map(|_| Chain {
            history: &parent.history,
            diff_ids: &parent.diff_ids,
        });
        parent_mismatch(&source.id, chain, parent)
            .unwrap_or_else(|| Finding::new(Reason::HistoryMismatch, &source.id))
    }
}

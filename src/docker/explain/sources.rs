//! Verdicts on the sources, and the ancestor test of a local match.

use super::{Rank, Verdicts};
use crate::docker::base::Base;
use crate::docker::decide::{Mode, Request, foreign, layer, no_restore, refused};
use crate::docker::history::{BY_BUILDKIT, Chain, Entry, command_mismatch, parent_mismatch};
use crate::docker::image::ImageDocument;
use crate::docker::reason::Reason;
use crate::docker::source::Source;
use crate::docker::store::Store;
use crate::error::Error;
use crate::explain::{Difference, Finding};
use crate::host::ImageStore;
use crate::limits::Limit;
use crate::prelude::*;

/// For each source in use, how its parent links lead to the local match or not
/// (4.2).
///
/// # Errors
/// `limit-exceeded` for `ancestors`.
pub fn explain_ancestry<H: ImageStore>(
    store: &Store<H>,
    given: &[Rc<Source>],
    id: &str,
    mode: Mode,
    verdicts: &mut Verdicts,
) -> Result<(), Error> {
    for source in given {
        if mode.guarded && !source.trusted {
            continue;
        }
        let mut seen = BTreeSet::new();
        let mut at = source.id.clone();
        let mut links = 0;
        let finding = loop {
            if !seen.insert(at.clone()) {
                let ids = seen.iter().map(|id| Difference::fact("image", id));
                break Finding::new(Reason::AncestryCycle, &source.id).with(ids);
            }
            let parent = store.parents(&[at.clone()]).pop().unwrap_or(Ok(None));
            if let Ok(Some(_)) = parent {
                links += 1;
                let limits = &store.limits;
                limits.check(Limit::Ancestors, links, "follow parents", &at)?;
            }
            match parent {
                Ok(Some(parent)) if parent == id => {
                    break Finding::new(Reason::Ancestor, &source.id);
                }
                Ok(Some(parent)) => at = parent,
                Ok(None) => {
                    break Finding::new(Reason::ChainEnd, &source.id)
                        .with([Difference::fact("last", at)]);
                }
                Err(failure) => {
                    break Finding::new(Reason::LinkUnreadable, &source.id).with([
                        Difference::fact("image", at),
                        Difference::fact("cause", failure.message),
                    ]);
                }
            }
        };
        verdicts.note(finding);
    }
    Ok(())
}

/// One verdict a source: the first rule of the Docker spec, sections 4 and 5.3,
/// that fires.
pub fn explain_sources<H: ImageStore>(
    store: &mut Store<H>,
    given: &[Rc<Source>],
    request: &Request,
    base: Option<&Base>,
    mode: Mode,
    verdicts: &mut Verdicts,
) {
    let parent = base.and_then(|base| parent_chain(store, request, base));
    let parent = parent
        .as_ref()
        .map(|(history, diff_ids)| Chain { history, diff_ids });
    let index = base.map_or(0, |base| base.entries);
    let below = base.map_or(0, |base| base.layers);
    let mut answered = false;
    for source in given {
        if answered {
            verdicts.add(Finding::new(Reason::SourceNotReached, &source.id).cascade());
            continue;
        }
        let chain = Chain {
            history: &source.history,
            diff_ids: &source.diff_ids,
        };
        let rejection = refused(source, request, mode)
            .or_else(|| parent_mismatch(&source.id, chain, parent))
            .or_else(|| command_speaks_against(source, index, request));
        let entry = source.history.get(index);
        let created = entry.and_then(|entry| Some(entry.created?.instant()));
        if let Some(mut finding) = rejection {
            let refusal = refused(source, request, mode).is_some();
            let apart = parent_mismatch(&source.id, chain, parent);
            let other = command_speaks_against(source, index, request).is_some();
            let rank = if refusal && apart.is_none() && !other {
                Rank::cause()
            } else {
                let want = request.config.as_ref().map_or("", |config| &config.command);
                let have = entry.map(|entry| entry.created_by.as_str());
                let apart = apart.map_or(0, |finding| finding.differences.len().max(1));
                Rank::of_source(have, want, apart + usize::from(refusal), created)
            };
            if finding.hint.is_none() && entry.is_some_and(Entry::is_by_buildkit) {
                finding = finding.hint(BY_BUILDKIT);
            }
            verdicts.reject_whole(finding, rank);
            continue;
        }
        let mut finding = Finding::new(Reason::Exact, &source.id);
        if index + 1 < source.history.len() {
            let layer = match layer(source, index, below, mode) {
                Ok(layer) => layer,
                Err(refusal) => {
                    verdicts.reject_whole(refusal, Rank::cause());
                    continue;
                }
            };
            let refusal = no_restore(source, index, layer.as_ref(), request, store);
            if let Some(refusal) = refusal.filter(|_| mode.guarded) {
                verdicts.reject_whole(refusal, Rank::cause());
                continue;
            }
            let time = source.history.get(index).and_then(|entry| entry.created);
            let written = base.is_none_or(|base| base.history_json.is_some())
                && time.is_none_or(|time| time.to_text().is_some());
            if mode.guarded && !written {
                let refusal = Finding::new(Reason::TimeNotEncodable, &source.id);
                let refusal = refusal.with([Difference::fact("index", index)]);
                verdicts.reject_whole(refusal, Rank::cause());
                continue;
            }
            finding = Finding::new(Reason::Restore, &source.id)
                .with(layer.map(|layer| Difference::fact("layer", layer)));
        }
        answered = true;
        verdicts.add(finding.with([Difference::fact("index", index)]));
        if let Some(note) = foreign(source, &request.matcher) {
            verdicts.note(note);
        }
    }
}

fn command_speaks_against(source: &Source, index: usize, request: &Request) -> Option<Finding> {
    let Some(requested) = &request.config else {
        return Some(Finding::new(Reason::ConfigMissing, &source.id));
    };
    let have = source.history.get(index)?;
    (have.created_by != requested.command)
        .then(|| command_mismatch(&source.id, index, have, &requested.command))
}

/// The entries and layers of the parent, out of what is kept of it.
fn parent_chain<H: ImageStore>(
    store: &mut Store<H>,
    request: &Request,
    base: &Base,
) -> Option<(Vec<Entry>, Vec<String>)> {
    let image = match &base.history_json {
        Some(history) if base.restored => {
            let (diff_ids, history) = (base.layers_json.text(), history.text());
            let text = format!(
                r#"{{"rootfs":{{"diff_ids":[{}]}},"history":[{}]}}"#,
                &*diff_ids, &*history
            );
            ImageDocument::read(&text, &store.rules, u32::MAX).ok()?
        }
        _ => {
            let id = request.parent.as_deref()?;
            store.document(id).ok()?.0
        }
    };
    let diff_ids = image
        .rootfs
        .map_or_else(Vec::new, |rootfs| rootfs.diff_ids.into_vec());
    Some((image.history.unwrap_or_default().into_vec(), diff_ids))
}
